"""What an encoding job reads: the documents of a part's files from some place on, in pieces of a few megabytes.

Text is read as bytes and stays so: a piece is a stretch of a file, in which the core finds the documents. A long document
is cut where that changes no id, so that not even one document need be held whole; only what is split at random, or may have
to be left out as a whole, is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fissile.data import readers
from fissile.data.corpus import FILE_BITS
from fissile.data.encoding_job import Part, Place
from fissile.tokenizer import Tokenizer

__all__ = ["Piece", "Skipped", "pieces"]

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Skipped:
    """Something that was left out, and the place once it is passed."""

    place: Place
    message: str


@dataclass(frozen=True)
class Piece:
    """Some documents of one file, in order: texts, or a stretch of a text file."""

    file: int
    path: str
    first_document: int  #: number of the first among the file's documents
    content: Sequence[readers.Text] | bytes
    continues: tuple[bool, bool] = (False, False)  #: whether the first began before, and the last ends later
    batch: readers.Batch | None = None  #: where texts come from
    skipped: tuple[Skipped, ...] = ()  #: left out before or between the texts
    n_read: int = 0  #: bytes of the file, on disk, that have been read

    @property
    def first_index(self) -> int:
        """Of the first document, among all documents of an epoch: what samplers draw by, here and in the loaders."""
        return (self.file << FILE_BITS) + self.first_document

    def place_after(self, document: int) -> Place:
        """The place once content[document] is done."""
        records = self.batch.records_done[document] if self.batch is not None and self.batch.records_done else 0
        return Place(self.file, records, self.first_document + document + 1)

    def name_of(self, document: int) -> str:
        """Where a document comes from, for people."""
        if self.batch is not None:
            return self.batch.place(document)
        return f"{self.path}: document {self.first_document + document}"

    def others_of(self, document: int) -> dict[str, Any]:
        """What else its record held."""
        return {} if self.batch is None or self.batch.others is None else self.batch.others[document]


def pieces(part: Part, start: Place, tokenizer: Tokenizer) -> Generator[Piece]:
    """The documents of a part from a place on.

    Raises:
        ValueError, OSError, ImportError: as `readers.batches`. With skip_bad, broken lines, rows and files are left out,
            and the pieces say so.
    """
    job = part.job
    for number, file in enumerate(part.files, part.first_file):
        if number < start.file:
            continue
        begin = start if number == start.file else Place(number)
        reader = _FileReader(part, number, begin, tokenizer)
        try:
            file.check()
            yield from reader.pieces()
        except (ValueError, OSError) as error:
            if not job.skip_bad:
                raise
            reader.skipped.append(Skipped(Place(number + 1), str(error)))
        # What is known at the end only, and that all of the file has been read.
        yield Piece(
            number,
            file.source.path,
            reader.n_documents,
            [],
            skipped=tuple(reader.skipped),
            n_read=file.source.n_bytes or 0,
        )


class _FileReader:
    """Reads one file and knows how far it is."""

    def __init__(self, part: Part, number: int, begin: Place, tokenizer: Tokenizer) -> None:
        self._job = part.job
        self._number = number
        self._begin = begin
        self._source = part.files[number - part.first_file].source
        self._tokenizer = tokenizer
        self.n_documents = begin.documents
        self.skipped: list[Skipped] = []
        self._n_read = 0

    def pieces(self) -> Iterator[Piece]:
        if self._source.kind == "text":
            yield from self._stretches()
        else:
            yield from self._batches()

    def _on_read(self, n_bytes: int) -> None:
        self._n_read = n_bytes

    def _batches(self) -> Iterator[Piece]:
        job = self._job
        on_bad = self._on_bad if job.skip_bad else None
        options = readers.Options(job.field, job.column, self._begin.records, job.metadata, self._on_read, on_bad)
        for batch in readers.batches(self._source, options):
            yield self._piece(batch.texts, batch=batch)
            self.n_documents += len(batch.texts)

    def _on_bad(self, n_records: int, message: str) -> None:
        self.skipped.append(Skipped(Place(self._number, n_records), message))

    def _piece(
        self,
        content: Sequence[readers.Text] | bytes,
        continues: tuple[bool, bool] = (False, False),
        batch: readers.Batch | None = None,
    ) -> Piece:
        skipped, self.skipped = self.skipped, []
        path = self._source.path
        return Piece(self._number, path, self.n_documents, content, continues, batch, tuple(skipped), self._n_read)

    # --- text files ---------------------------------------------------------------------------------------------------

    def _stretches(self) -> Iterator[Piece]:
        separator = self._job.separator
        if separator is None and self._begin.documents:
            return  # the file is a document, and done
        may_cut = self._job.split is None and not self._job.skip_bad
        blocks = readers.blocks(self._source, self._on_read)
        skip = self._begin.documents
        rest, continues, is_end = b"", False, False
        while not is_end:
            # As much again as there is already, so that a document that must be held whole is not copied again and again.
            more, is_end = _taken(blocks, max(_BLOCK_BYTES, len(rest)))
            text = rest + more
            end = -1 if separator is None or is_end else _last_separator(text, separator)
            if is_end:
                stretch, rest, ends_later = text, b"", False
            elif separator is not None and end >= 0:
                stretch, rest, ends_later = text[:end], text[end + len(separator) :], False
            else:
                # A separator may begin at the very end.
                cut = self._tokenizer._last_division(text[: len(text) + 1 - len(separator or b"?")]) if may_cut else 0
                stretch, rest, ends_later = text[:cut], text[cut:], True
                if cut == 0:
                    continue
            n_ended = (0 if separator is None else stretch.count(separator)) + (not ends_later)
            if skip and skip >= n_ended:  # all of them, or a part of one, done before
                skip -= n_ended
            else:
                if skip and separator is not None:
                    stretch, continues, skip = _without(stretch, separator, skip), False, 0
                    n_ended = stretch.count(separator) + (not ends_later)
                yield self._piece(stretch, (continues, ends_later))
                self.n_documents += n_ended
            continues = ends_later


def _taken(blocks: Iterator[bytes], size: int) -> tuple[bytes, bool]:
    """Blocks of at least a size together, and whether these were the last."""
    held: list[bytes] = []
    n = 0
    for block in blocks:
        held.append(block)
        n += len(block)
        if n >= size:
            return b"".join(held), False
    return b"".join(held), True


def _last_separator(text: bytes, separator: bytes) -> int:
    """Where the last one begins, looking from the left, as the core does; -1 if there is none."""
    if not any(separator.startswith(separator[-k:]) for k in range(1, len(separator))):
        return text.rfind(separator)  # none overlaps another, so it is the same from both sides
    last, found = -1, text.find(separator)
    while found >= 0:
        last, found = found, text.find(separator, found + len(separator))
    return last


def _without(text: bytes, separator: bytes, n_documents: int) -> bytes:
    """A stretch without its first documents."""
    begin = 0
    for _ in range(n_documents):
        begin = text.index(separator, begin) + len(separator)
    return text[begin:]
