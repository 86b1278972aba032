"""Files of token ids, as other programs write and read them: opened as memory maps, cut into documents.

    name                               what it is
    X.bin with X.json or X.bin.json    ids alone, little-endian; the json says {"dtype", "n_tokens", "eod"}
    X.bin of llm.c                     256 int32 of header, then ids; the header says what the json would
    X.bin alone                        ids alone, as nanoGPT writes them; dtype must be given
    X.bin with X.idx                   an indexed dataset of Megatron-LM; a sequence is a document
    X.ids.npy with X.offsets.npy       ids, and where each document's begin, (n_docs + 1,)

The only reader of these forms; fissile.data.token_writers writes them. Documents in a .bin end with the id `eod`, and keep
it; those of the last two do where a json, X.json, says so.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fissile.ragged import Ragged

__all__ = [
    "CHUNK_TOKENS",
    "PIECE_TOKENS",
    "Chunk",
    "TokenFile",
    "belongs_to_token_file",
    "documents_of_stream",
    "is_token_file",
    "whole_documents",
]

CHUNK_TOKENS = 1 << 20
"""About how many tokens are looked at together."""
PIECE_TOKENS = 1 << 16
"""Where nothing says what a document is, so many tokens are one."""

# First word of llm.c's header and what it implies: type of the ids, id that separates documents.
_LLM_C = {20240520: ("uint16", 50256), 20240801: ("uint32", 128000)}
_LLM_C_HEADER_BYTES = 1024

# Suffixes of files that say more about others with the same stem.
_BESIDE = {
    ".offsets.npy": (".ids.npy",),
    ".idx": (".bin",),
    ".meta.jsonl": (".bin", ".ids.npy", ".parquet"),
    ".json": ("", ".bin", ".ids.npy", ".parquet"),
}
_OF_JOB = ("encoding.json", "tokenizer.fissile")  # see fissile.data.encoding_job

MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
MEGATRON_HEADER = struct.Struct("<9sQBQQ")
"""Magic, version 1, code of the ids' type, sequences, documents + 1."""
_MEGATRON_TYPES: dict[int, np.dtype[Any]] = {
    4: np.dtype("<u4"),
    8: np.dtype("<u2"),
}  # int32 holds what uint32 would: ids are not negative


class Chunk(NamedTuple):
    """Some documents in a row."""

    first: int  #: number of the first among the file's documents
    documents: Ragged  #: without the id that ends them
    ended: npt.NDArray[np.bool_]  #: (n_docs,), whether that id followed in the file


def is_token_file(path: str) -> bool:
    """Whether a name is that of a file of ids."""
    return path.endswith((".bin", ".ids.npy"))


def belongs_to_token_file(path: str) -> bool:
    """Whether a file only says more about a file of ids beside it."""
    folder, name = os.path.split(path)
    if name in _OF_JOB:
        return os.path.exists(os.path.join(folder, _OF_JOB[0]))
    return any(
        path.endswith(suffix) and any(os.path.exists(path.removesuffix(suffix) + other) for other in others)
        for suffix, others in _BESIDE.items()
    )


class TokenFile:
    """One file of ids.

    Attributes:
        path: the file.
        ids: (n_tokens,) uint16 or uint32, mapped and read-only.
        offsets: (n_docs + 1,) int64, or None for a .bin.
        eod: id that ends a document in `ids`, or None.
    """

    def __init__(self, path: str, dtype: npt.DTypeLike | None = None, eod: int | None = None) -> None:
        """Open it.

        Args:
            path: the file.
            dtype: of the ids of a .bin that nothing else describes.
            eod: id that ends a document in a .bin; None: what the file says.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not such a file, or its parts do not fit together.
        """
        self.path = path
        self._given = (dtype, eod)
        self.offsets: npt.NDArray[np.int64] | None = None
        self.eod = eod
        if path.endswith(".npy"):
            self.ids: npt.NDArray[Any] = _npy(path)
            stem = path.removesuffix(".ids.npy")
            beside = stem + ".offsets.npy"
            self._set_offsets(beside, _npy(beside), Path(f"{stem}.json"))
            return
        index = Path(path).with_suffix(".idx")
        if index.exists():
            kind, offsets = _megatron_index(index)
            n_bytes = os.path.getsize(path)
            if n_bytes != int(offsets[-1]) * kind.itemsize:
                raise ValueError(f"{path}: expected {int(offsets[-1])} ids of {kind}, found {n_bytes} bytes")
            self.ids = np.memmap(path, kind, "r") if n_bytes else np.empty(0, kind)
            self._set_offsets(str(index), offsets, index.with_suffix(".json"))
            return
        kind, start, n_tokens, eod_found = _description(path, dtype)
        size = os.path.getsize(path) - start
        if size % kind.itemsize or (n_tokens is not None and size != n_tokens * kind.itemsize):
            expected = "whole ids" if n_tokens is None else f"{n_tokens} ids"
            raise ValueError(f"{path}: expected {expected} of {kind}, found {size} bytes")
        # numpy cannot map nothing.
        self.ids = np.memmap(path, kind, "r", start) if size else np.empty(0, kind)
        if eod is None:
            self.eod = eod_found
        if self.eod is not None and not 0 <= self.eod <= np.iinfo(kind).max:
            raise ValueError(f"{path}: the eod {self.eod} is no {kind}")

    def _set_offsets(self, where: str, offsets: npt.NDArray[Any], record: Path) -> None:
        n = len(self.ids)
        if offsets[:1].tolist() != [0] or offsets[-1:].tolist() != [n] or np.any(offsets[1:] < offsets[:-1]):
            raise ValueError(f"{where}: expected offsets from 0 to {n}, rising")
        self.eod, is_packed = None, False
        if record.is_file():
            self.eod, is_packed = _from_json(record)[3], _is_packed(record)
        # Documents run through blocks, and are told apart by what ends them.
        self.offsets = None if is_packed and self.eod is not None else offsets.astype(np.int64, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenFile, (self.path, *self._given)  # a map is opened anew rather than copied

    def chunks(self, first: int = 0) -> Iterator[Chunk]:
        """The documents from number `first` on, in order; memory is bounded but for a single document."""
        if self.offsets is not None:
            yield from self._by_offsets(self.offsets, first)
        elif self.eod is not None:
            yield from self._by_eod(self.eod, first)
        else:
            n_pieces = -(-len(self.ids) // PIECE_TOKENS)
            per_chunk = CHUNK_TOKENS // PIECE_TOKENS
            for begin in range(first, n_pieces, per_chunk):
                end = min(begin + per_chunk, n_pieces)
                bounds = np.minimum(np.arange(begin, end + 1, dtype=np.int64) * PIECE_TOKENS, len(self.ids))
                yield Chunk(begin, self._ragged(bounds), np.zeros(end - begin, np.bool_))

    def bounds(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Of every document: begin and end in `ids`, and whether an eod follows; (n_docs,) each."""
        if self.offsets is not None:
            begins, ends = np.asarray(self.offsets[:-1]), np.asarray(self.offsets[1:])
            ended = _is_ended(self.ids, begins, ends, self.eod)
            return begins, ends - ended, ended
        n = len(self.ids)
        if self.eod is None:
            ends = np.minimum(np.arange(PIECE_TOKENS, n + PIECE_TOKENS, PIECE_TOKENS), n)
            return ends - (ends - 1) % PIECE_TOKENS - 1, ends, np.zeros(len(ends), np.bool_)
        found = [at + np.flatnonzero(self.ids[at : at + CHUNK_TOKENS] == self.eod) for at in range(0, n, CHUNK_TOKENS)]
        ends = np.concatenate([np.empty(0, np.int64), *found])
        begins = np.concatenate([np.zeros(1, np.int64), ends + 1])
        ended = np.ones(len(begins), np.bool_)
        ended[-1] = False
        is_rest = begins[-1] < n
        bounds = begins, np.append(ends, n), ended
        return bounds if is_rest else (begins[:-1], ends, ended[:-1])

    def _by_offsets(self, offsets: npt.NDArray[np.int64], first: int) -> Iterator[Chunk]:
        n = len(offsets) - 1
        while first < n:
            end = int(np.searchsorted(offsets, offsets[first] + CHUNK_TOKENS, "right")) - 1
            end = min(max(end, first + 1), n, first + CHUNK_TOKENS)
            bounds = offsets[first : end + 1]
            yield whole_documents(first, self._ragged(bounds), self.eod)
            first = end

    def _by_eod(self, eod: int, first: int) -> Iterator[Chunk]:
        number = begin = 0
        for at in range(0, len(self.ids), CHUNK_TOKENS):
            ends = at + np.flatnonzero(self.ids[at : at + CHUNK_TOKENS] == eod)
            skipped = min(max(first - number, 0), len(ends))
            if skipped:
                number, begin, ends = number + skipped, int(ends[skipped - 1]) + 1, ends[skipped:]
            if len(ends):
                yield documents_of_stream(number, self.ids[begin : int(ends[-1]) + 1], eod)
                number, begin = number + len(ends), int(ends[-1]) + 1
        if begin < len(self.ids) and number >= first:
            yield Chunk(number, self._ragged(np.array([begin, len(self.ids)], np.int64)), np.zeros(1, np.bool_))

    def _ragged(self, bounds: npt.NDArray[np.int64]) -> Ragged:
        return Ragged(np.asarray(self.ids[int(bounds[0]) : int(bounds[-1])]), np.asarray(bounds - bounds[0]))


def whole_documents(first: int, rows: Ragged, eod: int | None) -> Chunk:
    """A chunk of rows that are documents, and may end with an id that is not theirs.

    Args:
        first: number of the first.
        rows: the documents as they stand in a file.
        eod: that id, or None.
    """
    ended = _is_ended(rows.ids, rows.offsets[:-1], rows.offsets[1:], eod)
    if ended.any():
        ids = np.delete(rows.ids, rows.offsets[1:][ended] - 1)
        rows = Ragged(ids, rows.offsets - np.concatenate([np.zeros(1, np.int64), np.cumsum(ended)]))
    return Chunk(first, rows, ended)


def documents_of_stream(first: int, ids: npt.NDArray[Any], eod: int) -> Chunk:
    """A chunk of ids in which documents are told apart by the id that ends them; the last may go on."""
    places = np.flatnonzero(ids == eod)
    n_ended = len(places)
    ends = places if (n_ended and places[-1] + 1 == len(ids)) or not len(ids) else np.append(places, len(ids))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1]) if len(ends) else ends
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - starts)])
    return Chunk(first, Ragged(np.delete(ids, places), offsets), np.arange(len(ends)) < n_ended)


def _is_ended(
    ids: npt.NDArray[Any], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], eod: int | None
) -> npt.NDArray[np.bool_]:
    """Whether the eod is a document's last id."""
    if eod is None or not len(ids):
        return np.zeros(len(ends), np.bool_)
    ended: npt.NDArray[np.bool_] = (ends > begins) & (ids[np.maximum(ends - 1, 0)] == eod)
    return ended


def _npy(path: str) -> npt.NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path}: broken .npy file: {error}") from error
    if array.ndim != 1 or array.dtype.kind not in "ui":
        raise ValueError(f"{path}: expected integers in one dimension, found {array.dtype} of shape {array.shape}")
    return np.asarray(array)


def _megatron_index(path: Path) -> tuple[np.dtype[Any], npt.NDArray[np.int64]]:
    """Type of the ids, and where each sequence's begin, (n + 1,)."""
    data = path.read_bytes()
    if len(data) < MEGATRON_HEADER.size:
        raise ValueError(f"{path}: expected an index of Megatron-LM, found {len(data)} bytes")
    magic, version, code, n, n_documents = MEGATRON_HEADER.unpack_from(data)
    if magic != MEGATRON_MAGIC or version != 1:
        raise ValueError(f"{path}: expected an index of Megatron-LM, version 1, found another file")
    if code not in _MEGATRON_TYPES:
        raise ValueError(f"{path}: expected ids of uint16 or int32 (codes 8 and 4), found the code {code}")
    if len(data) < MEGATRON_HEADER.size + 12 * n + 8 * n_documents:
        raise ValueError(f"{path}: expected {n} sequences, found the end of the file")
    lengths = np.frombuffer(data, "<i4", n, MEGATRON_HEADER.size)
    return _MEGATRON_TYPES[code], np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _description(path: str, dtype: npt.DTypeLike | None) -> tuple[np.dtype[Any], int, int | None, int | None]:
    """Type of the ids of a .bin, byte where they begin, how many there are and what ends a document, if known."""
    for beside in (Path(path).with_suffix(".json"), Path(f"{path}.json")):
        if beside.is_file():
            return _from_json(beside)
    with open(path, "rb") as file:
        header = file.read(_LLM_C_HEADER_BYTES)
    if len(header) == _LLM_C_HEADER_BYTES:
        magic, _, n_tokens = np.frombuffer(header[:12], "<i4").tolist()
        if magic in _LLM_C:
            name, eod = _LLM_C[magic]
            return np.dtype(name), _LLM_C_HEADER_BYTES, n_tokens, eod
    if dtype is None:
        raise ValueError(f"{path}: expected a .json beside it, or token_dtype= with the type of its ids")
    return _kind(path, dtype), 0, None, None


def _from_json(beside: Path) -> tuple[np.dtype[Any], int, int | None, int | None]:
    try:
        record = json.loads(beside.read_bytes())
        eod = record.get("eod")
        n_tokens = record["n_tokens"]
        if not isinstance(n_tokens, int) or not isinstance(eod, int | None):
            raise TypeError("n_tokens and eod must be integers")
        return _kind(str(beside), record["dtype"]), 0, n_tokens, eod
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{beside}: expected {{"dtype", "n_tokens", "eod"}}: {error!r}') from error


def _is_packed(record: Path) -> bool:
    return json.loads(record.read_bytes()).get("pack") is not None


def _kind(where: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.dtype(np.uint16), np.dtype(np.uint32)):
        raise ValueError(f"{where}: expected ids of uint16 or uint32, not {kind}")
    little: np.dtype[Any] = kind.newbyteorder("<")
    return little
