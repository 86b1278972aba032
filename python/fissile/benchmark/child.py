"""The process of one measurement: `python -m fissile.benchmark.child JOB CHECKS` prints its figures as a line of JSON.

What a peer is told (cores, sizes of pools) is told before it is imported, and what the process held before it was loaded is
not counted as its memory.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fissile.benchmark import texts as text_files
from fissile.benchmark.encoding import Job
from fissile.benchmark.machine import CLOCKS, pin, resident_memory
from fissile.benchmark.peer import NotOffered
from fissile.benchmark.peers import PEERS
from fissile.benchmark.works import WORKS, Figures, Task, trial

__all__ = ["main", "measure"]


def measure(job: Job, checks: Path) -> Figures:
    """Does one job; writes the checksums of its results to a file."""
    pin(job.threads)
    # More threads than one: what they compute together says nothing of how long it takes.
    clock = CLOCKS[job.clock] if job.threads == 1 else time.perf_counter
    kind = PEERS[job.peer]
    texts = text_files.load(Path(job.texts))
    if job.most_bytes is not None:
        texts = text_files.first_bytes(texts, job.most_bytes)
    importlib.import_module(kind.module)
    gc.collect()
    before = resident_memory()
    started = clock()
    peer = kind(job.tokenizer, job.threads)
    loaded = clock()
    peer.one("Hello, world")
    loading = {"load ms": (loaded - started) * 1e3, "load and first call ms": (clock() - started) * 1e3}
    after = resident_memory()
    if before is not None and after is not None:
        loading["loaded MB"] = after - before
    peer.flat(peer.batch(["Hello, world"]))  # imports and pools that a peer makes at its first call
    gc.disable()
    task = Task(peer, texts, clock, loading, before, job.seconds)
    if job.trial:
        return trial(task, job.work)
    figures, sums = WORKS[job.work](task)
    np.save(checks, sums)
    return figures


def main(arguments: Sequence[str]) -> None:
    """Runs the job of a file."""
    job, checks = arguments
    try:
        print(json.dumps(measure(Job.load(Path(job)), Path(checks))))
    except NotOffered as error:
        print(json.dumps({"not offered": str(error)}))


if __name__ == "__main__":
    main(sys.argv[1:])
