"""Fresh processes: one that prints what it measured, and one that is measured as a whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from fissile.benchmark.machine import pools

__all__ = ["result_of", "timed"]


def result_of(command: Sequence[str], limit: float) -> dict[str, Any]:
    """What a fresh Python prints last, a JSON object; {"error": why} where it fails or takes longer.

    Args:
        command: arguments of the interpreter.
        limit: seconds.
    """
    try:
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:g} s"}
    if done.returncode != 0:
        return {"error": _last_line(done.stderr, done.returncode)}
    try:
        return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
    except (IndexError, ValueError):
        return {"error": f"ended without a result: {done.stdout[-100:]!r}"}


def timed(command: Sequence[str], threads: int, limit: float) -> dict[str, Any]:
    """What a fresh Python takes from its start to its end: "s", "CPU s" and "peak MB", or {"error": why}. POSIX only.

    Args:
        command: arguments of the interpreter.
        threads: cores it may use, and threads of its pools.
        limit: seconds.
    """
    cores = sorted(os.sched_getaffinity(0))[:threads] if hasattr(os, "sched_getaffinity") else None
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | pools(threads),
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            wall = time.perf_counter() - started
            if pid:
                break
            if wall > limit:
                process.kill()
                process.returncode = os.waitstatus_to_exitcode(os.wait4(process.pid, 0)[1])
                return {"error": f"more than {limit:g} s"}
            time.sleep(0.002)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            return {"error": _last_line(errors.read(), process.returncode)}
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
    return {"s": wall, "CPU s": used.ru_utime + used.ru_stime, "peak MB": peak}


def _last_line(errors: str, status: int) -> str:
    """The last line that names an error, or else the last line."""
    lines = [line.strip() for line in errors.strip().splitlines()] or [f"exit status {status}"]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line) or "panicked" in line]
    return (named or lines)[-1][:200]
