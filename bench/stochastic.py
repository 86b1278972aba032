"""Splitting at random against plain encoding, against `tokenizers` with dropout, and against the paper's loop.

    python bench/stochastic.py --vocab-dir VOCAB --text TEXT -o bench/results/stochastic.md

VOCAB holds cl100k_base.tiktoken, gpt2.tiktoken and qwen3.json, unpacked or as .xz; TEXT is one file, English prose say. All
figures are CPU time of one thread, the least of some runs that take turns: the machine's other work moves wall times more.
Beside what is to be reached stands whether it was, by the figures as they are printed.
"""

from __future__ import annotations

import argparse
import lzma
import math
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import fissile

DOCUMENT_BYTES = 2000


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else lzma.decompress(path.with_name(path.name + ".xz").read_bytes())


def load(folder: Path, name: str) -> fissile.Tokenizer:
    with tempfile.TemporaryDirectory() as unpacked:
        path = Path(unpacked) / name
        path.write_bytes(read(folder / name))
        return fissile.Tokenizer.from_file(path)


def least_seconds(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """CPU seconds of each call, the least of `runs` in turns."""
    seconds = dict.fromkeys(calls, float("inf"))
    for _ in range(runs):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            seconds[name] = min(seconds[name], time.process_time() - begin)
    return seconds


def mark(found: Iterable[float], *, at_most: float | None = None, at_least: float | None = None, unit: str = "") -> str:
    """A cell: what is to be reached, and whether all that was found does."""
    limit, word = (at_most, "at most") if at_most is not None else (at_least, "at least")
    assert limit is not None
    reached = all(figure <= limit if at_most is not None else figure >= limit for figure in found)
    return f"{word} {limit:g}{unit}: {'reached' if reached else 'missed'}"


# Times plain encoding.
MOST_TIMES_PLAIN = {"StochasTok(0.1)": 1.3, "BPEDropout(0.1)": 4.0}
LEAST_TIMES_TOKENIZERS = 50.0
# M tokens/s of stochastok(ids) by p, up to so many ids a document.
LEAST_RATES = {0.1: {20_000: 350.0, 200_000: 250.0}, 1.0: {200_000: 30.0}}
MOST_TABLE_MS = {"cl100k_base": 100.0}
# Time grows with ids to this power at most from FROM_IDS ids a document up to the largest: linear, memory's share aside.
FROM_IDS, MOST_GROWTH = 200_000, 1.1

SAMPLERS: dict[str, fissile.stochastic.Split] = {
    "plain": None,
    "StochasTok(0.1)": fissile.StochasTok(0.1),
    "StochasTok(1.0)": fissile.StochasTok(1.0),
    "BPEDropout(0.05)": fissile.BPEDropout(0.05),
    "BPEDropout(0.1)": fissile.BPEDropout(0.1),
    "BPEDropout(0.5)": fissile.BPEDropout(0.5),
    "BPEDropout(0.1, tokenizers)": fissile.BPEDropout(0.1, "tokenizers"),
    "BPEDropout(0.1, sentencepiece)": fissile.BPEDropout(0.1, "sentencepiece"),
    "BPEDropout(0.1, subword-nmt)": fissile.BPEDropout(0.1, "subword-nmt"),
    "UniformSplit(0.1)": fissile.UniformSplit(0.1),
    "UniformSplit(1.0)": fissile.UniformSplit(1.0),
    "characters": "characters",
}


def encoding(folder: Path, text: bytes, runs: int) -> list[str]:
    documents = [text[i : i + DOCUMENT_BYTES] for i in range(0, len(text), DOCUMENT_BYTES)]
    tokenizers = {name: load(folder, name) for name in ("cl100k_base.tiktoken", "qwen3.json")}
    lines = ["## Inside encode_batch", ""]
    lines.append("| split | " + " | ".join(f"{n} MB/s | x plain" for n in tokenizers) + " | x plain to reach |")
    lines.append("|---|" + "---|---|" * len(tokenizers) + "---|")
    columns = {}
    for name, tokenizer in tokenizers.items():
        tokenizer.encode_batch(documents, 1)
        calls = {
            key: (lambda s=split, t=tokenizer: t.encode_batch(documents, 1, split=s, seed=1, disallowed_special=()))
            for key, split in SAMPLERS.items()
        }
        columns[name] = least_seconds(calls, runs)
    for key in SAMPLERS:
        times = [round(c[key] / c["plain"], 2) for c in columns.values()]
        rates = [f"{len(text) / c[key] / 1e6:.1f}" for c in columns.values()]
        goal = mark(times, at_most=MOST_TIMES_PLAIN[key]) if key in MOST_TIMES_PLAIN else ""
        cells = [f"{rate} | {x:.2f}" for rate, x in zip(rates, times, strict=True)]
        lines.append(f"| {key} | " + " | ".join(cells) + f" | {goal} |")
    lines += ["", *against_tokenizers(folder, documents[:400], columns["qwen3.json"], len(text))]
    return lines


def against_tokenizers(folder: Path, documents: list[bytes], ours: dict[str, float], n_bytes: int) -> list[str]:
    try:
        import tokenizers
    except ImportError:
        return ["`tokenizers` is not installed: not compared."]
    peer = tokenizers.Tokenizer.from_str(read(folder / "qwen3.json").decode())
    texts = [document.decode("utf-8", "replace") for document in documents]
    size = sum(map(len, documents))
    lines = [
        f"Against `tokenizers` {tokenizers.__version__} on one thread, qwen3, {size / 1e6:.1f} MB of the same documents:",
        "",
    ]
    lines += [
        "| p | tokenizers MB/s | ours, law tokenizers | ours, law paper | law paper to reach |",
        "|---|---|---|---|---|",
    ]
    peer.model.dropout = 0.1
    seconds = least_seconds({"peer": lambda: [peer.encode(text).ids for text in texts]}, 2)["peer"]
    rate = size / seconds / 1e6
    same, paper = (n_bytes / ours[key] / 1e6 for key in ("BPEDropout(0.1, tokenizers)", "BPEDropout(0.1)"))
    goal = mark([round(paper / rate)], at_least=LEAST_TIMES_TOKENIZERS, unit=" x")
    return [
        *lines,
        f"| 0.1 | {rate:.2f} | {same:.1f} ({same / rate:.0f} x) | {paper:.1f} ({paper / rate:.0f} x) | {goal} |",
    ]


def paper_loop(ids: list[int], table: list[list[tuple[int, int]]], p: float) -> list[int]:
    """The authors' loop: a copy of the list for each try."""
    for _ in range(int(len(ids) * p)):
        i = random.randrange(len(ids))
        if table[ids[i]]:
            ids = ids[:i] + list(random.choice(table[ids[i]])) + ids[i + 1 :]
    return ids


def goals_of_ids(size: int, rates: dict[float, float]) -> str:
    """What M tokens/s are to be reached at each p, for documents of so many ids."""
    marks = []
    for p, least in LEAST_RATES.items():
        limits = [rate for most_ids, rate in least.items() if size <= most_ids]
        if limits:
            marks.append(f"p = {p:g} {mark([round(rates[p])], at_least=max(limits))}")
    return "; ".join(marks)


def growth(rates: dict[int, float]) -> str:
    """How time grows with ids, from FROM_IDS on: the power of it, from M tokens/s by ids a document."""
    first, last = min((n for n in rates if n >= FROM_IDS), default=0), max(rates)
    if not FROM_IDS <= first < last:
        return "not measured"
    power = 1 + math.log(rates[first] / rates[last]) / math.log(last / first)
    return f"ids^{power:.2f}, {mark([round(power, 2)], at_most=MOST_GROWTH)}"


def splitting_ids(folder: Path, text: bytes, runs: int, largest: int) -> list[str]:
    lines = [
        "## stochastok(ids)",
        "",
        "M tokens/s of input. The loop is the paper's, with a ready table, at p = 0.1. Linear: how the time at p = 0.1 grows "
        f"from {FROM_IDS} ids a document to the most.",
        "",
    ]
    lines += [
        "| vocabulary | ids a document | p = 0.1 | p = 0.5 | p = 1 | the loop | x | to reach |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("gpt2.tiktoken", "cl100k_base.tiktoken"):
        short = name.partition(".")[0]
        tokenizer = load(folder, name)
        ids = tokenizer.encode(text, disallowed_special=())
        fresh = load(folder, name)
        begin = time.process_time()
        offsets, left, right = fresh.splits
        table_ms = (time.process_time() - begin) * 1e3
        pairs = list(zip(left.tolist(), right.tolist(), strict=True))
        table = [pairs[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
        sizes = dict.fromkeys([n for n in (500, 2000, 20_000, 200_000) if n < len(ids)] + [len(ids)], ids)
        sizes[largest] = np.resize(ids, largest)
        rates_at_a_tenth = {}
        for size, given in sizes.items():
            bounds = np.append(np.arange(0, len(given), size), len(given))
            calls = {
                p: (lambda p=p, x=given, t=tokenizer, b=bounds: fissile.stochastok(x, t, p, 1, b))
                for p in (0.1, 0.5, 1.0)
            }
            seconds = least_seconds(calls, runs if size < 10**7 else 1)
            rates = {p: len(given) / s / 1e6 for p, s in seconds.items()}
            rates_at_a_tenth[size] = rates[0.1]
            loop, times = "", ""
            if size <= 20_000:
                document = ids[:size].tolist()
                rate = size / least_seconds({"": lambda d=document, t=table: paper_loop(d, t, 0.1)}, 3)[""] / 1e6
                loop, times = f"{rate:.2f}", f"{rates[0.1] / rate:.0f}"
            cells = " | ".join(f"{rate:.0f}" for rate in rates.values())
            lines.append(f"| {short} | {size} | {cells} | {loop} | {times} | {goals_of_ids(size, rates)} |")
        lines.append(f"| {short} | linear | | | | | | {growth(rates_at_a_tenth)} |")
        goal = mark([round(table_ms)], at_most=MOST_TABLE_MS[short], unit=" ms") if short in MOST_TABLE_MS else ""
        lines.append(f"| {short} | split table | {table_ms:.0f} ms | | | | | {goal} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--max-bytes", type=int, default=12_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--largest", type=int, default=100_000_000, help="ids of the largest document")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    text = read(arguments.text)[: arguments.max_bytes]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    lines = [
        "# Splitting at random",
        "",
        f"`python bench/stochastic.py`: {arguments.text.name}, {len(text) / 1e6:.1f} MB in documents of {DOCUMENT_BYTES} bytes; "
        f"CPU time of one thread, least of {arguments.runs} runs in turns; {processor()}, Python {platform.python_version()}, "
        f"fissile {commit}. The least of calls after the first: the vocabulary and its tables are warm.",
        "",
        *encoding(arguments.vocab_dir, text, arguments.runs),
        "",
        *splitting_ids(arguments.vocab_dir, text, arguments.runs, arguments.largest),
    ]
    report = "\n".join(lines) + "\n"
    print(report)
    if arguments.output:
        arguments.output.write_text(report)


def processor() -> str:
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return f"{names[0].partition(': ')[2]}, {len(names)} CPUs"
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
