"""UniformSplit: the number of spellings, and that each is as likely."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from reference.stochastic import fits, spellings
from reference.texts import WORLD, library_text, shared, small_ranks

BYTES = {bytes([b]): b for b in range(256)}
RANKS = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258, b"aa": 259, b"cab": 260, b"abcab": 261}


@pytest.fixture(scope="module")
def toy() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(RANKS, "none")


def n_spellings(tokenizer: fissile.Tokenizer, text: str, n_tokens: int | None = None) -> float:
    mantissa, exponent = tokenizer._split_model._count_spellings(tokenizer.encode(text).tolist(), n_tokens)
    return mantissa * 2.0**exponent


@given(text=st.text(st.sampled_from("abc"), min_size=1, max_size=12))
def test_spellings_are_counted(toy: fissile.Tokenizer, text: str) -> None:
    every = spellings(text.encode(), RANKS)
    assert n_spellings(toy, text) == len(every)
    by_length = Counter(map(len, every))
    for n in range(1, len(text) + 2):
        assert n_spellings(toy, text, n) == by_length[n]


# (gpt2, cl100k)
COUNTS = {
    " the": (8, 8), " hello": (32, 28), " tokenization": (1566, 1834), "strawberry": (238, 238), " strawberry": (490, 470),
    " internationalization": (232530, 332940), "12345": (13, 13), " 2024": (15, 7), "日本": (4, 9),
    "https://www": (208, 330), "a" * 8: (108, 109), " " * 16: (1, 32768),
}  # fmt: skip


@pytest.mark.parametrize(("column", "name"), [(0, "gpt2"), (1, "cl100k_base")])
def test_published_vocabularies_have_the_known_counts(column: int, name: str, tmp_path_factory: object) -> None:
    data = shared("vocab", f"{name}.tiktoken")
    if data is None:
        pytest.skip("shared/vocab is not here")
    path = tmp_path_factory.mktemp("vocab") / f"{name}.tiktoken"  # type: ignore[attr-defined]
    path.write_bytes(data)
    tokenizer = fissile.Tokenizer.from_file(path)
    assert {text: n_spellings(tokenizer, text) for text in COUNTS} == {t: both[column] for t, both in COUNTS.items()}
    assert n_spellings(tokenizer, "a" * 69) > 2**64


def test_counts_beyond_doubles_keep_their_law(toy: fissile.Tokenizer) -> None:
    """Runs of a in a and aa: Fibonacci numbers, and so the exact chance of each first token."""
    n = 3000
    fibonacci = [1, 1]
    while len(fibonacci) <= n:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    mantissa, exponent = toy._split_model._count_spellings(toy.encode("a" * n).tolist())
    assert exponent > 1024
    assert abs(Fraction(mantissa) * 2**exponent / fibonacci[n] - 1) < Fraction(1, 10**12)
    drawn = toy.encode_batch(["a" * n] * 400, split=fissile.UniformSplit(1.0), seed=1)
    twos = Counter(id == 259 for ids in drawn for id in (ids[0], ids[-1]))
    golden = 2 / (1 + 5**0.5)
    assert fits(twos, {True: golden**2, False: golden})


@pytest.mark.parametrize("text", ["abc", "abcab", "aabcabc"])
def test_every_spelling_is_as_likely(toy: fissile.Tokenizer, text: str) -> None:
    every = spellings(text.encode(), RANKS)
    drawn = toy.encode_batch([text] * 30_000, split=fissile.UniformSplit(1.0), seed=1).tolist()
    assert fits(Counter(map(tuple, drawn)), {tuple(way): Fraction(1, len(every)) for way in every})


@pytest.mark.parametrize("length", [2, 3, 5, "canonical"])
def test_every_spelling_of_a_length_is_as_likely(toy: fissile.Tokenizer, length: int | str) -> None:
    text = "aabcabc"
    canonical = toy.encode(text).tolist()
    wanted = len(canonical) if length == "canonical" else length
    every = [way for way in spellings(text.encode(), RANKS) if len(way) == wanted]
    sampler = fissile.UniformSplit(1.0, length)  # type: ignore[arg-type]
    drawn = toy.encode_batch([text] * 20_000, split=sampler, seed=1).tolist()
    law = {tuple(way): Fraction(1, len(every)) for way in every} if every else {tuple(canonical): 1}
    assert fits(Counter(map(tuple, drawn)), law)


def test_p_is_the_chance_of_a_word() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(BYTES | {b" a": 256}, "gpt2")
    ids = tokenizer.encode(" a" * 50_000, split=fissile.UniformSplit(0.2), seed=1)
    # A word drawn anew is " a" or two bytes, each half of the time.
    assert abs(len(ids) / 50_000 - 1.1) < 0.01
    assert np.array_equal(tokenizer.encode(" a b", split=fissile.UniformSplit(0.0)), tokenizer.encode(" a b"))


def test_a_giant_word_is_not_quadratic(toy: fissile.Tokenizer) -> None:
    for text in ("a" * 200_000, "abc" * 60_000):
        for sampler in (fissile.UniformSplit(1.0), fissile.UniformSplit(1.0, "canonical"), "characters"):
            assert toy.decode(toy.encode(text, split=sampler, seed=1)) == text


def test_a_word_without_a_spelling_of_the_length_stays(toy: fissile.Tokenizer) -> None:
    assert toy.encode("abc", split=fissile.UniformSplit(1.0, 7)).tolist() == [258]
    long = "abc" * 400
    assert np.array_equal(toy.encode(long, split=fissile.UniformSplit(1.0, "canonical")), toy.encode(long))


@settings(max_examples=30)
@given(text=st.text(max_size=40) | st.sampled_from([WORLD, library_text(1000)]))
def test_characters(text: str) -> None:
    ranks = small_ranks()
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "gpt2", {"<|end|>": 1000})
    wanted = [id for c in text for id in ([ranks[c.encode()]] if c.encode() in ranks else c.encode())]
    found = tokenizer.encode(text + "<|end|>", split="characters", allowed_special="all")
    assert found.tolist() == [*wanted, 1000]


def test_wrong_arguments_are_named(toy: fissile.Tokenizer) -> None:
    with pytest.raises(ValueError, match="length must be 'canonical', a number of tokens or None, not 'long'"):
        fissile.UniformSplit(0.1, "long")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="length must be from 1 to"):
        fissile.UniformSplit(0.1, 0)
    with pytest.raises(ValueError, match="p must be from 0 to 1, not nan"):
        fissile.UniformSplit(float("nan"))
    with pytest.raises(ValueError, match="no sampler 'words'"):
        toy.encode("a", split="words")
    with pytest.raises(ValueError, match=r"split 'dropout:2': P is '2'; .* from 0 to 1"):
        toy.encode("a", split="dropout:2")
    with pytest.raises(TypeError, match="split must be a sampler"):
        toy.encode("a", split=0.1)
