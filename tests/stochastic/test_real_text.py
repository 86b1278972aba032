"""The laws of the samplers on real text: against slow references with random numbers of their own, and as published.

The text is the standard library's, the vocabulary trained from it: every machine has both. What is compared is how long texts
and words become (Kolmogorov-Smirnov), where they are split and into which tokens (means). The shared vocabularies and prose,
where they are, give the published figures.
"""

import functools
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

import fissile
from reference.pretokenize import pretokens
from reference.stochastic import (
    LAWS,
    Merges,
    fits,
    paper_loop,
    same_distribution,
    same_means,
    spellings,
    split_table,
    uniform_spelling,
)
from reference.texts import library_text, shared

N_DRAWS = 1500


@functools.cache
def tokenizer() -> fissile.Tokenizer:
    return fissile.train([library_text().encode()], 2000, pattern="gpt2")


@functools.cache
def tokens() -> dict[bytes, int]:
    return {tokenizer().token_bytes(id): id for id in range(tokenizer().n_vocab)}


@functools.cache
def document() -> np.ndarray:
    return tokenizer().encode(library_text())[5000:5300]


@functools.cache
def stochastok_draws(p: float) -> tuple[fissile.Ragged, np.ndarray, list[list[int]]]:
    """A document drawn for many times: the ids and parents, and those of the paper's loop."""
    ids = document()
    offsets = np.arange(N_DRAWS + 1) * len(ids)
    split, parents = fissile.stochastok(
        np.tile(ids, N_DRAWS), tokenizer(), p, seed=5, offsets=offsets, return_parents=True
    )
    assert isinstance(split, fissile.Ragged)
    table, rng = split_table(tokens()), Random(6)
    return split, parents, [paper_loop(ids.tolist(), table, p, rng) for _ in range(N_DRAWS)]


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_stochastok_makes_documents_as_long_as_the_loop_does(p: float) -> None:
    split, _, wanted = stochastok_draws(p)
    assert same_distribution(split.lengths, [len(ids) for ids in wanted])
    # And can tell: the law of a p slightly larger.
    other = fissile.stochastok(
        np.tile(document(), N_DRAWS), tokenizer(), p * 0.9, seed=5, offsets=np.arange(N_DRAWS + 1) * len(document())
    )
    assert not same_distribution(other.lengths, [len(ids) for ids in wanted])


@pytest.mark.parametrize("p", [0.1, 1.0])
def test_stochastok_makes_the_tokens_that_the_loop_makes(p: float) -> None:
    """Which token is split, and which of its pairs takes its place."""
    split, _, wanted = stochastok_draws(p)
    n_vocab = tokenizer().n_vocab
    ours = np.stack([np.bincount(ids, minlength=n_vocab) for ids in split])
    theirs = np.stack([np.bincount(ids, minlength=n_vocab) for ids in wanted])
    assert same_means(ours, theirs)


@pytest.mark.parametrize("p", [0.1, 1.0])
def test_stochastok_splits_where_the_loop_does(p: float) -> None:
    """How many tokens come of each part of the text: found in the loop's from where its tokens begin."""
    split, parents, wanted = stochastok_draws(p)
    ids = document()
    starts = np.cumsum([0, *(len(tokenizer().token_bytes(id)) for id in ids.tolist())])
    sizes = np.array([len(tokenizer().token_bytes(id)) for id in range(tokenizer().n_vocab)])
    ours = np.bincount(parents, minlength=N_DRAWS * len(ids)).reshape(N_DRAWS, len(ids))
    assert ours.sum() == len(split.ids)

    def families(drawn: list[int]) -> np.ndarray:
        begins = np.cumsum(sizes[drawn]) - sizes[drawn]
        return np.bincount(np.searchsorted(starts, begins, side="right") - 1, minlength=len(ids))

    assert same_means(ours, np.stack([families(drawn) for drawn in wanted]))


def test_the_uniform_reference_is_uniform() -> None:
    small = {token: id for token, id in tokens().items() if len(token) < 4}
    rng = Random(1)
    every = spellings(b" return", small)
    counts = Counter(tuple(uniform_spelling(b" return", small, rng)) for _ in range(20_000))
    assert len(every) > 10
    assert fits(counts, {tuple(way): 1 / len(every) for way in every})


@functools.cache
def words() -> list[str]:
    pytest.importorskip("regex", reason="the reference splits text with the regex package")
    return pretokens("gpt2", library_text()[20_000:40_000])


@pytest.mark.parametrize("p", [0.2, 1.0])
def test_uniform_split_makes_words_and_texts_as_long_as_the_reference_does(p: float) -> None:
    tok, rng = tokenizer(), Random(2)
    canonical = {word: tok.encode(word).tolist() for word in set(words())}

    def reference(word: str) -> int:
        return len(uniform_spelling(word.encode(), tokens(), rng) if rng.random() < p else canonical[word])

    def drawn(texts: list[str], p: float) -> np.ndarray:
        batches = [tok.encode_batch(texts, split=fissile.UniformSplit(p), seed=seed) for seed in range(5)]
        return np.array([batch.lengths for batch in batches])

    theirs = np.array([[reference(word) for word in words()] for _ in range(5)])
    assert same_distribution(drawn(words(), p).ravel(), theirs.ravel())
    assert not same_distribution(drawn(words(), p / 2).ravel(), theirs.ravel())  # it can tell
    begins = range(0, len(words()), 20)
    of_texts = drawn(["".join(words()[i : i + 20]) for i in begins], p)
    assert same_distribution(of_texts.ravel(), np.add.reduceat(theirs, begins, axis=1).ravel())


def test_uniform_split_makes_the_tokens_that_the_reference_makes() -> None:
    tok, rng, n_draws = tokenizer(), Random(4), 200
    some = words()[1000:1060]
    draws = tok.encode_batch(["".join(some)] * n_draws, split=fissile.UniformSplit(1.0), seed=9)
    ours = np.stack([np.bincount(ids, minlength=tok.n_vocab) for ids in draws])
    theirs = [[id for word in some for id in uniform_spelling(word.encode(), tokens(), rng)] for _ in range(n_draws)]
    assert same_means(ours, np.stack([np.bincount(ids, minlength=tok.n_vocab) for ids in theirs]))


@functools.cache
def merges() -> Merges:
    return {pair: rank for rank, pair in enumerate(tokenizer().merges)}


@pytest.mark.parametrize("law", LAWS)
def test_dropout_makes_words_as_long_as_the_reference_does(law: fissile.stochastic.Law) -> None:
    tok, rng = tokenizer(), Random(7)
    some = words()[:4000]
    split = fissile.BPEDropout(0.1, law, "listed")
    ours = tok.encode_batch(some, split=split, seed=8).lengths
    theirs = [
        len(LAWS[law]([bytes([b]) for b in word.encode()], merges(), lambda: rng.random() < 0.1)) for word in some
    ]
    assert same_distribution(ours, theirs)


# Output length over input length: the first 12 MB of the shared prose in documents of 2,000 ids, p = 0.1 and p = 1; then the
# mean length and its deviation of the first of them, p = 0.1.
PUBLISHED = {"gpt2": (1.06388, 1.520, 2143.4, 6.7), "cl100k_base": (1.08341, 1.663, 2173.9, 4.5)}
# Tokens a word of a uniform draw of each, and the share of words with one spelling.
UNIFORM = {"gpt2": (2.99, 0.21), "cl100k_base": (3.03, 0.12)}


def published(name: str, folder: Path) -> tuple[fissile.Tokenizer, bytes]:
    data, prose = shared("vocab", f"{name}.tiktoken"), shared("corpus", "en_prose.txt")
    if data is None or prose is None:
        pytest.skip("shared/ is not here")
    (folder / f"{name}.tiktoken").write_bytes(data)
    return fissile.Tokenizer.from_file(folder / f"{name}.tiktoken"), prose


@pytest.mark.parametrize("name", PUBLISHED)
def test_stochastok_lengthens_prose_as_measured(name: str, tmp_path: Path) -> None:
    tok, prose = published(name, tmp_path)
    tenth, whole, length, deviation = PUBLISHED[name]
    ids = tok.encode(prose[:12_000_000], disallowed_special=())
    offsets = np.arange(0, len(ids) + 1, 2000)
    ids = ids[: offsets[-1]]
    for p, wanted, margin in ((0.1, tenth, 0.0005), (1.0, whole, 0.002)):
        split = fissile.stochastok(ids, tok, p, seed=1, offsets=offsets)
        assert abs(split.lengths.mean() / 2000 - wanted) < margin
    n = 4000
    first = fissile.stochastok(np.tile(ids[:2000], n), tok, 0.1, seed=1, offsets=np.arange(n + 1) * 2000).lengths
    assert abs(first.mean() - length) < 5.5 * deviation / n**0.5 + 0.05  # both are rounded to a tenth
    assert abs(first.std() - deviation) < 5.5 * deviation / (2 * n) ** 0.5 + 0.05


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_split_lengthens_prose_as_measured(name: str, tmp_path: Path) -> None:
    tok, prose = published(name, tmp_path)
    text = prose[:300_000].decode(errors="ignore")
    pytest.importorskip("regex", reason="the reference splits text with the regex package")
    parts = pretokens("gpt2" if name == "gpt2" else "cl100k", text)
    a_word, lonely = UNIFORM[name]
    drawn = tok.encode(text, split=fissile.UniformSplit(1.0), seed=1)
    assert abs(len(drawn) / len(parts) - a_word) < 0.1
    different = Counter(parts)
    alone = sum(n for word, n in different.items() if n_spellings(tok, word) == 1)
    assert abs(alone / len(parts) - lonely) < 0.02


def n_spellings(tok: fissile.Tokenizer, word: str) -> float:
    mantissa, exponent = tok._split_model._count_spellings(tok.encode(word).tolist())
    return mantissa * 2.0**exponent
