"""SuperBPE against plain BPE of the same size: bytes a token by the size of the first stage and by language.

    python bench/superwords.py CORPORA/english.txt --other TEXT... -o bench/results/superwords

The last 2 MB of the corpus are held out; the other texts are shown beside them, to see what superwords of one language
cost another. Training seconds are of one run on all CPUs, counting included and measuring not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import fissile

HELD_OUT_BYTES = 2_000_000


def cut(data: bytes) -> tuple[bytes, bytes]:
    """All lines but the last ones, and those."""
    end = data.rfind(b"\n", 0, len(data) - HELD_OUT_BYTES) + 1
    return data[:end], data[end:]


def measure(path: Path, options: argparse.Namespace, texts: dict[str, bytes], **superwords: Any) -> dict[str, Any]:
    tokenizer = fissile.train([path], options.vocab, options.pattern, sequence="document", **superwords)
    seconds = sum(phase.seconds for phase in tokenizer.report.phases)
    per_token = {name: len(text) / tokenizer.count(text, disallowed_special=()) for name, text in texts.items()}
    return {"s": seconds, **per_token}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="texts that are not trained on")
    parser.add_argument("--vocab", type=int, default=64000)
    parser.add_argument("--pattern", default="gpt4")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.1, 0.2, 0.4, 0.5, 0.7, 0.9])
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        trained_on, held_out = cut(options.corpus.read_bytes())
        path = Path(folder) / "corpus.txt"
        path.write_bytes(trained_on)
        texts = {"held out": held_out} | {other.stem: other.read_bytes()[:HELD_OUT_BYTES] for other in options.other}
        rows["BPE"] = measure(path, options, texts)
        for unit in ("document", "runs"):
            for share in options.shares:
                at = int(options.vocab * share)
                rows[f"{unit}, t = {at}"] = measure(path, options, texts, superword_at=at, superword_unit=unit)
    figures = list(rows["BPE"])
    title = f"{options.corpus.stem}, {len(trained_on) / 1e6:.0f} MB, {options.vocab} ids, {options.pattern}"
    lines = [f"# Superwords: {title}\n", "Training seconds, then bytes a token.\n"]
    lines += ["| | " + " | ".join(figures) + " |", "|---|" + "---:|" * len(figures)]
    for name, row in rows.items():
        cells = [f"{row['s']:.1f}"]
        for figure in figures[1:]:
            fewer = 100 * (1 - rows["BPE"][figure] / row[figure])
            cells.append(f"{row[figure]:.3f}" + (f" ({-fewer:+.0f} % tokens)" if name != "BPE" else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines.append(f"\nPeak of the whole process, corpus and all: {peak} MB. {os.cpu_count()} CPUs.\n")
    print("\n".join(lines))
    if options.output:
        options.output.with_suffix(".json").write_text(json.dumps({"corpus": title, "rows": rows}, indent=1) + "\n")
        options.output.with_suffix(".md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
