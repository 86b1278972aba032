"""Stochastic splitting from its definitions: the generator, the samplers and their exact laws."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from random import Random

import numpy as np

MASK32 = 0xFFFFFFFF
Draw = Callable[[], bool]
Merges = dict[tuple[bytes, bytes], int]


def philox4x32_10(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & MASK32, p0 >> 32 ^ c[3] ^ k1, p0 & MASK32]
        k0, k1 = k0 + 0x9E3779B9 & MASK32, k1 + 0xBB67AE85 & MASK32
    return c


class Words:
    """One stream of a document: the words of blocks 0, 1, 2, ..."""

    POSITIONS, CHOICES, DROPS, PIECES, PATHS, LATER_DROPS = range(6)

    def __init__(self, seed: int, epoch: int, index: int, use: int) -> None:
        self._words = self._generate(seed, epoch, index, use)

    @staticmethod
    def _generate(seed: int, epoch: int, index: int, use: int) -> Iterator[int]:
        for block in range(1 << 32):
            counter = (block, index & MASK32, index >> 32 | use << 24, epoch)
            yield from philox4x32_10(counter, (seed & MASK32, seed >> 32))

    def next(self) -> int:
        return next(self._words)

    def unit(self) -> float:
        low = self.next()
        return ((self.next() << 32 | low) >> 11) * 2.0**-53

    def below(self, bound: int) -> int:
        while (product := self.next() * bound) & MASK32 < (1 << 32) % bound:
            pass
        return product >> 32


def gaps(p: float, words: Words) -> Iterator[int]:
    """Numbers of draws that say no before the next that says yes."""
    powers = [1.0 - p]
    while len(powers) < 64:
        powers.append(powers[-1] * (1.0 - p))
    passed = 0
    while True:
        u = words.unit()
        survived = sum(u < power for power in powers)
        passed += survived
        if survived < 64:
            yield passed
            passed = 0


def drops(p: float, first: Words, later: Words) -> Draw:
    """The draws of a document's first disturbed word, and of all before it: True for a drop."""
    rows = itertools.chain(itertools.islice(gaps(p, first), 1), gaps(p, later))
    row = (dropped for gap in rows for dropped in [False] * gap + [True])
    return lambda: next(row)


def split_table(tokens: dict[bytes, int]) -> dict[int, list[tuple[int, int]]]:
    return {
        id: [(tokens[t[:i]], tokens[t[i:]]) for i in range(1, len(t)) if t[:i] in tokens and t[i:] in tokens]
        for t, id in tokens.items()
    }


def stochastok(ids: Sequence[int], table: dict[int, list[tuple[int, int]]], p: float, seed: int, index: int) -> list:
    """With the engine's draws: the slot of a right half is the next free one."""
    where, which = Words(seed, 0, index, Words.POSITIONS), Words(seed, 0, index, Words.CHOICES)
    pool, order = list(ids), list(range(len(ids)))
    for _ in range(int(len(ids) * p)):
        slot = where.below(len(pool))
        pairs = table[pool[slot]]
        if pairs:
            pool[slot], right = pairs[which.below(len(pairs))]
            order.insert(order.index(slot) + 1, len(pool))
            pool.append(right)
    return [pool[slot] for slot in order]


def paper_loop(ids: Sequence[int], table: dict[int, list[tuple[int, int]]], p: float, rng: Random) -> list[int]:
    """The paper's loop as it stands, with random numbers of its own."""
    current = list(ids)
    for _ in range(int(len(ids) * p)):
        place = rng.randrange(len(current))
        if table[current[place]]:
            current[place : place + 1] = rng.choice(table[current[place]])
    return current


def stochastok_law(ids: tuple, table: dict, tries: int) -> dict[tuple, Fraction]:
    """Probability of every outcome: the paper's loop, all ways at once."""
    law = {ids: Fraction(1)}
    for _ in range(tries):
        after: dict[tuple, Fraction] = {}
        for seq, chance in law.items():
            for i, id in enumerate(seq):
                outcomes = [(*seq[:i], *pair, *seq[i + 1 :]) for pair in table[id]] or [seq]
                for outcome in outcomes:
                    after[outcome] = after.get(outcome, Fraction(0)) + chance / len(seq) / len(outcomes)
        law = after
    return law


def _candidates(word: list[bytes], merges: Merges) -> list[tuple[int, int]]:
    pairs = enumerate(itertools.pairwise(word))
    return sorted((merges[pair], i) for i, pair in pairs if pair in merges)


def paper(word: list[bytes], merges: Merges, draw: Draw) -> list[bytes]:
    """Each step: every candidate is dropped with p, in order; the best that is not is merged."""
    while (best := next((i for _, i in _candidates(word, merges) if not draw()), None)) is not None:
        word[best : best + 2] = [word[best] + word[best + 1]]
    return word


def sentencepiece(word: list[bytes], merges: Merges, draw: Draw) -> list[bytes]:
    """A dropped candidate never comes back."""
    starts, gone = [sum(map(len, word[:i])) for i in range(len(word))], set()
    while True:
        fresh = [c for c in _candidates(word, merges) if (starts[c[1]], word[c[1]], word[c[1] + 1]) not in gone]
        if not fresh:
            return word
        i = fresh[0][1]
        if draw():
            gone.add((starts[i], word[i], word[i + 1]))
        else:
            word[i : i + 2] = [word[i] + word[i + 1]]
            del starts[i + 1]


def tokenizers(word: list[bytes], merges: Merges, draw: Draw) -> list[bytes]:
    """A queue with stale entries; one that is not dropped, stale or not, puts back those that were."""
    parts: list[bytes | None] = list(word)
    queue = [(rank, i, word[i], word[i + 1]) for rank, i in _candidates(word, merges)]
    aside: list[tuple[int, int, bytes, bytes]] = []

    def following(i: int) -> int | None:
        return next((j for j in range(i + 1, len(parts)) if parts[j] is not None), None)

    while queue:
        top = min(queue)
        queue.remove(top)
        if draw():
            aside.append(top)
            continue
        queue, aside = queue + aside, []
        _, i, left, right = top
        j = following(i)
        if parts[i] != left or j is None or parts[j] != right:
            continue
        parts[i], parts[j] = left + right, None
        before = next((k for k in range(i - 1, -1, -1) if parts[k] is not None), None)
        for a, b in ((before, i), (i, following(i))):
            if a is not None and b is not None and (parts[a], parts[b]) in merges:
                queue.append((merges[parts[a], parts[b]], a, parts[a], parts[b]))
    return [part for part in parts if part is not None]


def subword_nmt(word: list[bytes], merges: Merges, draw: Draw) -> list[bytes]:
    """In rounds: all surviving occurrences of the best pair at once. Nothing is drawn behind the best pair."""
    while True:
        best, merged = None, set()
        for rank, i in _candidates(word, merges):
            if best is not None and (rank, word[i], word[i + 1]) != best:
                continue
            if i - 1 in merged or draw():  # what overlaps a merge just done is out, drawn or not
                continue
            best = (rank, word[i], word[i + 1])
            merged.add(i)
        if best is None:
            return word
        word = [a + b if i in merged else a for i, (a, b) in enumerate(zip(word, [*word[1:], b""], strict=True)) if i - 1 not in merged]  # fmt: skip


LAWS = {"paper": paper, "tokenizers": tokenizers, "sentencepiece": sentencepiece, "subword-nmt": subword_nmt}


def dropout_law(law: str, word: bytes, merges: Merges, p: Fraction) -> dict[tuple[bytes, ...], Fraction]:
    """Probability of every outcome: the law run on every row of draws that it can ask for."""

    class More(Exception):
        pass

    found: dict[tuple[bytes, ...], Fraction] = {}
    rows = [((), Fraction(1))]
    while rows:
        row, chance = rows.pop()
        draws = iter(row)

        def draw(draws: Iterator[bool] = draws) -> bool:
            try:
                return next(draws)
            except StopIteration:
                raise More from None

        try:
            outcome = tuple(LAWS[law]([bytes([b]) for b in word], merges, draw))
            found[outcome] = found.get(outcome, Fraction(0)) + chance
        except More:
            rows += [((*row, True), chance * p), ((*row, False), chance * (1 - p))]
    return found


def spellings(text: bytes, tokens: dict[bytes, int]) -> list[list[int]]:
    """All sequences of tokens that spell the text."""
    ways: list[list[list[int]]] = [[[]]]
    for end in range(1, len(text) + 1):
        ways.append([[*w, tokens[text[i:end]]] for i in range(end) if text[i:end] in tokens for w in ways[i]])
    return ways[-1]


def uniform_spelling(text: bytes, tokens: dict[bytes, int], rng: Random) -> list[int]:
    """One of all spellings, each as likely: a token is taken as often as there are spellings behind it."""
    longest = max(map(len, tokens))
    ways = [0] * len(text) + [1]  # of the text from here
    for i in reversed(range(len(text))):
        ends = range(i + 1, min(i + longest, len(text)) + 1)
        ways[i] = sum(ways[end] for end in ends if text[i:end] in tokens)
    drawn, i = [], 0
    while i < len(text):
        left = rng.randrange(ways[i])
        for end in range(i + 1, len(text) + 1):
            if text[i:end] not in tokens:
                continue
            if left < ways[end]:
                break
            left -= ways[end]
        drawn.append(tokens[text[i:end]])
        i = end
    return drawn


def same_distribution(a: Sequence[float], b: Sequence[float]) -> bool:
    """Kolmogorov-Smirnov: whether two samples may come from one law, at a level that two of one law miss once in a million.

    Of whole numbers it misses them less often than that.
    """
    first, second, values = np.sort(a), np.sort(b), np.unique([*a, *b])
    below = [np.searchsorted(sample, values, side="right") / len(sample) for sample in (first, second)]
    distance = np.abs(below[0] - below[1]).max()
    return bool(distance < math.sqrt(math.log(2 / 1e-6) / 2 * (1 / len(a) + 1 / len(b))))


def same_means(a: np.ndarray, b: np.ndarray, least: int = 50) -> bool:
    """Whether the columns of two samples (n_draws, k) of counts may have one mean each, by the same level or below.

    Columns that both samples together hold fewer than `least` counts of, or of which all counts are equal, are left out.
    """
    kept = (a.sum(axis=0) + b.sum(axis=0) >= least) & ((a.var(axis=0) > 0) | (b.var(axis=0) > 0))
    spread = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))[kept]
    assert kept.any()
    return bool((np.abs(a.mean(axis=0) - b.mean(axis=0))[kept] < 6.5 * spread).all())


def fits(counts: dict, law: dict) -> bool:
    """Chi-square: whether counts may come from a law, at a level that a true law misses once in some millions."""
    n = sum(counts.values())
    if any(outcome not in law for outcome in counts):
        return False
    expected = {outcome: float(chance) * n for outcome, chance in law.items()}
    statistic = sum((counts.get(outcome, 0) - e) ** 2 / e for outcome, e in expected.items() if e > 0)
    degrees = max(len(law) - 1, 1)
    return statistic < degrees + 5.5 * (2 * degrees) ** 0.5 + 8
