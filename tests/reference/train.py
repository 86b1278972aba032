"""Training, from its definition: count all pairs, merge the best everywhere, again and again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]

# The byte-level alphabet's order, which decides ties: bytes that are printable in Latin-1, then the others.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
ALPHABET = [*PRINTABLE, *(byte for byte in range(256) if byte not in PRINTABLE)]


def join(sequence: Sequence[int], pair: Pair, made: int) -> list[int]:
    """The sequence with the pair joined, from left to right."""
    joined: list[int] = []
    i = 0
    while i < len(sequence):
        if tuple(sequence[i : i + 2]) == pair:
            joined.append(made)
            i += 2
        else:
            joined.append(sequence[i])
            i += 1
    return joined


def merge_until(
    sequences: Sequence[tuple[list[int], int]],
    tokens: list[bytes],
    vocab_size: int,
    min_frequency: int = 0,
    allows: Callable[[bytes, bytes], bool] = lambda left, right: True,
) -> list[tuple[Pair, int]]:
    """Merges and what each makes, of weighted sequences of ids; `tokens` grows. Both are changed in place.

    The pair with the highest count of neighbours goes first, of equal ones the smaller pair of ids.
    """
    merges: list[tuple[Pair, int]] = []
    ids = {token: id for id, token in enumerate(tokens) if token}
    current = [(list(sequence), weight) for sequence, weight in sequences]
    while len(tokens) < vocab_size:
        counts: Counter[Pair] = Counter()
        for sequence, weight in current:
            for pair in pairwise(sequence):
                counts[pair] += weight
        found = [p for p in counts if counts[p] >= max(min_frequency, 1) and allows(tokens[p[0]], tokens[p[1]])]
        if not found:
            break
        best = min(found, key=lambda pair: (-counts[pair], pair))
        token = tokens[best[0]] + tokens[best[1]]
        if token not in ids:
            ids[token] = len(tokens)
            tokens.append(token)
        merges.append((best, ids[token]))
        current = [(join(sequence, best, ids[token]), weight) for sequence, weight in current]
    return merges


def train(
    words: Mapping[bytes, int],
    vocab_size: int,
    special_tokens: Sequence[bytes] = (),
    min_frequency: int = 0,
    allows: Callable[[bytes, bytes], bool] = lambda left, right: True,
) -> list[tuple[bytes, bytes]]:
    """Merges of counted pretokens: special tokens take the first ids, then all bytes in the order of ALPHABET."""
    tokens = [*special_tokens, *(bytes([byte]) for byte in ALPHABET)]
    id_of = {token[0]: id for id, token in enumerate(tokens) if id >= len(special_tokens)}
    sequences = [([id_of[byte] for byte in word], count) for word, count in words.items()]
    merges = merge_until(sequences, tokens, vocab_size, min_frequency, allows)
    return [(tokens[left], tokens[right]) for (left, right), _ in merges]
