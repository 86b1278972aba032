"""A tokenizer.json of Llama's kind as the SentencePiece model that it was made of, so that sentencepiece can be measured.

SentencePiece joins the two neighbours whose piece has the greatest score: with minus the rank of the merge that makes it as
a piece's score, these are the merges of the tokenizer.json, in its order. Such files were made of a model that way, and what
was lost (the scores themselves, pieces of no use) changes no ids; as of every peer, ids are compared in the same run.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

from fissile.formats.sentencepiece import as_field, as_varint

__all__ = ["model_of"]

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_BYTE_NAME = re.compile(r"<0x[0-9A-F]{2}>")
_SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
_PREFIX = {"type": "Prepend", "prepend": "\u2581"}


def model_of(tree: Mapping[str, Any]) -> bytes | None:
    """The bytes of a .model file; None where a model cannot mean the same.

    Args:
        tree: of a tokenizer.json.
    """
    model = tree["model"]
    prefix = _prefix(tree)
    if prefix is None or not model.get("byte_fallback") or model.get("type", "BPE") != "BPE":
        return None
    specials = {token["id"]: token for token in tree.get("added_tokens") or ()}
    if not all(token.get("special") for token in specials.values()):
        return None
    pieces = sorted(model["vocab"].items(), key=lambda item: item[1])
    if [id for _, id in pieces] != list(range(len(pieces))) or any(id >= len(pieces) for id in specials):
        return None
    scores: dict[str, int] = {}
    last = ""
    for rank, merge in enumerate(model["merges"]):
        made = "".join(merge if isinstance(merge, list) else merge.split(" "))
        if made in scores and made != last:
            return None  # two places in the order: no one score is both
        scores.setdefault(made, -rank)
        last = made
    n_unknown = 0
    written = b""
    for text, id in pieces:
        kind = _BYTE if _BYTE_NAME.fullmatch(text) else _CONTROL if id in specials else _NORMAL
        if text == model.get("unk_token"):
            kind, n_unknown = _UNKNOWN, n_unknown + 1
        score = struct.pack("<Bf", 2 << 3 | 5, float(scores.get(text, -len(scores))))
        written += as_field(1, as_field(1, text.encode()) + score + _number(3, kind))
    if n_unknown != 1:
        return None
    trainer = _number(3, 2) + _number(4, len(pieces)) + _number(35, 1) + _number(40, model["vocab"][model["unk_token"]])
    # No piece is known by these names to be first or last in a text: nothing is added.
    trainer += b"".join(_number(field, 2**64 - 1) for field in (41, 42, 43))
    normalizer = as_field(1, b"identity") + _number(3, prefix) + _number(4, 0) + _number(5, 1)
    return written + as_field(2, trainer) + as_field(3, normalizer)


def _prefix(tree: Mapping[str, Any]) -> bool | None:
    """Whether a space is put before a text; None: more or less is done to it than a model would do."""
    normalizer, splitter = tree.get("normalizer"), tree.get("pre_tokenizer")
    if splitter is not None:
        usual = splitter.get("type") == "Metaspace" and splitter.get("replacement") == "\u2581"
        if not usual or splitter.get("split") is not False or normalizer is not None:
            return None
        return {"first": True, "always": True, "never": False}.get(str(splitter.get("prepend_scheme")))
    steps = (normalizer or {}).get("normalizers", [normalizer])
    return {str([_PREFIX, _SPACES]): True, str([_SPACES]): False}.get(str(steps))


def _number(field: int, value: int) -> bytes:
    return as_varint(field << 3) + as_varint(value)
