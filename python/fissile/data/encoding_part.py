"""Encoding one part of a job: reading, encoding and writing at the same time, one piece of each ahead.

The three meet in bounded hand-overs, so that memory holds a few pieces and their ids whatever the size of the inputs.
What is written depends on the documents alone, not on how they came in pieces: a run that goes on behind a finished shard
reads other pieces than the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.data.encoding_input import Piece, Skipped, pieces
from fissile.data.encoding_job import EncodingJob, Part, Place, Record
from fissile.data.token_writers import TokenWriter, group_ends, token_writer
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer
from fissile.whole_file import PartialFile, write_bytes_whole

__all__ = ["encode_part"]

Ids = npt.NDArray[Any]
Ends = npt.NDArray[np.int64]


def encode_part(
    part: Part,
    tokenizer: Tokenizer,
    threads: int | None = None,
    progress: Callable[[int, int], object] = lambda n_bytes, n_tokens: None,
) -> None:
    """Make the shards of a part that are not there yet.

    Args:
        part: of a job whose directory is there.
        tokenizer: the job's.
        threads: to encode with; None: every CPU this process may use.
        progress: called with how many bytes of the part's inputs have been read, and how many tokens of it there are.

    Raises:
        ValueError, OSError, ImportError: what is wrong with an input, or keeps a shard from being written. Shards that
            were finished stay.
    """
    records = part.records()
    if records and records[-1].next is None:
        progress(part.n_bytes, sum(record.n_tokens for record in records))
        return
    shards = _Shards(part, records)
    start = shards.begins
    sizes = [file.source.n_bytes or 0 for file in part.files]
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    n_tokens = sum(record.n_tokens for record in records)
    reading = pieces(part, start, tokenizer)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        try:
            coming = reader.submit(_next, reading)
            while (piece := coming.result()) is not None:
                coming = reader.submit(_next, reading)
                encoded = _encoded(piece, part, tokenizer, threads)
                if written is not None:
                    written.result()
                written = writer.submit(shards.add, encoded)
                n_tokens += len(encoded.ids)
                progress(int(before[piece.file - part.first_file]) + piece.n_read, n_tokens)
            if written is not None:
                written.result()
            shards.end()
        finally:
            writer.submit(shards.discard).result()  # behind whatever is being written
            reader.submit(reading.close)  # closes files


def _next(reading: Generator[Piece]) -> Piece | None:
    return next(reading, None)


# --- encoding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Encoded:
    """The ids of a piece, each document's with the id that ends it."""

    ids: Ids
    ends: Ends  #: positions in `ids` where documents end
    documents: list[int] | range  #: which of the piece's they are
    piece: Piece
    skipped: tuple[Skipped, ...]


def _encoded(piece: Piece, part: Part, tokenizer: Tokenizer, threads: int | None) -> _Encoded:
    job = part.job
    try:
        batch = _encode(piece, part, tokenizer, threads)
    except ValueError as error:
        texts = _texts(piece, job)
        if not job.skip_bad:
            raise _placed(error, piece, texts, part, tokenizer) from None
        return _encoded_one_by_one(piece, texts, part, tokenizer)
    n = len(batch) - (1 if piece.continues[1] else 0)
    return _Encoded(batch.ids, batch.offsets[1 : n + 1], range(n), piece, piece.skipped)


def _encode(piece: Piece, part: Part, tokenizer: Tokenizer, threads: int | None) -> Ragged:
    job = part.job
    if isinstance(piece.content, bytes):
        splitting = tokenizer._splitting(job.split, job.seed, part.epoch, piece.first_index, False)
        ids, offsets, _ = tokenizer._encode_block(
            piece.content,
            separator=job.separator,
            continues=piece.continues,
            threads=threads,
            splitting=splitting,
            ending=[] if job.eod is None else [job.eod],
            **job.encoding,
        )
        return Ragged(ids.astype(job.dtype, copy=False), offsets)
    return _encode_texts(piece, list(piece.content), 0, part, tokenizer, threads)


def _encode_texts(
    piece: Piece, texts: list[Any], first: int, part: Part, tokenizer: Tokenizer, threads: int | None
) -> Ragged:
    """Of texts in a row, the first of which is the piece's document `first`."""
    job = part.job
    batch: Ragged = tokenizer.encode_batch(
        texts,
        threads,
        np.dtype(job.dtype),
        split=job.split,
        seed=job.seed,
        first_index=piece.first_index + first,
        epoch=part.epoch,
        eod=job.eod,
        **job.encoding,
    )
    return batch


def _texts(piece: Piece, job: EncodingJob) -> list[Any]:
    if not isinstance(piece.content, bytes):
        return list(piece.content)
    return [piece.content] if job.separator is None else [*piece.content.split(job.separator)]


def _placed(error: ValueError, piece: Piece, texts: list[Any], part: Part, tokenizer: Tokenizer) -> ValueError:
    """The error with the place of the document that raised it."""
    for i, text in enumerate(texts):
        try:
            _encode_texts(piece, [text], i, part, tokenizer, 1)
        except ValueError as one:
            return ValueError(f"{piece.name_of(i)}: {_of_one(one)}")
    return error


def _encoded_one_by_one(piece: Piece, texts: list[Any], part: Part, tokenizer: Tokenizer) -> _Encoded:
    """Without the documents that cannot be encoded."""
    kept: list[int] = []
    parts: list[Ragged] = []
    skipped = list(piece.skipped)
    for i, text in enumerate(texts):
        try:
            parts.append(_encode_texts(piece, [text], i, part, tokenizer, 1))
            kept.append(i)
        except ValueError as error:
            skipped.append(Skipped(piece.place_after(i), f"{piece.name_of(i)}: {_of_one(error)}"))
    batch = Ragged.concatenate(parts)
    skipped.sort(key=lambda each: each.place.key())
    return _Encoded(batch.ids.astype(part.job.dtype, copy=False), batch.offsets[1:], kept, piece, tuple(skipped))


def _of_one(error: ValueError) -> str:
    return str(error).removeprefix("texts[0]: ")


# --- writing ----------------------------------------------------------------------------------------------------------


class _Shards:
    """Deals what comes to shards. A full one is finished when the next document comes, or at the end: only then is known
    whether another follows."""

    def __init__(self, part: Part, records: list[Record]) -> None:
        self._part = part
        self._job = part.job
        self._index = len(records)
        last = records[-1] if records else None
        self.begins = Place(part.first_file) if last is None or last.next is None else last.next
        self._carry: Ids = np.array(last.carry if last is not None else [], self._job.dtype)
        self._skipped: list[Skipped] = []
        self._after: Place | None = None  # where the document that filled the shard ends
        self._open()

    def _open(self) -> None:
        stem = self._part.stem(self._index)
        self._meta: PartialFile | None = None
        self._writer: TokenWriter = token_writer(self._job.format, stem, self._job.dtype)
        if self._job.metadata:
            try:
                self._meta = PartialFile(stem.with_name(f"{stem.name}.meta.jsonl"))
            except OSError:
                self._writer.discard()
                raise
        self._n_tokens = self._n_written = self._n_documents = 0

    def add(self, encoded: _Encoded) -> None:
        """Append the documents of a piece."""
        self._skipped += encoded.skipped
        ids, ends, documents = encoded.ids, encoded.ends, encoded.documents
        begin = first = 0
        # A shard that is full already ends before the first of these.
        for i in group_ends(0 if self._after else self._n_tokens, ends, self._job.shard_tokens):
            end = int(ends[i])
            self._append(ids[begin:end], ends[first : i + 1] - begin, documents[first : i + 1], encoded.piece)
            self._after = encoded.piece.place_after(documents[i])
            begin, first = end, i + 1
        self._append(ids[begin:], ends[first:] - begin, documents[first:], encoded.piece)

    def _append(self, ids: Ids, ends: Ends, documents: list[int] | range, piece: Piece) -> None:
        if not len(ids) and not len(ends):
            return
        if self._after is not None:
            self._finish(self._after)
            self._open()
        self._n_tokens += len(ids)
        self._n_documents += len(ends)
        if self._meta is not None:
            self._meta.write(b"".join(_meta_line(piece, document) for document in documents))
        if self._job.pack is not None:
            ids, ends = self._packed(ids, self._job.pack)
        self._n_written += len(ids)
        self._writer.write(ids, ends)

    def _packed(self, ids: Ids, size: int) -> tuple[Ids, Ends]:
        """The blocks that these ids fill up; the rest is carried."""
        ids = np.concatenate([self._carry, ids])
        n = len(ids) // size * size
        self._carry = ids[n:].copy()
        return ids[:n], np.arange(size, n + 1, size, dtype=np.int64)

    def end(self) -> None:
        """No more comes."""
        self._finish(None)

    def _finish(self, place: Place | None) -> None:
        passed = [each for each in self._skipped if place is None or each.place.key() <= place.key()]
        self._skipped = self._skipped[len(passed) :]
        record = Record(
            dtype=self._job.dtype,
            n_tokens=self._n_written,
            n_documents=self._n_documents,
            eod=self._job.eod,
            pack=self._job.pack,
            dropped_tokens=len(self._carry) if place is None else 0,
            skipped=[each.message for each in passed],
            next=place,
            carry=[] if place is None else self._carry.tolist(),
        )
        self._writer.finish()
        if self._meta is not None:
            self._meta.finish()
        write_bytes_whole(self._part.record_path(self._index), record.as_json())
        self._index += 1
        self._after = None

    def discard(self) -> None:
        """Remove what is not finished."""
        self._writer.discard()
        if self._meta is not None:
            self._meta.discard()


def _meta_line(piece: Piece, document: int) -> bytes:
    line = {"source": piece.name_of(document), "metadata": piece.others_of(document)}
    return json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass") + b"\n"
