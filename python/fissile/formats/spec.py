"""What every format is read into: the parts of a tokenizer, ready for the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fissile._core import Vocabulary

if TYPE_CHECKING:
    from fissile.pipeline.affixes import Affixes

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
    """A token found in text beside the model.

    Attributes:
        content: its text.
        id: its id.
        flags: sum of FLAG_*.
        normalized: what it is looked for as, with FLAG_NORMALIZED, if not as its text.
    """

    content: str
    id: int
    flags: int
    normalized: str = ""


class TokenizerSpec(NamedTuple):
    """A tokenizer in parts, none of which is changed. (A dataclass takes a millisecond to make, of thirty for a load.)

    Attributes:
        kind: the owning library: "tiktoken", "tokenizers" or "sentencepiece".
        source: name of the file, for errors and repr.
        vocabulary: the model.
        pattern: how text is split: name of a built-in pattern, "metaspace", or a regular expression.
        encoder: keyword arguments of _core.Encoder (pattern, nfc, prefix_space, ...).
        added_tokens: in order of id.
        added_strings: of a tokenizer.json, what decoders are given for each added token.
        skipped: what skip_special_tokens leaves out, if that is not the special tokens.
        decode_tokens: the text of some tokens' strings, where the core does not decode as the file asks; see decoders.py.
        decode_malformed: the same, for ids whose bytes are not UTF-8, where only these are not the core's.
        leading_space: what decoding does with a space in front; see LeadingSpace in cpp/encode/decoder.hpp.
        affixes: how a model with affixes is spelt in `vocabulary`.
        token_texts: what some ids decode to, in place of their tokens' bytes.
        payload: gives what was read, to write the file again: the tree of a tokenizer.json, the bytes of a model.
        rest: of a tokenizer.json or model, what is left without its tokens and merges, for Fissile's own form.
    """

    kind: Literal["tiktoken", "tokenizers", "sentencepiece"]
    source: str
    vocabulary: Vocabulary
    pattern: str
    encoder: dict[str, Any]
    added_tokens: list[AddedToken]
    leading_space: str = "keep"
    token_texts: dict[int, bytes] = {}  # noqa: RUF012 (of a tuple, and nothing is put into it)
    added_strings: dict[int, str] = {}  # noqa: RUF012
    skipped: list[int] | None = None
    decode_tokens: Callable[[list[str]], str] | None = None
    decode_malformed: Callable[[list[str]], str] | None = None
    affixes: Affixes | None = None
    payload: Callable[[], Any] = lambda: None
    rest: Any = None
