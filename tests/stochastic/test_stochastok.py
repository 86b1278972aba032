"""StochasTok against the paper's loop: the same ids from the same draws, and its exact law."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from reference.stochastic import fits, split_table, stochastok, stochastok_law
from reference.texts import library_text, small_ranks

A, B, C, AB, BC, ABC = 97, 98, 99, 256, 257, 258
TOY = {bytes([b]): b for b in range(256)} | {b"ab": AB, b"bc": BC, b"abc": ABC}


@pytest.fixture(scope="module")
def toy() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(TOY, "none")


@pytest.fixture(scope="module")
def trained() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), "gpt2", {"<|end|>": 1000})


@settings(max_examples=60)
@given(
    ids=st.lists(st.integers(0, 999), max_size=200),
    p=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**56 - 1),
)
def test_ids_are_those_of_the_reference(
    trained: fissile.Tokenizer, ids: list[int], p: float, seed: int, index: int
) -> None:
    table = split_table(small_ranks())
    found = fissile.stochastok(np.array(ids, np.uint32), trained, p, seed, first_index=index)
    assert found.tolist() == stochastok(ids, table, p, seed, index)


# The fractions that the paper's loop gives, worked out by hand: they check the reference.
def test_reference_has_the_published_law() -> None:
    table = split_table(TOY)
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    assert stochastok_law((ABC,), table, 2) == {(A, BC): quarter, (AB, C): quarter, (A, B, C): half}
    law = stochastok_law((ABC, AB), table, 3)
    assert [law[seq] for seq in ((A, BC, AB), (ABC, A, B), (A, B, C, AB), (A, BC, A, B), (A, B, C, A, B))] == [
        Fraction(1, 36), Fraction(2, 9), Fraction(13, 72), Fraction(5, 24), Fraction(1, 8)]  # fmt: skip
    assert sum(len(seq) * chance for seq, chance in law.items()) == Fraction(277, 72)
    assert stochastok_law((A, ABC), table, 2)[(A, ABC)] == quarter


@pytest.mark.parametrize("ids", [(ABC,), (ABC, AB), (A, ABC), (ABC, AB, BC), (AB, ABC, C, ABC)])
def test_every_outcome_has_its_probability(toy: fissile.Tokenizer, ids: tuple[int, ...]) -> None:
    n = 40_000
    offsets = np.arange(n + 1) * len(ids)
    split = fissile.stochastok(np.tile(np.array(ids, np.uint32), n), toy, 1.0, seed=1, offsets=offsets)
    assert fits(Counter(map(tuple, split.tolist())), stochastok_law(ids, split_table(TOY), len(ids)))


def test_number_of_tries_is_the_floor_of_a_double_product(toy: fissile.Tokenizer) -> None:
    """Not a coin for each token; and 100 * 0.29 is below 29."""
    splittable = np.full(100, AB, np.uint32)
    no_more = {bytes([b]): b for b in range(256)} | {b"ab": AB}
    tokenizer = fissile.Tokenizer.from_ranks(no_more, "none")
    for p, tries in ((0.29, 28), (0.57, 56), (1.0, 100)):
        cap = {len(fissile.stochastok(splittable, tokenizer, p, seed)) - 100 for seed in range(50)}
        assert max(cap) <= tries
    assert len(fissile.stochastok(splittable[:9], toy, 0.1, seed=3)) == 9
    assert len(fissile.stochastok(splittable[:10], toy, 0.1, seed=3)) == 11


def test_cap_counts_expansions_and_not_tries(toy: fissile.Tokenizer) -> None:
    ids = np.tile(np.array([A, A, A, ABC], np.uint32), 50)
    assert {len(fissile.stochastok(ids, toy, 1.0, seed, max_expansions=7)) for seed in range(30)} == {207}
    assert np.array_equal(fissile.stochastok(ids, toy, 1.0, 1, max_expansions=0), ids)


def test_denied_ids_are_not_split(toy: fissile.Tokenizer) -> None:
    split = fissile.stochastok(np.tile(np.array([AB, BC], np.uint32), 100), toy, 1.0, seed=1, deny=[AB])
    assert (split == AB).sum() == 100
    assert (split == BC).sum() < 100


def test_parents_say_where_ids_came_from(trained: fissile.Tokenizer) -> None:
    batch = trained.encode_batch([library_text(3000), "", library_text(500)])
    split, parents = fissile.stochastok(batch, trained, 0.7, seed=1, return_parents=True)
    assert isinstance(split, fissile.Ragged)
    assert parents.dtype == np.int64
    for i, id in enumerate(batch.ids):
        assert trained.decode_bytes(split.ids[parents == i]) == trained.token_bytes(int(id))
    assert (np.diff(parents) >= 0).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_documents_do_not_depend_on_each_other(trained: fissile.Tokenizer, threads: int) -> None:
    documents = [library_text(20_000)[i : i + 700] for i in range(0, 20_000, 700)] * 30
    batch = trained.encode_batch(documents)
    whole = fissile.stochastok(batch, trained, 0.3, seed=5, epoch=2, threads=threads)
    for i in (0, 1, 17, len(documents) - 1):
        alone = fissile.stochastok(batch[i], trained, 0.3, seed=5, epoch=2, first_index=i)
        assert np.array_equal(whole[i], alone)
    later = fissile.stochastok(batch[400:], trained, 0.3, seed=5, epoch=2, first_index=400, threads=threads)
    assert later == whole[400:]
    assert fissile.stochastok(batch, trained, 0.3, seed=5, epoch=3) != whole
    assert fissile.stochastok(batch, trained, 0.3, seed=6, epoch=2) != whole


def test_each_document_may_have_its_own_p(trained: fissile.Tokenizer) -> None:
    batch = trained.encode_batch([library_text(2000)] * 3)
    split = fissile.stochastok(batch, trained, [0.0, 0.1, 1.0], seed=1)
    assert np.array_equal(split[0], batch[0])
    assert len(batch[0]) < len(split[1]) < len(split[2])
    assert np.array_equal(split[1], fissile.stochastok(batch[1], trained, 0.1, seed=1, first_index=1))


def test_large_documents_follow_the_same_rule(trained: fissile.Tokenizer) -> None:
    """Beyond the size from which memory is read ahead, and ids are put in order block by block where they are."""
    ids = np.random.default_rng(1).integers(0, 1000, 300_000).astype(np.uint32)
    split, parents = fissile.stochastok(ids, trained, 0.5, seed=1, return_parents=True)
    assert trained.decode_bytes(split) == trained.decode_bytes(ids)
    assert np.array_equal(np.unique(parents), np.arange(len(ids)))
    long = ids[:70_000]
    expected = stochastok(long.tolist(), split_table(small_ranks()), 0.02, 1, 0)
    assert fissile.stochastok(long, trained, 0.02, seed=1).tolist() == expected
    small = fissile.stochastok(ids[:2000], trained, 0.5, seed=1)
    assert small.tolist() == stochastok(ids[:2000].tolist(), split_table(small_ranks()), 0.5, 1, 0)


def test_wrong_arguments_are_named(toy: fissile.Tokenizer) -> None:
    for p in (-0.1, 1.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="p must be from 0 to 1, not"):
            fissile.StochasTok(p)
        with pytest.raises(ValueError, match=r"p\[0\] must be from 0 to 1"):
            fissile.stochastok([1], toy, p)
    with pytest.raises(ValueError, match=r"p\[1\] must be from 0 to 1"):
        fissile.stochastok([1, 2], toy, [0.5, 2.0], offsets=[0, 1, 2])
    with pytest.raises(ValueError, match=r"ids\[2\] is 259, outside the vocabulary of 259 ids"):
        fissile.stochastok([1, 2, 259], toy, 0.1)
    with pytest.raises(ValueError, match=r"ids\[1\] is -1, which is no id"):
        fissile.stochastok([1, -1], toy, 0.1)
    with pytest.raises(TypeError, match="integers in one dimension"):
        fissile.stochastok([0.5], toy, 0.1)
    with pytest.raises(ValueError, match="offsets must begin with 0 and end with the number of ids, 2"):
        fissile.stochastok([1, 2], toy, 0.1, offsets=[0, 1])
    with pytest.raises(ValueError, match=r"offsets\[2\] is 1, less than"):
        fissile.stochastok([1, 2], toy, 0.1, offsets=[0, 2, 1, 2])
    with pytest.raises(ValueError, match="deny holds 999, outside the vocabulary of 259 ids"):
        fissile.stochastok([1], toy, 0.1, deny=[999])
    with pytest.raises(ValueError, match="seed must be from 0"):
        fissile.stochastok([1], toy, 0.1, seed=-1)
    with pytest.raises(TypeError, match="brings its own offsets"):
        fissile.stochastok(toy.encode_batch(["a"]), toy, 0.1, offsets=[0, 1])  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64, np.uint32])
def test_ids_of_any_integer_type(toy: fissile.Tokenizer, dtype: type) -> None:
    ids = np.array([ABC, A] * 20, dtype)
    expected = fissile.stochastok(ids.astype(np.uint32), toy, 0.5, seed=1)
    assert np.array_equal(fissile.stochastok(ids, toy, 0.5, seed=1), expected)
    assert np.array_equal(fissile.stochastok(np.repeat(ids, 2)[::2], toy, 0.5, seed=1), expected)


def test_no_ids(toy: fissile.Tokenizer) -> None:
    assert fissile.stochastok([], toy, 1.0, seed=1).tolist() == []
    assert fissile.stochastok([], toy, 1.0, seed=1, offsets=[0, 0]).tolist() == [[]]
    assert fissile.stochastok([], toy, 1.0, seed=1, offsets=[0]).tolist() == []
