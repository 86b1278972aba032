"""`fissile demo`: the whole road on text that every machine has, the running Python's own sources."""

from __future__ import annotations

import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

from fissile.tokenizer import Tokenizer

__all__ = ["run"]

SENTENCE = "Tokenizers split text: def tokenize(self, text): return [word for word in text.split()]"


def standard_library_texts(max_bytes: int) -> list[str]:
    """Sources of the standard library, up to about max_bytes, in order of their names."""
    texts, n_bytes = [], 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts or n_bytes >= max_bytes:
            continue
        try:
            texts.append(path.read_text("utf-8"))
        except (UnicodeDecodeError, OSError):
            continue  # test data in other encodings
        n_bytes += len(texts[-1])
    return texts


def train_small_vocabulary(pretokens: Counter[bytes], n_tokens: int) -> dict[bytes, int]:
    """Ranks of a byte-level BPE vocabulary, in the simplest exact way: count all pairs again after every merge.

    The most frequent pair merges; of equal counts the one that comes first in bytes. For a few hundred tokens only.
    """
    ranks = {bytes([byte]): byte for byte in range(256)}
    words = [([bytes([b]) for b in word], count) for word, count in pretokens.items()]
    while len(ranks) < n_tokens:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for parts, count in words:
            for pair in zip(parts, parts[1:], strict=False):
                pairs[pair] += count
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joined = left + right
        ranks[joined] = len(ranks)
        for parts, _ in words:
            i = 0
            while i + 1 < len(parts):
                if parts[i] == left and parts[i + 1] == right:
                    parts[i : i + 2] = [joined]
                i += 1
    return ranks


def run() -> int:
    """Trains a vocabulary, encodes, decodes, checks and prints; the exit status."""
    print(f"Reading the sources of Python {sys.version.split()[0]}'s standard library ...")
    texts = standard_library_texts(40_000_000)
    n_bytes = sum(len(text.encode()) for text in texts)
    print(f"  {len(texts)} files, {n_bytes / 1e6:.1f} MB")

    # Without merges, every pretoken is a run of single bytes, so words can be told apart by counting on a plain split.
    started = time.perf_counter()
    words = Counter(word for text in texts[:60] for word in text.replace(" ", "\n ").split("\n"))
    frequent = Counter({word.encode(): count for word, count in words.most_common(1200) if word})
    ranks = train_small_vocabulary(frequent, 700)
    print(f"  a small vocabulary of {len(ranks)} tokens in {time.perf_counter() - started:.1f} s (a plain Python loop)")
    tokenizer = Tokenizer.from_ranks(ranks, "cl100k", {"<|endoftext|>": len(ranks)})

    for label in ("first pass", "again"):
        started = time.perf_counter()
        batch = tokenizer.encode_batch(texts, disallowed_special=())
        seconds = time.perf_counter() - started
        print(f"Encoded to {len(batch.ids):,} ids, {label}: {n_bytes / seconds / 1e6:.0f} MB/s on every CPU")
    print(f"  {n_bytes / len(batch.ids):.2f} bytes a token")

    started = time.perf_counter()
    decoded = tokenizer.decode_batch(batch)
    print(f"Decoded: {n_bytes / (time.perf_counter() - started) / 1e6:.0f} MB/s")
    if decoded != texts:
        print("The round trip FAILED: decoded text differs from what was encoded.", file=sys.stderr)
        return 1
    print("  and every file came back exactly as it was.")

    ids = tokenizer.encode(SENTENCE)
    print("\nOne sentence, cut into its tokens:")
    print("  " + "|".join(tokenizer.decode([id]) for id in ids))
    print(f"  {ids.tolist()}")
    return 0
