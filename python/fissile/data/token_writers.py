"""Files of token ids, as other programs read them: written in pieces, and there under their names when complete.

format     files of a shard X               who reads it
bin        X.bin                            nanoGPT, llm.c's data loaders (without its header), token_files
npy        X.ids.npy, X.offsets.npy         numpy; document i is ids[offsets[i]:offsets[i + 1]]
megatron   X.bin, X.idx                     Megatron-LM's IndexedDataset, token_files
parquet    X.parquet, a column "ids"        pyarrow, Hugging Face datasets

The only writer of these forms. What a row is, a document or a packed block, is the caller's affair.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fissile.data.token_files import MEGATRON_HEADER, MEGATRON_MAGIC
from fissile.whole_file import PartialFile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMATS", "Format", "TokenWriter", "group_ends", "token_writer"]

Format = Literal["bin", "npy", "megatron", "parquet"]
Ids = npt.NDArray[Any]
Ends = npt.NDArray[np.int64]

_MEGATRON_CODES = {2: 8, 4: 4}  # of uint16 and int32, by their size
_ROW_GROUP_TOKENS = 1 << 20
"""A row group of parquet ends with the row that brings it to so many tokens, whatever the pieces they came in."""


class TokenWriter(Protocol):
    """Writes one shard."""

    def write(self, ids: Ids, ends: Ends) -> None:
        """Append ids.

        Args:
            ids: (n,), of the shard's dtype.
            ends: rising positions in `ids` where rows end; what follows the last goes on in the next call.
        """
        ...

    def finish(self) -> None:
        """Give the files their names; every row has ended."""
        ...

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        ...


def token_writer(format: Format, stem: Path, dtype: npt.DTypeLike) -> TokenWriter:
    """A writer of one shard.

    Args:
        format: one of FORMATS.
        stem: path of the shard's files without their suffixes.
        dtype: np.uint16 or np.uint32; "megatron", which knows no uint32, writes int32 in its place.

    Raises:
        ImportError: "parquet" without the pyarrow package.
        OSError: a file cannot be written; it is named.
    """
    return FORMATS[format](stem, np.dtype(dtype).newbyteorder("<"))


def group_ends(n_before: int, ends: Ends, size: int) -> list[int]:
    """Which rows end a group, where a group ends with the row that brings it to a size.

    Args:
        n_before: ids that the first group has already.
        ends: rising positions where rows end, counted from where those ids end.
        size: ids a group, at least 1.
    """
    closing = []
    begin = -n_before
    while (i := int(np.searchsorted(ends, begin + size))) < len(ends):
        closing.append(i)
        begin = int(ends[i])
    return closing


class _Flat:
    """X.bin: ids, little-endian, and nothing else."""

    def __init__(self, stem: Path, dtype: np.dtype[Any]) -> None:
        self._ids = PartialFile(stem.with_name(f"{stem.name}.bin"))

    def write(self, ids: Ids, ends: Ends) -> None:
        self._ids.write(ids)

    def finish(self) -> None:
        self._ids.finish()

    def discard(self) -> None:
        self._ids.discard()


class _Rows:
    """Where the rows of a shard end, gathered from its pieces."""

    def __init__(self) -> None:
        self.n_ids = 0
        self._ends = [np.zeros(1, np.int64)]

    def add(self, ids: Ids, ends: Ends) -> None:
        self._ends.append(ends + self.n_ids)
        self.n_ids += len(ids)

    def offsets(self) -> npt.NDArray[np.int64]:
        """(n_rows + 1,), from 0."""
        return np.concatenate(self._ends)


class _Npy:
    """X.ids.npy, whose header is written again when its length is known, and X.offsets.npy."""

    def __init__(self, stem: Path, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._rows = _Rows()
        self._offsets_path = stem.with_name(f"{stem.name}.offsets.npy")
        self._ids = PartialFile(stem.with_name(f"{stem.name}.ids.npy"))
        self._write_header()
        self._header_bytes = self._ids.file.tell()

    def _write_header(self) -> None:
        # numpy leaves room for any length.
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False}
        with self._ids.named_errors():
            np.lib.format.write_array_header_1_0(self._ids.file, header | {"shape": (self._rows.n_ids,)})

    def write(self, ids: Ids, ends: Ends) -> None:
        self._ids.write(ids)
        self._rows.add(ids, ends)

    def finish(self) -> None:
        with self._ids.named_errors():
            self._ids.file.seek(0)
        self._write_header()
        if self._ids.file.tell() != self._header_bytes:
            raise AssertionError("the header of an .npy file changed its length")
        offsets = PartialFile(self._offsets_path)
        try:
            with offsets.named_errors():
                np.lib.format.write_array(offsets.file, self._rows.offsets().astype("<i8"), allow_pickle=False)
            offsets.finish()
        finally:
            offsets.discard()
        self._ids.finish()

    def discard(self) -> None:
        self._ids.discard()


class _Megatron:
    """X.bin and X.idx, as megatron.core.datasets.indexed_dataset writes them: a row is a sequence and a document."""

    def __init__(self, stem: Path, dtype: np.dtype[Any]) -> None:
        self._dtype: np.dtype[Any] = np.dtype("<i4") if dtype.itemsize == 4 else dtype
        self._rows = _Rows()
        self._index_path = stem.with_name(f"{stem.name}.idx")
        self._ids = PartialFile(stem.with_name(f"{stem.name}.bin"))

    def write(self, ids: Ids, ends: Ends) -> None:
        self._ids.write(ids.astype(self._dtype, copy=False))
        self._rows.add(ids, ends)

    def finish(self) -> None:
        offsets = self._rows.offsets()
        n = len(offsets) - 1
        index = PartialFile(self._index_path)
        try:
            index.write(MEGATRON_HEADER.pack(MEGATRON_MAGIC, 1, _MEGATRON_CODES[self._dtype.itemsize], n, n + 1))
            index.write(np.diff(offsets).astype("<i4"))
            index.write((offsets[:-1] * self._dtype.itemsize).astype("<i8"))
            index.write(np.arange(n + 1, dtype="<i8"))
            self._ids.finish()
            index.finish()
        finally:
            index.discard()

    def discard(self) -> None:
        self._ids.discard()


class _Parquet:
    """X.parquet with the column "ids", a list of integers; row groups do not depend on how rows came."""

    def __init__(self, stem: Path, dtype: np.dtype[Any]) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise ImportError("writing .parquet needs the pyarrow package: pip install 'fissile[parquet]'") from None
        self._arrow = pyarrow
        self._file = PartialFile(stem.with_name(f"{stem.name}.parquet"))
        self._schema = pyarrow.schema([("ids", pyarrow.list_(pyarrow.from_numpy_dtype(dtype.newbyteorder("="))))])
        try:
            self._writer = parquet.ParquetWriter(self._file.file, self._schema)
        except BaseException:
            self._file.discard()
            raise
        self._clear()

    def _clear(self) -> None:
        """Begin another row group."""
        self._held: list[Ids] = []
        self._rows = _Rows()

    def write(self, ids: Ids, ends: Ends) -> None:
        begin = first = 0
        for i in group_ends(self._rows.n_ids, ends, _ROW_GROUP_TOKENS):
            end = int(ends[i])
            self._hold(ids[begin:end], ends[first : i + 1] - begin)
            self._flush()
            begin, first = end, i + 1
        self._hold(ids[begin:], ends[first:] - begin)

    def _hold(self, ids: Ids, ends: Ends) -> None:
        self._held.append(ids)
        self._rows.add(ids, ends)

    def _flush(self) -> None:
        offsets = self._rows.offsets()
        if len(offsets) > 1:
            flat = self._arrow.array(np.concatenate(self._held))
            rows = self._arrow.ListArray.from_arrays(self._arrow.array(offsets, self._arrow.int32()), flat)
            with self._file.named_errors():
                self._writer.write_table(self._arrow.Table.from_arrays([rows], schema=self._schema))
        self._clear()

    def finish(self) -> None:
        self._flush()
        with self._file.named_errors():
            self._writer.close()
        self._file.finish()

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()
        self._file.discard()


FORMATS: dict[Format, Callable[[Path, np.dtype[Any]], TokenWriter]] = {
    "bin": _Flat,
    "npy": _Npy,
    "megatron": _Megatron,
    "parquet": _Parquet,
}
