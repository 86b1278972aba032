"""Counting on many machines: parts of the corpus are counted apart, and their counts merged in a tree.

Counts add up to the same bytes in any order, so how the corpus is divided shows in no result. Each task's file is named
by a digest of all that decides what is in it, so a job that is started again finds what is done and does the rest; of a
task whose input or option has changed it finds nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fissile import counting
from fissile.distributed.ray import Ray
from fissile.distributed.shared_files import seen_here

if TYPE_CHECKING:
    from fissile.distributed.engine import Engine

__all__ = ["count_to_file"]

_FAN_IN = 32
"""How many files a task merges: they are all open at once."""

_TASK_FILE = re.compile(r"\.?[0-9a-f]{32}\.counts(\.\d+\.partial)?")


@dataclass(frozen=True)
class _File:
    path: str
    n_bytes: int
    modified: int
    """In nanoseconds."""
    weight: Fraction


@dataclass(frozen=True)
class _Part:
    """Some files, to be counted into one."""

    out: str
    files: tuple[_File, ...]
    pattern: str
    options: tuple[tuple[str, Any], ...]
    """Of `fissile.counting.count_to_file`."""

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)


@dataclass(frozen=True)
class _Merge:
    """Files of counts, to be merged into one."""

    out: str
    inputs: tuple[str, ...]


def count_to_file(
    path: counting.PathLike,
    inputs: counting.Inputs,
    pattern: str = "gpt4",
    *,
    sequence: Literal["line", "document"] = "line",
    field: str = "text",
    column: str = "text",
    weights: Sequence[float] | None = None,
    threads: int = 1,
    memory_bytes: int | None = None,
    progress: counting.Progress | None = None,
    special_tokens: Iterable[str] = (),
    part_bytes: int = 256 << 20,
    engine: Engine | None = None,
) -> None:
    """Count pretokens on a cluster; the file is, to the byte, that of `fissile.counting.count_to_file` on one machine.

    What is done is kept beside the file, in a directory of its name and ".parts", until the file is there: a job that
    was stopped, by an error or by losing this process, goes on from that when it is started again.

    Args:
        path: the file. Like the inputs it must lie where this process and every worker reach it by the same name (a
            shared file system).
        inputs: files, directories and patterns, as of `fissile.count`, like all arguments not named here. A file is
            counted by one task: divide those of hundreds of gigabytes.
        threads: of each task, which asks the engine for as many CPUs.
        memory_bytes: of each task.
        progress: called with (phase, done, total) when tasks are done; phase is "count", in bytes of the inputs, then
            "merge", in files.
        part_bytes: files are counted together up to so many bytes. Does not change the result.
        engine: what runs the tasks; None: `Ray()`.

    Raises:
        ValueError, TypeError, ImportError: as `fissile.count`; also ValueError if an input changed since the job began.
        OSError: a file cannot be read or written; FileNotFoundError names the worker that does not see it.
        What the engine raises when it gives a task up. Other tasks' files are kept.
    """
    for name, value in (("threads", threads), ("part_bytes", part_bytes)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    special_tokens = special_tokens if isinstance(special_tokens, str) else tuple(special_tokens)
    options: dict[str, Any] = {
        "sequence": sequence,
        "field": field,
        "column": column,
        "memory_bytes": memory_bytes,
        "special_tokens": special_tokens,
        "threads": threads,
    }
    counting.count(iter(()), pattern, **options)  # raises what is wrong with them now, and here
    files = _files(inputs, weights)
    target = Path(os.path.abspath(path))
    parts_directory = target.with_name(f"{target.name}.parts")
    parts_directory.mkdir(exist_ok=True)
    parts = list(_parts(files, parts_directory, pattern, options, part_bytes))
    run = Ray() if engine is None else engine
    _run(run, _count_part, parts, threads, _report(progress, "count", [part.n_bytes for part in parts]))
    _merge_all(run, [part.out for part in parts], target, progress)
    _remove(parts_directory)


# --- the plan ---------------------------------------------------------------------------------------------------------


def _files(inputs: counting.Inputs, weights: Sequence[float] | None) -> list[_File]:
    sources, texts, scale = counting.split_inputs(inputs, weights)
    if texts is not None:
        raise TypeError("inputs must be paths of files that every worker reaches, not texts of this process")
    files = []
    for source, weight in sources:
        if source.n_bytes is None:
            raise ValueError(f"{source.path}: expected a file that every worker can read, found no regular file")
        path = os.path.abspath(source.path)
        status = os.stat(path)
        files.append(_File(path, status.st_size, status.st_mtime_ns, Fraction(weight, scale)))
    return files


def _parts(
    files: list[_File], directory: Path, pattern: str, options: dict[str, Any], part_bytes: int
) -> Iterator[_Part]:
    """The files in order, as many at a time as stay within part_bytes, at least one."""
    # Neither threads nor memory show in the result, so another of either finds the files of the first.
    meaning = sorted((name, value) for name, value in options.items() if name not in ("threads", "memory_bytes"))

    def part(members: list[_File]) -> _Part:
        out = directory / f"{_digest('part', pattern, meaning, members)}.counts"
        return _Part(os.fspath(out), tuple(members), pattern, tuple(options.items()))

    members: list[_File] = []
    n_bytes = 0
    for file in files:
        if members and n_bytes + file.n_bytes > part_bytes:
            yield part(members)
            members, n_bytes = [], 0
        members.append(file)
        n_bytes += file.n_bytes
    yield part(members)


def _digest(*parts: Any) -> str:
    import fissile

    return blake2b(repr((fissile.__version__, *parts)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


# --- tasks, on a worker -----------------------------------------------------------------------------------------------


def _count_part(part: _Part) -> None:
    for file in part.files:
        with seen_here(file.path):
            status = os.stat(file.path)
        if (status.st_size, status.st_mtime_ns) != (file.n_bytes, file.modified):
            raise ValueError(
                f"{file.path}: expected the file of {file.n_bytes:,} bytes that was there when the job began, found one "
                f"of {status.st_size:,} bytes, changed since or another on {socket.gethostname()}: start the job again"
            )
    with seen_here(os.path.dirname(part.out)):
        counting.count_to_file(
            part.out,
            [file.path for file in part.files],
            part.pattern,
            weights=[file.weight for file in part.files],  # type: ignore[misc]  # a number, and exact
            **dict(part.options),
        )


def _merge_part(merge: _Merge) -> None:
    with seen_here(os.path.dirname(merge.out)):
        counting.merge_files(merge.inputs, merge.out)


# --- the run ----------------------------------------------------------------------------------------------------------


def _run(
    engine: Engine,
    function: Callable[[Any], None],
    tasks: Sequence[Any],
    cpus: int,
    done: Callable[[int], None],
) -> None:
    """Runs the tasks whose files are not there yet."""
    left = []
    for i, task in enumerate(tasks):
        if os.path.exists(task.out):
            done(i)
        else:
            left.append(i)
    if left:
        _run_all(engine, function, [tasks[i] for i in left], cpus, lambda i: done(left[i]))


def _run_all(
    engine: Engine, function: Callable[[Any], None], tasks: Sequence[Any], cpus: int, done: Callable[[int], None]
) -> None:
    # Closed at once when `done` raises, rather than when the last one lets go of the traceback.
    with contextlib.closing(engine(function, tasks, cpus)) as finished:
        for i in finished:
            done(i)


def _report(progress: counting.Progress | None, phase: str, sizes: list[int]) -> Callable[[int], None]:
    """A function to be called with the index of each task that is done."""
    total, before = sum(sizes), 0

    def done(i: int) -> None:
        nonlocal before
        before += sizes[i]
        if progress is not None:
            progress(phase, before, total)

    return done


def _merge_all(engine: Engine, files: list[str], target: Path, progress: counting.Progress | None) -> None:
    """A tree: tasks merge _FAN_IN files each until that many are left, and the last ones become the result."""
    # Within a level the order is that of the names, so equal parts give equal digests, however inputs were listed.
    levels: list[list[_Merge]] = []
    while len(files) > _FAN_IN:
        files = sorted(files)
        level = [_merge_of(files[begin : begin + _FAN_IN]) for begin in range(0, len(files), _FAN_IN)]
        levels.append(level)
        files = [merge.out for merge in level]
    sizes = [len(merge.inputs) for level in levels for merge in level]
    done = _report(progress, "merge", [*sizes, len(files)])
    first = 0
    for level in levels:
        _run(engine, _merge_part, level, 1, lambda i, first=first: done(first + i))  # type: ignore[misc]
        first += len(level)
    final = _Merge(os.fspath(target), tuple(files))
    _run_all(engine, _merge_part, [final], 1, lambda _: done(first))  # over the file of another job, too


def _merge_of(files: list[str]) -> _Merge:
    out = Path(files[0]).with_name(f"{_digest('merge', [os.path.basename(file) for file in files])}.counts")
    return _Merge(os.fspath(out), tuple(files))


def _remove(directory: Path) -> None:
    """Removes what tasks wrote, those that were killed too, and the directory unless it holds something else."""
    for path in directory.iterdir():
        if _TASK_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()
