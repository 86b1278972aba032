"""Trainers side by side, every run in a fresh process, merges compared in the same run.

    python bench/train_corpora.py --shared DIR -o CORPORA --mixture-mb 1000
    python bench/train.py CORPORA/english.txt CORPORA/code.txt CORPORA/languages.txt --anew -o bench/results/train
    python bench/train.py CORPORA/mixture.txt --vocab 128000 --peers gigabpe -o bench/results/train

A call adds its rows to those that are there, as long as they are of the same machine, cores and versions; `--anew` begins
again. Peers come from PyPI: pip install gigabpe gigatoken tokenizers rustbpe bpeasy sentencepiece. It measures as `fissile
bench --work train` does, on whole files; `--peers superwords_runs,superwords_document` adds what SuperBPE costs.

To be reached: a third of gigabpe's time in no more memory; other patterns in the time of GPT-2's; SuperBPE on 100 MB in
4 s and 400 MB (`document`), and on 1 GB to 128,000 ids in 120 s and 24 GB (`runs`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fissile.benchmark import plots, tables
from fissile.benchmark.command import training_rows
from fissile.benchmark.harness import Settings, measure_rows
from fissile.benchmark.machine import describe
from fissile.benchmark.tables import median, number, seen
from fissile.benchmark.trades import PACKAGES, chosen
from fissile.benchmark.training import TrainingRow
from fissile.progress import shown

SAME = ("cpu", "cores", "cores used", "python", "packages")
"""Of a machine: what rows of one table have in common."""


def read(path: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """The rows of earlier calls, by title."""
    if not path.exists():
        return {}
    record = json.loads(path.read_text())
    if not isinstance(record["rows"], list):
        raise SystemExit(f"{path}: expected a list of rows, found another form; --anew begins again")
    for what in SAME:
        if record["machine"].get(what) != machine[what]:
            raise SystemExit(
                f"{path}: its rows are of another machine ({what}: {record['machine'].get(what)}, here {machine[what]}); "
                "--anew begins again"
            )
    return {row["title"]: row for row in record["rows"]}


def goals(rows: Sequence[dict[str, Any]]) -> str:
    """What was to be reached and what was: whole processes, medians."""
    lines = ["| training | figure | ours | to compare with | ratio | to reach | |", "|---|---|---:|---:|---:|---:|---|"]

    def ask(row: dict[str, Any], name: str, figure: str, theirs: float | None, whose: str, most: float) -> None:
        """A line of the table: ours must not be more than `most` times theirs, or more than `most` where they are None."""
        ours = median(row["peers"].get(name, []), figure)
        if ours is None:
            return
        what, ratio, to_reach = "", "", f"{most:g}"
        if theirs is not None:
            what, ratio, to_reach = f"{number(theirs)} ({whose})", f"{ours / theirs:.2f}", f"{most:.2f}"
        mark = "reached" if ours <= most * (theirs or 1) else "**missed**"
        title = row["title"].removeprefix("train, ") + ("" if name == "fissile" else f", {name}")
        lines.append(f"| {title} | {figure} | {number(ours)} | {what} | {ratio} | {to_reach} | {mark} |")

    for row in rows:
        if row["series"] is not None:
            continue
        for figure, most in (("process s", 1 / 3), ("peak MB", 1.0)):
            runs = row["peers"].get("gigabpe", [])
            if (theirs := median(runs, figure)) is not None and seen(runs) == row["bytes"]:
                ask(row, "fissile", figure, theirs, "gigabpe", most)
        for other in rows:
            alike = ("corpus", "bytes", "threads", "series")
            names = row["tokenizer"], other["tokenizer"]
            if names[0]["name"] != "gpt2" == names[1]["name"] and all(row[key] == other[key] for key in alike):
                theirs = median(other["peers"].get("fissile", []), "process s")
                if names[0]["ids"] == names[1]["ids"] and theirs is not None:
                    ask(row, "fissile", "process s", theirs, "ours, gpt2", 1.1)  # a tenth is what noise is
        if 5e7 < row["bytes"] < 2e8:
            for figure, most in (("process s", 4.0), ("peak MB", 400.0)):
                ask(row, "superwords_document", figure, None, "", most)
        if row["bytes"] > 9e8 and row["tokenizer"]["ids"] >= 128000:
            for figure, most in (("process s", 120.0), ("peak MB", 24000.0)):
                ask(row, "superwords_runs", figure, None, "", most)
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def write(record: dict[str, Any], output: Path) -> None:
    """Rows as JSON and as a page: what was to be reached first."""
    output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    commands = "`, `".join(dict.fromkeys(row["command"] for row in record["rows"]))
    page = tables.markdown(record | {"command": commands})
    cut = page.index("\n| work |") if "\n| work |" in page else len(page)
    output.with_suffix(".md").write_text(f"{page[:cut]}\n{goals(record['rows'])}{page[cut:]}")


def rows_of(corpora: Sequence[Path], options: argparse.Namespace, folder: Path) -> list[TrainingRow]:
    rows = []
    for path in corpora:
        whole = TrainingRow(path.stem, path, options.vocab, options.pattern, options.threads)
        rows += training_rows(options.work.split(","), whole, folder) if options.work else [whole]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", type=Path)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--pattern", default="gpt2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds that all runs of a trainer in a row take, about"
    )
    parser.add_argument("--limit", type=float, default=120, help="seconds until a process is ended")
    parser.add_argument("--peers", default="all", help="names with commas between them")
    parser.add_argument("--work", help="of train, train-sizes, train-vocabularies, train-threads (default: as above)")
    parser.add_argument("-o", "--output", type=Path, help="adds to OUTPUT.json, writes OUTPUT.md and draws to OUTPUT/")
    parser.add_argument("--anew", action="store_true", help="leave out the rows that are in OUTPUT.json")
    options = parser.parse_args()
    settings = Settings(chosen(options.peers), options.runs, limit=options.limit, budget=options.budget)
    command = "python " + " ".join(Path(word).name if os.path.isabs(word) else word for word in sys.argv)
    machine = describe(PACKAGES)
    earlier = read(options.output.with_suffix(".json"), machine) if options.output and not options.anew else {}
    record: dict[str, Any] = {"machine": machine, "command": command, "rows": list(earlier.values())}
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in options.corpora}

    def on_row(row: dict[str, Any]) -> None:
        print(tables.row_table(row), flush=True)
        earlier[row["title"]] = row | {"command": command, "sha256 of the corpus": digests[row["corpus"]]}
        record["rows"] = list(earlier.values())
        if options.output:  # an interrupt later leaves what there is
            write(record, options.output)

    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, shown("processes") as progress:
        rows = rows_of(options.corpora, options, Path(folder))
        measure_rows(rows, settings, on_row=on_row, show=print, progress=progress)
    if options.output:
        options.output.mkdir(exist_ok=True)
        plots.draw(record, options.output)


if __name__ == "__main__":
    main()
