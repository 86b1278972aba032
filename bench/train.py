"""Trainers side by side, every run in a fresh process, merges compared in the same run.

    python bench/train_corpora.py --shared DIR -o CORPORA
    python bench/train.py CORPORA/english.txt CORPORA/code.txt CORPORA/languages.txt -o bench/results/train

Peers come from PyPI: pip install gigabpe tokenizers rustbpe bpeasy. Wall time and peak memory are those of the whole
process, interpreter and imports included; runs of a row are interleaved. Trainers that read files get the file, others its
lines with their endings, which is what the former make of a file. gigabpe has the bytes of the text as its alphabet and so
makes a few more merges at an equal size: lists are compared as far as the shorter one goes. rustbpe and bpeasy break ties
in another way, so their lists differ from the first tie on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fissile.benchmark.machine import describe
from fissile.benchmark.processes import timed

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
REGEX = {"gpt2": GPT2, "llama3": GPT4}
Tokens = list[str]  # each merge's result in hex, in order


def lines(path: str) -> Iterator[str]:
    with open(path, encoding="utf-8", newline="\n") as file:
        yield from file


def byte_chars() -> dict[str, int]:
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in keep)
    return {chr(byte): byte for byte in keep} | {chr(256 + i): byte for i, byte in enumerate(others)}


def in_hex(pairs: list[tuple[str, str]]) -> Tokens:
    table = byte_chars()
    return [bytes(table[char] for char in left + right).hex() for left, right in pairs]


# Each gives the results of its merges in order.


def fissile(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    import fissile

    tokenizer = fissile.train([Path(path)], vocab, pattern, sequence="line", threads=threads)
    return [(left + right).hex() for left, right in tokenizer.merges]


def gigabpe(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    import gigabpe

    if pattern != "gpt2":
        raise NotImplementedError("gpt2 only")
    _, merges = gigabpe.train_bpe([path], vocab, threads=threads, special_tokens=[], pretokenizer="bytelevel")
    return in_hex(merges)


def tokenizers(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    from tokenizers import Regex, Tokenizer, models, trainers
    from tokenizers import pre_tokenizers as pre

    tokenizer = Tokenizer(models.BPE())
    byte_level = pre.ByteLevel(add_prefix_space=False, use_regex=pattern == "gpt2")
    split = pre.Split(Regex(REGEX[pattern]), "isolated")
    tokenizer.pre_tokenizer = byte_level if pattern == "gpt2" else pre.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False, special_tokens=[]
    )
    tokenizer.train([path], trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return in_hex([tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in merges])


def rustbpe(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(lines(path), vocab_size=vocab, pattern=REGEX[pattern])
    ranks = sorted(tokenizer.get_mergeable_ranks(), key=lambda item: item[1])
    return [bytes(token).hex() for token, _ in ranks if len(token) > 1]


def bpeasy(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    import bpeasy

    ranks = sorted(bpeasy.train_bpe(lines(path), REGEX[pattern], 10**6, vocab).items(), key=lambda item: item[1])
    return [bytes(token).hex() for token, _ in ranks if len(token) > 1]


def superwords_document(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    """SuperBPE, half of the ids made in the first stage: what it costs beside ordinary training, not a peer of it."""
    return superwords(path, vocab, pattern, threads, "document")


def superwords_runs(path: str, vocab: int, pattern: str, threads: int) -> Tokens:
    return superwords(path, vocab, pattern, threads, "runs")


def superwords(path: str, vocab: int, pattern: str, threads: int, unit: Any) -> Tokens:
    import fissile

    tokenizer = fissile.train(
        [Path(path)], vocab, pattern, sequence="line", threads=threads, superword_at=vocab // 2, superword_unit=unit
    )
    return [(left + right).hex() for left, right in tokenizer.merges]


SLOW = ("tokenizers", "rustbpe", "bpeasy")
OTHERS = (gigabpe, tokenizers, rustbpe, bpeasy)
PEERS = {function.__name__: function for function in (fissile, *OTHERS, superwords_document, superwords_runs)}


def run(peer: str, corpus: Path, vocab: int, pattern: str, threads: int, timeout: float) -> dict[str, Any]:
    """One run in a fresh process: seconds, CPU seconds, peak MB, and its list of merges."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "merges"
        child = [__file__, "--child", peer, str(corpus), str(vocab), pattern, str(threads), str(out)]
        figures = timed(child, threads, timeout)
        return figures if "error" in figures else figures | {"merges": json.loads(out.read_text())}


def agreement(ours: Tokens, theirs: Tokens) -> str:
    n = min(len(ours), len(theirs))
    first = next((i for i in range(n) if ours[i] != theirs[i]), None)
    if first is None:
        return f"the same {n} merges"
    shared = len(set(ours[:n]) & set(theirs[:n])) / n
    return f"differ from merge {first}, {100 * shared:.2f} % of tokens shared"


def row(options: argparse.Namespace, corpus: Path) -> dict[str, Any]:
    corpus.read_bytes()  # into the page cache: the disk is not what is measured
    cells: dict[str, list[dict[str, Any]]] = {}
    for i in range(options.runs):
        for peer in options.peers:
            if peer in SLOW and i >= options.slow_runs:
                continue
            if any("error" in cell for cell in cells.get(peer, [])):
                continue
            cells.setdefault(peer, []).append(
                run(peer, corpus, options.vocab, options.pattern, options.threads, options.timeout)
            )
    ours = next((cell["merges"] for cell in cells.get("fissile", []) if "merges" in cell), None)
    for runs in cells.values():
        for cell in runs:
            if "merges" in cell:
                cell["against fissile"] = agreement(ours, cell["merges"]) if ours else ""
                cell["merges"] = len(cell["merges"])
    return cells


def table(title: str, cells: dict[str, list[dict[str, Any]]]) -> str:
    text = [
        f"\n## {title}\n",
        "| trainer | s | CPU s | peak MB | merges | fissile is |",
        "|---|---:|---:|---:|---|---:|",
    ]
    middle = {
        peer: {key: statistics.median(cell[key] for cell in runs) for key in ("s", "CPU s", "peak MB")}
        for peer, runs in cells.items()
        if all("s" in cell for cell in runs)
    }
    for peer, runs in cells.items():
        if peer not in middle:
            text.append(f"| {peer} | {next(cell['error'] for cell in runs if 'error' in cell)} | | | | |")
            continue
        walls = sorted(cell["s"] for cell in runs)
        ratio = f"{middle[peer]['s'] / middle['fissile']['s']:.2f} times as fast" if "fissile" in middle else ""
        text.append(
            f"| {peer} | {middle[peer]['s']:.2f} ({walls[0]:.2f} to {walls[-1]:.2f}) | {middle[peer]['CPU s']:.2f} "
            f"| {middle[peer]['peak MB']:.0f} | {runs[0]['against fissile']} | {'' if peer == 'fissile' else ratio} |"
        )
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", type=Path)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--pattern", choices=sorted(REGEX), default="gpt2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, default=1, help=f"runs of {', '.join(SLOW)}")
    parser.add_argument(
        "--peers", type=lambda text: text.split(","), default=["fissile", *(peer.__name__ for peer in OTHERS)]
    )
    parser.add_argument("--timeout", type=float, default=120, help="seconds a run may take")
    parser.add_argument("-o", "--output", type=Path, help="adds to OUTPUT.json and writes OUTPUT.md")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        peer, corpus, vocab, pattern, threads, out = options.child
        merges = PEERS[peer](corpus, int(vocab), pattern, int(threads))
        Path(out).write_text(json.dumps(merges))
        sys.stdout.flush()
        os._exit(0)
    record: dict[str, Any] = {"machine": describe(PEERS), "rows": {}}
    if options.output and options.output.with_suffix(".json").exists():
        record["rows"] = json.loads(options.output.with_suffix(".json").read_text())["rows"]
    command = " ".join(["python", *sys.argv])
    for corpus in options.corpora:
        data = corpus.read_bytes()
        title = f"{corpus.stem}, {len(data) / 1e6:.0f} MB, {options.vocab} ids, {options.pattern}, {options.threads} threads"
        cells = row(options, corpus)
        print(table(title, cells), flush=True)
        digest = hashlib.sha256(data).hexdigest()[:16]
        record["rows"][title] = {"command": command, "sha256 of the corpus": digest, "runs": cells}
    if options.output:
        options.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        text = f"# Trainers side by side\n\n{json.dumps(record['machine'])}\n"
        for title, made in record["rows"].items():
            text += table(title, made["runs"]) + f"\nMade by `{made['command']}`\n"
        options.output.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
