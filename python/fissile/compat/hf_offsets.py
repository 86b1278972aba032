"""Where tokens lie in their text, as `return_offsets_mapping` of a transformers tokenizer has it.

The ranges of Fissile's tokens are those of `tokenizers` where a vocabulary is byte-level, has every byte, and nothing rewrites
the text but NFC: GPT-2, Llama 3, Qwen, DeepSeek and most that were published since. Others are left to `tokenizers`. After that
a post-processor may trim: it takes the spaces that a token begins or ends with out of its range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.formats.spec import FLAG_LSTRIP, FLAG_NORMALIZED, FLAG_RSTRIP, TokenizerSpec
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer

__all__ = ["OffsetRules", "offset_rules"]

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OffsetRules:
    """What becomes of the ranges of tokens.

    Attributes:
        tokenizer: the one whose ranges they are.
        leading: by id, the spaces a token begins with; None if nothing is trimmed.
        trailing: by id, those it ends with.
        keeps_first_space: the first token of a text keeps its space if it has but one, as if that had been put there.
    """

    tokenizer: Tokenizer
    leading: Numbers | None
    trailing: Numbers | None
    keeps_first_space: bool

    def encode(self, texts: list[str], options: dict[str, Any]) -> tuple[Ragged, Numbers, Numbers]:
        """Ids of texts without special tokens around them, and begin and end of each id's characters, (total,)."""
        parts = [self.tokenizer._token_ranges(text, in_chars=True, **options) for text in texts]
        offsets = np.cumsum([0, *(len(ids) for ids, _, _ in parts)])
        ids, begins, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Ragged(ids, offsets, self.tokenizer._to_lists), begins, ends

    def trim(
        self, ids: npt.NDArray[np.uint32], begins: Numbers, ends: Numbers, is_first: npt.NDArray[np.bool_]
    ) -> tuple[Numbers, Numbers]:
        """The ranges as the post-processor leaves them.

        Args:
            ids: (n,).
            begins: (n,).
            ends: (n,).
            is_first: (n,) the token is the first of its row's text.
        """
        if self.leading is None or self.trailing is None:
            return begins, ends
        leading, trailing = self.leading[ids], self.trailing[ids]
        if self.keeps_first_space:
            leading = np.where((is_first | (begins == 0)) & (leading == 1), 0, leading)
        begins = np.minimum(begins + leading, ends)
        ends = np.where((trailing > 0) & (ends >= trailing), np.maximum(ends - trailing, begins), ends)
        return begins, ends


def offset_rules(owner: Any, tokenizer: Tokenizer, spec: TokenizerSpec) -> OffsetRules | None:
    """The rules of a tokenizers.Tokenizer; None if its ranges may not be Fissile's.

    Args:
        owner: the tokenizers.Tokenizer.
        tokenizer: the one with the same ids.
        spec: what that was made of.
    """
    options = spec.encoder
    rewrites = {"split", "normalize"} & set(options) - ({"normalize"} if options.get("nfc") else set())
    if rewrites or options["pattern"] == "metaspace" or options.get("prefix_space", "never") != "never":
        return None
    unlike = FLAG_LSTRIP | FLAG_RSTRIP | (FLAG_NORMALIZED if options.get("nfc") else 0)
    if any(token.flags & unlike for token in spec.added_tokens) or not _has_all_bytes(tokenizer):
        return None
    trimming = [node for node in _nodes(owner.post_processor) if node.get("trim_offsets")]
    if len(trimming) > 1:
        return None
    if not trimming:
        return OffsetRules(tokenizer, None, None, False)
    leading, trailing = _spaces(owner, tokenizer, {token.id for token in spec.added_tokens})
    return OffsetRules(tokenizer, leading, trailing, bool(trimming[0]["add_prefix_space"]))


def _has_all_bytes(tokenizer: Tokenizer) -> bool:
    try:
        return all(tokenizer.token_id(bytes([byte])) is not None for byte in range(256))
    except KeyError:
        return False


def _nodes(post_processor: Any) -> Iterator[dict[str, Any]]:
    if post_processor is None:
        return
    waiting = [json.loads(post_processor.__getstate__())]
    while waiting:
        node = waiting.pop()
        waiting += node.get("processors", [])
        yield node


def _spaces(owner: Any, tokenizer: Tokenizer, added: set[int]) -> tuple[Numbers, Numbers]:
    """How many spaces each token begins and ends with, as a string of the byte alphabet: U+0120 is a space there."""
    leading, trailing = np.zeros(tokenizer.n_vocab, np.int64), np.zeros(tokenizer.n_vocab, np.int64)
    for id in range(tokenizer.n_vocab):
        token = owner.id_to_token(id)
        if token:
            blank = "".join(" " if character.isspace() else character for character in token) if id in added else token
            blank = blank.replace("\u0120", " ")
            leading[id] = len(blank) - len(blank.lstrip(" "))
            trailing[id] = len(blank) - len(blank.rstrip(" "))
    return leading, trailing
