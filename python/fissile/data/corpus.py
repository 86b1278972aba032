"""What the loaders read: files of text or of ids as one list of documents, encoded as they are asked for.

Document j of file i, in the order of `files`, has the number i * 2^32 + j, whichever rank or worker reads it and however
the order is shuffled. Samplers draw by (seed, epoch, number), so a document's ids depend on nothing else.
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.arguments import UINT64_MAX, instance, integer_dtype, string, whole
from fissile.data import readers
from fissile.data.token_files import TokenFile, belongs_to_token_file, is_token_file
from fissile.ragged import Ragged
from fissile.stochastic import BPEDropout, Split, StochasTok, UniformSplit, parse_split, stochastok
from fissile.tokenizer import Tokenizer

__all__ = ["FILE_BITS", "Corpus", "Documents", "PathLike", "described", "gathered"]

PathLike = str | os.PathLike[str]
FILE_BITS = 32
"""A document's number is (file << FILE_BITS) + its place in the file."""


@dataclass(frozen=True)
class Documents:
    """Some documents of one file, not yet encoded: texts, or ids that are there already."""

    numbers: npt.NDArray[np.int64]  # places in the file, rising
    content: list[readers.Text] | Ragged
    ended: npt.NDArray[np.bool_]  # whether the file itself has an id after the document
    batch: readers.Batch | None = None
    in_batch: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def some(self, begin: int, end: int) -> Documents:
        """Those from `begin` to `end`."""
        in_batch = None if self.in_batch is None else self.in_batch[begin:end]
        return Documents(self.numbers[begin:end], self.content[begin:end], self.ended[begin:end], self.batch, in_batch)


@dataclass
class Corpus:
    """Files, and how their documents become ids. The arguments are those of TokenStream."""

    paths: PathLike | Iterable[PathLike]
    tokenizer: Tokenizer | None
    split: Split
    seed: int
    eod: int | str | None
    field: str
    column: str
    separator: str | bytes | None
    token_dtype: npt.DTypeLike | None
    encoding: dict[str, Any]
    threads: int | None
    files: list[readers.Source | TokenFile] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.seed = whole("seed", self.seed, 0, UINT64_MAX)
        if self.tokenizer is not None:
            instance("tokenizer", self.tokenizer, Tokenizer, "a Tokenizer or None")
            self.tokenizer.encode_batch([], self.threads, **self.encoding)  # raises what is wrong with these
        for name in ("field", "column"):
            string(name, getattr(self, name))
        if self.token_dtype is not None:
            integer_dtype("token_dtype", self.token_dtype)
        if isinstance(self.separator, str):
            self.separator = self.separator.encode()
        elif self.separator is not None:
            instance("separator", self.separator, bytes, "str, bytes or None")
        if self.separator == b"":
            raise ValueError("separator must not be empty")
        if isinstance(self.split, str):
            self.split = parse_split(self.split)
        elif self.split is not None:
            instance(
                "split",
                self.split,
                (StochasTok, BPEDropout, UniformSplit),
                "a sampler, such as fissile.StochasTok(0.1)",
            )
        if isinstance(self.eod, str):
            if self.tokenizer is None or self.eod not in self.tokenizer.special_tokens:
                raise ValueError(f"eod {self.eod!r} is no special token of the tokenizer")
            self.eod = self.tokenizer.special_tokens[self.eod]
        elif self.eod is not None:
            self.eod = whole("eod", self.eod, 0)
        self.files = [
            TokenFile(source.path, self.token_dtype, self.eod) if is_token_file(source.path) else source
            for source in readers.sources(self.paths)
            if not belongs_to_token_file(source.path)
        ]
        if not self.files:
            raise ValueError("paths must name at least one file, found none")
        self.paths = ()  # an iterable may be gone, and may not pickle
        for file in self.files:
            self._check(file)

    def _check(self, file: readers.Source | TokenFile) -> None:
        if isinstance(file, TokenFile):
            if self.split is not None and not isinstance(self.split, StochasTok):
                raise ValueError(f"{file.path}: ids can be split by StochasTok alone, not by {self.split!r}")
            if self.split is not None and self.tokenizer is None:
                raise ValueError(f"{file.path}: splitting needs the tokenizer of the ids")
        elif self.tokenizer is None:
            raise ValueError(f"{file.path}: text needs a tokenizer")
        elif file.n_bytes is None:
            raise ValueError(f"{file.path}: expected a regular file, which can be read again in the next epoch")

    def settings(self) -> dict[str, Any]:
        """All that the ids and their order depend on, as plain values."""
        tok = self.tokenizer
        sizes = [
            f"{os.path.basename(f.path)}:{len(f.ids) if isinstance(f, TokenFile) else f.n_bytes}" for f in self.files
        ]
        return {
            "files": f"{len(sizes)} files, {zlib.crc32(chr(10).join(sizes).encode()):08x}",
            "tokenizer": None if tok is None else described(tok),
            "split": None if self.split is None else repr(self.split),
            "seed": self.seed,
            "eod": self.eod,
            "field": self.field,
            "column": self.column,
            "separator": None if self.separator is None else repr(self.separator),
            "encoding": repr(sorted(self.encoding.items())),
        }

    # --- reading ------------------------------------------------------------------------------------------------------

    def documents(self, file: int, first: int = 0, part: int = 0, parts: int = 1) -> Iterator[Documents]:
        """The documents of a file whose place is at least `first` and `part` modulo `parts`, in order."""
        source = self.files[file]
        for begin, content, ended, batch in self._all(source, first):
            skip = max(first - begin, 0)
            skip += (part - begin - skip) % parts
            mine = np.arange(skip, len(content), parts, dtype=np.int64)
            if len(mine):
                is_all = len(mine) == len(content)
                yield Documents(mine + begin, content if is_all else _chosen(content, mine), ended[mine], batch, mine)

    def _all(
        self, source: readers.Source | TokenFile, first: int
    ) -> Iterator[tuple[int, list[readers.Text] | Ragged, npt.NDArray[np.bool_], readers.Batch | None]]:
        if isinstance(source, TokenFile):
            for chunk in source.chunks(first):
                yield chunk.first, chunk.documents, chunk.ended, None
            return
        begin = 0
        for batch in readers.batches(source, readers.Options(self.field, self.column)):
            if source.kind == "text" and self.separator is not None:
                batch = _divided(batch, self.separator)
            yield begin, list(batch.texts), np.zeros(len(batch.texts), np.bool_), batch
            begin += len(batch.texts)

    # --- encoding -----------------------------------------------------------------------------------------------------

    def encode(self, file: int, some: Documents, epoch: int) -> Ragged:
        """Their ids in an epoch, each with the id that ends it."""
        if isinstance(some.content, Ragged):
            ids = self._split(some.content, self._runs(file, some), epoch)
            eod = source.eod if isinstance(source := self.files[file], TokenFile) else None
            ended = some.ended
            if eod is None and self.eod is not None:  # the file has none, so they are put in
                eod, ended = self.eod_id, np.ones(len(some), np.bool_)
        else:
            return self._encode(some, self._runs(file, some), epoch)
        return ids if eod is None else _with_ends(ids, eod, ended)

    @property
    def eod_id(self) -> int | None:
        """The id that ends documents of text."""
        return self.eod if isinstance(self.eod, int) else None

    def _runs(self, file: int, some: Documents) -> list[tuple[int, int, int]]:
        """(begin, end, number) of each run of documents that follow one another, for draws go by numbers in a row."""
        if self.split is None:
            return [(0, len(some), 0)]
        bounds = [0, *(np.flatnonzero(np.diff(some.numbers) != 1) + 1).tolist(), len(some)]
        first = file << FILE_BITS
        return [(a, b, first + int(some.numbers[a])) for a, b in pairwise(bounds) if a < b]

    def _split(self, ids: Ragged, runs: list[tuple[int, int, int]], epoch: int) -> Ragged:
        if self.split is None:
            return ids
        assert self.tokenizer is not None and isinstance(self.split, StochasTok)
        sampler = self.split
        done = [
            stochastok(
                ids[a:b],
                self.tokenizer,
                sampler.p,
                self.seed,
                epoch=epoch,
                first_index=number,
                max_expansions=sampler.max_expansions,
                deny=sampler.deny,
                threads=self.threads,
            )
            for a, b, number in runs
        ]
        return done[0] if len(done) == 1 else Ragged.concatenate(done)

    def _encode(self, some: Documents, runs: list[tuple[int, int, int]], epoch: int) -> Ragged:
        assert self.tokenizer is not None and isinstance(some.content, list)
        options = dict(
            self.encoding, threads=self.threads, split=self.split, seed=self.seed, epoch=epoch, eod=self.eod_id
        )
        try:
            done = [self.tokenizer.encode_batch(some.content[a:b], first_index=n, **options) for a, b, n in runs]
        except ValueError as error:
            raise self._placed(some, error, options) from None
        return done[0] if len(done) == 1 else Ragged.concatenate(done)

    def _placed(self, some: Documents, error: ValueError, options: dict[str, Any]) -> ValueError:
        """The error with the place of the document that raised it."""
        assert self.tokenizer is not None and isinstance(some.content, list)
        assert some.batch is not None and some.in_batch is not None
        for i, text in enumerate(some.content):
            try:
                self.tokenizer.encode_batch([text], **options)
            except ValueError as one:
                what = str(one).removeprefix("texts[0]: ")
                return ValueError(f"{some.batch.place(int(some.in_batch[i]))}: {what}")
        return error


def gathered(documents: Ragged, order: npt.NDArray[np.int64]) -> Ragged:
    """The documents with these numbers, in this order."""
    lengths = documents.lengths[order]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    starts = documents.offsets[order]
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(int(offsets[-1]))
    return Ragged(documents.ids[places], offsets)


def _chosen(content: list[readers.Text] | Ragged, mine: npt.NDArray[np.int64]) -> list[readers.Text] | Ragged:
    return gathered(content, mine) if isinstance(content, Ragged) else [content[i] for i in mine.tolist()]


def _with_ends(ids: Ragged, eod: int, ended: npt.NDArray[np.bool_]) -> Ragged:
    if not ended.any():
        return ids
    flat = np.insert(ids.ids, ids.offsets[1:][ended], eod)
    return Ragged(flat, ids.offsets + np.concatenate([np.zeros(1, np.int64), np.cumsum(ended)]))


def _divided(batch: readers.Batch, separator: str | bytes) -> readers.Batch:
    """A text file's documents, as encode_files divides it: after a last separator stands one that is empty."""
    assert isinstance(separator, bytes)
    [text] = batch.texts
    texts: list[readers.Text] = [*bytes(text if not isinstance(text, str) else text.encode()).split(separator)]
    return readers.Batch(texts, lambda i: f"{batch.place(0)}: document {i}")


def described(tok: Tokenizer) -> str:
    """Tells tokenizers apart in milliseconds."""
    return f"{tok.n_vocab} ids, {zlib.crc32(tok._as_own()):08x}"
