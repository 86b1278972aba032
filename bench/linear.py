"""One pretoken of a million letters and more: whether training and encoding take time in proportion to it.

    python bench/linear.py -o bench/results/linear.md

Four times the letters must take about four times as long: to be reached are 1.25 times the time per byte at most. Each figure is
the least of some runs, each of a tokenizer that has seen nothing but one trivial text and, beside it, of one that has seen a long
pretoken before: what an engine makes for long pretokens when it meets the first is not counted twice.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fissile
from fissile.benchmark.machine import describe
from fissile.benchmark.tables import machine_lines
from fissile.demo import standard_library

MOST = 1.25


def texts(n: int) -> dict[str, str]:
    """One pretoken each, of n letters."""
    rng = random.Random(n)
    return {
        "one letter": "a" * n,
        "two letters in turn": "ab" * (n // 2),
        "random letters": "".join(rng.choices("etaoinshrdlucmfwypvbgkjqxz", k=n)),
    }


def least_ms(call: Callable[[], Callable[[], object]], runs: int) -> float:
    """Milliseconds of what `call` gives, the least of some runs; making it is not counted."""
    found = []
    for _ in range(runs):
        work = call()
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1e3)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, help="to encode with (default: trained on Python's standard library)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 2_000_000, 4_000_000])
    parser.add_argument("--vocab", type=int, default=1000, help="ids to train to")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = options.tokenizer or Path(folder) / "tokenizer.json"
        if options.tokenizer is None:
            fissile.train(standard_library(), 16000, "gpt2").save(path)

        def fresh(seen: str) -> fissile.Tokenizer:
            tokenizer = fissile.Tokenizer.from_file(path)
            tokenizer.encode(seen)
            return tokenizer

        for size in options.sizes:
            for name, text in texts(size).items():

                def train(text: str = text) -> Callable[[], object]:
                    return lambda: fissile.train(iter([text]), options.vocab, "gpt2", threads=1)

                def first(text: str = text) -> Callable[[], object]:
                    tokenizer = fresh("Hello, world")
                    return lambda: tokenizer.encode(text)

                def later(text: str = text) -> Callable[[], object]:
                    tokenizer = fresh("zzyzx" * 2000)
                    return lambda: tokenizer.encode(text)

                for what, call in (("train", train), ("encode, first", first), ("encode, later", later)):
                    rows.setdefault(f"{name} | {what}", []).append(least_ms(call, options.runs))
    sizes = [f"{size / 1e6:g} MB" for size in options.sizes]
    page = [
        "# One long pretoken",
        "",
        f"Made by `python bench/linear.py --sizes {' '.join(map(str, options.sizes))} --vocab {options.vocab} --runs "
        f"{options.runs}`; encoding with {options.tokenizer.name if options.tokenizer else 'a vocabulary of 16,000 ids'}.",
        "",
        machine_lines(describe([])),
        "| text | work | "
        + " | ".join(f"{size}, ms" for size in sizes)
        + " | ns a byte, last | over that of the first | |",
        "|---|---|" + "---:|" * (len(sizes) + 2) + "---|",
    ]
    for name, times in rows.items():
        per_byte = [ms * 1e6 / size for ms, size in zip(times, options.sizes, strict=True)]
        growth = per_byte[-1] / per_byte[0]
        cells = " | ".join(f"{ms:.1f}" for ms in times)
        mark = "reached" if growth <= MOST else "**missed**"
        page.append(f"| {name} | {cells} | {per_byte[-1]:.1f} | {growth:.2f} | {mark} |")
    print("\n".join(page))
    if options.output:
        options.output.write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
