"""Fresh processes: one that prints what it measured, and one that is measured as a whole.

Each is the leader of a session of its own. Whatever ends the wait for it, a limit or an interrupt, ends it and all that it
has started: nothing that is measured outlives the one who measures.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from fissile.benchmark.machine import cpus, peak_memory, pools, tree_memory

__all__ = ["result_of", "timed"]

_LONGEST_NAP = 0.02  # seconds between two looks at a process


class _Ended(NamedTuple):
    """A process that has ended: what it said, wall and CPU seconds, and the most MB that it and its children held."""

    status: int
    output: str
    errors: str
    seconds: float
    cpu: float | None
    peak: float | None


def result_of(command: Sequence[str], limit: float) -> dict[str, Any]:
    """What a fresh Python prints last, a JSON object; {"error": why} where it fails or takes longer.

    Args:
        command: arguments of the interpreter.
        limit: seconds.
    """
    ended = _run(command, limit)
    if not isinstance(ended, _Ended):
        return ended
    try:
        return json.loads(ended.output.splitlines()[-1])  # type: ignore[no-any-return]
    except (IndexError, ValueError):
        return {"error": f"ended without a result: {ended.output[-100:]!r}"}


def timed(command: Sequence[str], threads: int, limit: float) -> dict[str, Any]:
    """What a fresh Python takes from its start to its end: "s", "CPU s" and "peak MB", or {"error": why}.

    Memory and CPU time are those of the process and of all it starts; where the system does not say (Windows) they are
    missing. Pages that processes share count for each of them.

    Args:
        command: arguments of the interpreter.
        threads: cores it may use, and threads of its pools.
        limit: seconds.
    """
    ended = _run(command, limit, threads)
    if not isinstance(ended, _Ended):
        return ended
    figures = {"s": ended.seconds, "CPU s": ended.cpu, "peak MB": ended.peak}
    return {name: value for name, value in figures.items() if value is not None}


def _run(command: Sequence[str], limit: float, threads: int | None = None) -> _Ended | dict[str, Any]:
    """Runs a fresh Python to its end; {"error": why} where it fails, or {"error": ...} after `limit` seconds."""
    options: dict[str, Any] = {}
    if threads is not None:
        options["env"] = os.environ | pools(threads)
        if hasattr(os, "sched_setaffinity"):
            cores = cpus(threads)
            options["preexec_fn"] = lambda: os.sched_setaffinity(0, cores)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            **options,
        )
        try:
            waited = _wait(process, started, limit)
        finally:
            _end(process)
        if waited is None:
            return {"error": f"more than {limit:g} s"}
        seconds, cpu, peak = waited
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
    if process.returncode != 0:
        return {"error": _reason(said[1], process.returncode)}
    return _Ended(0, said[0], said[1], seconds, cpu, peak)


def _wait(
    process: subprocess.Popen[bytes], started: float, limit: float
) -> tuple[float, float | None, float | None] | None:
    """Wall seconds, CPU seconds and peak MB of a process at its end; None after `limit` seconds."""
    ours = peak_memory() or 0.0
    peak = 0.0
    while True:
        if hasattr(os, "wait4"):
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            now = time.perf_counter()
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                most = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
                # Before it was another program it was a copy of this process, whose memory Linux counts as its own.
                if most > ours or not peak:
                    peak = max(peak, most)
                return now - started, used.ru_utime + used.ru_stime, peak
        else:  # Windows
            ended = process.poll() is not None
            now = time.perf_counter()
            if ended:
                return now - started, None, None
        if now - started > limit:
            return None
        peak = max(peak, tree_memory(process.pid))
        time.sleep(min(_LONGEST_NAP, 0.002 + (now - started) / 100))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, if it has not ended, and what is left of those it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left; macOS: none but a zombie
            os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        process.kill()
    process.wait()


def _reason(errors: str, status: int) -> str:
    """Why a process failed: the signal that ended it, or the last line that names an error, or else the last line."""
    lines = [line.strip() for line in errors.strip().splitlines()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line) or "panicked" in line]
    last = (named or lines or [""])[-1][:200]
    if status >= 0:
        return last or f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    crash = f"crashed: {name}" + (", which is what a lack of memory ends with" if name == "SIGKILL" else "")
    return f"{crash} ({last})" if last else crash
