"""What a benchmark runs on: its description, pinned cores, clocks, and memory."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["CLOCKS", "cpus", "describe", "n_cpus", "peak_memory", "pin", "pools", "resident_memory", "tree_memory"]

CLOCKS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    # What the process computed, all its threads together: on one core the same, but for what neighbours take.
    "cpu": time.process_time,
}


def n_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpus(n: int) -> set[int]:
    """The first n CPUs that this process may use: of different cores, as far as there are as many. Linux only."""
    ranked = []
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
            ranked.append((_numbers(siblings).index(cpu), cpu))
        except (OSError, ValueError):  # a system that does not say
            ranked.append((0, cpu))
    return {cpu for _, cpu in sorted(ranked)[:n]}


def _numbers(ranges: str) -> list[int]:
    """Those of a list such as "0-2,5"."""
    ends = ([int(end) for end in part.split("-")] for part in ranges.strip().split(","))
    return [number for end in ends for number in range(end[0], end[-1] + 1)]


def pin(threads: int) -> None:
    """This process and what it loads from now on: that many cores, and pools of that many threads.

    Where the system cannot pin (macOS, Windows) the pools alone are bounded.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus(threads))
    os.environ.update(pools(threads))


def pools(threads: int) -> dict[str, str]:
    """Environment that bounds the pools of threads of peers."""
    return {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}


def _status(field: str, pid: int | None = None) -> float | None:
    """A line of a process's /proc/PID/status, in MB; None: it has ended, or there is no /proc."""
    try:
        lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))
    except (OSError, StopIteration):
        return None


def resident_memory() -> float | None:
    """MB of this process in memory now, or the most there were where the system does not say; None: nothing is known."""
    now = _status("VmRSS")
    return peak_memory() if now is None else now


def tree_memory(pid: int) -> float:
    """MB in memory of a process, at its peak, and now of all it has started; 0: the system does not say.

    Pages that they share count for each of them.
    """
    total = 0.0
    found, left = {pid}, [pid]
    while left:
        process = left.pop()
        total += _status("VmHWM" if process == pid else "VmRSS", process) or 0.0
        try:
            for task in Path(f"/proc/{process}/task").iterdir():
                children = {int(child) for child in (task / "children").read_text().split()} - found
                found |= children
                left += children
        except OSError:  # it has ended meanwhile, or there is no /proc
            continue
    return total


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
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "memory GB": None if memory is None else round(int(memory.split()[0]) * 1024 / 1e9, 1),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
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
