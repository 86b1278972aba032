"""Ids equal to those of `tokenizers`: the shared tokenizer.json files, and small ones of every supported kind."""

import functools
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from reference.texts import WORLD, adversarial, library_text, shared, shared_corpora

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import (  # noqa: E402
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from fissile.formats.patterns import SPELLINGS  # noqa: E402
from fissile.formats.tokenizer_json import from_json  # noqa: E402

Pair = tuple[fissile.Tokenizer, "tokenizers.Tokenizer"]


def loaded(theirs: "tokenizers.Tokenizer") -> Pair:
    return fissile.Tokenizer(from_json(theirs.to_str().encode(), "trained")), theirs


def trained(theirs: "tokenizers.Tokenizer", **options: object) -> "tokenizers.Tokenizer":
    arguments = {"vocab_size": 900, "show_progress": False, "special_tokens": ["<unk>", "<s>", "</s>"], **options}
    theirs.train_from_iterator([*documents(library_text(100_000)), WORLD * 5], trainers.BpeTrainer(**arguments))
    return theirs


def byte_level(pattern: str | None, **options: bool) -> "tokenizers.Tokenizer":
    theirs = tokenizers.Tokenizer(models.BPE(**options))
    if pattern is None:
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    else:
        split = pre_tokenizers.Split(Regex(SPELLINGS[pattern]), "isolated")
        byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        theirs.pre_tokenizer = pre_tokenizers.Sequence([split, byte])
    theirs.decoder = decoders.ByteLevel()
    return trained(theirs, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def digits_apart() -> "tokenizers.Tokenizer":
    theirs = tokenizers.Tokenizer(models.BPE())
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte])
    theirs.decoder = decoders.ByteLevel()
    return trained(theirs, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def nfc() -> "tokenizers.Tokenizer":
    theirs = byte_level("qwen2")
    theirs.normalizer = normalizers.NFC()
    return theirs


def with_added_tokens() -> "tokenizers.Tokenizer":
    theirs = byte_level("llama3")
    theirs.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|im"])
    theirs.add_tokens(
        [
            AddedToken("HTTP", normalized=False),
            AddedToken("word", single_word=True, normalized=False),
            AddedToken("<left>", lstrip=True, normalized=False),
            AddedToken("<right>", rstrip=True, normalized=False),
            AddedToken("日本", normalized=True),
        ]
    )
    theirs.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return theirs


def byte_fallback(build: Callable[["tokenizers.Tokenizer"], None]) -> "tokenizers.Tokenizer":
    theirs = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    build(theirs)
    trained(theirs, special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))], limit_alphabet=90)
    tree = json.loads(theirs.to_str())
    # Byte tokens belong to the model alone, as in published files; as added tokens they would be found in text.
    tree["added_tokens"] = [t for t in tree["added_tokens"] if not t["content"].startswith("<0x")]
    return tokenizers.Tokenizer.from_str(json.dumps(tree))


def llama(theirs: "tokenizers.Tokenizer") -> None:
    theirs.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    theirs.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )


def gemma(theirs: "tokenizers.Tokenizer") -> None:
    theirs.normalizer = normalizers.Replace(" ", "▁")
    theirs.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    theirs.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])


def metaspace(scheme: str, split: bool) -> Callable[["tokenizers.Tokenizer"], None]:
    def build(theirs: "tokenizers.Tokenizer") -> None:
        theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
        theirs.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme, split=split)]
        )

    return build


KINDS: dict[str, Callable[[], "tokenizers.Tokenizer"]] = {
    **{f"byte-level {pattern}": functools.partial(byte_level, pattern) for pattern in SPELLINGS},
    "byte-level with a space in front": functools.partial(byte_level, None),
    "byte-level behind Digits": digits_apart,
    "ignore_merges": functools.partial(byte_level, "llama3", ignore_merges=True),
    "NFC": nfc,
    "added tokens": with_added_tokens,
    "llama": functools.partial(byte_fallback, llama),
    "gemma": functools.partial(byte_fallback, gemma),
    **{
        f"Metaspace {scheme} {'split' if split else 'whole'}": functools.partial(
            byte_fallback, metaspace(scheme, split)
        )
        for scheme in ("always", "first", "never")
        for split in (True, False)
    },
}


@functools.cache
def pair(kind: str) -> Pair:
    return loaded(KINDS[kind]())


@functools.cache
def shared_pair(name: str) -> Pair:
    data = shared("vocab", f"{name}.json")
    if data is None:
        pytest.skip("no shared vocabularies")
    return fissile.Tokenizer(from_json(data, name)), tokenizers.Tokenizer.from_str(data.decode())


def assert_equal(ours: fissile.Tokenizer, theirs: "tokenizers.Tokenizer", texts: list[str]) -> None:
    wanted = [encoding.ids for encoding in theirs.encode_batch_fast(texts, add_special_tokens=False)]
    got = ours.encode_batch(texts).tolist()
    wrong = [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]
    assert not wrong, (
        f"{len(wrong)} texts differ, first {texts[wrong[0]][:100]!r}: {got[wrong[0]][:20]} {wanted[wrong[0]][:20]}"
    )


def documents(text: str) -> list[str]:
    return [text[i : i + 2000] for i in range(0, len(text), 2000)]


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3", "llama2"])
@pytest.mark.parametrize("corpus", shared_corpora())
def test_shared_tokenizers_on_shared_text(name: str, corpus: str) -> None:
    text = (shared("corpus", corpus) or b"").decode()
    assert_equal(*shared_pair(name), documents(text[:150_000] + text[-150_000:]))


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3", "llama2"])
def test_shared_tokenizers_on_hostile_text(name: str) -> None:
    assert_equal(*shared_pair(name), [WORLD, *adversarial(20_000).values()])


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3", "llama2"])
@settings(max_examples=100)
@given(texts=st.lists(st.text(max_size=50) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=50), max_size=15))
def test_shared_tokenizers_on_any_text(name: str, texts: list[str]) -> None:
    assert_equal(*shared_pair(name), texts)


@pytest.mark.parametrize("kind", KINDS)
def test_trained_tokenizers(kind: str) -> None:
    ours, theirs = pair(kind)
    assert_equal(ours, theirs, [WORLD, *documents(library_text(60_000)), *adversarial(2000).values()])
    specials = [
        "<s>",
        " word",
        "sword",
        " <left> ",
        " <right> a",
        "HTTPS <|im_start|><|im_end|><|im",
        "x日本y",
        "a<s>b</s> <unk>",
    ]
    assert_equal(ours, theirs, specials)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(texts=st.lists(st.text(max_size=50) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=50), max_size=15))
def test_trained_tokenizers_on_any_text(kind: str, texts: list[str]) -> None:
    assert_equal(*pair(kind), texts)


@pytest.mark.parametrize("kind", KINDS)
def test_decoding(kind: str) -> None:
    ours, theirs = pair(kind)
    for text in [*WORLD.splitlines(), "  two spaces", "", " ", "a"]:
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_templates_are_added_when_asked_for() -> None:
    ours, theirs = pair("added tokens")
    for text in ("Hello world", ""):
        wanted = theirs.encode(text, add_special_tokens=True).ids
        assert ours.encode(text, add_special_tokens=True).tolist() == wanted
        assert ours.encode_batch([text], add_special_tokens=True).tolist() == [wanted]
        assert ours.count(text, add_special_tokens=True) == len(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_in_characters(kind: str) -> None:
    ours, theirs = pair(kind)
    leading = (" Hello", "  two  spaces", " ", "   ", " \n a", " <|im_start|>  b", "<|im_start|> a")
    for text in ("Hello world", "Häuser naïve", "日本語 text", "a <|im_start|> b", "", "日", "<s>日本</s>\n", *leading):
        check_offsets(ours, theirs, text)


def check_offsets(ours: fissile.Tokenizer, theirs: "tokenizers.Tokenizer", text: str) -> None:
    encoding = theirs.encode(text, add_special_tokens=False)
    assert ours.encode(text).tolist() == encoding.ids
    assert ours.offsets(text).tolist() == [list(span) for span in encoding.offsets], (text, encoding.tokens)


PIECES = [
    " ",
    "  ",
    "   ",
    "\u2581",
    "\n",
    "\t",
    "a",
    "the",
    "x.",
    "é",
    "東",
    "😀",
    "<s>",
    "</s>",
    "<|im_start|>",
    "<unk>",
]
TOUCHED = ["<left>", " <right>", "word", "HTTP", "日本", "e\u0301"]  # by white space, letters or a normal form


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=200)
@given(pieces=st.lists(st.sampled_from([*PIECES, *TOUCHED]) | st.characters(exclude_categories=["Cs"]), max_size=10))
def test_offsets_of_any_text(kind: str, pieces: list[str]) -> None:
    check_offsets(*pair(kind), "".join(pieces))


@functools.cache
def untrimmed(name: str) -> "tokenizers.Tokenizer":
    """A shared tokenizer there, without what trims its ranges."""
    theirs = tokenizers.Tokenizer.from_str(shared_pair(name)[1].to_str())
    theirs.post_processor = processors.Sequence([])
    return theirs


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3", "llama2"])
@settings(max_examples=200)
@given(pieces=st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=10))
def test_offsets_of_shared_tokenizers(name: str, pieces: list[str]) -> None:
    check_offsets(shared_pair(name)[0], untrimmed(name), "".join(pieces))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "NFC"])
@settings(max_examples=200)
@given(pieces=st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=10))
def test_offsets_leave_nothing_out(kind: str, pieces: list[str]) -> None:
    ours, _ = pair(kind)
    text = "".join(pieces)
    ranges = ours.offsets(text, "byte")
    assert len(ranges) == len(ours.encode(text))
    if len(ranges):
        assert ranges[0, 0] == 0 and ranges[-1, 1] == len(text.encode())
        assert (ranges[1:, 0] == ranges[:-1, 1]).all()
    for id, (begin, end) in zip(ours.encode(text).tolist(), ranges.tolist(), strict=True):
        stretch = text.encode()[begin:end].replace("\u2581".encode(), b" ")
        assert ours.token_bytes(id).replace("\u2581".encode(), b" ") in (stretch, b" " + stretch)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_loads_there_and_here(kind: str, tmp_path: "object") -> None:
    ours, _theirs = pair(kind)
    path = f"{tmp_path}/tokenizer.json"
    ours.save(path)
    again = tokenizers.Tokenizer.from_file(path)
    assert_equal(ours, again, [WORLD])
    assert fissile.Tokenizer.from_file(path) == ours
