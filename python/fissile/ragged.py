"""Documents of different lengths in two arrays: all ids, and where each document's begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

__all__ = ["Packed", "Padded", "Ragged"]

Ids = npt.NDArray[Any]
ToLists = Callable[[Ids, npt.NDArray[np.int64]], "list[list[int]]"]


class Padded(NamedTuple):
    """A matrix of documents and which of its entries are tokens."""

    ids: Ids  #: (n_docs, width), of the Ragged's dtype
    mask: npt.NDArray[np.bool_]  #: (n_docs, width), False where padded


class Packed(NamedTuple):
    """Documents laid end to end in blocks of one length."""

    blocks: Ids  #: (n_blocks, block_size), of the Ragged's dtype
    starts: npt.NDArray[np.int64]  #: (n_docs,), where each document begins in blocks.ravel()


@dataclass(frozen=True, eq=False, repr=False)
class Ragged:
    """The ids of n documents.

    Attributes:
        ids: (total,) uint32, or uint16 if that was asked for; all documents' ids, one after the other.
        offsets: (n + 1,) int64; document i is ids[offsets[i]:offsets[i + 1]].
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]
    _to_lists: ToLists | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Ids: ...
    @overload
    def __getitem__(self, index: slice) -> Ragged: ...
    def __getitem__(self, index: int | slice) -> Ids | Ragged:
        """Document `index` as a view (n,), or some documents as a Ragged (a view if the slice has step 1)."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return Ragged.concatenate([self[i : i + 1] for i in range(start, stop, step)], self._to_lists)
            offsets = self.offsets[start : max(stop, start) + 1]
            return Ragged(self.ids[offsets[0] : offsets[-1]], offsets - offsets[0], self._to_lists)
        i = range(len(self))[index]
        return self.ids[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[Ids]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ragged):
            return NotImplemented
        return np.array_equal(self.offsets, other.offsets) and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ragged({len(self)} documents, {len(self.ids)} ids, {self.ids.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Ragged, (self.ids, self.offsets)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of ids of each document: (n,) int64."""
        return np.diff(self.offsets)

    @staticmethod
    def concatenate(parts: Sequence[Ragged], to_lists: ToLists | None = None) -> Ragged:
        """The documents of all parts, in order."""
        ids = [p.ids for p in parts] or [np.empty(0, np.uint32)]
        ends = np.cumsum([0, *(len(p.ids) for p in parts)])
        offsets = [p.offsets[1:] + end for p, end in zip(parts, ends, strict=False)]
        return Ragged(np.concatenate(ids), np.concatenate([np.zeros(1, np.int64), *offsets]), to_lists)

    def tolist(self) -> list[list[int]]:
        """Documents as lists of Python ints."""
        if self._to_lists is not None:
            return self._to_lists(self.ids, self.offsets)
        flat, bounds = self.ids.tolist(), self.offsets.tolist()
        return [flat[a:b] for a, b in pairwise(bounds)]

    def astype(self, dtype: npt.DTypeLike) -> Ragged:
        """The same documents with ids of another integer type; ValueError if an id does not fit."""
        info = np.iinfo(np.dtype(dtype))
        if len(self.ids) and int(self.ids.max()) > info.max:
            raise ValueError(
                f"id {int(self.ids.max())} does not fit {np.dtype(dtype)}, whose largest value is {info.max}"
            )
        return Ragged(self.ids.astype(dtype), self.offsets, self._to_lists)

    def pad(
        self,
        pad_id: int,
        *,
        length: int | None = None,
        multiple_of: int = 1,
        side: Literal["right", "left"] = "right",
        truncation_side: Literal["right", "left"] = "right",
    ) -> Padded:
        """A matrix with one row a document.

        Args:
            pad_id: what fills a row beside its tokens.
            length: tokens kept of a document, and width before rounding up; None: the longest document's.
            multiple_of: the width is rounded up to a multiple of this.
            side: where the padding goes.
            truncation_side: which end of a longer document is cut off.

        Returns:
            Padded(ids (n, width), mask (n, width)).
        """
        for name, value in (("side", side), ("truncation_side", truncation_side)):
            if value not in ("right", "left"):
                raise ValueError(f"{name} must be 'right' or 'left', not {value!r}")
        if multiple_of < 1:
            raise ValueError(f"multiple_of must be at least 1, not {multiple_of}")
        if length is not None and length < 0:
            raise ValueError(f"length must not be negative, found {length}")
        lengths = self.lengths
        limit = int(lengths.max(initial=0)) if length is None else length
        kept = np.minimum(lengths, limit)
        width = -(-limit // multiple_of) * multiple_of
        columns = np.arange(width)
        mask = columns < kept[:, None] if side == "right" else columns >= width - kept[:, None]
        first = self.offsets[:-1] if truncation_side == "right" else self.offsets[1:] - kept
        matrix = np.full((len(self), width), pad_id, self.ids.dtype)
        # Position of each kept token in `ids`: its document's first, then one after the other.
        positions = np.repeat(first - (np.cumsum(kept) - kept), kept) + np.arange(int(kept.sum()))
        matrix[mask] = self.ids[positions]
        return Padded(matrix, mask)

    def pack(
        self, block_size: int, *, separator: int | None = None, last: Literal["drop", "pad"] = "drop", pad_id: int = 0
    ) -> Packed:
        """Documents end to end, cut into blocks of one length; documents run across block borders.

        Args:
            block_size: ids a block.
            separator: id put after every document, or None.
            last: what becomes of an incomplete last block.
            pad_id: what fills it, with last="pad".

        Returns:
            Packed(blocks (n_blocks, block_size), starts (n_docs,) int64). A start may lie at or beyond the end of the
            blocks, for documents that a dropped last block held.
        """
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, not {block_size}")
        if last not in ("drop", "pad"):
            raise ValueError(f"last must be 'drop' or 'pad', not {last!r}")
        stream, starts = self.ids, self.offsets[:-1].copy()
        if separator is not None:
            starts += np.arange(len(self))
            stream = np.insert(self.ids, self.offsets[1:], separator)
        n_blocks, rest = divmod(len(stream), block_size)
        if rest and last == "pad":
            stream = np.concatenate([stream, np.full(block_size - rest, pad_id, stream.dtype)])
            n_blocks += 1
        return Packed(stream[: n_blocks * block_size].reshape(n_blocks, block_size), starts)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Arrow's C data interface: a large_list of unsigned ints, over the same memory."""
        from fissile import _core

        return _core.arrow_large_list(self.ids, self.offsets)
