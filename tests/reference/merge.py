"""Byte-pair encoding, from its definitions: always the smallest rank, leftmost among equals, until nothing is left."""

from collections.abc import Mapping, Sequence


def by_ranks(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """As tiktoken does: a piece that is a token is that token; else any neighbours that spell a token may merge."""
    if piece in ranks:
        return [ranks[piece]]
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 1:
        best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], 1 << 60))
        if parts[best] + parts[best + 1] not in ranks:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return [ranks[part] for part in parts]


def by_merges(
    symbols: Sequence[str], vocab: Mapping[str, int], merges: Mapping[tuple[str, str], int], ignore_merges: bool = False
) -> list[int]:
    """As `tokenizers` does with a merge list: only listed pairs merge, in the list's order."""
    whole = "".join(symbols)
    if ignore_merges and whole in vocab:
        return [vocab[whole]]
    parts = list(symbols)
    while len(parts) > 1:
        best = min(range(len(parts) - 1), key=lambda i: merges.get((parts[i], parts[i + 1]), 1 << 60))
        if (parts[best], parts[best + 1]) not in merges:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return [vocab[part] for part in parts]
