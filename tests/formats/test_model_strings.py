"""Tokens and merges read from a tokenizer.json's text, against the whole file read as JSON: the same tokenizer, or the same
error."""

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fissile
from fissile._core import ModelStrings
from fissile.errors import TokenizerFileError
from fissile.formats import tokenizer_json
from reference.texts import WORLD, small_ranks

RANKS = fissile.Tokenizer.from_ranks(small_ranks(400), "llama3", {"<s>": 400})
TREE: dict[str, Any] = json.loads(RANKS._as_json())
CHARACTERS: dict[str, Any] = {
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "pre_tokenizer": None,
    "model": {
        "unk_token": "<unk>",
        "vocab": {
            "<unk>": 0,
            "\u2581": 1,
            "a": 2,
            "\U0001f600": 3,
            '"': 4,
            "\\": 5,
            "\u2581a": 6,
            "/\b\f\n\r\t\x7f": 7,
        },
        "merges": ["\u2581 a"],
    },
}


class Unread(ModelStrings):
    @staticmethod
    def read(data: bytes) -> ModelStrings | None:
        return None


def outcome(data: bytes) -> Any:
    try:
        spec = tokenizer_json.from_json(data, "file")
    except TokenizerFileError as error:
        return str(error)
    tokenizer = fissile.Tokenizer(spec)
    parts = {name: np.asarray(array).tolist() for name, array in spec.vocabulary.parts("merges").items()}
    return spec.payload(), spec.rest, parts, tokenizer.encode_batch([WORLD, ' a\U0001f600"\\ab']).ids.tolist()


def both(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    quick = outcome(data)
    with monkeypatch.context() as patch:
        patch.setattr(tokenizer_json, "ModelStrings", Unread)
        return quick, outcome(data)


@pytest.mark.parametrize("tree", [TREE, CHARACTERS], ids=["bytes", "characters"])
@pytest.mark.parametrize("ensure_ascii", [False, True])
@pytest.mark.parametrize("indent", [None, 0, 1, 8, "\t", "\r\n"])
@pytest.mark.parametrize("pairs", [False, True])
def test_usual_files(
    tree: dict[str, Any], ensure_ascii: bool, indent: Any, pairs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in tree["model"]["merges"]]
    model = tree["model"] | {"merges": merges if pairs else [" ".join(merge) for merge in merges]}
    if indent == 8:  # in another order
        model = dict(reversed(model.items()))
    data = json.dumps(tree | {"model": model}, ensure_ascii=ensure_ascii, indent=indent).encode()
    strings = ModelStrings.read(data)
    assert strings is not None
    assert json.loads(strings.rest) == tree | {"model": model | {"vocab": {}, "merges": []}}
    assert all(token in strings for token in model["vocab"])
    assert "nowhere" not in strings
    quick, whole = both(data, monkeypatch)
    assert not isinstance(quick, str)
    assert quick == whole


def changed(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return change


TEXT = json.dumps(CHARACTERS, indent=1)
SPACED_MERGE = '"\\u2581 a"'


@pytest.mark.parametrize(
    "change",
    [
        changed('"a": 2', '"a": 2.0'),
        changed('"a": 2', '"a": -2'),
        changed('"a": 2', '"a": 02'),
        changed('"a": 2', '"a": 2e0'),
        changed('"a": 2', '"a": 268435456'),
        changed('"a": 2', '"a": 99999999999999999999'),
        changed('"a": 2', '"a": true'),
        changed('"a": 2', '"a": "2"'),
        changed('"a": 2', '"a": 2,'),
        changed('"a": 2', '"a" 2'),
        changed('"a": 2', '"a": 2, "a": 2'),
        changed('"a": 2', '"a": 7, "a": 2'),
        changed('"a": 2', '"a": 2 2'),
        changed('"a": 2', "'a': 2"),
        changed('"a": 2', '"\\ud83d": 2'),
        changed('"a": 2', '"\\ude00": 2'),
        changed('"a": 2', '"\\ud83dx": 2'),
        changed('"a": 2', '"\\ud83d\\u0061": 2'),
        changed('"a": 2', '"\\x61": 2'),
        changed('"a": 2', '"\\u00g1": 2'),
        changed('"a": 2', '"a\x01": 2'),
        changed('"a": 2', '"a\n": 2'),
        changed('"a": 2', '"": 8, "a": 2'),
        changed(SPACED_MERGE, '"\\u2581a"'),
        changed(SPACED_MERGE, '"\\u2581  a"'),
        changed(SPACED_MERGE, '" a"'),
        changed(SPACED_MERGE, '"a "'),
        changed(SPACED_MERGE, '"a q"'),
        changed(SPACED_MERGE, '["a"]'),
        changed(SPACED_MERGE, '["\\u2581", "a", "a"]'),
        changed(SPACED_MERGE, '["\\u2581", 5]'),
        changed(SPACED_MERGE, "5"),
        changed(SPACED_MERGE, '"\\u2581 a",'),
        changed(SPACED_MERGE, ""),
        changed('"merges"', '"mergers"'),
        changed('"merges"', '"vocab"'),
        changed('"merges"', '"merges": [], "merges"'),
        changed('"model"', '"model": {}, "model"'),
        changed('"model"', '"\\u006dodel"'),
        changed('"vocab"', '"voc\\u0061b"'),
        changed('"vocab": {', '"vocab": [], "other": {'),
        changed('"unk_token": "<unk>"', '"unk_token": null'),
        changed('"unk_token": "<unk>"', '"unk_token": "<nope>"'),
        changed('"unk_token": "<unk>"', '"unk_token": "<unk>", "continuing_subword_prefix": "#"'),
        changed('"unk_token": "<unk>"', '"unk_token": "<unk>", "type": "Unigram"'),
        changed('"unk_token": "<unk>"', '"unk_token": "<unk>", "x": [1, {"vocab": {"}": "]\\""}}]'),
        changed('"unk_token": "<unk>"', '"unk_token" "<unk>"'),
        changed('"unk_token": "<unk>"', '"unk_token": "<unk>" 5'),
        changed('"pre_tokenizer": null', '"pre_tokenizer": nul'),
        changed('"pre_tokenizer": null', '"pre_tokenizer": [}'),
        changed('"pre_tokenizer": null', '"pre_tokenizer": {"type": "Nope"}'),
        changed('"pre_tokenizer": null', '"pre_tokenizer": ,'),
        lambda text: text + "x",
        lambda text: text + "\n \n",
        lambda text: "\ufeff" + text,
        lambda text: text[:-1],
        lambda text: text[:-3],
        lambda text: "[" + text + "]",
        lambda text: text + text,
    ],
)
def test_unusual_files(change: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    quick, whole = both(change(TEXT).encode(), monkeypatch)
    assert quick == whole


@pytest.mark.parametrize(
    "token", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80", b"\xe6\x97"]
)
def test_bytes_that_are_no_utf8(token: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for old in (b'"a": 2', SPACED_MERGE.encode()):
        quick, whole = both(TEXT.encode().replace(old, old[:1] + token + old[1:]), monkeypatch)
        assert "not UTF-8" in quick
        assert quick == whole


@pytest.mark.parametrize("seed", range(30))
def test_changed_bytes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    original = (TEXT if seed % 2 else json.dumps(CHARACTERS, ensure_ascii=False)).encode()
    for _ in range(60):
        data = bytearray(original)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(data))
            replacement = rng.choice([b"", rng.randbytes(1), *(c.encode() for c in '",:{}[]\\ 01')])
            data[at : at + rng.randrange(3)] = replacement
        quick, whole = both(bytes(data), monkeypatch)
        assert quick == whole
