"""Encoders side by side, every cell in a fresh process: the table of what is to be reached, and all figures behind it.

    python bench/encode.py --vocab-dir DIR --corpus-dir DIR -o bench/results/encode
    python bench/encode.py --vocab-dir DIR --corpus-dir DIR --series -o bench/results/encode
    python bench/encode.py --vocab-dir DIR --corpus-dir DIR --quick

Peers come from PyPI: pip install '.[bench]'. It measures as `fissile bench` does; here is what is measured, and what is to
be reached. Slow peers get fewer runs and less text, and it says beforehand how long all of it will take. bench/README.md
says what DIR holds and how to read the numbers.
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
from fissile.benchmark import plots, tables
from fissile.benchmark.command import SERIES, encoding_rows
from fissile.benchmark.encoding import EncodingRow
from fissile.benchmark.harness import Settings, measure_rows
from fissile.benchmark.machine import CLOCKS, describe, n_cpus
from fissile.benchmark.tables import median, number
from fissile.benchmark.tokenizer_files import TokenizerFiles
from fissile.benchmark.trades import PACKAGES, chosen
from fissile.benchmark.works import SINGLE_SIZES
from fissile.formats.tiktoken import ENCODINGS
from fissile.progress import shown


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
    *(
        Goal(f"one text of {size:,} characters, {label}", 10, f"{size} characters {figure} us", least)
        for label, figure, least in (("seen before", "seen", 1), ("new", "new", 2))
        for size in SINGLE_SIZES
    ),
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
        row = results.get(ROWS[goal.row])
        if row is None:
            continue
        best = tables.closest(row, goal.figure) if goal.base is None else None
        ours = best.ours if best else median(row["peers"].get("fissile", []), goal.figure)
        if goal.base is not None:
            base = results.get(ROWS[goal.base], {"peers": {}})["peers"]
            shares = {
                p: (median(r, goal.figure), median(base.get(p, []), goal.figure)) for p, r in row["peers"].items()
            }
            ratios = {peer: a / b for peer, (a, b) in shares.items() if a and b}
            ours = ratios.pop("fissile", None)
            peer = max(ratios, key=ratios.__getitem__, default=None)
            if ours and peer:
                best = tables.Closest(peer, ours, ratios[peer], ours / ratios[peer], None)
        if ours is None or (best is None and goal.absolute is None):
            continue
        if goal.absolute is not None:
            wanted, reached = number(goal.absolute), ours >= goal.absolute
        else:
            assert goal.least is not None and best is not None
            wanted, reached = f"{goal.least:g} times", best.better >= goal.least
        others = f"{number(best.theirs)} ({best.peer})" if best else ""
        ratio = f"{best.better:.2f}" if best else ""
        figure = goal.figure.split()[-1] if goal.base is None and not goal.figure.endswith(", x") else "x"
        unit = {"ids": "MB"}.get(figure, figure)
        mark = "reached" if reached else "**missed**"
        lines.append(f"| {goal.work} | {number(ours)} {unit} | {others} | {ratio} | {wanted} | {mark} |")
    return "\n".join(lines) + "\n"


def tokenizer_of(directory: Path, name: str) -> fissile.Tokenizer:
    """DIR/NAME.tiktoken, with the pattern of the encoding of that name, or DIR/NAME.json."""
    ranks = directory / f"{name}.tiktoken"
    if ranks.is_file():
        return fissile.Tokenizer.from_tiktoken(ranks, ENCODINGS[name].pattern, {})
    return fissile.Tokenizer.from_file(directory / f"{name}.json")


def thinned(texts: Sequence[str], quick: bool) -> Sequence[str]:
    """Some 6 MB of them, from all over, where time is short."""
    return texts[:: max(1, len(texts) // 3000)] if quick else texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--corpus-dir", type=Path, required=True)
    parser.add_argument("--peers", default="all", help="names with commas between them")
    parser.add_argument("--rows", default="all", help="numbers of rows with commas between them, from 0; or none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--budget", type=float, default=10, help="seconds that all runs of a peer in a row take, about")
    parser.add_argument("--limit", type=float, default=120, help="seconds until a process is ended")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: time of this process alone, on a busy machine"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short run of some 6 MB, what is to be reached: minutes"
    )
    parser.add_argument(
        "--series", action="store_true", help="also by document length, threads, bytes of text and size of vocabulary"
    )
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json, OUTPUT.md, and drawings to OUTPUT/")
    options = parser.parse_args()
    runs, budget = (1, 3.0) if options.quick else (options.runs, options.budget)
    settings = Settings(chosen(options.peers), runs, options.clock, options.limit, budget)
    known = {"all": range(len(ROWS)), "none": range(0)}
    numbers = known[options.rows] if options.rows in known else [int(n) for n in options.rows.split(",")]
    asked_for = {index for goal in GOALS for index in (goal.row, goal.base)}
    wanted = [ROWS[i] for i in numbers if i in asked_for or not options.quick]
    command = "python " + " ".join(a if not os.path.isabs(a) else "DIR" for a in ("bench/encode.py", *sys.argv[1:]))
    record: dict[str, Any] = {"machine": describe(PACKAGES), "command": command, "rows": []}
    with tempfile.TemporaryDirectory() as folder, shown("processes") as progress:
        forms: dict[str, TokenizerFiles] = {}
        for name in dict.fromkeys([*(row.vocabulary for row in wanted), *(["cl100k_base"] if options.series else [])]):
            forms[name] = TokenizerFiles.of(tokenizer_of(options.vocab_dir, name), Path(folder) / name)
        texts = {
            name: thinned(corpus(options.corpus_dir, name), options.quick)
            for name in {*(row.corpus for row in wanted), *(["English"] if options.series else [])}
        }
        rows = [
            EncodingRow(row.work, forms[row.vocabulary], row.corpus, texts[row.corpus], row.threads) for row in wanted
        ]
        if options.series:
            rows += encoding_rows(SERIES, forms["cl100k_base"], "English", texts["English"], n_cpus())

        def on_row(row: dict[str, Any]) -> None:
            record["rows"].append(row)
            print(tables.row_table(row), flush=True)
            if options.output:  # an interrupt later leaves what there is
                write(record, wanted, options.output)

        measure_rows(rows, settings, on_row=on_row, show=print, progress=progress)
    print(goals(dict(zip(wanted, record["rows"], strict=False))))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        plots.draw(record, options.output)


def write(record: dict[str, Any], wanted: Sequence[Wanted], output: Path) -> None:
    """The results so far: what was to be reached first."""
    output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    page = tables.markdown(record)
    cut = page.index("\n| work |") if "\n| work |" in page else len(page)
    reached = goals(dict(zip(wanted, record["rows"], strict=False)))
    output.with_suffix(".md").write_text(f"{page[:cut]}\n{reached}{page[cut:]}")


if __name__ == "__main__":
    main()
