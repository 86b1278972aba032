"""Ids equal to SentencePiece's, with models trained in the test."""

import functools
import io
import itertools
import pickle
import random
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.sentencepiece import _fields, from_model
from reference.texts import WORLD, adversarial, library_text

sentencepiece = pytest.importorskip("sentencepiece")

KINDS = {
    "llama": {"byte_fallback": True, "character_coverage": 0.995},
    "no prefix": {"byte_fallback": True, "add_dummy_prefix": False, "character_coverage": 0.995},
    "unknown": {"byte_fallback": False, "character_coverage": 0.99},
    "digits": {"byte_fallback": True, "split_digits": True, "character_coverage": 0.99},
    "across words": {"byte_fallback": True, "split_by_whitespace": False, "character_coverage": 0.995},
    "user-defined": {
        "byte_fallback": True,
        "user_defined_symbols": ["<user>", "日本", "\n"],
        "character_coverage": 0.99,
    },
    **{
        f"normalizer {name}": {"byte_fallback": True, "normalization_rule_name": name, "character_coverage": 0.995}
        for name in ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf")
    },
    "extra spaces": {"byte_fallback": True, "remove_extra_whitespaces": True, "character_coverage": 0.995},
    "suffix": {"byte_fallback": True, "treat_whitespace_as_suffix": True, "character_coverage": 0.995},
    "all defaults": {"normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True},
    "user-defined with spaces": {
        "normalization_rule_name": "nfkc",
        "user_defined_symbols": ["a b", "\u2581x", "ﬁ", "two  spaces", "\u2581", " lead", "日本"],
        "remove_extra_whitespaces": True,
        "character_coverage": 0.99,
    },
}


def random_options(rng: random.Random) -> dict[str, object]:
    """Any combination of a trainer's options that change how text is encoded."""
    symbols = ["<user>", "日本", "\n", "a b", "\u2581x", "ﬁ", "ab", "abc", "\u2581\u2581", " the", "①", "1"]
    return {
        "normalization_rule_name": rng.choice(["identity", "nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf"]),
        "byte_fallback": rng.random() < 0.5,
        "add_dummy_prefix": rng.random() < 0.7,
        "remove_extra_whitespaces": rng.random() < 0.5,
        "treat_whitespace_as_suffix": rng.random() < 0.3,
        "split_by_whitespace": rng.random() < 0.7,
        "allow_whitespace_only_pieces": rng.random() < 0.5,
        "split_digits": rng.random() < 0.3,
        "split_by_unicode_script": rng.random() < 0.7,
        "character_coverage": rng.choice([0.98, 0.995, 1.0]),
        "user_defined_symbols": rng.sample(symbols, rng.choice([0, 0, 2, 4])),
        "control_symbols": rng.choice([[], ["<ctl>"]]),
    }


def train(**options: object) -> bytes:
    model = io.BytesIO()
    arguments = {
        "model_type": "bpe",
        "vocab_size": 900,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "minloglevel": 2,
        **options,
    }
    lines = [*library_text(100_000).splitlines(), *WORLD.splitlines() * 5]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **arguments)
    return model.getvalue()


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def with_pieces(data: bytes, change: Callable[[bytes, float, int], tuple[bytes, float, int]]) -> bytes:
    """A model whose pieces (text, score, type) are changed."""
    out = b""
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(value))
            text, score, kind = change(piece[1], piece[2], piece.get(3, 1))
            value = b"\x0a" + varint(len(text)) + text + b"\x15" + struct.pack("<f", score) + b"\x18" + varint(kind)
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def tied(text: bytes, score: float, kind: int) -> tuple[bytes, float, int]:
    return text, score // 7, kind


def partly_unused(text: bytes, score: float, kind: int) -> tuple[bytes, float, int]:
    return text, score, 5 if kind == 1 and len(text) == 2 and text < b"f" else kind


CHANGED = {"equal scores": tied, "unused pieces": partly_unused}


@functools.cache
def pair(kind: str) -> tuple[fissile.Tokenizer, "sentencepiece.SentencePieceProcessor"]:
    if kind in CHANGED:
        data = with_pieces(train(byte_fallback=True, vocab_size=700), CHANGED[kind])
    elif kind in KINDS:
        data = train(**KINDS[kind])
    else:
        data = train(**random_options(random.Random(kind)))
    return fissile.Tokenizer(from_model(data, kind)), sentencepiece.SentencePieceProcessor(model_proto=data)


def assert_equal(kind: str, texts: list[str]) -> None:
    ours, theirs = pair(kind)
    # To SentencePiece a NUL ends nothing, but its Python binding takes text as UTF-8 all the same.
    wanted = theirs.encode(texts)
    got = ours.encode_batch(texts).tolist()
    wrong = [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]
    assert not wrong, (
        f"{len(wrong)} texts differ, first {texts[wrong[0]][:100]!r}: {got[wrong[0]][:20]} {wanted[wrong[0]][:20]}"
    )


TEXTS = [
    "", " ", "  ", "  a", "a  ", "▁a ▁", "a\tb\r\nc", "<user>", "a<user><user> b", "日本語", "a  b a b two  spaces", "x x▁x",
    "ﬁ ﬁx ①1 ½ ㍿", "  the abc ab  c ", "\u3000全角　スペース\u00a0", "e\u0301 가 각 ｶﾞ \u200b\ufeff.", "the<ctl>the <s> </s> <unk>",
]  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, *CHANGED])
def test_real_and_hostile_text(kind: str) -> None:
    text = library_text()
    assert_equal(kind, [text[i : i + 2000] for i in range(0, len(text), 2000)])
    assert_equal(
        kind, [WORLD, *WORLD.splitlines(), "", " ", "  a", "a  ", "▁a ▁", "<user>", "a<user><user> b", "日本語"]
    )
    assert_equal(kind, [text for name, text in adversarial(2000).items() if name != "any characters"])


@pytest.mark.parametrize("seed", range(12))
def test_random_options(seed: int) -> None:
    kind = f"random {seed}"
    text = library_text(40_000)
    assert_equal(kind, [text[i : i + 500] for i in range(0, len(text), 500)])
    assert_equal(kind, [WORLD, *WORLD.splitlines(), *TEXTS, *adversarial(500).values()])
    assert_decodes_equal(kind, [*WORLD.splitlines(), *TEXTS])


@pytest.mark.parametrize("kind", [*KINDS, *CHANGED])
@settings(max_examples=60)
@given(texts=st.lists(st.text(max_size=50) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=50), max_size=15))
def test_any_text(kind: str, texts: list[str]) -> None:
    assert_equal(kind, texts)


def assert_decodes_equal(kind: str, texts: list[str]) -> None:
    ours, theirs = pair(kind)
    for text in texts:
        ids = theirs.encode(text)
        assert ours.decode(ids) == theirs.decode(ids), (text, theirs.encode(text, out_type=str))
        stream = ours.stream_decoder()
        assert "".join([*map(stream.push, ids), stream.finish()]) == theirs.decode(ids)
        unknown = [theirs.bos_id(), *ids, theirs.unk_id(), theirs.unk_id(), *ids, theirs.eos_id()]
        assert ours.decode(unknown) == theirs.decode(unknown)


@pytest.mark.parametrize("kind", KINDS)
def test_decoding(kind: str) -> None:
    assert_decodes_equal(kind, [*WORLD.splitlines(), *TEXTS, " two"])


@pytest.mark.parametrize("kind", KINDS)
def test_any_ids_decode(kind: str) -> None:
    ours, theirs = pair(kind)
    rng = random.Random(7)
    special = [*range(3), *(id for id in range(theirs.get_piece_size()) if theirs.is_byte(id))]
    for n in [*range(1, 12)] * 40:
        ids = [rng.choice(special) if rng.random() < 0.6 else rng.randrange(theirs.get_piece_size()) for _ in range(n)]
        assert ours.decode(ids) == theirs.decode(ids), [theirs.id_to_piece(id) for id in ids]
        assert ours.decode_batch([ids]) == [theirs.decode(ids)]
    batch = [[rng.choice(special) for _ in range(6)] for _ in range(50)]
    ragged = fissile.Ragged(np.array(batch, np.uint32).ravel(), np.arange(0, 301, 6))
    assert ours.decode_batch(ragged) == [theirs.decode(ids) for ids in batch]


def test_text_comes_back() -> None:
    for kind in ("llama", "no prefix"):
        ours, _ = pair(kind)
        for text in [*WORLD.splitlines(), " two", ""]:
            assert ours.decode(ours.encode(text)) == text


@pytest.mark.parametrize("kind", ["normalizer nmt_nfkc", "user-defined with spaces", "suffix", "llama", "no prefix"])
def test_offsets_after_normalizing(kind: str) -> None:
    ours, _ = pair(kind)
    for text in ["ﬁx ①", " a  b ", "e\u0301te\u0301", "日本語", " hello", "  hello", " ", "   ", "\na", "\u2581a"]:
        ranges = ours.offsets(text)
        assert len(ranges) == len(ours.encode(text))
        assert ((ranges[:, 0] <= ranges[:, 1]) & (ranges[:, 1] <= len(text))).all()
        assert (ranges[1:, 0] >= ranges[:-1, 0]).all()


PIECES = [
    " ",
    "  ",
    "   ",
    "\u2581",
    "\n",
    "\t",
    "a",
    "x.",
    "é",
    "東",
    "日本",
    "😀",
    "</s>",
    "<user>",
    "<unk>",
    "１",
    "a b",
    "ﬁ",
]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(pieces=st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=8))
def test_offsets_of_any_text(kind: str, pieces: list[str]) -> None:
    ours, _ = pair(kind)
    text = "".join(pieces)
    ranges = ours.offsets(text, "byte")
    assert len(ranges) == len(ours.encode(text))
    rewrites = KINDS[kind].get("normalization_rule_name") or KINDS[kind].keys() & {
        "remove_extra_whitespaces",
        "treat_whitespace_as_suffix",
    }
    if len(ranges) and not rewrites:  # every byte lies in one token
        assert ranges[0, 0] == 0 and ranges[-1, 1] == len(text.encode())
        assert (ranges[1:, 0] == ranges[:-1, 1]).all()


def test_saving_and_pickling(tmp_path: "object") -> None:
    ours, _ = pair("llama")
    path = f"{tmp_path}/tokenizer.model"
    ours.save(path)
    assert fissile.Tokenizer.from_file(path) == ours == pickle.loads(pickle.dumps(ours))
    assert fissile.Tokenizer.from_pretrained(str(tmp_path)) == ours


@pytest.mark.parametrize("names", [{}, {"bos_piece": "<bos>", "eos_piece": "<eos>"}], ids=str)
def test_templates(names: dict[str, object], tmp_path: "object") -> None:
    """bos in front is usual; the other ways are SentencePiece's arguments, and stay with what is saved."""
    path = f"{tmp_path}/tokenizer.model"
    with open(path, "wb") as file:
        file.write(train(byte_fallback=True, vocab_size=600, **names))
    for add_bos, add_eos in itertools.product([None, True, False], repeat=2):
        theirs = sentencepiece.SentencePieceProcessor(
            model_file=path, add_bos=add_bos is not False, add_eos=bool(add_eos)
        )
        ours = fissile.Tokenizer.from_file(path, add_bos=add_bos, add_eos=add_eos)
        ours.save(f"{tmp_path}/t.fissile")
        for again in (ours, fissile.Tokenizer.from_file(f"{tmp_path}/t.fissile"), pickle.loads(pickle.dumps(ours))):
            assert again == ours and hash(again) == hash(ours)
            for text in ("Hello world", ""):
                wanted = theirs.encode(text)
                assert again.encode(text, add_special_tokens=True).tolist() == wanted
                assert again.encode_batch([text], add_special_tokens=True, eod=5).tolist() == [[*wanted, 5]]
                assert again.count(text, add_special_tokens=True) == len(wanted)
        is_usual = add_bos is not False and not add_eos
        assert (ours == fissile.Tokenizer.from_file(path)) == is_usual
        if not is_usual:
            with pytest.raises(ValueError, match=r"save it as \.fissile"):
                ours.save(f"{tmp_path}/again.model")


def test_templates_that_cannot_be(tmp_path: "object") -> None:
    path = f"{tmp_path}/tokenizer.model"
    with open(path, "wb") as file:
        file.write(train(byte_fallback=True, vocab_size=600, bos_id=-1, eos_id=-1))
    assert fissile.Tokenizer.from_file(path).encode("", add_special_tokens=True).tolist() == []
    for name in ("bos", "eos"):
        with pytest.raises(fissile.TokenizerFileError, match=f"no piece for add_{name}=True"):
            fissile.Tokenizer.from_file(path, **{f"add_{name}": True})
    ranks = fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, "gpt2", {"<s>": 256})
    ranks.save(f"{tmp_path}/t.json")
    with pytest.raises(ValueError, match="add_bos and add_eos are for SentencePiece models"):
        fissile.Tokenizer.from_file(f"{tmp_path}/t.json", add_eos=False)
    assert ranks.encode("a", add_special_tokens=True).tolist() == [97]  # a rank file has no template


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_type": "unigram"}, "a model of type UNIGRAM, expected BPE"),
        ({"model_type": "char"}, "a model of type CHAR, expected BPE"),
    ],
)
def test_models_of_other_kinds_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(fissile.TokenizerFileError, match=message):
        from_model(train(byte_fallback=True, **options), "model")


def test_cut_and_changed_models_are_errors_or_tokenizers() -> None:
    data = train(byte_fallback=True, vocab_size=600)
    for end in itertools.chain(range(60), range(60, len(data), 97)):
        try:
            fissile.Tokenizer(from_model(data[:end], "cut")).encode("Hello world")
        except fissile.TokenizerFileError:
            continue


def test_broken_tables_of_characters() -> None:
    data = train(byte_fallback=True, vocab_size=600, normalization_rule_name="nfkc")
    table = dict(_fields(dict(_fields(data))[3]))[2]
    at = data.index(table)
    rng = random.Random(1)
    for _ in range(40):
        changed = bytearray(table)
        for _ in range(20):
            changed[rng.randrange(4, len(table))] = rng.randrange(256)
        fissile.Tokenizer(from_model(data[:at] + changed + data[at + len(table) :], "m")).encode(WORLD)
    for size in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x03\x00\x00\x00"):
        with pytest.raises(fissile.TokenizerFileError, match="m: precompiled_charsmap says that"):
            from_model(data[:at] + size + data[at + 4 :], "m")
