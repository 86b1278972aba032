"""Ids equal to SentencePiece's, with models trained in the test."""

import functools
import io
import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.sentencepiece import from_model
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


@functools.cache
def pair(kind: str) -> tuple[fissile.Tokenizer, "sentencepiece.SentencePieceProcessor"]:
    data = train(**KINDS[kind])
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


@pytest.mark.parametrize("kind", KINDS)
def test_real_and_hostile_text(kind: str) -> None:
    text = library_text()
    assert_equal(kind, [text[i : i + 2000] for i in range(0, len(text), 2000)])
    assert_equal(
        kind, [WORLD, *WORLD.splitlines(), "", " ", "  a", "a  ", "▁a ▁", "<user>", "a<user><user> b", "日本語"]
    )
    assert_equal(kind, [text for name, text in adversarial(2000).items() if name != "any characters"])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(texts=st.lists(st.text(max_size=50) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=50), max_size=15))
def test_any_text(kind: str, texts: list[str]) -> None:
    assert_equal(kind, texts)


@pytest.mark.parametrize("kind", ["llama", "no prefix"])
def test_decoding(kind: str) -> None:
    ours, theirs = pair(kind)
    for text in [*WORLD.splitlines(), " two", ""]:
        ids = theirs.encode(text)
        assert ours.decode(ids) == theirs.decode(ids) == text


def test_saving_and_pickling(tmp_path: "object") -> None:
    ours, _ = pair("llama")
    path = f"{tmp_path}/tokenizer.model"
    ours.save(path)
    assert fissile.Tokenizer.from_file(path) == ours == pickle.loads(pickle.dumps(ours))
    assert fissile.Tokenizer.from_pretrained(str(tmp_path)) == ours


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_type": "unigram"}, "a model of type UNIGRAM, expected BPE"),
        ({"normalization_rule_name": "nmt_nfkc"}, "normalizer 'nmt_nfkc' with a table"),
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
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
