"""Documents of different lengths in two arrays: all ids, and where each document's begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, overload

from fissile import _core
from fissile.arguments import choice, instance, integer_dtype, whole
from fissile.numpy_later import np, npt

__all__ = ["Packed", "Padded", "Ragged"]


class ToLists(Protocol):
    """Makes lists of Python ints: one a document."""

    def __call__(self, ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], /) -> list[list[int]]: ...


class Padded(NamedTuple):
    """A matrix of documents and which of its entries are tokens."""

    ids: npt.NDArray[Any]  #: (n_docs, width), of the Ragged's dtype
    mask: npt.NDArray[np.bool_]  #: (n_docs, width), False where padded


class Packed(NamedTuple):
    """Documents laid end to end in blocks of one length."""

    blocks: npt.NDArray[Any]  #: (n_blocks, block_size), of the Ragged's dtype
    starts: npt.NDArray[np.int64]  #: (n_docs,), where each document begins in blocks.ravel()


@dataclass(frozen=True, eq=False, repr=False)
class Ragged:
    """The ids of n documents.

    Attributes:
        ids: (total,) uint32, or uint16 if that was asked for; all documents' ids, one after the other.
        offsets: (n + 1,) int64; document i is ids[offsets[i]:offsets[i + 1]].

    Raises:
        TypeError: ids or offsets are no one-dimensional array of integers.
        ValueError: offsets do not ascend within the ids; the first that does not is named.
    """

    ids: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    _to_lists: ToLists | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name, array in (("ids", self.ids), ("offsets", self.offsets)):
            instance(name, array, np.ndarray, "a numpy array of integers")
            if array.ndim != 1 or array.dtype.kind not in "ui":
                raise TypeError(f"{name} must be integers in one dimension, found {array.dtype} of shape {array.shape}")
        offsets = np.ascontiguousarray(self.offsets, np.int64)
        _core.check_offsets(offsets, len(self.ids))
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def _made(cls, ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], to_lists: ToLists | None) -> Ragged:
        """Of arrays that go together because the core, or a Ragged, made them so: they are not checked."""
        made = object.__new__(cls)
        made.__dict__.update(ids=ids, offsets=offsets, _to_lists=to_lists)
        return made

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> npt.NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Ragged: ...
    def __getitem__(self, index: int | slice) -> npt.NDArray[Any] | Ragged:
        """Document `index` as a view (n,), or some documents as a Ragged (a view if the slice has step 1)."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return Ragged.concatenate([self[i : i + 1] for i in range(start, stop, step)], self._to_lists)
            offsets = self.offsets[start : max(stop, start) + 1]
            return Ragged._made(self.ids[offsets[0] : offsets[-1]], offsets - offsets[0], self._to_lists)
        i = range(len(self))[index]
        return self.ids[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
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
        instance("parts", parts, Iterable, "a sequence of Ragged")
        whole_parts = [instance(f"parts[{i}]", p, Ragged, "a Ragged")[:] for i, p in enumerate(parts)]
        ids = [p.ids for p in whole_parts] or [np.empty(0, np.uint32)]
        ends = np.cumsum([0, *map(len, ids)])
        offsets = [p.offsets[1:] + end for p, end in zip(whole_parts, ends, strict=False)]
        return Ragged(np.concatenate(ids), np.concatenate([np.zeros(1, np.int64), *offsets]), to_lists)

    def tolist(self) -> list[list[int]]:
        """Documents as lists of Python ints."""
        if self._to_lists is not None:
            return self._to_lists(self.ids, self.offsets)
        flat, bounds = self.ids.tolist(), self.offsets.tolist()
        return [flat[a:b] for a, b in pairwise(bounds)]

    def astype(self, dtype: npt.DTypeLike) -> Ragged:
        """The same documents with ids of another integer type; ValueError if an id does not fit."""
        info = np.iinfo(integer_dtype("dtype", dtype))
        for id in (int(self.ids.min()), int(self.ids.max())) if len(self.ids) else ():
            if not info.min <= id <= info.max:
                raise ValueError(f"id {id} does not fit {info.dtype}, whose values are {info.min} to {info.max}")
        return Ragged._made(self.ids.astype(dtype), self.offsets, self._to_lists)

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
        choice("side", side, ("right", "left"))
        choice("truncation_side", truncation_side, ("right", "left"))
        pad_id = self._id("pad_id", pad_id)
        multiple_of = whole("multiple_of", multiple_of, 1)
        lengths = self.lengths
        limit = int(lengths.max(initial=0)) if length is None else whole("length", length, 0)
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
        block_size = whole("block_size", block_size, 1)
        choice("last", last, ("drop", "pad"))
        pad_id = self._id("pad_id", pad_id)
        stream, starts = self.ids[self.offsets[0] : self.offsets[-1]], self.offsets[:-1] - self.offsets[0]
        if separator is not None:
            starts += np.arange(len(self))
            stream = np.insert(stream, self.offsets[1:] - self.offsets[0], self._id("separator", separator))
        n_blocks, rest = divmod(len(stream), block_size)
        if rest and last == "pad":
            stream = np.concatenate([stream, np.full(block_size - rest, pad_id, stream.dtype)])
            n_blocks += 1
        return Packed(stream[: n_blocks * block_size].reshape(n_blocks, block_size), starts)

    def _id(self, name: str, value: object) -> int:
        """An argument that becomes one of the ids."""
        info = np.iinfo(self.ids.dtype)
        return whole(name, value, int(info.min), int(info.max))

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Arrow's C data interface: a large_list of unsigned ints, over the same memory."""
        return _core.arrow_large_list(self.ids, self.offsets)
