"""From files of text to shards of token ids, on one machine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from fissile.arguments import UINT64_MAX, function, instance, path_text, whole
from fissile.data import readers
from fissile.data.encoding_job import EncodingJob, InputFile, Record, SpecialTokens, chosen_dtype
from fissile.data.encoding_part import encode_part
from fissile.data.token_writers import Format
from fissile.stochastic import Split, parse_split
from fissile.tokenizer import Tokenizer

__all__ = ["EncodedCorpus", "encode_corpus", "encoding_job", "finish_job"]

PathLike = str | os.PathLike[str]
Progress = Callable[[str, int, int | None, int], object]


@dataclasses.dataclass(frozen=True)
class EncodedCorpus:
    """What an encoding job made."""

    directory: Path
    shards: tuple[Path, ...]  #: without suffixes
    n_tokens: int  #: in the shards, with those that end documents
    n_documents: int
    dropped_tokens: int  #: with pack: those that filled no block
    skipped: tuple[str, ...]  #: what was left out, and why


def encode_corpus(
    directory: PathLike,
    inputs: PathLike | Iterable[PathLike],
    tokenizer: Tokenizer,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> EncodedCorpus:
    """Encode files into shards of ids, in memory that does not grow with them.

    A run that was stopped, by an error, Ctrl-C or SIGKILL, goes on when the same call is made again, and ends with the
    same bytes as one that was not. What a directory then holds is told in fissile.data.encoding_job.

    Args:
        directory: where the shards go: new, empty, or left by an earlier run of the same job.
        inputs: files, directories and patterns, as of `fissile.count`.
        tokenizer: encodes them, and is saved beside the shards.
        threads: to encode with; None: every CPU this process may use.
        progress: called with (phase, bytes of the inputs done, of how many, tokens so far) after every few megabytes;
            phase is "encode", the total None where it is not known. An exception that it raises ends the work.
        options: keyword arguments of `encoding_job`, which say what is written.

    Returns:
        Where the shards are, and how much is in them.

    Raises:
        ValueError: an option is out of range, an input is broken (file, line and what was found are named), or the
            directory holds something else. Shards that were finished stay.
        OSError: a file cannot be read or written; it is named.
        ImportError: a package that a file needs (pyarrow, zstandard) is not installed.
    """
    function("progress", progress)
    if threads is not None:
        whole("threads", threads, 1, 4096)
    job = encoding_job(directory, inputs, tokenizer, **options)
    job.begin(tokenizer)
    parts = list(job.parts())
    sizes = [file.source.n_bytes for file in job.files]
    total = None if None in sizes else sum(part.n_bytes for part in parts)
    n_bytes = n_tokens = 0
    for part in parts:
        tokens = 0

        def report(done: int, so_far: int) -> None:
            nonlocal tokens
            tokens = so_far
            if progress is not None:
                progress("encode", n_bytes + done, total, n_tokens + so_far)  # noqa: B023  # of this turn, and used in it

        encode_part(part, tokenizer, threads, report)
        n_bytes += part.n_bytes
        n_tokens += tokens
    return finish_job(job, tokenizer)


def encoding_job(
    directory: PathLike,
    inputs: PathLike | Iterable[PathLike],
    tokenizer: Tokenizer,
    *,
    format: Format = "bin",
    dtype: npt.DTypeLike | None = None,
    eod: int | str | None = None,
    pack: int | None = None,
    shard_tokens: int = 100_000_000,
    part_bytes: int = 1 << 30,
    split: Split = None,
    seed: int = 0,
    epoch: int = 0,
    epochs: int = 1,
    field: str = "text",
    column: str = "text",
    separator: str | bytes | None = None,
    input_kind: Literal["text", "jsonl", "parquet"] | None = None,
    special_tokens: SpecialTokens = "default",
    add_special_tokens: bool = False,
    metadata: bool = False,
    skip_bad: bool = False,
) -> EncodingJob:
    """What is to be done, checked as far as it can be before any of it is.

    Args:
        directory: as of `encode_corpus`, like inputs and tokenizer.
        inputs: files, directories and patterns.
        tokenizer: encodes them.
        format: of the shards: "bin" (ids alone), "npy" (ids and offsets), "megatron" (an indexed dataset) or "parquet" (a
            column "ids" of lists); fissile.data.token_writers tells more.
        dtype: np.uint16 or np.uint32; None: the smaller that holds every id.
        eod: id, or text of a special token, put after each document. None: documents in a .bin cannot be told apart.
        pack: ids a row: documents end to end, cut wherever a block is full. What fills none at the end of a part is
            dropped, and counted. None: a row is a document.
        shard_tokens: a shard ends with the document that brings it to so many tokens.
        part_bytes: files are encoded together up to so many bytes; each such part has shards of its own.
        split: a sampler, as of Tokenizer.encode_batch; document j of file i is drawn for as number i * 2^32 + j, as by
            the loaders of fissile.data. A document is then held whole.
        seed: names the draws, 0 to 2^64 - 1.
        epoch: the first epoch.
        epochs: how many; with more than one each has a directory of its own, with other draws.
        field: of jsonl: the key of the text.
        column: of parquet: the column of the text.
        separator: text that ends a document in text files, as of encode_files; None: a file is a document.
        input_kind: what the inputs are; None: by their names.
        special_tokens: what becomes of the text of a special token: "take" it as the token, encode it as any "text",
            "refuse" it; "default": as the library that defined the tokenizer does.
        add_special_tokens: put the tokenizer's template around each document, such as <s> in front.
        metadata: keep what else a jsonl line or a parquet row holds, and where it came from: a line a document in
            X.meta.jsonl beside the shard.
        skip_bad: leave out what is broken, or cannot be encoded, and say so in the record, rather than stop. A document
            is then held whole.

    Raises:
        TypeError: there is no such option, or it is of the wrong type.
        ValueError, OSError: as of `encode_corpus`.
    """
    instance("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
    if isinstance(split, str):
        split = parse_split(split)
    end = _end_of_document(eod, tokenizer)
    files = []
    for source in readers.sources(inputs, "inputs"):
        # Whoever encodes it, from wherever the job is gone on with.
        source = dataclasses.replace(source, path=os.path.abspath(source.path), kind=input_kind or source.kind)
        modified = os.stat(source.path).st_mtime_ns if source.n_bytes is not None else None
        files.append(InputFile(source, modified))
    job = EncodingJob(
        directory=Path(os.path.abspath(path_text("directory", directory))),
        files=tuple(files),
        format=format,
        dtype=chosen_dtype(dtype, tokenizer, end),
        shard_tokens=shard_tokens,
        part_bytes=part_bytes,
        eod=end,
        split=split,
        seed=whole("seed", seed, 0, UINT64_MAX),
        epoch=whole("epoch", epoch, 0, (1 << 32) - 1),
        epochs=epochs,
        pack=pack,
        field=field,
        column=column,
        separator=separator.encode() if isinstance(separator, str) else separator,
        special_tokens=special_tokens,
        add_special_tokens=add_special_tokens,
        metadata=metadata,
        skip_bad=skip_bad,
    )
    tokenizer.encode_batch(
        [], split=job.split, seed=job.seed, **job.encoding
    )  # raises what does not fit the vocabulary
    return job


def finish_job(job: EncodingJob, tokenizer: Tokenizer) -> EncodedCorpus:
    """Once all parts are done: write down that they are."""
    records: dict[str, Record] = {}
    stems: list[Path] = []
    for part in job.parts():
        for shard, record in enumerate(part.records()):
            stems.append(part.stem(shard))
            records[stems[-1].relative_to(job.directory).as_posix()] = record
    totals = job.end(tokenizer, records)
    skipped = tuple(totals.pop("skipped"))
    return EncodedCorpus(job.directory, tuple(stems), skipped=skipped, **totals)


def _end_of_document(eod: int | str | None, tokenizer: Tokenizer) -> int | None:
    if isinstance(eod, str):
        special = tokenizer.special_tokens
        if eod not in special:
            found = ", ".join(list(special)[:8]) or "none"
            raise ValueError(f"eod {eod!r} is no special token of the tokenizer, which has {found}")
        return special[eod]
    return None if eod is None else whole("eod", eod, 0, tokenizer.n_vocab - 1)
