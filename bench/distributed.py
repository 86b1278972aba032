"""Counting on a local Ray cluster of as many workers as one process has threads.

    python bench/distributed.py TEXT... --megabytes 1000 --workers 2 --runs 5 -o bench/results/distributed.md

The texts are cut into files of 64 MB, repeated until there are enough. Both ways take turns, each in a process that is
warm: Ray's start and the import of fissile on its workers are told apart, as a cluster has them once.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ray

from fissile import counting, distributed

FILE_BYTES = 64_000_000


def write_corpus(folder: Path, texts: list[Path], n_bytes: int) -> None:
    text = b"".join(path.read_bytes() for path in texts)
    size = min(FILE_BYTES, n_bytes)
    for i in range(n_bytes // size):
        begin = i * size % len(text)
        piece = (text[begin:] + text * (size // len(text) + 1))[:size]
        (folder / f"{i:03}.txt").write_bytes(piece)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory:
        corpus, one, many = (Path(directory, name) for name in ("corpus", "one.counts", "many.counts"))
        corpus.mkdir()
        write_corpus(corpus, arguments.texts, arguments.megabytes * 1_000_000)
        n_bytes = sum(path.stat().st_size for path in corpus.iterdir())

        def on_ray(part_bytes: int) -> None:
            distributed.count_to_file(many, corpus, "gpt2", part_bytes=part_bytes)

        def in_one_process() -> None:
            counting.count_to_file(one, corpus, "gpt2", threads=arguments.workers)

        in_one_process()  # the files are in memory now
        start = seconds(
            lambda: ray.init(
                address="local",
                num_cpus=arguments.workers,
                object_store_memory=100 << 20,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        )
        first = seconds(lambda: on_ray(FILE_BYTES))
        ways: dict[str, Callable[[], None]] = {
            f"one process, {arguments.workers} threads": in_one_process,
            f"Ray, {arguments.workers} workers, a file a task": lambda: on_ray(FILE_BYTES),
            f"Ray, {arguments.workers} workers, parts of 256 MB": lambda: on_ray(256 << 20),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.runs):
            for name, work in ways.items():
                times[name].append(seconds(work))
        if one.read_bytes() != many.read_bytes():
            raise SystemExit("the two files differ")

    base = statistics.median(next(iter(times.values())))
    lines = [
        "# Counting on Ray",
        "",
        f"Made by `python bench/distributed.py TEXT... {' '.join(sys.argv[1 + len(arguments.texts) :])}`",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, "
        f"Ray {ray.__version__}; {n_bytes / 1e6:.0f} MB in files of {FILE_BYTES / 1e6:.0f} MB, gpt2, the same bytes out.",
        "",
        "| way | runs | wall s | MB/s | x one process |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, found in times.items():
        median = statistics.median(found)
        lines.append(
            f"| {name} | {len(found)} | {median:.2f} ({min(found):.2f} to {max(found):.2f}) "
            f"| {n_bytes / 1e6 / median:.0f} | {median / base:.2f} |"
        )
    lines += [
        "",
        f"Once for a cluster: Ray's start {start:.1f} s, first job {first:.2f} s (workers start and import).",
        "",
    ]
    print(table := "\n".join(lines))
    if arguments.out:
        arguments.out.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
