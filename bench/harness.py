"""What every benchmark here shares: the texts, the description of the machine, processes of one peer each."""

from __future__ import annotations

import json
import lzma
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from peers import PACKAGES

CORPORA = {
    "English": ["en_prose.txt", "en_kernel_docs.txt"],
    "English and code": ["en_prose.txt", "en_kernel_docs.txt", "code_mix.txt", "help_en-us.txt"],
    "code": ["code_mix.txt"],
    "CJK": ["help_ja.txt", "help_zh-cn.txt"],
    "languages": [f"help_{x}.txt" for x in ("cs", "de", "es", "fr", "hu", "ru", "ja", "zh-cn")],
}


def text_of(directory: Path, name: str) -> str:
    """A text, unpacked or as .xz."""
    plain = directory / name
    data = plain.read_bytes() if plain.is_file() else lzma.decompress((directory / f"{name}.xz").read_bytes())
    return data.decode()


def documents(text: str, size: int = 2000) -> list[str]:
    """Paragraphs joined to documents of about `size` characters."""
    found, current, length = [], [], 0
    for paragraph in text.split("\n\n"):
        current.append(paragraph)
        length += len(paragraph)
        if length >= size:
            found.append("\n\n".join(current))
            current, length = [], 0
    if current:
        found.append("\n\n".join(current))
    return [d[i : i + 2 * size] for d in found for i in range(0, len(d), 2 * size)]


def corpus(directory: Path, name: str) -> list[str]:
    """The documents of a corpus, text by text."""
    return [document for file in CORPORA[name] for document in documents(text_of(directory, file))]


def memory(field: str) -> float:
    """A line of /proc/self/status, in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(field))


def pin(threads: int) -> None:
    """This process and what it loads from now on: that many cores, and pools of that many threads."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"


CLOCKS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    # What the process computed, all its threads together: on one core the same, but for what neighbours take.
    "cpu": time.process_time,
}


def result_of(script: str, arguments: list[str], limit: float) -> dict[str, Any]:
    """What a fresh Python that runs a script prints last, a JSON object; {"error": why} where it fails or takes longer."""
    command = [sys.executable, script, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:g} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def machine() -> dict[str, Any]:
    """What a table was measured on."""
    with open("/proc/cpuinfo") as info:
        cpu = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "packages": packages}
