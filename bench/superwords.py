"""SuperBPE against plain BPE of the same size: bytes a token and speed of encoding, by the size of the first stage.

    python bench/superwords.py CORPORA/english.txt --other TEXT... -o bench/results/superwords

The last 2 MB of the corpus are held out; the other texts are shown beside them, to see what superwords of one language
cost another. Training seconds are of one run on all CPUs, counting included and measuring not.

Speed is that of encoding the held-out text on one thread, as documents of 2,000 characters: CPU time, tokenizers in turns, each
loaded anew from its tokenizer.json for its first pass; medians, and how much of plain BPE's speed it is.

To be reached: 20 % fewer tokens than BPE on held-out text, at some t; 0.6 of BPE's speed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fissile
from fissile.benchmark.machine import describe, n_cpus
from fissile.benchmark.tables import machine_lines
from fissile.benchmark.texts import documents

FEWEST_TOKENS, LEAST_SPEED = 0.8, 0.6
UNITS = ("document", "line", "runs")
PASSES = ("first", "again")


def cut(data: bytes, n_bytes: int) -> tuple[bytes, bytes]:
    """All lines but the last ones, of about so many bytes, and those."""
    end = data.rfind(b"\n", 0, max(len(data) - n_bytes, 0)) + 1
    return data[:end], data[end:]


def measure(
    path: Path, saved: Path, options: argparse.Namespace, texts: Mapping[str, bytes], **superwords: Any
) -> dict[str, Any]:
    """Trains, saves; seconds, and bytes a token of each text."""
    tokenizer = fissile.train([path], options.vocab, options.pattern, sequence="document", **superwords)
    seconds = sum(phase.seconds for phase in tokenizer.report.phases)
    tokenizer.save(saved)
    per_token = {name: len(text) / tokenizer.count(text, disallowed_special=()) for name, text in texts.items()}
    return {"s": seconds, "bytes a token": per_token}


def speeds(saved: Mapping[str, Path], texts: Sequence[str], runs: int) -> dict[str, dict[str, float]]:
    """MB/s of the first pass of each tokenizer over some texts and of later ones: medians of CPU time, in turns."""
    n_bytes = sum(len(text.encode()) for text in texts)
    found: dict[str, dict[str, list[float]]] = {name: {each: [] for each in PASSES} for name in saved}
    for _ in range(runs):
        for name, path in saved.items():
            tokenizer = fissile.Tokenizer.from_file(path)
            tokenizer.encode("Hello, world")
            for each in (PASSES[0], *PASSES[1:] * 3):
                began = time.process_time()
                tokenizer.encode_batch(texts, 1, disallowed_special=())
                found[name][each].append(n_bytes / (time.process_time() - began) / 1e6)
    return {
        name: {each: statistics.median(values) for each, values in by_pass.items()} for name, by_pass in found.items()
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a line a tokenizer, beside plain BPE."""
    plain = rows["BPE"]
    names = list(plain["bytes a token"])
    lines = ["| | s | " + " | ".join([*names, *(f"{each} MB/s" for each in PASSES)]) + " |"]
    lines.append("|---|---:|" + "---:|" * (len(names) + len(PASSES)))
    for name, row in rows.items():
        cells = [f"{row['s']:.1f}"]
        for text in names:
            value = row["bytes a token"][text]
            more = 100 * (plain["bytes a token"][text] / value - 1)
            cells.append(f"{value:.3f}" + (f" ({more:+.0f} % tokens)" if row is not plain else ""))
        for each in PASSES:
            share = row["MB/s"][each] / plain["MB/s"][each]
            cells.append(f"{row['MB/s'][each]:.0f}" + (f" ({share:.2f} of BPE)" if row is not plain else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def goals(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """What was to be reached and what was: a line a unit, at the t that leaves the fewest tokens of held-out text."""
    lines = [
        "| unit | tokens of held-out text, of BPE's | | speed first / again, of BPE's | |",
        "|---|---|---|---|---|",
    ]
    plain = rows["BPE"]
    for unit in UNITS:
        these = {name: row for name, row in rows.items() if name.startswith(f"{unit}, ")}
        if not these:
            continue
        name, row = max(these.items(), key=lambda item: item[1]["bytes a token"]["held out"])
        tokens = plain["bytes a token"]["held out"] / row["bytes a token"]["held out"]
        shares = [row["MB/s"][each] / plain["MB/s"][each] for each in PASSES]
        marks = ["reached" if good else "**missed**" for good in (tokens <= FEWEST_TOKENS, min(shares) >= LEAST_SPEED)]
        lines.append(f"| {name} | {tokens:.2f} | {marks[0]} | {shares[0]:.2f} / {shares[1]:.2f} | {marks[1]} |")
    to_reach = f"To be reached: {FEWEST_TOKENS} of the tokens at the most, {LEAST_SPEED} of the speed.\n\n"
    return to_reach + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="texts that are not trained on")
    parser.add_argument("--vocab", type=int, default=64000)
    parser.add_argument("--pattern", default="gpt4")
    parser.add_argument("--units", nargs="+", default=UNITS, choices=UNITS)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.2, 0.4, 0.5, 0.7, 0.9])
    parser.add_argument("--held-out", type=int, default=2_000_000, help="bytes at the end of the corpus")
    parser.add_argument("--runs", type=int, default=5, help="first passes of each tokenizer")
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        trained_on, held_out = cut(options.corpus.read_bytes(), options.held_out)
        path = Path(folder) / "corpus.txt"
        path.write_bytes(trained_on)
        others = {other.stem: other.read_bytes()[: options.held_out] for other in options.other}
        texts = {"held out": held_out} | others
        saved = {"BPE": Path(folder) / "0.json"}
        rows["BPE"] = measure(path, saved["BPE"], options, texts)
        for unit in options.units:
            for share in options.shares:
                at = int(options.vocab * share)
                name = f"{unit}, t = {at}"
                saved[name] = Path(folder) / f"{len(saved)}.json"
                rows[name] = measure(path, saved[name], options, texts, superword_at=at, superword_unit=unit)
        for name, speed in speeds(saved, documents(held_out.decode(errors="replace")), options.runs).items():
            rows[name]["MB/s"] = speed
    size, machine = len(trained_on) / 1e6, describe([])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    command = (
        f"python bench/superwords.py {options.corpus.name} --other {' '.join(other.name for other in options.other)}"
    )
    command += f" --vocab {options.vocab} --pattern {options.pattern} --runs {options.runs}"
    page = "\n".join(
        [
            f"# Superwords: {options.corpus.stem}, {size:.0f} MB, {options.vocab} ids, {options.pattern}",
            "",
            f"Made by `{command} -o bench/results/superwords`",
            "",
            machine_lines(machine),
            goals(rows),
            "Training seconds, bytes a token of each text, and MB/s of encoding the held-out text.",
            "",
            table(rows),
            f"Peak of the whole process, corpus and all: {peak} MB. {n_cpus()} CPUs.",
            "",
        ]
    )
    print(page)
    if options.output:
        record = {"machine": machine, "command": command, "corpus": options.corpus.stem, "MB": size, "rows": rows}
        options.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        options.output.with_suffix(".md").write_text(page)


if __name__ == "__main__":
    main()
