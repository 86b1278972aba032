"""Counting pretokens, side by side with the counting phases of trainers, every run a fresh process.

    python bench/count.py english=FILE code=FILE --micro BUILD/micro -o bench/results/count

A FILE is plain text, UTF-8. No peer has counting by itself: a vocabulary of 258 tokens makes a trainer count and merge
twice. Peers take turns, so a slow minute of the machine hits all of them; those that are ten times slower run fewer times.
Wall and CPU are those of the whole process, interpreter start included; a line of an empty interpreter with numpy shows
how much that is. See bench/README.md for how to read the numbers.

With bench/micro, counting is also compared with what it cannot do without, on one core and the first 32 MB of each text:
finding all pretokens, making their keys and hashing them, and looking each up in a table that does nothing else. To be
reached is 0.8 of the encoder's speed of scanning and hashing, which can be read as with that look-up or without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path
from typing import Any

from fissile.benchmark.machine import describe
from fissile.benchmark.processes import timed
from fissile.benchmark.tables import machine_lines

CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# What a child runs: `path`, `pattern` and `threads` are set before.
PROGRAMS = {
    "fissile": "import fissile; print(fissile.count(path, pattern, threads=threads).total)",
    "gigabpe": "import gigabpe; gigabpe.train_bpe([path], 258, threads=threads, special_tokens=[], pretokenizer='bytelevel')",
    "gigatoken": "import gigatoken as g; g.train_bpe(g.TextFileSource([path]), vocab_size=258, special_tokens=[])",
    "rustbpe": (
        "import rustbpe; f = open(path, encoding='utf-8', newline='')\n"
        f"rustbpe.Tokenizer().train_from_iterator(f, vocab_size=258, pattern={{'gpt2': {GPT2!r}, 'cl100k': {CL100K!r}}}[pattern])"
    ),
    "tokenizers": (
        "from tokenizers import Regex, Tokenizer, models, pre_tokenizers as pt, trainers\n"
        "t = Tokenizer(models.BPE())\n"
        "level = pt.ByteLevel(add_prefix_space=False, use_regex=pattern == 'gpt2')\n"
        f"split = pt.Split(Regex({CL100K!r}), 'isolated')\n"
        "t.pre_tokenizer = level if pattern == 'gpt2' else pt.Sequence([split, level])\n"
        "alphabet = pt.ByteLevel.alphabet()\n"
        "t.train([path], trainers.BpeTrainer(vocab_size=258, initial_alphabet=alphabet, show_progress=False))"
    ),
    "interpreter": "import numpy",
}
PATTERNS = {
    "gpt2": ["fissile", "gigabpe", "gigatoken", "rustbpe", "tokenizers"],
    "cl100k": ["fissile", "rustbpe", "tokenizers"],
}
SLOW = ("rustbpe", "tokenizers")


def run(peer: str, path: Path, pattern: str, threads: int, limit: float) -> dict[str, Any]:
    """Wall and CPU seconds and peak MB of one process, or its error."""
    return timed(
        ["-c", f"path, pattern, threads = {str(path)!r}, {pattern!r}, {threads}\n{PROGRAMS[peer]}"], threads, limit
    )


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table(title: str, runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Markdown: medians with the least and the greatest, and how many times longer each took than we did."""
    good = {peer: [r for r in results if "s" in r] for peer, results in runs.items()}
    ours = {key: statistics.median(r[key] for r in good["fissile"]) for key in ("s", "CPU s")}
    lines = [
        f"\n## {title}\n",
        "| peer | runs | wall s | CPU s | peak MB | wall, x ours | CPU, x ours |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for peer, results in good.items():
        if not results:
            lines.append(f"| {peer} | {runs[peer][-1]['error']} | | | | | |")
            continue
        columns = {key: [r[key] for r in results] for key in ("s", "CPU s", "peak MB")}
        times = [f"{statistics.median(columns[key]) / ours[key]:.2f}" for key in ("s", "CPU s")]
        cells = [
            peer,
            str(len(results)),
            spread(columns["s"], 2),
            spread(columns["CPU s"], 2),
            spread(columns["peak MB"], 0),
            *times,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


LEAST_SHARE = 0.8


def shares(micro: Path, texts: dict[str, Path], patterns: list[str]) -> list[str]:
    """Markdown: counting on one core as a share of scanning and hashing alone, in the same run."""
    lines = [f"\n## Counting on one core, of the speed of scanning and hashing alone ({LEAST_SHARE} to reach)\n"]
    limits = ("scan, hash and probe", "scan and hash")
    lines += ["| text | count MB/s | " + " | ".join(f"{limit} MB/s | share | " for limit in limits) + " |"]
    lines += ["|---|--:|" + "--:|--:|---|" * len(limits)]
    for name, path in texts.items():
        for pattern in patterns:
            command = [str(micro.resolve()), "--text", str(path), "--bytes", "32000000", "--pattern", pattern]
            command += ["--only", "count a text;scan and hash", "--rounds", "5", "--json"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            stages = json.loads(done.stdout)["stages"]
            ours = 1e3 / stages["count a text"]["ns"]
            cells = [f"{name}, {pattern}", f"{ours:.0f}"]
            for limit in limits:
                rate = 1e3 / stages[limit]["ns"]
                mark = "reached" if ours >= LEAST_SHARE * rate else "**missed**"
                cells += [f"{rate:.0f}", f"{ours / rate:.2f}", mark]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="NAME=FILE")
    parser.add_argument("-o", "--out", type=Path, required=True, help="without its suffix: .json and .md are written")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600, help="seconds of one process")
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--patterns", nargs="+", default=list(PATTERNS), choices=PATTERNS)
    parser.add_argument(
        "--peers", nargs="+", default=[peer for peer in PROGRAMS if peer != "interpreter"], choices=PROGRAMS
    )
    parser.add_argument("--micro", type=Path, help="the program of bench/micro")
    options = parser.parse_args()
    texts = [text.partition("=") for text in options.texts]
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, _, file in texts:
        path = Path(file)
        for pattern in options.patterns:
            for threads in options.threads:
                title = f"{name}, {path.stat().st_size / 1e6:.0f} MB, {pattern}, {threads} threads"
                peers = ["interpreter", *(peer for peer in PATTERNS[pattern] if peer in options.peers)]
                runs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
                path.read_bytes()  # into the page cache
                for i in range(options.runs):
                    for peer in peers:
                        if peer not in SLOW or i < options.slow_runs:
                            runs[peer].append(run(peer, path, pattern, threads, options.limit))
                runs = {peer: results for peer, results in runs.items() if results}
                found[title] = runs
                print("\n".join(table(title, runs)), flush=True)
    last = []
    if options.micro:
        last = shares(options.micro, {name: Path(file) for name, _, file in texts}, options.patterns)
        print("\n".join(last))
    about = describe(PROGRAMS)
    command = "python bench/count.py " + " ".join(f"{name}=FILE" for name, _, _ in texts)
    command += (
        " --micro BUILD/micro" * bool(options.micro)
        + f" --runs {options.runs} --slow-runs {options.slow_runs} -o bench/results/{options.out.name}"
    )
    lines = ["# Counting pretokens", "", f"Made by `{command}`", "", machine_lines(about)]
    for title, runs in found.items():
        lines += table(title, runs)
    lines += last
    options.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    options.out.with_suffix(".json").write_text(json.dumps({"machine": about, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
