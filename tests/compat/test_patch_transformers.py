"""patch_transformers: tokenizers that are there already change their engine and nothing else."""

import logging
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tokenizers", minversion="0.23")
pytest.importorskip("transformers", minversion="5")
import tokenizers
from tokenizers import models
from transformers import LlamaTokenizer, PreTrainedTokenizerFast

import fissile
from compat.hf import KINDS, TEXTS, Pair, assert_same_batch, assert_same_call, assert_same_encodings, fresh_pair
from fissile.compat import hf_call
from fissile.compat.transformers import TransformersPatch


@pytest.fixture
def patch() -> Iterator[TransformersPatch]:
    with fissile.patch_transformers() as active:
        yield active


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one whenever Fissile encodes."""
    calls: list[Any] = []
    original = hf_call._batch

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(hf_call, "_batch", counted)
    return calls


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizers_that_are_there_give_the_same(kind: str, encoded: list[Any]) -> None:
    tokenizer = fresh_pair(kind).theirs
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((TEXTS,), {}),
        ((TEXTS,), {"padding": True, "truncation": True, "max_length": 9, "return_tensors": "np"}),
        ((TEXTS[:3], TEXTS[2:5]), {"truncation": True, "max_length": 20}),
        ((["split", "into", "words"],), {"is_split_into_words": True}),
    ]
    wanted = [tokenizer(*arguments, **options) for arguments, options in calls]
    texts = tokenizer.batch_decode(wanted[0]["input_ids"])
    assert not encoded
    with fissile.patch_transformers() as patch:
        assert patch.why_not(tokenizer) == ""
        for (arguments, options), theirs in zip(calls, wanted, strict=True):
            ours = tokenizer(*arguments, **options)
            assert_same_batch(ours, theirs)
            assert_same_encodings(ours, theirs)
        assert tokenizer.batch_decode(wanted[0]["input_ids"]) == texts
        assert len(encoded) == 3
    tokenizer(TEXTS)
    assert len(encoded) == 3
    assert patch.why_not(tokenizer) == "the patch was undone"


def test_classes_of_models_are_patched_too(encoded: list[Any]) -> None:
    vocab = {token: id for id, token in enumerate(["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab"])}
    make = lambda: LlamaTokenizer(vocab=vocab, merges=[("a", "b"), ("▁", "ab")])  # noqa: E731
    theirs = make()(["ab ab", "b a"])
    with fissile.patch_transformers():
        assert_same_batch(make()(["ab ab", "b a"]), theirs)
    assert len(encoded) == 1


def test_what_fissile_refuses_stays_and_is_named(patch: TransformersPatch, caplog: pytest.LogCaptureFixture) -> None:
    words = PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    )
    fine = fresh_pair("byte-level").theirs
    with caplog.at_level(logging.INFO, "fissile"):
        for _ in range(2):
            assert words("a")["input_ids"] == [0] and words.decode([0]) == "a"
            fine("a")
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "fissile"),
        ("INFO", "fissile"),
    ]
    assert "stays with tokenizers: the tokenizers.Tokenizer: model.type: expected BPE" in caplog.text
    assert patch.refused == {words: patch.why_not(words)} and "WordLevel" in patch.why_not(words)


def test_a_tokenizer_that_becomes_random_is_left_to_tokenizers(patch: TransformersPatch, encoded: list[Any]) -> None:
    tokenizer = fresh_pair("byte-level").theirs
    tokenizer(["a text"])
    tokenizer.backend_tokenizer.model.dropout = 1.0
    assert len(tokenizer(["a text"])["input_ids"][0]) == 6 and len(encoded) == 1
    tokenizer.backend_tokenizer.model.dropout = None
    tokenizer(["a text"])
    assert len(encoded) == 2


def test_nodes_written_in_python_stay_with_tokenizers(patch: TransformersPatch) -> None:
    class Halves:
        def halves(self, i: int, text: Any) -> list[Any]:
            return [text[:3], text[3:]]

        def pre_tokenize(self, text: Any) -> None:
            text.split(self.halves)

    tokenizer = fresh_pair("byte-level").theirs
    before = tokenizer("return")["input_ids"]
    tokenizer.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.PreTokenizer.custom(Halves())
    assert tokenizer("return")["input_ids"] != before and len(tokenizer("return").tokens()) > 1
    assert "Custom PreTokenizer cannot be serialized" in patch.why_not(tokenizer)


def test_undoing() -> None:
    before = PreTrainedTokenizerFast._encode_plus, PreTrainedTokenizerFast._decode
    patch = fissile.patch_transformers()
    assert fissile.patch_transformers() is patch
    assert PreTrainedTokenizerFast._encode_plus is not before[0]
    patch.undo()
    patch.undo()
    assert (PreTrainedTokenizerFast._encode_plus, PreTrainedTokenizerFast._decode) == before
    assert fissile.patch_transformers() is not patch
    fissile.patch_transformers().undo()


def test_somebody_else_s_patch_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = fissile.patch_transformers()
    with monkeypatch.context() as other:
        other.setattr(PreTrainedTokenizerFast, "_decode", lambda *arguments, **options: "")
        with pytest.raises(RuntimeError, match="_decode was replaced after patch_transformers did"):
            patch.undo()
    patch.undo()


def test_both_at_once(patch: TransformersPatch) -> None:
    pair = fresh_pair("template and added tokens")
    patch.undo()
    wanted = pair.theirs(TEXTS, padding=True)
    with fissile.patch_transformers():
        assert_same_batch(pair.ours(TEXTS, padding=True), wanted)
        assert_same_call(Pair(pair.theirs, pair.ours), ["a"], return_offsets_mapping=True)
        assert_same_batch(pickle.loads(pickle.dumps(pair.theirs))(TEXTS, padding=True), wanted)


def test_transformers_is_loaded_when_asked_for() -> None:
    program = (
        "import sys, fissile.compat; print(any(m in sys.modules for m in ('transformers', 'tiktoken', 'tokenizers')))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_missing_transformers_is_named() -> None:
    program = "import sys; sys.modules['transformers'] = None\nimport fissile\nfissile.patch_transformers()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (
        "ImportError: fissile.compat.transformers needs transformers: pip install 'fissile[transformers]'"
        in result.stderr
    )
