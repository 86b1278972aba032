"""The second stage of SuperBPE, from its definitions, slowly: everything is merged and counted anew at every step."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from reference.pretokenize import pretokens
from reference.train import ALPHABET, join, merge_until

Merges = list[tuple[bytes, bytes]]


def may_be_superword(token: bytes, max_words: int = 4) -> bool:
    """The rules of the paper's trainer: no colon and space inside, at most four words."""
    return b": " not in token and len([word for word in token.split(b" ") if word]) <= max_words


def by_spans(
    spans: Mapping[bytes, int], merges: Merges, vocab_size: int, drop: bool, alphabet: Sequence[int]
) -> Merges:
    """Counted spans start again from bytes; inherited merges are applied one after another, then new ones are found.

    With `drop`, an inherited merge whose pair does not occur is left out, as the paper's trainer does.
    """
    tokens = [bytes([byte]) for byte in ALPHABET if byte in alphabet]
    ids = {token: id for id, token in enumerate(tokens)}
    current = [([ids[bytes([byte])] for byte in span], count) for span, count in spans.items()]
    kept: Merges = []
    for left, right in merges:
        pair = (ids[left], ids[right]) if left in ids and right in ids else None
        if drop and not any(neighbours == pair for sequence, _ in current for neighbours in pairwise(sequence)):
            continue
        assert pair is not None
        kept.append((left, right))
        if left + right not in ids:
            ids[left + right] = len(tokens)
            tokens.append(left + right)
        current = [(join(sequence, pair, ids[left + right]), count) for sequence, count in current]
    found = merge_until(current, tokens, vocab_size, allows=lambda left, right: may_be_superword(left + right))
    return kept + [(tokens[left], tokens[right]) for (left, right), _ in found]


def by_words(texts: Iterable[str], pattern: str, merges: Merges, vocab_size: int) -> Merges:
    """Superwords of whole words in one pass over the texts as they are: neighbours merge if both are words, or superwords.

    A word is a pretoken that the merges make one token, with a letter in it.
    """
    tokens = [bytes([byte]) for byte in ALPHABET] + [left + right for left, right in merges]
    ids = {token: id for id, token in enumerate(tokens)}
    wall = -1  # stands for whatever is no word
    sequences = []
    for text in texts:
        sequence = []
        for word in pretokens(pattern, text):
            parts = [bytes([byte]) for byte in word.encode()]
            for left, right in merges:
                for i in range(len(parts) - 1, 0, -1) if left == right else range(1, len(parts)):
                    if i < len(parts) and (parts[i - 1], parts[i]) == (left, right):
                        parts[i - 1 : i + 1] = [left + right]
            is_word = len(parts) == 1 and any(char.isalpha() for char in word)
            sequence.append(ids[parts[0]] if is_word else wall)
        sequences.append(sequence)
    found: Merges = []
    while len(tokens) < vocab_size:
        counts: Counter[tuple[int, int]] = Counter()
        for sequence in sequences:
            counts.update(pair for pair in pairwise(sequence) if wall not in pair)
        allowed = [pair for pair in counts if may_be_superword(tokens[pair[0]] + tokens[pair[1]])]
        if not allowed:
            break
        best = min(allowed, key=lambda pair: (-counts[pair], pair))
        token = tokens[best[0]] + tokens[best[1]]
        if token not in ids:
            ids[token] = len(tokens)
            tokens.append(token)
        found.append((tokens[best[0]], tokens[best[1]]))
        sequences = [join(sequence, best, ids[token]) for sequence in sequences]
    return merges + found


def words_of(texts: Iterable[str], pattern: str) -> Counter[bytes]:
    """Pretokens of some texts, counted."""
    words: Counter[bytes] = Counter()
    for text in texts:
        words.update(word.encode() for word in pretokens(pattern, text))
    return words
