"""Trainers side by side, every run in a fresh process, merges compared in the same run.

    python bench/train_corpora.py --shared DIR -o CORPORA
    python bench/train.py CORPORA/english.txt CORPORA/code.txt CORPORA/languages.txt -o bench/results/train

Peers come from PyPI: pip install gigabpe gigatoken tokenizers rustbpe bpeasy sentencepiece. It measures as
`fissile bench --work train` does, on whole files; `--peers superwords_runs,superwords_document` adds what SuperBPE costs.
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
from fissile.benchmark.trades import PACKAGES, chosen
from fissile.benchmark.training import TrainingRow
from fissile.progress import shown


def read(path: Path) -> dict[str, Any]:
    """The rows of an earlier call, by title."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text())["rows"]
    if not isinstance(rows, list):
        raise SystemExit(f"{path}: expected a list of rows; this was made by an earlier version: move it away")
    return {row["title"]: row for row in rows}


def write(record: dict[str, Any], output: Path) -> None:
    output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    output.with_suffix(".md").write_text(tables.markdown(record))


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
    options = parser.parse_args()
    settings = Settings(chosen(options.peers), options.runs, limit=options.limit, budget=options.budget)
    command = "python " + " ".join(Path(word).name if os.path.isabs(word) else word for word in sys.argv)
    earlier = read(options.output.with_suffix(".json")) if options.output else {}
    record: dict[str, Any] = {"machine": describe(PACKAGES), "command": command, "rows": list(earlier.values())}
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in options.corpora}

    def on_row(row: dict[str, Any]) -> None:
        print(tables.row_table(row), flush=True)
        earlier[row["title"]] = row | {"command": command, "sha256 of the corpus": digests[row["corpus"]]}
        record["rows"] = list(earlier.values())
        if options.output:  # an interrupt later leaves what there is
            write(record, options.output)

    with tempfile.TemporaryDirectory() as folder, shown("processes") as progress:
        rows = rows_of(options.corpora, options, Path(folder))
        measure_rows(rows, settings, on_row=on_row, show=print, progress=progress)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        plots.draw(record, options.output)


if __name__ == "__main__":
    main()
