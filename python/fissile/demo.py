"""`fissile demo`: encode the standard library of the running Python, and show what came out.

The vocabulary is built here in the simplest exact way: a plain BPE trainer on a small sample. It is a demonstration,
not a tokenizer to use.
"""

from __future__ import annotations

import re
import sysconfig
import time
from collections import Counter
from itertools import pairwise
from operator import itemgetter
from pathlib import Path

from fissile.printable import printable
from fissile.ragged import Ragged
from fissile.stochastic import BPEDropout, StochasTok, UniformSplit
from fissile.tokenizer import Tokenizer

__all__ = ["build_ranks", "run", "standard_library"]

N_TOKENS = 2048
SAMPLE_BYTES = 300_000
SENTENCE = "Fissile splits text into tokens: def tokenize(self), naïve café, 東京!"

# Near enough to the GPT-2 pattern for a sample of Python code and English; encoding uses the exact one.
_WORD = re.compile(rb" ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^\sA-Za-z0-9\x80-\xff]+|\s+")

Pair = tuple[int, int]


def standard_library() -> list[bytes]:
    """Contents of the source files of Python's standard library, which hold its language reference too (pydoc_data)."""
    root = Path(sysconfig.get_path("stdlib"))
    skipped = {"site-packages", "dist-packages", "test", "tests"}
    paths = sorted(p for p in root.rglob("*.py") if skipped.isdisjoint(p.relative_to(root).parts))
    documents = [data for data in (p.read_bytes() for p in paths) if data]
    if not documents:
        raise ValueError(
            f"no Python source files under {root}: this Python comes without its standard library's sources"
        )
    return documents


def sample(documents: list[bytes], n_bytes: int) -> bytes:
    """The beginnings of all documents, about n_bytes in all."""
    share = -(-n_bytes // len(documents))
    return b"\n".join(document[:share] for document in documents)


def build_ranks(text: bytes, n_tokens: int) -> dict[bytes, int]:
    """A byte-level BPE vocabulary of `text`: token to rank, single bytes first.

    The most frequent pair of neighbours inside words becomes a token, over and over; of equally frequent pairs, the one
    that was seen first. Each step touches only the words that hold the pair.
    """
    counted = Counter(_WORD.findall(text))
    words = [list(word) for word in counted]
    frequencies = list(counted.values())
    pair_counts: Counter[Pair] = Counter()
    words_with: dict[Pair, dict[int, None]] = {}  # a dict as a set that keeps its order: the result must repeat
    for i, word in enumerate(words):
        for pair in pairwise(word):
            pair_counts[pair] += frequencies[i]
            words_with.setdefault(pair, {})[i] = None

    tokens = [bytes([byte]) for byte in range(256)]
    while len(tokens) < n_tokens and pair_counts:
        best, _ = max(pair_counts.items(), key=itemgetter(1))
        for i in words_with[best]:
            before = Counter(pairwise(words[i]))
            words[i] = _merged(words[i], best, len(tokens))
            after = Counter(pairwise(words[i]))
            for pair in before | after:
                pair_counts[pair] += frequencies[i] * (after[pair] - before[pair])
                words_with.setdefault(pair, {})[i] = None
        del pair_counts[best]
        tokens.append(tokens[best[0]] + tokens[best[1]])
    return {token: rank for rank, token in enumerate(dict.fromkeys(tokens))}


def _merged(word: list[int], pair: Pair, token: int) -> list[int]:
    merged: list[int] = []
    i = 0
    while i < len(word):
        joins = i + 1 < len(word) and (word[i], word[i + 1]) == pair
        merged.append(token if joins else word[i])
        i += 2 if joins else 1
    return merged


def _timed_encode(tokenizer: Tokenizer, documents: list[bytes], threads: int | None) -> tuple[Ragged, float]:
    begin = time.perf_counter()
    encoded = tokenizer.encode_batch(documents, threads=threads)
    return encoded, time.perf_counter() - begin


def _show_splits(tokenizer: Tokenizer) -> None:
    """The sentence as each sampler spells it."""
    print("\nthe same sentence in other tokens, drawn with seed 1:")
    for sampler in (StochasTok(0.3), BPEDropout(0.3), UniformSplit(0.3)):
        ids = tokenizer.encode(SENTENCE, split=sampler, seed=1).tolist()
        name = f"{type(sampler).__name__}({sampler.p})"
        print(f"{name:<18}{'|'.join(printable(tokenizer.token_bytes(id)) for id in ids)}")
        if tokenizer.decode(ids) != SENTENCE:
            raise RuntimeError(f"{name} changed the text")


def run() -> None:
    """Print the demonstration; RuntimeError if anything does not come back as it went in."""
    documents = standard_library()
    n_bytes = sum(map(len, documents))
    print(f"text        {len(documents)} files of this Python's standard library, {n_bytes / 1e6:.1f} MB")

    begin = time.perf_counter()
    ranks = build_ranks(sample(documents, SAMPLE_BYTES), N_TOKENS)
    seconds = time.perf_counter() - begin
    print(f"vocabulary  {len(ranks)} tokens, built for this demo by a plain Python trainer in {seconds:.1f} s")

    tokenizer = Tokenizer.from_ranks(ranks, pattern="gpt2")
    encoded, first = _timed_encode(tokenizer, documents, threads=1)
    again, second = _timed_encode(tokenizer, documents, threads=1)
    parallel, every_cpu = _timed_encode(tokenizer, documents, threads=None)
    n_tokens = len(encoded.ids)
    print(f"encode      {n_tokens} tokens, {n_bytes / n_tokens:.2f} bytes a token")
    print(
        f"            one thread: first pass {n_bytes / first / 1e6:.0f} MB/s, second {n_bytes / second / 1e6:.0f} MB/s"
    )
    print(f"            all CPUs: {n_bytes / every_cpu / 1e6:.0f} MB/s")
    if not encoded == again == parallel:
        raise RuntimeError("encoding the same text again gave other ids")

    begin = time.perf_counter()
    decoded = tokenizer.decode_bytes(encoded.ids)
    seconds = time.perf_counter() - begin
    if decoded != b"".join(documents):
        raise RuntimeError("the decoded text is not the text that was encoded")
    print(f"decode      {n_bytes / seconds / 1e6:.0f} MB/s; every byte came back")

    ids = tokenizer.encode(SENTENCE).tolist()
    print(f"\n{SENTENCE}\n{'|'.join(printable(tokenizer.token_bytes(id)) for id in ids)}\n{ids}")
    _show_splits(tokenizer)
