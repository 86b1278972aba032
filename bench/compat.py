"""Time of a transformers tokenizer's calls, as it is and on Fissile: python bench/compat.py tokenizer.json TEXT

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

from harness import CLOCKS, documents, machine
from transformers import PreTrainedTokenizerFast

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


def show(name: str, one: float, other: float) -> None:
    print(f"| `{name}` | {1000 * one:.0f} | {1000 * other:.1f} | {one / other:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", help="a tokenizer.json")
    parser.add_argument("text", type=Path)
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for one thread on a busy machine")
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]

    pad = {"pad_token": "<pad>"}
    theirs = PreTrainedTokenizerFast(tokenizer_file=arguments.tokenizer, **pad)
    ours = FissileTokenizer(tokenizer_file=arguments.tokenizer, **pad)
    texts = documents(arguments.text.read_text("utf-8")[: int(arguments.megabytes * 1e6)])
    n_bytes = sum(len(text.encode()) for text in texts)
    ids = theirs(texts)["input_ids"]
    print(f"{machine()['cpu']}, {machine()['cores']} cores; {len(texts)} texts, {n_bytes / 1e6:.1f} MB")
    print("| call | transformers ms | on Fissile ms | times as fast |\n|---|---:|---:|---:|")
    n = -(-len(texts) // arguments.rounds)
    parts = [texts[i : i + n] for i in range(0, len(texts), n)]
    first = in_turns(theirs, ours, CALLS["tok(list)"], [["a"], *parts], clock)
    show("tok(list), each text once", *(sum(times) for times in first))
    for name, call in CALLS.items():
        given: Any = ids if "decode" in name else texts
        times = in_turns(theirs, ours, call, [given] * (arguments.rounds + 1), clock)
        show(name, *(statistics.median(each) for each in times))


if __name__ == "__main__":
    main()
