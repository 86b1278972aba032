"""What an encoding job is: its settings, how it is divided, and where each part of it goes.

The inputs are divided into parts, consecutive files of about `part_bytes` together; a part is encoded by one machine and
makes shards of its own, so that one machine and a cluster write the same files. Within a part a shard ends with the
document that brings it to `shard_tokens`. A shard is there once its record is, X.json beside its data, which says where
the next one begins: that is all that going on needs.

    DIR/encoding.json         the settings; at the end also the shards
    DIR/tokenizer.fissile     what encoded them, and decodes them
    DIR/00002-00000.bin ...   part 2, shard 0, and its record 00002-00000.json; below epoch-00001/ where there are epochs
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fissile.arguments import choice, flag, instance, integer_dtype, string, whole
from fissile.data.corpus import described
from fissile.data.readers import Source
from fissile.data.token_writers import FORMATS, Format
from fissile.stochastic import Split
from fissile.tokenizer import Tokenizer
from fissile.whole_file import write_bytes_whole

__all__ = [
    "JOB_FILE",
    "TOKENIZER_FILE",
    "EncodingJob",
    "InputFile",
    "Part",
    "Place",
    "Record",
    "SpecialTokens",
    "chosen_dtype",
]

JOB_FILE = "encoding.json"
TOKENIZER_FILE = "tokenizer.fissile"

SpecialTokens = Literal["default", "take", "text", "refuse"]
_SPECIAL: dict[str, dict[str, Any]] = {
    "default": {},
    "take": {"allowed_special": "all"},
    "text": {"allowed_special": (), "disallowed_special": ()},
    "refuse": {"allowed_special": (), "disallowed_special": "all"},
}

_PARTIAL = re.compile(r"\..+\.[0-9a-f]+\.partial")


@dataclass(frozen=True)
class InputFile:
    """A file as it was when the job began."""

    source: Source
    modified: int | None
    """In nanoseconds; None for what is no regular file."""

    def check(self) -> None:
        """ValueError if it has changed since."""
        if self.modified is None:
            return
        status = os.stat(self.source.path)
        if (status.st_size, status.st_mtime_ns) != (self.source.n_bytes, self.modified):
            raise ValueError(
                f"{self.source.path}: expected the file of {self.source.n_bytes:,} bytes that was there when the job "
                f"began, found one of {status.st_size:,} bytes, changed since: encode into another directory"
            )


@dataclass(frozen=True)
class Place:
    """Where reading goes on."""

    file: int  #: among the job's
    records: int = 0  #: lines or rows of it that are done
    documents: int = 0  #: of its documents so many are done

    def key(self) -> tuple[int, int]:
        """Order of places; a text file has no records."""
        return self.file, self.records or self.documents


@dataclass(frozen=True)
class Record:
    """What is known of a finished shard."""

    dtype: str
    n_tokens: int
    """In the shard's files, with those that end documents."""
    n_documents: int
    """Documents that ended in it, or with `pack` in the text of its blocks."""
    eod: int | None
    pack: int | None
    dropped_tokens: int
    """At the end of a packed part, those that fill no block."""
    skipped: list[str]
    """What was left out and why."""
    next: Place | None
    """Where the next shard begins; None: nowhere."""
    carry: list[int]
    """Ids that filled no block yet, for the next shard."""

    @staticmethod
    def load(path: Path) -> Record:
        """From X.json; ValueError if it is broken."""
        try:
            fields = json.loads(path.read_bytes())
            place = fields.pop("next")
            return Record(**fields, next=None if place is None else Place(**place))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: expected the record of a shard: {error!r}") from error

    def as_json(self) -> bytes:
        """The content of X.json."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


@dataclass(frozen=True)
class EncodingJob:
    """A job; the arguments are those of `fissile.data.encode_corpus`."""

    directory: Path
    files: tuple[InputFile, ...]
    format: Format
    dtype: str
    shard_tokens: int
    part_bytes: int
    eod: int | None
    split: Split
    seed: int
    epoch: int
    epochs: int
    pack: int | None
    field: str
    column: str
    separator: bytes | None
    special_tokens: SpecialTokens
    add_special_tokens: bool
    metadata: bool
    skip_bad: bool

    def __post_init__(self) -> None:
        for name in ("shard_tokens", "part_bytes", "epochs", "pack"):
            value = getattr(self, name)
            if value is not None or name != "pack":
                object.__setattr__(self, name, whole(name, value, 1))
        for name in ("field", "column"):
            string(name, getattr(self, name))
        for name in ("add_special_tokens", "metadata", "skip_bad"):
            object.__setattr__(self, name, flag(name, getattr(self, name)))
        choice("format", self.format, tuple(FORMATS))
        choice("special_tokens", self.special_tokens, tuple(_SPECIAL))
        if self.separator is not None:
            instance("separator", self.separator, bytes, "str, bytes or None")
        if self.separator == b"":
            raise ValueError("separator must not be empty")
        if self.pack is not None and self.metadata:
            raise ValueError("metadata is of documents, and with pack there are blocks: leave one of them out")
        directory = self.directory.resolve()
        for file in self.files:
            if directory in Path(file.source.path).resolve().parents:
                raise ValueError(f"{file.source.path}: an input must not lie in {self.directory}, where the shards go")

    @property
    def encoding(self) -> dict[str, Any]:
        """Arguments of Tokenizer.encode_batch that do not change from batch to batch."""
        return _SPECIAL[self.special_tokens] | {"add_special_tokens": self.add_special_tokens}

    def settings(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """All that the shards depend on, as plain values."""
        from fissile import __version__

        plain = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("directory", "files")
        }
        return plain | {
            "fissile": __version__,
            "tokenizer": described(tokenizer),
            "split": None if self.split is None else repr(self.split),
            "separator": None if self.separator is None else repr(self.separator),
            "files": [[file.source.path, file.source.n_bytes, file.modified] for file in self.files],
        }

    def parts(self) -> Iterator[Part]:
        """All parts, epoch by epoch."""
        bounds = [0]
        n_bytes = 0
        for i, file in enumerate(self.files):
            size = file.source.n_bytes or 0
            if n_bytes and n_bytes + size > self.part_bytes:
                bounds.append(i)
                n_bytes = 0
            n_bytes += size
        bounds.append(len(self.files))
        options = dataclasses.replace(self, files=())
        for epoch in range(self.epoch, self.epoch + self.epochs):
            for index, (begin, end) in enumerate(pairwise(bounds)):
                yield Part(options, epoch, index, begin, self.files[begin:end])

    def epoch_directory(self, epoch: int) -> Path:
        """Where the shards of an epoch go."""
        return self.directory if self.epochs == 1 else self.directory / f"epoch-{epoch:05d}"

    # --- the directory ------------------------------------------------------------------------------------------------

    def begin(self, tokenizer: Tokenizer) -> None:
        """Make the directory, or find it as an earlier run of the same job left it.

        Raises:
            ValueError: it holds something else; the first setting that differs is named.
        """
        settings = self.settings(tokenizer)
        path = self.directory / JOB_FILE
        self.directory.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _check_same(path, json.loads(json.dumps(settings)))
        elif any(not name.startswith(".") for name in os.listdir(self.directory)):
            raise ValueError(
                f"{self.directory}: expected an empty directory or one of this job, found other files in it"
            )
        for epoch in range(self.epoch, self.epoch + self.epochs):
            self.epoch_directory(epoch).mkdir(exist_ok=True)
        self._remove_partial_files()
        if not path.exists():
            tokenizer.save(self.directory / TOKENIZER_FILE, format="fissile")
            _write_json(path, {"complete": False, "settings": settings})

    def end(self, tokenizer: Tokenizer, records: dict[str, Record]) -> dict[str, Any]:
        """Say that everything is there; returns the totals."""
        shards = {
            stem: {"n_tokens": record.n_tokens, "n_documents": record.n_documents} for stem, record in records.items()
        }
        totals = {
            "n_tokens": sum(record.n_tokens for record in records.values()),
            "n_documents": sum(record.n_documents for record in records.values()),
            "dropped_tokens": sum(record.dropped_tokens for record in records.values()),
            "skipped": [message for record in records.values() for message in record.skipped],
        }
        self._remove_partial_files()
        content = {"complete": True, **totals, "shards": shards, "settings": self.settings(tokenizer)}
        _write_json(self.directory / JOB_FILE, content)
        return totals

    def _remove_partial_files(self) -> None:
        """Those of runs and workers that were killed."""
        for folder in (self.directory, *self.directory.glob("epoch-*")):
            for name in os.listdir(folder):
                if _PARTIAL.fullmatch(name):
                    (folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Part:
    """Files of a job, in one epoch, that are encoded together."""

    job: EncodingJob
    """Without its files: a part is sent to the machine that encodes it."""
    epoch: int
    index: int
    first_file: int
    """Number of the first of `files` among the job's."""
    files: tuple[InputFile, ...]

    @property
    def n_bytes(self) -> int:
        """Of its inputs, on disk."""
        return sum(file.source.n_bytes or 0 for file in self.files)

    def stem(self, shard: int) -> Path:
        """Path of a shard without suffixes."""
        return self.job.epoch_directory(self.epoch) / f"{self.index:05d}-{shard:05d}"

    def record_path(self, shard: int) -> Path:
        """Path of a shard's record."""
        stem = self.stem(shard)
        return stem.with_name(f"{stem.name}.json")

    def records(self) -> list[Record]:
        """Of the shards that are there, in order."""
        found: list[Record] = []
        while (path := self.record_path(len(found))).exists():
            found.append(Record.load(path))
            if found[-1].next is None:
                break
        return found

    @property
    def n_tokens(self) -> int:
        """In the shards that are there."""
        return sum(record.n_tokens for record in self.records())

    @property
    def is_done(self) -> bool:
        """Whether all its shards are there."""
        records = self.records()
        return bool(records) and records[-1].next is None


def chosen_dtype(dtype: npt.DTypeLike | None, tokenizer: Tokenizer, eod: int | None) -> str:
    """Name of the ids' type: the smallest that holds every id, or the one asked for.

    Raises:
        ValueError: it is neither uint16 nor uint32, or an id does not fit.
    """
    largest = max(tokenizer.n_vocab - 1, eod or 0)
    kind = integer_dtype("dtype", (np.uint16 if largest < 1 << 16 else np.uint32) if dtype is None else dtype)
    if kind not in (np.dtype(np.uint16), np.dtype(np.uint32)):
        raise ValueError(f"dtype must be uint16 or uint32, not {kind}")
    if largest > np.iinfo(kind).max:
        raise ValueError(f"dtype {kind} holds ids up to {np.iinfo(kind).max}; this job's reach {largest}")
    return str(kind)


def _check_same(path: Path, settings: dict[str, Any]) -> None:
    try:
        found = json.loads(path.read_bytes())["settings"]
        same = [name for name in settings if found[name] == settings[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected the settings of an encoding job: {error!r}") from error
    for name in (name for name in settings if name not in same):
        was, now = _shown(found[name], settings[name])
        raise ValueError(
            f"{path}: this directory holds a job with {name} {was}, not {now}: encode into another directory, or remove it"
        )


def _shown(was: Any, now: Any) -> tuple[str, str]:
    """Two values that differ, and of lists the first items that do."""
    if isinstance(was, list) and isinstance(now, list):
        if len(was) != len(now):
            return f"({len(was)} of them)", f"{len(now)}"
        was, now = next((a, b) for a, b in zip(was, now, strict=True) if a != b)
    return repr(was), repr(now)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_bytes_whole(path, (json.dumps(content, indent=1) + "\n").encode())
