"""What a benchmark runs on: its description, pinned cores, clocks, and memory."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["CLOCKS", "describe", "n_cpus", "peak_memory", "pin", "pools", "resident_memory"]

CLOCKS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    # What the process computed, all its threads together: on one core the same, but for what neighbours take.
    "cpu": time.process_time,
}


def n_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pin(threads: int) -> None:
    """This process and what it loads from now on: that many cores, and pools of that many threads.

    Where the system cannot pin (macOS, Windows) the pools alone are bounded.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
    os.environ.update(pools(threads))


def pools(threads: int) -> dict[str, str]:
    """Environment that bounds the pools of threads of peers."""
    return {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}


def _status(field: str) -> float | None:
    """A line of /proc/self/status, in MB."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(field))
    except FileNotFoundError:
        return None


def resident_memory() -> float | None:
    """MB of this process in memory now, or the most there were where the system does not say; None: nothing is known."""
    now = _status("VmRSS")
    return peak_memory() if now is None else now


def peak_memory() -> float | None:
    """The most MB of this process there were in memory; None: the system does not say."""
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return None
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def describe(packages: Iterable[str]) -> dict[str, Any]:
    """What a table was measured on: CPU, cores, memory, system, Python, and versions of packages."""
    from fissile import __version__

    installed = {"fissile": __version__}  # also where it is no installed package, in a checkout
    for name in packages:
        try:
            installed.setdefault(name, version(name))
        except PackageNotFoundError:
            continue
    memory = _first("/proc/meminfo", "MemTotal")
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "cores used": n_cpus(),
        "pinned": hasattr(os, "sched_setaffinity"),
        "memory GB": None if memory is None else round(int(memory.split()[0]) * 1024 / 1e9, 1),
        "system": platform.platform(),
        "isa": os.environ.get("FISSILE_ISA") or "best",
        "python": platform.python_version(),
        "packages": installed,
    }


def _first(path: str, field: str) -> str | None:
    try:
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(field)), None)
    except FileNotFoundError:
        return None
