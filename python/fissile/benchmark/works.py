"""What is measured in the process of one peer: each work gives its figures, and one number a result to compare peers by."""

from __future__ import annotations

import statistics
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.benchmark.machine import n_cpus, peak_memory
from fissile.benchmark.peer import NotOffered, Peer, Texts

__all__ = [
    "DOCUMENTS",
    "LATENCY_CHARS",
    "SAMPLED",
    "SINGLE_SIZES",
    "UNSIZED",
    "WORKS",
    "Figures",
    "Measured",
    "Task",
    "trial",
]

Figures = dict[str, float]
Clock = Callable[[], float]
SINGLE_SIZES = {20: 2000, 200: 2000, 2000: 1000}
"""Characters of the texts that are encoded one by one, and how many there are of each."""
LATENCY_CHARS = sum(size * n for size, n in SINGLE_SIZES.items())
DOCUMENTS = 2000
"""The most documents that works see which take them one by one."""
_AGAIN, _AGAIN_SECONDS, _AGAIN_MOST, _AGAIN_LONG = 3, 0.1, 50, 20.0
"""Passes after the first one: some, more as long as they are short, and one where they take seconds."""
_DECODED, _SHARED = 5, 5
"""Passes of works that have no first one."""
_SHARED_SECONDS = 0.1
"""What a thread's share of a pass takes alone, about: starting it must not count."""


@dataclass
class Task:
    """A peer, texts, and how to measure.

    Attributes:
        peer: loaded, and called once with a trivial text.
        texts: documents.
        clock: seconds.
        loading: figures of loading it.
        memory_before: MB of the process before the peer was loaded; None: the system does not say.
        seconds: what is done again and again ends by then, after it was done once; None: when it was done often enough.
    """

    peer: Peer
    texts: Texts
    clock: Clock
    loading: Figures
    memory_before: float | None
    seconds: float | None = None
    began: float = field(default_factory=time.perf_counter)

    def again(self, took: float) -> bool:
        """Whether there is time for something that takes so many seconds."""
        return self.seconds is None or time.perf_counter() - self.began + took <= self.seconds

    def n_bytes(self) -> int:
        """Of the texts as UTF-8."""
        return sum(len(text.encode()) for text in self.texts)

    def peak(self) -> float | None:
        """MB over what was there before the peer was loaded, at the most."""
        most = peak_memory()
        return None if most is None or self.memory_before is None else most - self.memory_before


Measured = tuple[Figures, npt.NDArray[np.uint32]]
"""Figures by name with unit, and a checksum of each result: the same numbers if and only if (nearly) the same results."""


def _sums(results: Iterable[bytes]) -> npt.NDArray[np.uint32]:
    return np.array([zlib.crc32(result) for result in results], np.uint32)


def _sums_of_ids(lists: Iterable[Any]) -> npt.NDArray[np.uint32]:
    return _sums(np.asarray(ids, np.uint32).tobytes() for ids in lists)


def _passes(task: Task, call: Callable[[Texts], Any]) -> tuple[Any, Figures]:
    """A first pass over the texts and some more: what the first one made, and the speed and memory of both."""
    n_bytes = task.n_bytes()
    started = task.clock()
    kept = call(task.texts)
    first = max(task.clock() - started, 1e-9)
    figures = {"first MB/s": n_bytes / first / 1e6}
    peak = task.peak()
    times: list[float] = []
    while not times or (
        task.again(times[-1])
        and (
            (len(times) < _AGAIN and sum(times) < _AGAIN_LONG)
            or (sum(times) < _AGAIN_SECONDS and len(times) < _AGAIN_MOST)
        )
    ):
        started = task.clock()
        made = call(task.texts)
        times.append(task.clock() - started)
        del made
    figures["again MB/s"] = n_bytes / max(statistics.median(times), 1e-9) / 1e6
    if peak is not None:
        figures["peak MB"] = peak
    return kept, figures


def _encode(task: Task, call: Callable[[Texts], Any]) -> Measured:
    made, figures = _passes(task, call)
    ids, offsets = task.peer.flat(made)
    data = np.ascontiguousarray(ids, np.uint32)
    if "peak MB" in figures:
        figures["peak MB over the ids"] = figures["peak MB"] - len(data) * 4 / 1e6
    return figures, _sums(data[a:b].tobytes() for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))


def encode(task: Task) -> Measured:
    """Many texts to ids in the most compact form."""
    return _encode(task, task.peer.batch)


def lists(task: Task) -> Measured:
    """Many texts to lists of Python ints."""
    return _encode(task, task.peer.lists)


def count(task: Task) -> Measured:
    """Numbers of ids of many texts, with what counts fastest."""
    made, figures = _passes(task, task.peer.count)
    return figures, np.asarray(made, np.uint32)


def split(task: Task) -> Measured:
    """Many texts to ids drawn by BPE-dropout. Draws differ; what the ids decode to does not, and is compared."""
    made, figures = _passes(task, task.peer.split)
    ids, offsets = task.peer.flat(made)
    documents = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    texts = (task.peer.decode(ids[a:b].tolist()) for a, b in documents)
    return figures, _sums(text.encode(errors="replace") for text in texts)


def singles(texts: Texts, size: int, n: int) -> list[str]:
    """Different cuttings of the texts, `size` characters each and at most n; none where the texts are shorter."""
    whole = "".join(texts)
    places = range(len(whole) - size + 1)
    return list(dict.fromkeys(whole[at : at + size] for at in Random(size).sample(places, min(n, len(places)))))


def latency(task: Task) -> Measured:
    """Microseconds of one call, for texts that are new to the process and for the same ones again."""
    figures: Figures = {}
    sums = []
    for size, n in SINGLE_SIZES.items():
        texts = singles(task.texts, size, n)
        if not texts:
            continue
        for label, repeats in (("new", 1), ("seen", 7)):
            times: list[float] = []
            while not times or (len(times) < repeats and task.again(times[-1])):
                started = task.clock()
                for text in texts:
                    task.peer.one(text)
                times.append(task.clock() - started)
            figures[f"{size} characters {label} us"] = statistics.median(times) / len(texts) * 1e6
        sums.append(_sums_of_ids(task.peer.one(text) for text in texts))
    if not sums:
        raise NotOffered(f"needs texts of {min(SINGLE_SIZES)} characters in all")
    return figures, np.concatenate(sums)


def sharing(task: Task) -> Measured:
    """How much more Python threads, one a core, encode in a time than one does, text by text, on one tokenizer."""
    texts, n = task.texts[:DOCUMENTS], n_cpus()
    n_passes = 1

    def work() -> None:
        for _ in range(n_passes):
            for text in texts:
                task.peer.one(text)

    work()
    # So many that starting threads, and Python's first 5 ms before it lets another one go on, do not count.
    began = time.perf_counter()
    work()
    n_passes = max(1, round(_SHARED_SECONDS / max(time.perf_counter() - began, 1e-9)))
    ratios: list[float] = []
    took = 0.0
    while not ratios or (len(ratios) < _SHARED and task.again(took)):
        began = time.perf_counter()
        started = time.perf_counter()
        work()
        alone = time.perf_counter() - started
        pool = [threading.Thread(target=work) for _ in range(n)]
        started = time.perf_counter()
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()
        ratios.append(n * alone / (time.perf_counter() - started))
        took = time.perf_counter() - began
    return {f"{n} Python threads, x": statistics.median(ratios)}, _sums_of_ids(task.peer.one(text) for text in texts)


def decode(task: Task) -> Measured:
    """MB/s of text out, document by document, from lists of ids and, where a peer takes them, from arrays."""
    texts = task.texts[:DOCUMENTS]
    n_bytes = sum(len(text.encode()) for text in texts)
    ids = [list(map(int, task.peer.one(text))) for text in texts]
    figures: Figures = {}
    for label, form in (("list", ids), ("array", [np.array(one, np.uint32) for one in ids])):
        times: list[float] = []
        try:
            while not times or (len(times) < _DECODED and task.again(times[-1])):
                started = task.clock()
                for one in form:
                    task.peer.decode(one)
                times.append(task.clock() - started)
        except TypeError:
            continue
        figures[f"decode {label} MB/s"] = n_bytes / max(statistics.median(times), 1e-9) / 1e6
    return figures, _sums(task.peer.decode(one).encode(errors="replace") for one in ids)


def load(task: Task) -> Measured:
    """Loading itself, which every work does first: its time, and the memory after it."""
    return dict(task.loading), _sums_of_ids(task.peer.one(text) for text in task.texts[:DOCUMENTS])


WORKS: dict[str, Callable[[Task], Measured]] = {
    "encode": encode,
    "lists": lists,
    "decode": decode,
    "count": count,
    "split": split,
    "latency": latency,
    "load": load,
    "sharing": sharing,
}
SAMPLED = frozenset({"latency"})
"""Works that draw from all of the texts: every peer must be given as many."""
UNSIZED = frozenset({"load", "sharing"})
"""Works whose figures do not depend on how much of the texts is seen."""


def trial(task: Task, work: str) -> Figures:
    """How fast a peer is, about: two passes over little text, the first of which makes what it needs."""
    call = task.peer.split if work == "split" else task.peer.batch
    started = time.perf_counter()
    for _ in range(2):
        call(task.texts)
    return {"trial s": time.perf_counter() - started, "trial bytes": 2 * task.n_bytes()}
