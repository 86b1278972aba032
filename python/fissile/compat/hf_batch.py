"""What a call of a transformers tokenizer returns, made from arrays: cut, laid out among special tokens, padded.

`tokenizers` does this text by text on its Encoding objects. Here a batch is one array of ids and a few numbers a row, and
every step is a step on whole arrays; Python objects are made only for the lists that the caller gets. The rules are those of
`tokenizers` (truncation.rs, encoding.rs, padding.rs); tests/compat compares them call by call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fissile.compat.hf_backend import Layout, Piece
from fissile.compat.hf_offsets import OffsetRules
from fissile.ragged import Ragged

__all__ = ["Batch", "Columns", "Padding", "Truncation"]

Numbers = npt.NDArray[np.int64]


class Truncation(NamedTuple):
    """As tokenizers.Tokenizer.enable_truncation takes it."""

    max_length: int
    stride: int
    strategy: str
    direction: str

    def room(self, n_special: int) -> int:
        """Ids of the texts that fit; 0 where the numbers are such that `tokenizers` finds no answer."""
        room = self.max_length - n_special
        return room if room > self.stride else 0


class Padding(NamedTuple):
    """As tokenizers.Tokenizer.enable_padding takes it."""

    length: int | None
    direction: str
    pad_id: int
    pad_token: str
    pad_type_id: int
    pad_to_multiple_of: int | None

    def width(self, longest: int) -> int:
        """Of a batch whose longest row is this long."""
        width = longest if self.length is None else self.length
        multiple = self.pad_to_multiple_of or 1
        return -(-width // multiple) * multiple


def _positions(starts: Numbers, lengths: Numbers) -> Numbers:
    """start, start + 1, ... of each stretch, one stretch after the other."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(int(lengths.sum()))


@dataclass(frozen=True)
class Stretch:
    """What every row takes from the encoded texts.

    Attributes:
        starts: (n_rows,) where its first id lies.
        lengths: (n_rows,) number of ids.
    """

    starts: Numbers
    lengths: Numbers

    def cut(self, lengths: Numbers, direction: str) -> Stretch:
        """At most so many ids of each, without those on the side that `direction` names."""
        kept = np.minimum(self.lengths, lengths)
        return Stretch(self.starts if direction == "right" else self.starts + self.lengths - kept, kept)


def _kept_of_pair(first: Numbers, second: Numbers, room: int) -> tuple[Numbers, Numbers]:
    """How long the two texts of each row stay under "longest_first"."""
    low = np.minimum(first, second)
    kept_high = np.where(low > room, low, np.maximum(low, room - low))
    halved = low + kept_high > room
    kept_low = np.where(halved, room // 2, low)
    kept_high = np.where(halved, room // 2 + room % 2, kept_high)
    fits = first + second <= room
    swapped = first > second
    return (
        np.where(fits, first, np.where(swapped, kept_high, kept_low)),
        np.where(fits, second, np.where(swapped, kept_low, kept_high)),
    )


class Batch:
    """The rows of a batch, before they are padded.

    Attributes:
        ids: of each row, special tokens and all.
        samples: (n_rows,) the text each row is from.
    """

    def __init__(self, encoded: Ragged, texts: list[Stretch], layout: Layout, ids: Ragged | None) -> None:
        """Rows of one text or two.

        Args:
            encoded: ids that `texts` point into.
            texts: what each row takes of its first text, and its second.
            layout: what is around them.
            ids: the rows, if they are there already.
        """
        self._encoded, self._texts, self._layout = encoded, texts, layout
        self.samples: Numbers = np.arange(len(texts[0].starts))
        self._ids = ids

    @staticmethod
    def of_texts(ids: Ragged, layout: Layout) -> Batch:
        """One text a row, with its special tokens."""
        starts = ids.offsets[:-1] + layout.n_before
        return Batch(ids, [Stretch(starts, ids.lengths - layout.n_special)], layout, ids)

    @staticmethod
    def of_pairs(encoded: Ragged, layout: Layout) -> Batch:
        """Two texts a row, from the ids of all first texts and then all second ones, without special tokens."""
        n = len(encoded) // 2
        starts, lengths = encoded.offsets[:-1], encoded.lengths
        return Batch(encoded, [Stretch(starts[:n], lengths[:n]), Stretch(starts[n:], lengths[n:])], layout, None)

    @staticmethod
    def of_bare(encoded: Ragged, layout: Layout) -> Batch:
        """One text a row, from ids without special tokens."""
        return Batch(encoded, [Stretch(encoded.offsets[:-1], encoded.lengths)], layout, None)

    # --- truncation ---------------------------------------------------------------------------------------------------

    def truncate(self, truncation: Truncation, windows: bool) -> bool:
        """Cut the texts so that rows are of max_length at most.

        Args:
            truncation: how.
            windows: add rows for what is cut off, each of which repeats `stride` ids.

        Returns:
            Whether it was done. What `tokenizers` finds no answer to, such as more special tokens than there is room for,
            and windows over both texts of a pair are left undone.
        """
        room = truncation.room(self._layout.n_special)
        if room <= 0:
            return False
        totals = sum((text.lengths for text in self._texts), np.zeros(len(self.samples), np.int64))
        if not (totals > room).any():
            return True
        kept = self._kept(totals, room, truncation.strategy)
        if kept is None:
            return False
        for text, k in zip(self._texts, kept, strict=True):
            if ((k < text.lengths) & (k > 0) & (k <= truncation.stride)).any():
                return False  # a panic of `tokenizers`
        if windows and not self._can_have_windows(kept):
            return False
        if windows:
            self._make_windows(kept, truncation)
        else:
            self._texts = [t.cut(k, truncation.direction) for t, k in zip(self._texts, kept, strict=True)]
        self._ids = None
        return True

    def _kept(self, totals: Numbers, room: int, strategy: str) -> list[Numbers] | None:
        """How long each text of each row stays; None where that is an error of `tokenizers`."""
        excess = np.maximum(totals - room, 0)
        if len(self._texts) == 1:
            return None if strategy == "only_second" else [totals - excess]
        first, second = (text.lengths for text in self._texts)
        if strategy == "longest_first":
            return [*_kept_of_pair(first, second, room)]
        target = first if strategy == "only_first" else second
        if ((excess > 0) & (target <= excess)).any():
            return None  # nothing would be left of it
        return [first - excess, second] if strategy == "only_first" else [first, second - excess]

    def _can_have_windows(self, kept: list[Numbers]) -> bool:
        """Whether each row has windows over one of its texts at most, and rows for them have type ids like others."""
        is_cut = [k < text.lengths for text, k in zip(self._texts, kept, strict=True)]
        emptied = any((k == 0)[cut].any() for k, cut in zip(kept, is_cut, strict=True))
        # `tokenizers` gives the type ids of a template to the first window; the others keep those of plain texts.
        plain = all(piece.type_id == piece.sequence for piece in self._layout.pieces if piece.sequence >= 0)
        return plain and not emptied and not (len(is_cut) == 2 and (is_cut[0] & is_cut[1]).any())

    def _make_windows(self, kept: list[Numbers], truncation: Truncation) -> None:
        is_cut = [k < text.lengths for text, k in zip(self._texts, kept, strict=True)]
        counts = np.ones(len(self.samples), np.int64)
        for text, k, cut in zip(self._texts, kept, is_cut, strict=True):
            counts[cut] = -(-(text.lengths - k)[cut] // (k - truncation.stride)[cut]) + 1
        rows = np.repeat(self.samples, counts)
        number = _positions(np.zeros(len(counts), np.int64), counts)  # 0, 1, ... within each row
        texts = []
        for text, k, cut in zip(self._texts, kept, is_cut, strict=True):
            lengths, size = text.lengths[rows], k[rows]
            moved = np.where(cut[rows], number * (size - truncation.stride), 0)
            if truncation.direction == "right":
                begins = moved
                ends = np.minimum(begins + size, lengths)
            else:
                ends = lengths - moved
                begins = np.maximum(ends - size, 0)
            texts.append(Stretch(text.starts[rows] + begins, ends - begins))
        self._texts, self.samples = texts, rows

    # --- columns ------------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> Ragged:
        """The ids of each row."""
        if self._ids is None:
            encoded, texts = self._encoded, self._texts

            def of_text(piece: Piece) -> npt.NDArray[np.uint32]:
                text = texts[piece.sequence]
                taken: npt.NDArray[np.uint32] = encoded.ids[_positions(text.starts, text.lengths)]
                return taken

            rows = self._laid_out(lambda piece: piece.id, of_text)
            self._ids = Ragged(rows.ids, rows.offsets, encoded._to_lists)
        return self._ids

    def type_ids(self) -> Ragged | int:
        """The type id of each token, or that of all of them."""
        one = self._layout.one_type
        if one is not None:
            return one
        return self._laid_out(lambda piece: piece.type_id, lambda piece: piece.type_id)

    def special_mask(self) -> Ragged | int:
        """1 for each token that the layout put there, 0 for those of the texts."""
        if self._layout.n_special == 0:
            return 0
        return self._laid_out(lambda piece: 1, lambda piece: 0)

    def ranges(self, begins: Numbers, ends: Numbers, rules: OffsetRules) -> tuple[Ragged, Ragged]:
        """Begin and end of each token in its text, 0 and 0 for special ones.

        Args:
            begins: of the encoded ids, before trimming.
            ends: likewise.
            rules: how they are trimmed.
        """
        trimmed = []
        for text in self._texts:
            taken = _positions(text.starts, text.lengths)
            is_first = np.zeros(len(taken), np.bool_)
            is_first[(np.cumsum(text.lengths) - text.lengths)[text.lengths > 0]] = True
            trimmed.append(rules.trim(self._encoded.ids[taken], begins[taken], ends[taken], is_first))
        return (
            self._laid_out(lambda piece: 0, lambda piece: trimmed[piece.sequence][0]),
            self._laid_out(lambda piece: 0, lambda piece: trimmed[piece.sequence][1]),
        )

    def _laid_out(self, special: Callable[[Piece], int], text: Callable[[Piece], npt.NDArray[Any] | int]) -> Ragged:
        totals = sum((t.lengths for t in self._texts), np.full(len(self.samples), self._layout.n_special))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(totals)])
        flat = np.empty(int(offsets[-1]), np.uint32)
        at = offsets[:-1].copy()
        for piece in self._layout.pieces:
            if piece.sequence < 0:
                flat[at] = special(piece)
                at += 1
            else:
                lengths = self._texts[piece.sequence].lengths
                flat[_positions(at, lengths)] = text(piece)
                at += lengths
        return Ragged(flat, offsets)


class Columns:
    """Makes lists or matrices of what a batch has a value of for each token."""

    def __init__(self, lengths: Numbers, padding: Padding | None, as_matrix: bool) -> None:
        """How they are made.

        Args:
            lengths: of the rows.
            padding: how rows are made equally long, if they are.
            as_matrix: make (n_rows, width) int64 where rows are equally long then; else lists.
        """
        longest = int(lengths.max(initial=0))
        self._lengths = lengths
        self._width = longest if padding is None else padding.width(longest)
        self._side: Any = "right" if padding is None else padding.direction
        self._missing = np.maximum(self._width - lengths, 0).tolist() if padding is not None else None
        even = longest <= self._width if padding is not None else bool((lengths == longest).all())
        self._as_matrix = as_matrix and even

    def of(self, values: Ragged | int, fill: int) -> Any:
        """A column.

        Args:
            values: of each token, or one of all tokens.
            fill: of padding.
        """
        return self._matrix(values, fill) if self._as_matrix else self._lists(values, fill)

    def _lists(self, values: Ragged | int, fill: int) -> list[list[int]]:
        lists = values.tolist() if isinstance(values, Ragged) else [[values] * n for n in self._lengths.tolist()]
        if self._missing is not None:
            for row, n in zip(lists, self._missing, strict=True):
                if n and self._side == "right":
                    row += [fill] * n
                elif n:
                    row[:0] = [fill] * n
        return lists

    def of_ranges(self, begins: Ragged, ends: Ragged) -> Any:
        """A column of pairs: lists of tuples, or (n_rows, width, 2)."""
        if self._as_matrix and self._width > 0:
            return np.stack([self._matrix(begins, 0), self._matrix(ends, 0)], axis=2)
        pairs = zip(self._lists(begins, 0), self._lists(ends, 0), strict=True)
        return [list(zip(row_begins, row_ends, strict=True)) for row_begins, row_ends in pairs]

    def row_lengths(self) -> list[int]:
        """Number of entries of each row, padding and all."""
        lengths: list[int] = (
            self._lengths if self._missing is None else np.maximum(self._lengths, self._width)
        ).tolist()
        return lengths

    def _matrix(self, values: Ragged | int, fill: int) -> Numbers:
        if isinstance(values, Ragged):
            return values.pad(fill, length=self._width, side=self._side).ids.astype(np.int64)
        columns, kept = np.arange(self._width), self._lengths[:, None]
        is_token = columns < kept if self._side == "right" else columns >= self._width - kept
        return np.where(is_token, values, fill)
