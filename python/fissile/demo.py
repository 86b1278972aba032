"""`fissile demo`: encode the standard library of the running Python, and show what came out.

The vocabulary is trained on the same files first. It is a demonstration, not a tokenizer to use.
"""

from __future__ import annotations

import sysconfig
import time
from pathlib import Path

from fissile.printable import printable
from fissile.ragged import Ragged
from fissile.stochastic import BPEDropout, StochasTok, UniformSplit
from fissile.tokenizer import Tokenizer
from fissile.training import train

__all__ = ["run", "standard_library"]

VOCAB_SIZE = 8192
SENTENCE = "Fissile splits text into tokens: def tokenize(self), naïve café, 東京!"


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
    tokenizer = train(documents, VOCAB_SIZE, pattern="gpt2")
    seconds = time.perf_counter() - begin
    print(
        f"train       {tokenizer.n_vocab} ids, {len(tokenizer.merges)} merges in {seconds:.2f} s, {n_bytes / seconds / 1e6:.0f} MB/s"
    )

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
