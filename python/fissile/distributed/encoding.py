"""Encoding on many machines: each part of the job is a task, and writes the shards that one machine would have written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fissile.data.encoding import EncodedCorpus, PathLike, Progress, encoding_job, finish_job
from fissile.data.encoding_job import TOKENIZER_FILE, Part
from fissile.data.encoding_part import encode_part
from fissile.distributed.ray import Ray
from fissile.distributed.shared_files import seen_here
from fissile.tokenizer import Tokenizer

if TYPE_CHECKING:
    from fissile.distributed.engine import Engine

__all__ = ["encode_corpus"]


@dataclass(frozen=True)
class _Task:
    part: Part
    threads: int


def encode_corpus(
    directory: PathLike,
    inputs: PathLike | Iterable[PathLike],
    tokenizer: Tokenizer,
    *,
    threads: int = 1,
    progress: Progress | None = None,
    engine: Engine | None = None,
    part_bytes: int = 256 << 20,
    **options: Any,
) -> EncodedCorpus:
    """Encode files on a cluster; the shards are, to the byte, those of `fissile.data.encode_corpus` on one machine.

    A job that was stopped goes on when it is started again, there or on one machine: what decides is in the directory.

    Args:
        directory: where the shards go. Like the inputs it must lie where this process and every worker reach it by the
            same name (a shared file system).
        inputs: as of `fissile.data.encode_corpus`, like tokenizer and options.
        tokenizer: encodes them.
        threads: of each task, which asks the engine for as many CPUs.
        progress: as of `fissile.data.encode_corpus`, called when tasks are done.
        engine: what runs the tasks; None: `Ray()`.
        part_bytes: files are encoded together, by one task, up to so many bytes. A file is never divided, and shards are
            of parts, so this changes which shards there are.
        options: keyword arguments of `fissile.data.encoding_job`.

    Raises:
        ValueError, OSError, ImportError: as `fissile.data.encode_corpus`; FileNotFoundError names the worker that does
            not see a file.
        What the engine raises when it gives a task up. Shards that are finished stay.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    job = encoding_job(directory, inputs, tokenizer, part_bytes=part_bytes, **options)
    for file in job.files:
        if file.modified is None:
            raise ValueError(f"{file.source.path}: expected a file that every worker can read, found no regular file")
    job.begin(tokenizer)
    parts = list(job.parts())
    total = sum(part.n_bytes for part in parts)
    tasks: list[_Task] = []
    n_bytes = n_tokens = 0
    for part in parts:
        if part.is_done:
            n_bytes += part.n_bytes
            n_tokens += part.n_tokens
        else:
            tasks.append(_Task(part, threads))
    run = Ray() if engine is None else engine
    if tasks:
        # Closed at once when progress raises, rather than when the last one lets go of the traceback.
        with contextlib.closing(run(_encode, tasks, threads)) as finished:
            for i in finished:
                n_bytes += tasks[i].part.n_bytes
                n_tokens += tasks[i].part.n_tokens
                if progress is not None:
                    progress("encode", n_bytes, total, n_tokens)
    return finish_job(job, tokenizer)


def _encode(task: _Task) -> None:
    """On a worker."""
    with seen_here(os.fspath(task.part.job.directory)):
        tokenizer = Tokenizer.from_file(task.part.job.directory / TOKENIZER_FILE)
        encode_part(task.part, tokenizer, task.threads)
