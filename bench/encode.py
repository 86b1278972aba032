"""Encoders side by side, every cell in a fresh process: the table of what is to be reached, and all figures behind it.

    python bench/encode.py --vocab-dir DIR --corpus-dir DIR -o bench/results/encode
    python bench/encode.py --vocab-dir DIR --corpus-dir DIR --quick

Peers come from PyPI: pip install '.[bench]'. It measures as `fissile bench` does; here is what is measured, and what is to
be reached. bench/README.md says what DIR holds and how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fissile
from corpora import corpus
from fissile.benchmark import tables
from fissile.benchmark.harness import Row, Settings, measure_row
from fissile.benchmark.machine import CLOCKS, describe
from fissile.benchmark.peers import PACKAGES, PEERS, chosen
from fissile.benchmark.tables import best_of, median, number, times_better
from fissile.benchmark.tokenizer_files import TokenizerFiles


class Wanted(NamedTuple):
    """What is measured, with which vocabulary, on which texts, on how many threads."""

    work: str
    vocabulary: str
    corpus: str
    threads: int = 1


ROWS = [
    Wanted("encode", "cl100k_base", "English and code"),
    Wanted("encode", "cl100k_base", "CJK"),
    Wanted("encode", "cl100k_base", "languages"),
    Wanted("encode", "o200k_base", "English and code"),
    Wanted("encode", "o200k_base", "languages"),
    Wanted("encode", "llama2", "English"),
    Wanted("encode", "llama2", "languages"),
    Wanted("lists", "cl100k_base", "English and code"),
    Wanted("encode", "cl100k_base", "English"),
    Wanted("encode", "cl100k_base", "English", 2),
    Wanted("latency", "cl100k_base", "English"),
    Wanted("sharing", "cl100k_base", "English", 2),
    Wanted("decode", "cl100k_base", "English"),
    Wanted("load", "cl100k_base", "English"),
    Wanted("load", "qwen3", "English"),
    Wanted("count", "cl100k_base", "English"),
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
    Goal("two Python threads over one, single texts", 11, "2 Python threads, x", absolute=1.9),
    Goal("one text of 20 characters, seen before", 10, "20 characters seen us", 1),
    Goal("one text of 200 characters, seen before", 10, "200 characters seen us", 1),
    Goal("one text of 2,000 characters, seen before", 10, "2000 characters seen us", 1),
    Goal("one text of 20 characters, new", 10, "20 characters new us", 2),
    Goal("one text of 200 characters, new", 10, "200 characters new us", 2),
    Goal("one text of 2,000 characters, new", 10, "2000 characters new us", 2),
    Goal("decode a list of ids", 12, "decode list MB/s", 2),
    Goal("decode an array of ids", 12, "decode array MB/s", absolute=1000),
    Goal("peak memory over the ids, English and code", 0, "peak MB over the ids", 1),
    Goal("load cl100k ranks, with the first call", 13, "load and first call ms", 1),
    Goal("load a tokenizer.json of 11 MB, with the first call", 14, "load and first call ms", 1),
]


def goals(results: dict[Wanted, dict[str, Any]]) -> str:
    """What was to be reached and what was."""
    lines = ["| work | ours | best peer | times better | to reach | |", "|---|---:|---:|---:|---:|---|"]
    for goal in GOALS:
        cells = results.get(ROWS[goal.row], {"peers": {}})["peers"]
        ours, best = median(cells.get("fissile", []), goal.figure), best_of(cells, goal.figure)
        if goal.base is not None:
            base = results.get(ROWS[goal.base], {"peers": {}})["peers"]
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


def tokenizer_of(directory: Path, name: str) -> fissile.Tokenizer:
    """DIR/NAME.tiktoken or DIR/NAME.json."""
    ranks = directory / f"{name}.tiktoken"
    if ranks.is_file():
        return fissile.Tokenizer.from_tiktoken(ranks, name, {})
    return fissile.Tokenizer.from_file(directory / f"{name}.json")


def thinned(texts: Sequence[str], quick: bool) -> Sequence[str]:
    """Some 6 MB of them, from all over, where time is short."""
    return texts[:: max(1, len(texts) // 3000)] if quick else texts


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
    parser.add_argument("--quick", action="store_true", help="one run of some 6 MB, without the slow peers: minutes")
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    slow = frozenset(name for name, kind in PEERS.items() if kind.slow)
    peers = [name for name in chosen(options.peers) if not (options.quick and name in slow)]
    settings = Settings(peers, 1 if options.quick else options.runs, options.clock, slow)
    wanted = range(len(ROWS)) if options.rows == "all" else map(int, options.rows.split(","))
    asked_for = {index for goal in GOALS for index in (goal.row, goal.base)}
    results: dict[Wanted, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in (ROWS[i] for i in wanted if i in asked_for or not options.quick):
            files = TokenizerFiles.of(tokenizer_of(options.vocab_dir, row.vocabulary), Path(folder) / row.vocabulary)
            texts = thinned(corpus(options.corpus_dir, row.corpus), options.quick)
            results[row] = measure_row(Row(row.work, files, row.corpus, texts, row.threads), settings)
            print(tables.row_table(results[row]), flush=True)
    print(goals(results))
    if options.output:
        command = "python " + " ".join(a if not os.path.isabs(a) else "DIR" for a in ("bench/encode.py", *sys.argv[1:]))
        record = {"machine": describe(PACKAGES), "command": command, "rows": list(results.values())}
        options.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        head = f"# Encoders side by side\n\nMade by `{command}`\n\n{tables.machine_lines(record['machine'])}\n"
        parts = [head, goals(results), *map(tables.row_table, results.values())]
        options.output.with_suffix(".md").write_text("".join(parts))


if __name__ == "__main__":
    main()
