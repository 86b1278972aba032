"""What every format is read into: the parts of a tokenizer, ready for the core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from fissile._core import Vocabulary

__all__ = [
    "FLAG_LSTRIP",
    "FLAG_NORMALIZED",
    "FLAG_RSTRIP",
    "FLAG_SINGLE_WORD",
    "FLAG_SPECIAL",
    "AddedToken",
    "TokenizerSpec",
]

# As AddedTokenFlag in cpp/encode/special_tokens.hpp.
FLAG_SPECIAL, FLAG_LSTRIP, FLAG_RSTRIP, FLAG_SINGLE_WORD, FLAG_NORMALIZED = 1, 2, 4, 8, 16


class AddedToken(NamedTuple):
    """A token found in text beside the model."""

    content: str
    id: int
    flags: int


@dataclass(frozen=True)
class TokenizerSpec:
    """A tokenizer in parts.

    Attributes:
        kind: the owning library: "tiktoken", "tokenizers" or "sentencepiece".
        source: name of the file, for errors and repr.
        vocabulary: the model.
        encoder: keyword arguments of _core.Encoder (pattern, nfc, prefix_space, ...).
        added_tokens: in order of id.
        leading_space: what decoding does with a space in front: "keep", "drop_one" or "drop_in_first_token".
        payload: what was read, enough to write the file again: a dict of JSON, or the pattern and special tokens.
    """

    kind: Literal["tiktoken", "tokenizers", "sentencepiece"]
    source: str
    vocabulary: Vocabulary
    encoder: dict[str, Any]
    added_tokens: list[AddedToken]
    leading_space: str = "keep"
    payload: Any = field(default=None, repr=False)
