"""What tiktoken calls unstable: the tokens at the end of a text that more text could change, and what could replace them.

A pretoken's tokens stay once the next pretoken has begun, so all but the last pretoken's are stable; of white space, which
more white space may join, all pretokens at the end. What may follow are the tokens of the unstable bytes with any token laid
over any of their ends. So it is in tiktoken 0.14 (src/lib.rs, _encode_unstable_native); where that errs, this does too.

The cost is the vocabulary's more than the text's: 40,000 tokens of cl100k begin with a space, and each is tried.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import pairwise

import numpy as np

from fissile.compat.tiktoken.special_tokens import search_for
from fissile.pipeline.regexes import Matcher
from fissile.tokenizer import Tokenizer

__all__ = ["UnstableText"]


class UnstableText:
    """The ends of texts in one encoding.

    Args:
        tokenizer: what encodes.
        pat_str: regular expression of its pretokens.
        ranks: its tokens but the special ones.
    """

    def __init__(self, tokenizer: Tokenizer, pat_str: str, ranks: Mapping[bytes, int]) -> None:
        self._tokenizer = tokenizer
        self._pat_str = pat_str
        self._ranks = ranks

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self._pat_str, "rust")

    @cached_property
    def _sorted(self) -> list[bytes]:
        return sorted(self._ranks)

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        return {id: token for token, id in self._ranks.items()}

    def divide(self, text: str, ids: list[int], taken: AbstractSet[str]) -> tuple[list[int], bytes]:
        """A text's ids without its unstable ones, and the bytes of those.

        Args:
            text: the text, without surrogates.
            ids: its ids.
            taken: special tokens that were taken as such.
        """
        stretch = text
        for found in search_for(frozenset(taken)).finditer(text) if taken else ():
            stretch = text[found.end() :]
        spans = [(begin, end) for begin, end in self._matcher.spans(stretch).tolist() if begin < end]
        if not spans:
            return ids, b""
        begin, end = spans[-1]
        n = len(self.merged_or_whole(stretch[begin:end].encode()))
        if self._is_space(ids[-n]):
            while n < len(ids) and self._is_space(ids[-n - 1]):
                n += 1
        return ids[:-n], b"".join(self._bytes_of[id] for id in ids[-n:])

    def complete(self, text: str, ids: list[int], taken: AbstractSet[str]) -> tuple[list[int], list[list[int]]]:
        """The ids that stay, and the sequences that may follow; arguments as of divide."""
        stable, unstable = self.divide(text, ids, taken)
        if not unstable:
            return stable, []
        found: dict[tuple[int, ...], None] = {(self._ranks[token],): None for token in self._beginning_with(unstable)}
        texts, sequences = [], []
        for i in range(1, len(unstable)):
            for token in self._beginning_with(unstable[i:]):
                possible = unstable[:i] + token
                if _is_utf8(possible):
                    texts.append(possible)
                else:
                    sequences.append(self._merged(possible))
        sequences += self._tokenizer.encode_batch(texts, disallowed_special=()).tolist()
        for sequence in sequences:
            n_bytes = n = 0
            while n_bytes < len(unstable) and n < len(sequence):
                n_bytes += len(self._bytes_of[sequence[n]])
                n += 1
            found[tuple(sequence[:n])] = None
        n_last = _n_last_space(unstable)
        if 0 < n_last < len(unstable):
            found[tuple(self._merged(unstable[:-n_last]) + self._merged(unstable[-n_last:]))] = None
        return stable, [list(sequence) for sequence in found]

    def merged_or_whole(self, piece: bytes) -> list[int]:
        """Ids of one pretoken: a token if it is one, else what its bytes merge to."""
        ids: list[int] = self._tokenizer._encode_spans(piece, np.array([len(piece)])).tolist()
        return ids

    def _merged(self, piece: bytes) -> list[int]:
        """What the bytes of a piece merge to; some vocabularies have tokens that no merge reaches."""
        ids = self.merged_or_whole(piece)
        if len(ids) > 1 or len(piece) < 2:
            return ids
        parts = [piece[i : i + 1] for i in range(len(piece))]
        while True:
            ranks = [self._ranks.get(left + right) for left, right in pairwise(parts)]
            least = min((rank for rank in ranks if rank is not None), default=None)
            if least is None:
                return [self._ranks[part] for part in parts]
            at = ranks.index(least)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def _beginning_with(self, prefix: bytes) -> Iterator[bytes]:
        at = bisect_left(self._sorted, prefix)
        while at < len(self._sorted) and self._sorted[at].startswith(prefix):
            yield self._sorted[at]
            at += 1

    def _is_space(self, id: int) -> bool:
        token = self._bytes_of.get(id)
        return token is not None and not token.strip(b" \n\t")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _n_last_space(data: bytes) -> int:
    """Bytes of the white-space character at the end, as Unicode has it (to Python U+001C to U+001F are some, too); or 0."""
    for n in range(1, 5):
        if _is_utf8(data[-n:]):
            last = data[-n:].decode()
            return n if last.isspace() and not "\x1c" <= last <= "\x1f" else 0
    return 0
