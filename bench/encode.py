"""Encoders side by side, every cell in a fresh process: the table of what is to be reached, and all figures behind it.

    python bench/encode.py --vocab-dir DIR --corpus-dir DIR -o bench/results/encode
    python bench/encode.py --vocab-dir DIR --corpus-dir DIR --quick

Peers come from PyPI: pip install '.[bench]'. bench/README.md says what DIR holds and how to read the numbers.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
import numpy as np

from harness import CLOCKS, corpus, machine, memory, pin, result_of
from peers import PEERS, Peer

Result = dict[str, Any]


class Row(NamedTuple):
    """What is measured, with which vocabulary, on which texts, on how many threads."""

    what: str
    vocabulary: str
    corpus: str
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.what}, {self.vocabulary}, {self.corpus}, {self.threads} thread{'s' * (self.threads > 1)}"


ROWS = [
    Row("batch", "cl100k_base", "English and code"),
    Row("batch", "cl100k_base", "CJK"),
    Row("batch", "cl100k_base", "languages"),
    Row("batch", "o200k_base", "English and code"),
    Row("batch", "o200k_base", "languages"),
    Row("batch", "llama2", "English"),
    Row("batch", "llama2", "languages"),
    Row("lists", "cl100k_base", "English and code"),
    Row("batch", "cl100k_base", "English"),
    Row("batch", "cl100k_base", "English", 2),
    Row("single", "cl100k_base", "English"),
    Row("threads", "cl100k_base", "English", 2),
    Row("decode", "cl100k_base", "English"),
    Row("load", "cl100k_base", "English"),
    Row("load", "qwen3", "English"),
]


class Goal(NamedTuple):
    """A line of the table of what is to be reached.

    `least` is how many times the best peer's figure ours must be, where more is better, or the best peer's ours, where
    less is; `absolute` a figure to reach whoever measures what.
    """

    work: str
    row: int
    figure: str
    least: float | None = None
    absolute: float | None = None
    base: int | None = None  # the figure is divided by that of this row


GOALS = [
    Goal("English prose and code, first pass", 0, "first MB/s", 3),
    Goal("the same, again", 0, "again MB/s", 2),
    Goal("Chinese and Japanese, first pass", 1, "first MB/s", 4),
    Goal("eight languages, first pass", 2, "first MB/s", 3),
    Goal("SentencePiece BPE (Llama 2), English, first pass", 5, "first MB/s", 5),
    Goal("SentencePiece BPE (Llama 2), eight languages, first pass", 6, "first MB/s", 5),
    Goal("Python lists of ints, first pass", 7, "first MB/s", 2.5),
    Goal("Python lists of ints, again", 7, "again MB/s", 2),
    Goal("two threads over one, again", 9, "again MB/s", absolute=1.85, base=8),
    Goal("two Python threads over one, single texts", 11, "two Python threads, x", absolute=1.9),
    Goal("one text of 20 bytes, seen before", 10, "20 bytes seen us", 1),
    Goal("one text of 200 bytes, seen before", 10, "200 bytes seen us", 1),
    Goal("one text of 2,000 bytes, seen before", 10, "2000 bytes seen us", 1),
    Goal("one text of 20 bytes, new", 10, "20 bytes new us", 2),
    Goal("one text of 200 bytes, new", 10, "200 bytes new us", 2),
    Goal("one text of 2,000 bytes, new", 10, "2000 bytes new us", 2),
    Goal("decode a list of ids", 12, "decode list MB/s", 2),
    Goal("decode an array of ids", 12, "decode array MB/s", absolute=1000),
    Goal("peak memory over the ids, English and code", 0, "peak MB over the ids", 1),
    Goal("load cl100k ranks, with the first call", 13, "load and first call ms", 1),
    Goal("load a tokenizer.json of 11 MB, with the first call", 14, "load and first call ms", 1),
]
# A peer that gives other ids for more than this share of the documents is no peer to be compared with.
OTHER_IDS = 0.001


def more_is_better(figure: str) -> bool:
    return "MB/s" in figure or figure.endswith(", x")


# --- in the process of one cell -------------------------------------------------------------------------------------


def passes(call: Callable[[list[str]], Any], texts: list[str], clock: Callable[[], float], result: Result) -> Any:
    """A first pass over the texts and three more; what the first one made."""
    n_bytes = sum(len(text.encode()) for text in texts)
    before = result.pop("before")
    times, kept = [], None
    for i in range(4):
        started = clock()
        made = call(texts)
        times.append(clock() - started)
        if i == 0:
            result["peak MB"] = memory("VmHWM") - before
            kept = made
        del made
    result["first MB/s"] = n_bytes / times[0] / 1e6
    result["again MB/s"] = n_bytes / statistics.median(times[1:]) / 1e6
    return kept


def checksums(peer: Peer, made: Any) -> tuple[np.ndarray[Any, Any], int]:
    """One number for the ids of each document, and how many ids there are."""
    ids, offsets = peer.flat(made)
    data = np.ascontiguousarray(ids, np.uint32)
    sums = [zlib.crc32(data[a:b].tobytes()) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    return np.array(sums, np.uint32), len(ids)


def single_calls(peer: Peer, texts: list[str], clock: Callable[[], float]) -> Result:
    """Microseconds of one call, for texts that are new to the process and for the same ones again."""
    result: Result = {}
    whole = "".join(texts)
    at = 0
    for size, n in ((20, 2000), (200, 2000), (2000, 1000)):
        single = []
        for _ in range(n):
            at = (at + 5003) % (len(whole) - 2000)
            single.append(whole[at : at + size])
        for label, repeats in (("new", 1), ("seen", 7)):
            times = []
            for _ in range(repeats):
                started = clock()
                for text in single:
                    peer.one(text)
                times.append((clock() - started) / n * 1e6)
            result[f"{size} bytes {label} us"] = statistics.median(times)
    return result


def python_threads(peer: Peer, texts: list[str]) -> Result:
    """How much more two Python threads encode in a time than one does, text by text, on one tokenizer."""

    def work() -> None:
        for text in texts:
            peer.one(text)

    work()
    ratios = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        alone = time.perf_counter() - started
        pair = [threading.Thread(target=work) for _ in range(2)]
        started = time.perf_counter()
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        ratios.append(2 * alone / (time.perf_counter() - started))
    return {"two Python threads, x": statistics.median(ratios)}


def decoding(peer: Peer, texts: list[str], clock: Callable[[], float]) -> Result:
    """MB/s of text out, document by document, from lists of ids and, where a peer takes them, from arrays."""
    size = sum(len(text.encode()) for text in texts)
    lists = [list(map(int, peer.one(text))) for text in texts]
    result: Result = {}
    for label, form in (("list", lists), ("array", [np.array(ids, np.uint32) for ids in lists])):
        times = []
        try:
            for _ in range(5):
                started = clock()
                for ids in form:
                    peer.decode(ids)
                times.append(clock() - started)
        except TypeError:
            continue
        result[f"decode {label} MB/s"] = size / statistics.median(times) / 1e6
    return result


def child(options: argparse.Namespace) -> Result:
    peer_name, *words, checks = options.child
    row = Row(*words[:3], int(words[3]))
    pin(row.threads)
    clock = CLOCKS[options.clock] if row.threads == 1 else time.perf_counter
    kind = PEERS[peer_name]
    texts = corpus(options.corpus_dir, row.corpus)
    if options.quick:
        texts = texts[:: max(1, len(texts) // 3000)]
    if kind.slow:
        texts = texts[: len(texts) // 10]
    __import__(kind.module)
    gc.collect()
    result: Result = {"before": memory("VmRSS")}
    started = clock()
    peer = kind(str(options.vocab_dir), row.vocabulary, row.threads)
    loaded = clock()
    peer.one("Hello, world")
    result |= {"load ms": (loaded - started) * 1e3, "load and first call ms": (clock() - started) * 1e3}
    peer.flat(peer.batch(["Hello, world"]))  # imports and pools that a peer makes at its first call
    gc.disable()
    if row.what in ("batch", "lists"):
        made = passes(getattr(peer, row.what), texts, clock, result)
        sums, n_ids = checksums(peer, made)
        np.save(checks, sums)
        result["peak MB over the ids"] = result["peak MB"] - n_ids * 4 / 1e6
    elif row.what == "single":
        result |= single_calls(peer, texts, clock)
    elif row.what == "threads":
        result |= python_threads(peer, texts[:2000])
    elif row.what == "decode":
        result |= decoding(peer, texts[:2000], clock)
    result.pop("before", None)
    return result


# --- the table ------------------------------------------------------------------------------------------------------


def measured(options: argparse.Namespace, peer: str, row: Row, folder: str) -> Result:
    """A cell from a fresh process; `documents` and `other ids` say how its ids compare with ours."""
    checks = Path(folder) / f"{peer}.npy"
    checks.unlink(missing_ok=True)
    arguments = [
        "--vocab-dir",
        str(options.vocab_dir),
        "--corpus-dir",
        str(options.corpus_dir),
        "--clock",
        options.clock,
    ]
    arguments += ["--quick"] * options.quick + ["--child", peer, *map(str, row), str(checks)]
    result = result_of(__file__, arguments, 300)
    ours = Path(folder) / "fissile.npy"
    if checks.exists() and ours.exists():
        sums = np.load(checks)
        result["documents"] = len(sums)
        result["other ids"] = int((np.load(ours)[: len(sums)] != sums).sum())
    return result


Cells = dict[str, list[Result]]  # by peer, a result for each run


def median(runs: list[Result], figure: str) -> float | None:
    values = [run[figure] for run in runs if figure in run]
    return statistics.median(values) if values else None


def comparable(runs: list[Result]) -> bool:
    return all(run.get("other ids", 0) <= OTHER_IDS * run.get("documents", 1) for run in runs)


def best_of(cells: Cells, figure: str) -> tuple[str, float] | None:
    """The best peer that gives our ids, and its figure."""
    found = {peer: median(runs, figure) for peer, runs in cells.items() if peer != "fissile" and comparable(runs)}
    known = {peer: value for peer, value in found.items() if value is not None}
    if not known:
        return None
    peer = (max if more_is_better(figure) else min)(known, key=known.__getitem__)
    return peer, known[peer]


def times_better(ours: float, best: float, figure: str) -> float:
    return ours / best if more_is_better(figure) else best / ours


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def goals(results: dict[Row, Cells]) -> str:
    """What was to be reached and what was."""
    lines = ["| work | ours | best peer | times better | to reach | |", "|---|---:|---:|---:|---:|---|"]
    for goal in GOALS:
        cells = results.get(ROWS[goal.row], {})
        ours, best = median(cells.get("fissile", []), goal.figure), best_of(cells, goal.figure)
        if goal.base is not None:
            base = results.get(ROWS[goal.base], {})
            shares = {p: (median(r, goal.figure), median(base.get(p, []), goal.figure)) for p, r in cells.items()}
            ratios = {peer: a / b for peer, (a, b) in shares.items() if a and b}
            ours = ratios.pop("fissile", None)
            best = max(ratios.items(), key=lambda item: item[1]) if ratios else None
        if ours is None or (best is None and goal.absolute is None):
            continue
        better = times_better(ours, best[1], goal.figure) if best else None
        if goal.absolute is not None:
            wanted, reached = number(goal.absolute), ours >= goal.absolute
        else:
            assert goal.least is not None and better is not None
            wanted, reached = f"{goal.least:g} times", better >= goal.least
        others = f"{number(best[1])} ({best[0]})" if best else ""
        ratio = f"{better:.2f}" if better else ""
        figure = goal.figure.split()[-1] if goal.base is None and not goal.figure.endswith(", x") else "x"
        unit = {"ids": "MB"}.get(figure, figure)
        mark = "reached" if reached else "**missed**"
        lines.append(f"| {goal.work} | {number(ours)} {unit} | {others} | {ratio} | {wanted} | {mark} |")
    return "\n".join(lines) + "\n"


def table(row: Row, cells: Cells) -> str:
    """All figures of a row: medians with the spread of the runs, and our ratio to the best peer that gives our ids."""
    skipped = ("error", "documents", "other ids")
    figures = sorted({key for runs in cells.values() for run in runs for key in run if key not in skipped})
    lines = [
        f"\n## {row}\n",
        "| peer | " + " | ".join(figures) + " | other ids |",
        "|---|" + "---:|" * len(figures) + "---|",
    ]
    for peer, runs in cells.items():
        if error := next((run["error"] for run in runs if "error" in run), None):
            lines.append(f"| {peer} |" + " |" * len(figures) + f" {error.replace('|', '/')[:100]} |")
            continue
        shown = []
        for figure in figures:
            values = sorted(run[figure] for run in runs if figure in run)
            spread = f" ({number(values[0])} to {number(values[-1])})" if len(values) > 1 else ""
            shown.append(f"{number(statistics.median(values))}{spread}" if values else "")
        differ = f"{runs[0]['other ids']} of {runs[0]['documents']}" if "other ids" in runs[0] else ""
        lines.append(f"| {peer} | " + " | ".join(shown) + f" | {differ} |")
    ratios = []
    for figure in figures:
        ours, best = median(cells.get("fissile", []), figure), best_of(cells, figure)
        ratios.append(f"**{times_better(ours, best[1], figure):.2f}** ({best[0]})" if ours and best else "")
    lines.append("| *ours, times better than the best* | " + " | ".join(ratios) + " | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--corpus-dir", type=Path, required=True)
    parser.add_argument("--peers", default="all", help="names with commas between them")
    parser.add_argument("--rows", default="all", help="numbers of rows with commas between them, from 0")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: time of this process alone, on a busy machine"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one run of some 6 MB, without the slow peers: two minutes"
    )
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        try:
            print(json.dumps(child(options)))
        except (NotImplementedError, ImportError) as error:
            sys.exit(f"{type(error).__name__}: {error}")
        return
    if options.quick:
        options.runs = 1
    peers = (
        [p for p in PEERS if not (options.quick and PEERS[p].slow)]
        if options.peers == "all"
        else options.peers.split(",")
    )
    wanted = range(len(ROWS)) if options.rows == "all" else map(int, options.rows.split(","))
    asked_for = {index for goal in GOALS for index in (goal.row, goal.base)}
    rows = [ROWS[i] for i in wanted if i in asked_for or not options.quick]
    results: dict[Row, Cells] = {}
    for row in rows:
        cells: Cells = {}
        # In turn, so that a slow minute of the machine hits all alike.
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(options.runs):
                for peer in peers:
                    runs = cells.setdefault(peer, [])
                    if not any("error" in run for run in runs):
                        runs.append(measured(options, peer, row, folder))
        results[row] = cells
        print(table(row, cells), flush=True)
    print(goals(results))
    if options.output:
        command = "python " + " ".join(a if not os.path.isabs(a) else "DIR" for a in ("bench/encode.py", *sys.argv[1:]))
        record = {
            "machine": machine(),
            "command": command,
            "results": {str(row): cells for row, cells in results.items()},
        }
        options.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        head = f"# Encoders side by side\n\nMade by `{command}`\n\n{json.dumps(record['machine'])}\n\n"
        parts = [head, goals(results), *(table(row, cells) for row, cells in results.items())]
        options.output.with_suffix(".md").write_text("".join(parts))


if __name__ == "__main__":
    main()
