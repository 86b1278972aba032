"""The tokenizer.json of published models, each with the nodes, options and added tokens of its own, against `tokenizers`.

The vocabularies are small ones trained here; what surrounds them is what the files on the hub hold.
"""

import base64
import functools
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats import json_nodes
from fissile.formats.json_reader import Reader
from fissile.formats.sentencepiece import _fields
from fissile.formats.tokenizer_json import from_json
from fissile.pipeline.byte_alphabet import byte_alphabet
from reference.published import MODELS
from reference.texts import WORLD, adversarial, library_text

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("regex")

Json = dict[str, Any]


def untrained(name: str) -> Json:
    """The model's tokenizer.json, without vocabulary, merges, post-processor and added tokens."""
    published = MODELS[name]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": published.normalizer,
        "pre_tokenizer": published.pre_tokenizer,
        "post_processor": None,
        "decoder": published.decoder,
        "model": {"type": "BPE", "dropout": None, "vocab": {}, "merges": []} | published.model,
    }


@functools.cache
def tokenizer_json(name: str) -> str:
    """The model's tokenizer.json, with a vocabulary trained here."""
    published = MODELS[name]
    root = untrained(name)
    first = [str(root["model"].get("unk_token") or "<pad>"), *published.first_tokens]
    if root["model"].get("byte_fallback"):
        first += [f"<0x{byte:02X}>" for byte in range(256)]
    blank = json.loads(json.dumps(root))
    blank["model"]["unk_token"] = None
    trained = tokenizers.Tokenizer.from_str(json.dumps(blank))
    over_bytes = "ByteLevel" in json.dumps([root["normalizer"], root["pre_tokenizer"]])
    affixes = {
        key: root["model"][key]
        for key in ("continuing_subword_prefix", "end_of_word_suffix")
        if root["model"].get(key) is not None
    }
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1500,
        show_progress=False,
        special_tokens=first,
        initial_alphabet=byte_alphabet() if over_bytes else [],
        limit_alphabet=300 if over_bytes else 150,
        **affixes,
    )
    text = library_text(60_000)
    trained.train_from_iterator([*(text[i : i + 700] for i in range(0, len(text), 700)), *[WORLD] * 4], trainer)
    model = json.loads(trained.to_str())["model"]
    if over_bytes and affixes:  # the trainer knows the bytes that end words only from words
        for character in byte_alphabet():
            model["vocab"].setdefault(character + affixes["end_of_word_suffix"], len(model["vocab"]))
    root["model"] |= {"vocab": model["vocab"], "merges": model["merges"]}
    n = len(model["vocab"])
    for token in published.added_tokens:
        id = model["vocab"].get(token["content"])
        if id is None:
            id, n = n, n + 1
        root["added_tokens"].append({"id": id} | token)
    root["added_tokens"].sort(key=lambda token: token["id"])
    ids = {token["content"]: token["id"] for token in root["added_tokens"]}
    root["post_processor"] = published.post_processor(ids)
    return json.dumps(root)


@functools.cache
def pair(name: str) -> "tuple[fissile.Tokenizer, tokenizers.Tokenizer]":
    data = tokenizer_json(name)
    return fissile.Tokenizer(from_json(data.encode(), name)), tokenizers.Tokenizer.from_str(data)


def texts_of(name: str) -> list[str]:
    """Real text, hostile text, and the model's added tokens in the middle of other text."""
    contents = [token["content"] for token in MODELS[name].added_tokens]
    rng = random.Random(name)
    between = ["", " ", "  ", "a", " word", "\n", "é", "日本", "x ", ".", "\u2581", "Ġ"]
    mixed = ["".join(rng.choice(contents + between) for _ in range(8)) for _ in range(60)] if contents else []
    text = library_text(60_000)
    return [
        "", " ", "   ", "\n", "\t \n  ", "a", " a", "a ", "  two  spaces  ", "hello</w>", "</w>", "##ing", "<0x41>", "Ċ Ġa",
        "x" * 50, "ﬁ ½ ㍿ e\u0301\u0323 각 \u1100\u1161 ｶﾞ Å\u200b\ufeff", "\x00\x01\x7f\x85\xad\ufffd", *WORLD.splitlines(), WORLD,
        *(text[i : i + 1000] for i in range(0, len(text), 1000)), *adversarial(400).values(), *contents, *mixed,
    ]  # fmt: skip


def assert_equal(name: str, texts: list[str]) -> None:
    ours, theirs = pair(name)
    for with_special in (True, False):
        wanted = [encoding.ids for encoding in theirs.encode_batch_fast(texts, add_special_tokens=with_special)]
        got = ours.encode_batch(texts, add_special_tokens=with_special).tolist()
        for text, a, b in zip(texts, got, wanted, strict=True):
            if a != b:
                spelt = [theirs.id_to_token(id) for id in a[:30]], [theirs.id_to_token(id) for id in b[:30]]
                raise AssertionError(f"{name}: {text[:100]!r}: {spelt[0]} {spelt[1]}")
    assert ours.count_batch(texts).tolist() == [len(ids) for ids in wanted]


@pytest.mark.parametrize("name", MODELS)
def test_ids(name: str) -> None:
    assert_equal(name, texts_of(name))


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15)
@given(
    st.lists(st.text(max_size=30) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=40), min_size=1, max_size=12)
)
def test_ids_of_any_text(name: str, texts: list[str]) -> None:
    assert_equal(name, texts)


def decoded(name: str, ids: list[int], skip: bool) -> str | None:
    """What `tokenizers` decodes, or None where it panics: its Strip does at tokens shorter than what it strips."""
    try:
        return pair(name)[1].decode(ids, skip_special_tokens=skip)
    except BaseException as error:
        assert "out of bounds" in str(error) or "slice index" in str(error), error
        return None


def assert_decodes_equal(name: str, ids: list[int]) -> None:
    ours, theirs = pair(name)
    for skip in (True, False):
        wanted = decoded(name, ids, skip)
        if wanted is None:
            continue
        got = ours.decode(ids, skip_special_tokens=skip)
        assert got == wanted, (name, skip, [theirs.id_to_token(id) for id in ids[:40]])


@pytest.mark.parametrize("name", MODELS)
def test_decoding(name: str) -> None:
    for text in texts_of(name):
        assert_decodes_equal(name, pair(name)[1].encode(text).ids)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=40)
@given(st.data())
def test_decoding_any_ids(name: str, data: st.DataObject) -> None:
    n = pair(name)[0].n_vocab
    special = [token["id"] for token in json.loads(tokenizer_json(name))["added_tokens"]]
    id = st.integers(0, n - 1) | st.integers(0, min(n - 1, 300))
    ids = data.draw(st.lists(id | st.sampled_from(special) if special else id, max_size=20))
    assert_decodes_equal(name, ids)


@pytest.mark.parametrize("name", MODELS)
def test_streams_decode_as_whole_texts_do(name: str) -> None:
    ours, _ = pair(name)
    rng = random.Random(name)
    sequences = [ours.encode(text).tolist() for text in texts_of(name)[:60]]
    sequences += [[rng.randrange(ours.n_vocab) for _ in range(30)] for _ in range(30)]
    for ids in sequences:
        try:
            stream = ours.stream_decoder()
        except ValueError as error:
            assert "work on whole texts only" in str(error)
            return
        streamed, whole = "".join([*map(stream.push, ids), stream.finish()]), ours.decode(ids)
        # `tokenizers` replaces a whole run of byte tokens if one of them is wrong; of such the stream has begun to speak.
        assert streamed == whole or ("\ufffd" in whole and MODELS[name].model.get("byte_fallback"))


def normalized(tokenizer: tokenizers.Tokenizer, text: str) -> str:
    return tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text


@pytest.mark.parametrize("name", MODELS)
def test_offsets(name: str) -> None:
    ours, _ = pair(name)
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(name))
    theirs.post_processor = tokenizers.processors.Sequence([])  # which may trim the ranges
    drops = "unk_token" not in MODELS[name].model and "end_of_word_suffix" in MODELS[name].model
    for text in texts_of(name):
        encoding = theirs.encode(text, add_special_tokens=False)
        if drops and (
            any(not char.isspace() and theirs.token_to_id(char) is None for char in normalized(theirs, text))
            or not all(
                text[a:b] and token[0] == text[a]
                for token, (a, b) in zip(encoding.tokens, encoding.offsets, strict=True)
            )
        ):
            continue  # `tokenizers` does not count characters that it leaves out
        got = ours.offsets(text).tolist()
        assert got == [list(span) for span in encoding.offsets], (name, text[:80], encoding.tokens[:20])


@pytest.mark.parametrize("unk", [{}, {"unk_token": "[UNK]"}, {"unk_token": "[UNK]", "fuse_unk": True}], ids=str)
@pytest.mark.parametrize("node", ["ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit"])
def test_characters_that_the_model_does_not_have(node: str, unk: Json) -> None:
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(**unk))
    theirs.pre_tokenizer = getattr(tokenizers.pre_tokenizers, node)()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=100, show_progress=False, special_tokens=["[UNK]"])
    theirs.train_from_iterator(["hello world the cat sat on the mat and the dog"] * 5, trainer)
    ours = fissile.Tokenizer(from_json(theirs.to_str().encode(), "made"))
    for text in [
        "heXXllo w\u00e9orld",
        "th\u00e9\u00e9\u00e9\u00e9 catt thXe",
        "\u00e9th\u00e9e\u00e9",
        "tX Xhe",
        "日the日 日日 the",
        "日",
        WORLD,
    ]:
        assert ours.encode(text).tolist() == theirs.encode(text, add_special_tokens=False).ids, text


def charsmap(rule: str) -> str:
    """The table of characters that SentencePiece has for a rule, in base64."""
    sentencepiece = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c"]), model_writer=model, model_type="char", vocab_size=7,
        normalization_rule_name=rule, minloglevel=2,
    )  # fmt: skip
    return base64.b64encode(dict(_fields(dict(_fields(model.getvalue()))[3]))[2]).decode()


CLUSTERS = [
    "", "\r\n a\r\nb\n\r", "e\u0301 \u00b2\u0301 \u00b2\u0301\u0302\u0303 \ufb01\u0301", "a\u200db \u00a9\u200d\u00a9 \u2460\u200d", "\u0600a \u0600\u00b2",
    "\u1100\u1161\u11a8 각 \uff76\uff9e", "x\u00ad\u200b\u200c\ufeff\x07y\x00", "\U0001f1e9\U0001f1ea \U0001f469\u200d\U0001f469", *WORLD.splitlines(), WORLD,
]  # fmt: skip


@pytest.mark.parametrize("rule", ["nmt_nfkc", "nfkc", "nmt_nfkc_cf"])
def test_tables_of_characters(rule: str) -> None:
    """As NLLB has it, and what the converter of `transformers` makes of other SentencePiece models."""
    node = {"type": "Precompiled", "precompiled_charsmap": charsmap(rule)}
    for extra in ([], [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]):
        root = json.loads(tokenizer_json("legacy Metaspace"))
        root["normalizer"] = {"type": "Sequence", "normalizers": [node, *extra]}
        theirs = tokenizers.Tokenizer.from_str(json.dumps(root))
        ours = fissile.Tokenizer(from_json(json.dumps(root).encode(), "made"))
        for text in [*CLUSTERS, *texts_of("legacy Metaspace")]:
            encoding = theirs.encode(text, add_special_tokens=False)
            assert ours.encode(text).tolist() == encoding.ids, text[:80]
    (step,) = json_nodes.normalizer(Reader("made"), node, in_python=True).steps
    theirs = tokenizers.Tokenizer.from_str(json.dumps(root | {"normalizer": node}))
    for first in range(0x20, 0x30000, 0x100):
        text = " ".join(chr(c) for c in range(first, first + 0x100) if not 0xD800 <= c < 0xE000)
        assert step.apply(text) == theirs.normalizer.normalize_str(text), hex(first)


@settings(max_examples=200)
@given(
    st.text(
        st.sampled_from("a\r\n \u00b2\ufb01e\u0301\u0302\u200d\u00a9\u0600①\u00ad\uff76\uff9e\U0001f469"), max_size=10
    )
)
def test_offsets_after_a_table_of_characters(text: str) -> None:
    ours, theirs = precompiled()
    encoding = theirs.encode(text, add_special_tokens=False)
    assert ours.encode(text).tolist() == encoding.ids
    assert ours.offsets(text).tolist() == [list(span) for span in encoding.offsets]


@functools.cache
def precompiled() -> "tuple[fissile.Tokenizer, tokenizers.Tokenizer]":
    root = json.loads(tokenizer_json("legacy Metaspace"))
    root["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap("nmt_nfkc")}
    root["pre_tokenizer"] = {"type": "FixedLength", "length": 1}
    data = json.dumps(root)
    return fissile.Tokenizer(from_json(data.encode(), "made")), tokenizers.Tokenizer.from_str(data)


@pytest.mark.parametrize("name", MODELS)
def test_saved_in_every_form(name: str, tmp_path: Path) -> None:
    ours, _ = pair(name)
    texts = texts_of(name)
    wanted = ours.encode_batch(texts).tolist()
    for extension in ("json", "fissile"):
        ours.save(tmp_path / f"t.{extension}")
        again = fissile.Tokenizer.from_file(tmp_path / f"t.{extension}")
        assert again.encode_batch(texts).tolist() == wanted
        assert again.decode(wanted[-1]) == ours.decode(wanted[-1])
        assert [again.token_bytes(id) for id in range(500)] == [ours.token_bytes(id) for id in range(500)]
        assert again == ours
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "t.json"))
    assert [encoding.ids for encoding in theirs.encode_batch_fast(texts, add_special_tokens=False)] == wanted
