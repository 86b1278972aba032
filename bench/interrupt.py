"""Ctrl-C: how long counting, training and encoding go on after it, ours and trainers that others use.

    python bench/interrupt.py TEXT --peers gigabpe,tokenizers -o bench/results/interrupt.md

Each line is one call in processes of their own. A first one says how long the call takes undisturbed; the others get a SIGINT
at moments spread over that time, and say when their KeyboardInterrupt came. A call that has ended by then is not counted: a
text of 100 MB is long enough. To be reached: 100 ms from the signal to the exception, each time. The end of the process comes
later by what Python takes to end, and to free what it holds; a line of a Python that sleeps says how long that is for one that
has nothing to free.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from fissile.benchmark.machine import describe, n_cpus
from fissile.benchmark.tables import machine_lines
from fissile.benchmark.trades import PACKAGES
from fissile.benchmark.trainers import TRAINERS

MOST_MS = 100.0
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)

# What is interrupted, with what is done before the clock starts; `path` and `threads` are set.
SLEEP = "a Python that sleeps"
PROGRAMS = {
    SLEEP: ("import fissile", "time.sleep(1)"),
    "count": ("import fissile", "fissile.count([path], 'gpt2', threads=threads)"),
    "count, spilling to disk": (
        "import fissile",
        "fissile.count([path], 'gpt2', threads=threads, memory_bytes=8_000_000)",
    ),
    "train": ("import fissile", "fissile.train([path], 64000, 'gpt2', threads=threads)"),
    "train, superwords by document": (
        "import fissile",
        "fissile.train([path], 64000, 'gpt4', sequence='document', superword_at=32000, threads=threads)",
    ),
    "train, superwords by runs": (
        "import fissile",
        "fissile.train([path], 64000, 'gpt4', sequence='document', superword_at=32000, superword_unit='runs', threads=threads)",
    ),
    "encode_batch": (
        "import fissile; from fissile.benchmark.texts import documents\n"
        "text = open(path, encoding='utf-8', errors='replace').read()\n"
        "tok, texts = fissile.train(iter([text[:4_000_000]]), 8000, 'gpt2'), documents(text)",
        "tok.encode_batch(texts, threads)",
    ),
    "encode of one text": (
        "import fissile; text = open(path, encoding='utf-8', errors='replace').read()\n"
        "tok = fissile.train(iter([text[:4_000_000]]), 8000, 'gpt2')",
        "tok.encode_batch([text], threads)",
    ),
    "encode_batch, BPE-dropout": (
        "import fissile; from fissile.benchmark.texts import documents\n"
        "text = open(path, encoding='utf-8', errors='replace').read()\n"
        "tok, texts = fissile.train(iter([text[:4_000_000]]), 8000, 'gpt2'), documents(text)",
        "tok.encode_batch(texts, threads, split='dropout:0.1', seed=1)",
    ),
    "encode_files": (
        "import fissile; tok = fissile.train(iter([open(path, 'rb').read(4_000_000)]), 8000, 'gpt2')",
        "tok.encode_files(path, threads=threads)",
    ),
}
PEER = (
    "import importlib, json; from fissile.benchmark.trainers import TRAINERS, Task\n"
    "from fissile.benchmark.tokenizer_files import GPT2_USUAL; from fissile.formats.patterns import PATTERNS\n"
    "kind = TRAINERS[{peer!r}]; module = importlib.import_module(kind.module)\n"
    "task = Task({peer!r}, path, 64000, 'gpt2', PATTERNS['gpt2'], GPT2_USUAL, path + '.made', threads)",
    "kind.train(module, task)",
)
CHILD = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started in the background ignores it
path, threads = {path!r}, {threads}
{prepare}
# Moments are of the clock that all processes of a system share.
print('ready', flush=True)
try:
    {call}
    print('done', time.monotonic(), flush=True)
    time.sleep({wait})  # a signal that comes now was too late
except KeyboardInterrupt:
    print('interrupted', time.monotonic(), flush=True)
"""


class Stop(NamedTuple):
    """One interrupted call: milliseconds from the signal to the exception, and to the end of the process."""

    exception_ms: float
    end_ms: float


def run(program: tuple[str, str], path: Path, threads: int, limit: float, after: float | None) -> float | Stop | None:
    """Seconds that a call takes; or, with a signal `after` some, how it stopped; None: it had ended before.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it took longer than `limit` seconds.
    """
    prepare, call = program
    code = CHILD.format(path=str(path), threads=threads, prepare=prepare, call=call, wait=0.0 if after is None else 1.0)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        sent = None
        if after is not None:
            time.sleep(after)
            sent = time.monotonic()
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=limit)
        ended = time.monotonic()
    finally:
        process.kill()
        process.wait()
    words = said.split()
    if len(words) < 2:
        raise RuntimeError(errors.strip().splitlines()[-1] if errors.strip() else f"exit status {process.returncode}")
    moment = float(words[1])
    if sent is None:
        return moment - began
    # 'done' before the signal: it was too late. After it: nothing looked at it while the call went on.
    return None if moment < sent else Stop((moment - sent) * 1e3, (ended - sent) * 1e3)


def figures(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def line(name: str, program: tuple[str, str], options: argparse.Namespace) -> str:
    """A line of the table."""
    try:
        seconds = run(program, options.text, options.threads, options.limit, None)
        assert isinstance(seconds, float)
        stops = [
            run(program, options.text, options.threads, options.limit, share * seconds)
            for _ in range(options.runs)
            for share in SHARES
        ]
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return f"| {name} | | | | {str(error)[-100:]} |"
    found = [stop for stop in stops if isinstance(stop, Stop)]
    if not found:
        return f"| {name} | {seconds:.2f} | | | too quick to be interrupted |"
    exceptions, ends = [stop.exception_ms for stop in found], [stop.end_ms for stop in found]
    mark = ""
    if name in PROGRAMS and name != SLEEP:
        mark = "reached" if max(exceptions) <= MOST_MS else "**missed**"
    return f"| {name} | {seconds:.2f} | {figures(exceptions)} | {figures(ends)} | {mark} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--peers", default="", help="trainers, with commas between them")
    parser.add_argument("--only", default="", help="calls whose names hold this")
    parser.add_argument("--threads", type=int, default=n_cpus())
    parser.add_argument("--runs", type=int, default=2, help="signals at each of five moments")
    parser.add_argument("--limit", type=float, default=120, help="seconds until a process is ended")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    programs = {name: program for name, program in PROGRAMS.items() if options.only in name}
    for peer in filter(None, options.peers.split(",")):
        if peer not in TRAINERS or not TRAINERS[peer].installed():
            raise SystemExit(f"peer {peer!r} is not known, or not installed")
        programs[f"train, {peer}"] = (PEER[0].format(peer=peer), PEER[1])
    words = [Path(word).name if os.path.isabs(word) else word for word in sys.argv[1:]]
    page = [
        "# Ctrl-C",
        "",
        f"Made by `python bench/interrupt.py {' '.join(words)}`",
        "",
        machine_lines(describe(PACKAGES)),
        f"{options.text.name}, {options.text.stat().st_size / 1e6:.0f} MB, {options.threads} threads. Milliseconds from the signal, "
        f"medians with the least and the greatest; to reach: no exception later than {MOST_MS:.0f} ms.",
        "",
        "| call | s undisturbed | to the exception, ms | to the end of the process, ms | |",
        "|---|---:|---:|---:|---|",
    ]
    print("\n".join(page))
    for name, program in programs.items():
        page.append(line(name, program, options))
        print(page[-1], flush=True)
        if options.output:
            options.output.write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
