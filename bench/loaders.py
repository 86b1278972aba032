"""Feeding training: the loaders of fissile.data, and datasets.map(batched=True), against the same work with `tokenizers`.

    python bench/loaders.py --tokenizer tokenizer.json --text TEXT -o bench/results/loaders.md

TEXT is one file, English prose say; it becomes jsonl documents of about 2000 characters. Wall time, the least of some runs
that take turns; every pair of runs is checked to give the same ids. Needs torch, torchdata and datasets.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fissile
from fissile.benchmark.texts import documents
from fissile.data.torch import TokenIterableDataset, TokenMapDataset

BLOCK, BATCH = 2048, 8
EOD = 50256


def least_seconds(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Wall seconds of each call, the least of `runs` in turns."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(runs):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            found[name] = min(found[name], time.perf_counter() - begin)
    return found


def peer_dataset(path: Path, tokenizer_file: str) -> Any:
    """What people write with `tokenizers`: read lines, encode them in batches, lay ids end to end, cut."""
    from tokenizers import Tokenizer
    from torch.utils.data import IterableDataset, get_worker_info

    class Lines(IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
            tok = Tokenizer.from_file(tokenizer_file)
            worker = get_worker_info()
            index, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
            held: list[int] = []
            texts: list[str] = []
            with open(path) as lines:
                for number, line in enumerate(lines):
                    if number % count == index:
                        texts.append(json.loads(line)["text"])
                    if len(texts) == 256:
                        yield from self.blocks(tok, texts, held)
                        texts = []
            yield from self.blocks(tok, texts, held)

        @staticmethod
        def blocks(tok: Any, texts: list[str], held: list[int]) -> Iterator[np.ndarray[Any, Any]]:
            for encoding in tok.encode_batch_fast(texts):
                held += [*encoding.ids, EOD]
            whole = len(held) // BLOCK * BLOCK
            yield from np.array(held[:whole], np.int64).reshape(-1, BLOCK)
            del held[:whole]

    return Lines()


def loaders(path: Path, tok: fissile.Tokenizer, args: argparse.Namespace, n_bytes: int) -> list[str]:
    from torch.utils.data import DataLoader

    def run(dataset: Any, workers: int) -> list[Any]:
        return list(DataLoader(dataset, batch_size=BATCH, num_workers=workers))

    def stream(**options: Any) -> TokenIterableDataset:
        return TokenIterableDataset(path, tok, pack=BLOCK, eod=EOD, **options)

    peer = peer_dataset(path, args.tokenizer)
    for ours, theirs in zip(run(stream(), 0), run(peer, 0), strict=True):
        assert ours.equal(theirs)
    rows = ["| loader | 0 workers MB/s | 2 workers MB/s |", "|---|---|---|"]
    cases = {
        "fissile, jsonl": stream(),
        "fissile, jsonl, shuffle=10,000": stream(shuffle=10_000),
        "fissile, jsonl, StochasTok(0.1)": stream(split="stochastok:0.1"),
        "`tokenizers`, jsonl": peer,
    }
    calls = {(name, n): (lambda d=data, n=n: run(d, n)) for name, data in cases.items() for n in (0, 2)}
    seconds = least_seconds({f"{name}/{n}": call for (name, n), call in calls.items()}, args.runs)
    for name in cases:
        rows.append(f"| {name} | " + " | ".join(f"{n_bytes / 1e6 / seconds[f'{name}/{n}']:.1f}" for n in (0, 2)) + " |")
    return rows


def from_ids(path: Path, tok: fissile.Tokenizer, texts: list[str], runs: int) -> list[str]:
    from torch.utils.data import DataLoader

    batch = tok.encode_batch(texts)
    ids = np.insert(batch.ids, batch.offsets[1:], EOD).astype("<u2")
    repeats = 5
    np.tile(ids, repeats).tofile(path.with_suffix(".bin"))
    n = len(ids) * repeats
    path.with_suffix(".json").write_text(json.dumps({"dtype": "uint16", "n_tokens": n, "eod": EOD}))
    found = path.with_suffix(".bin")
    table = TokenMapDataset(found, pack=BLOCK)
    kinds: dict[str, Any] = {
        "TokenIterableDataset": TokenIterableDataset(found, pack=BLOCK),
        "TokenIterableDataset, shuffle=10,000": TokenIterableDataset(found, pack=BLOCK, shuffle=10_000),
        "TokenIterableDataset, StochasTok(0.1)": TokenIterableDataset(found, tok, pack=BLOCK, split="stochastok:0.1"),
        "TokenMapDataset, in order": table,
    }
    calls = {name: (lambda d=data: sum(1 for _ in DataLoader(d, batch_size=BATCH))) for name, data in kinds.items()}
    calls["TokenMapDataset, shuffled"] = lambda: sum(1 for _ in DataLoader(table, batch_size=BATCH, shuffle=True))
    flat = np.memmap(found, np.uint16, "r")

    def plain() -> None:  # nanoGPT's get_batch, in order
        import torch

        for at in range(0, len(flat) - BLOCK * BATCH, BLOCK * BATCH):
            torch.stack([torch.from_numpy(flat[at + i * BLOCK :][:BLOCK].astype(np.int64)) for i in range(BATCH)])

    calls["the loop of nanoGPT"] = plain
    seconds = least_seconds(calls, runs)
    rows = ["| .bin, in the main process | M tokens/s |", "|---|---|"]
    return rows + [f"| {name} | {n / 1e6 / s:.0f} |" for name, s in seconds.items()]


def mapped(tok: fissile.Tokenizer, texts: list[str], args: argparse.Namespace, n_bytes: int) -> list[str]:
    import datasets
    import pyarrow
    from tokenizers import Tokenizer

    datasets.disable_caching()
    datasets.disable_progress_bars()
    peer = Tokenizer.from_file(args.tokenizer)
    data = datasets.Dataset.from_dict({"text": texts})

    def ours(batch: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": tok.encode_batch(batch["text"]).tolist()}

    def ours_in_arrow(table: Any) -> Any:
        ids = tok.encode_batch(table["text"].to_pylist())
        return pyarrow.table({"input_ids": pyarrow.array(ids)})

    def theirs(batch: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": [encoding.ids for encoding in peer.encode_batch_fast(batch["text"])]}

    def run(function: Any, form: str | None = None) -> Any:
        return data.with_format(form).map(function, batched=True, remove_columns=["text"])

    expected = run(theirs)["input_ids"][:]
    assert run(ours)["input_ids"][:] == expected == run(ours_in_arrow, "arrow").with_format(None)["input_ids"][:]
    calls = {
        "fissile, lists": lambda: run(ours),
        "fissile, Arrow": lambda: run(ours_in_arrow, "arrow"),
        "`tokenizers`": lambda: run(theirs),
    }
    seconds = least_seconds(calls, args.runs)
    base = seconds["`tokenizers`"]
    rows = ["| `map(batched=True)`, one process | MB/s | x |", "|---|---|---|"]
    return rows + [f"| {name} | {n_bytes / 1e6 / s:.1f} | {base / s:.1f} |" for name, s in seconds.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tokenizer", required=True, help="a tokenizer.json with an end-of-document id of 50256 (GPT-2)"
    )
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", type=Path, help="file for the tables")
    args = parser.parse_args()
    texts = documents(args.text.read_text("utf-8")[: int(args.megabytes * 1e6)])
    n_bytes = sum(len(text.encode()) for text in texts)
    tok = fissile.Tokenizer.from_file(args.tokenizer)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
        parts = [loaders(path, tok, args, n_bytes), from_ids(path, tok, texts, args.runs)]
    parts.append(mapped(tok, texts, args, n_bytes))
    head = (
        f"# Loaders\n\n`python bench/loaders.py`: {args.text.name}, {n_bytes / 1e6:.1f} MB in {len(texts)} documents, "
        f"tokenizer {Path(args.tokenizer).name}; wall time, least of {args.runs} runs in turns; {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, fissile {commit}. Blocks of {BLOCK}, batches of {BATCH}; starting and "
        "stopping the workers is part of the time."
    )
    report = "\n\n".join([head, *("\n".join(rows) for rows in parts)]) + "\n"
    print(report)
    if args.o:
        args.o.write_text(report)


if __name__ == "__main__":
    main()
