"""Time of a transformers tokenizer's calls, as it is and on Fissile.

    python bench/compat.py tokenizer.json TEXT -o bench/results/compat.md

Both tokenizers take turns in one process, call by call, so that a slow minute hits both. The first call, in which Fissile
builds its tables, is not counted. The first line sees each text once, part by part; the others are medians of calls with
the same texts. The results are compared.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from fissile.benchmark.machine import CLOCKS, describe
from fissile.benchmark.tables import machine_lines
from fissile.benchmark.texts import documents
from fissile.compat.transformers import FissileTokenizer

CALLS: dict[str, Callable[[Any, list[str]], Any]] = {
    "tok(list)": lambda tok, texts: tok(texts)["input_ids"],
    "tok(list, padding=True)": lambda tok, texts: tok(texts, padding=True)["input_ids"],
    'tok(list, padding=True, truncation=True, max_length=512, return_tensors="np")': lambda tok, texts: tok(
        texts, padding=True, truncation=True, max_length=512, return_tensors="np"
    )["input_ids"].tolist(),
    "tok(list, truncation=True, max_length=256, stride=32, return_overflowing_tokens=True)": lambda tok, texts: tok(
        texts, truncation=True, max_length=256, stride=32, return_overflowing_tokens=True
    )["input_ids"],
    "tok(list, return_offsets_mapping=True)": lambda tok, texts: tok(texts, return_offsets_mapping=True)[
        "offset_mapping"
    ],
    "tok(text), one after the other": lambda tok, texts: [tok(text)["input_ids"] for text in texts],
    "tok(text[:80]), one after the other": lambda tok, texts: [tok(text[:80])["input_ids"] for text in texts],
    "tok.batch_decode(ids)": lambda tok, ids: tok.batch_decode(ids),
}


def in_turns(theirs: Any, ours: Any, call: Callable[..., Any], inputs: list[Any], clock: Callable[[], float]) -> Any:
    """Seconds of each call of both but the first, whose results must be the same."""
    times: tuple[list[float], list[float]] = ([], [])
    for given in inputs:
        results = []
        for tokenizer, spent in zip((theirs, ours), times, strict=True):
            start = clock()
            results.append(call(tokenizer, given))
            spent.append(clock() - start)
        assert results[0] == results[1], "results differ"
    return times[0][1:], times[1][1:]


def line(name: str, theirs: float, ours: float) -> str:
    return f"| `{name}` | {1000 * theirs:.0f} | {1000 * ours:.1f} | {theirs / ours:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path, help="a tokenizer.json")
    parser.add_argument("text", type=Path)
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for one thread on a busy machine")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]

    given = {"tokenizer_file": str(arguments.tokenizer), "pad_token": "<pad>"}
    theirs, ours = PreTrainedTokenizerFast(**given), FissileTokenizer(**given)
    texts = documents(arguments.text.read_text("utf-8")[: int(arguments.megabytes * 1e6)])
    n_bytes = sum(len(text.encode()) for text in texts)
    ids = theirs(texts)["input_ids"]
    n = -(-len(texts) // arguments.rounds)
    parts = [texts[i : i + n] for i in range(0, len(texts), n)]
    first = in_turns(theirs, ours, CALLS["tok(list)"], [["a"], *parts], clock)
    lines = [line("tok(list), each text once", *(sum(times) for times in first))]
    for name, call in CALLS.items():
        given_each: Any = ids if "decode" in name else texts
        times = in_turns(theirs, ours, call, [given_each] * (arguments.rounds + 1), clock)
        lines.append(line(name, *(statistics.median(each) for each in times)))
    head = [
        "# Calls of a transformers tokenizer",
        "",
        f"Made by `python bench/compat.py {arguments.tokenizer.name} {arguments.text.name} --megabytes "
        f"{arguments.megabytes:g} --rounds {arguments.rounds} --clock {arguments.clock}`: {len(texts)} texts, "
        f"{n_bytes / 1e6:.1f} MB.",
        "",
        machine_lines(describe(["tokenizers", "transformers"])),
        "| call | transformers ms | on Fissile ms | times as fast |",
        "|---|---:|---:|---:|",
    ]
    page = "\n".join([*head, *lines]) + "\n"
    print(page)
    if arguments.output:
        arguments.output.write_text(page)


if __name__ == "__main__":
    main()
