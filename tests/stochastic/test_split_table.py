"""The table of ways to halve a token."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fissile
from reference.stochastic import split_table
from reference.texts import shared, small_ranks


def pairs_of(tokenizer: fissile.Tokenizer) -> dict[int, list[tuple[int, int]]]:
    offsets, left, right = tokenizer.splits
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    return {id: pairs[offsets[id] : offsets[id + 1]] for id in range(len(offsets) - 1)}


def test_table_holds_all_pairs_in_order_of_the_cut() -> None:
    assert pairs_of(fissile.Tokenizer.from_ranks(small_ranks(), "gpt2")) == split_table(small_ranks())


def test_special_tokens_are_neither_split_nor_made() -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257}
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "gpt2", {"<|x|>": 258, "ababc": 259, "bc": 260})
    table = pairs_of(tokenizer)
    assert table[258] == table[259] == table[260] == []
    assert table[257] == [(256, ord("c"))]


def test_long_tokens_do_not_make_the_table_slow() -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b"x" * (1 << k): 255 + k for k in range(1, 16)}
    table = pairs_of(fissile.Tokenizer.from_ranks(ranks, "none"))
    assert table[255 + 15] == [(255 + 14, 255 + 14)]


def test_threads_build_it_once() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2")
    with ThreadPoolExecutor(8) as threads:
        tables = list(threads.map(lambda _: tokenizer.splits[1].tolist(), range(16)))
    assert all(table == tables[0] for table in tables)


# Evidence: tokens, tokens with a split, pairs, pairs that use a later id, most pairs of a token and the token.
FACTS = {
    "gpt2": (50256, 50000, 108299, 22180, 15, 1783),
    "cl100k_base": (100256, 100000, 233378, 43674, 80, 96529),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts_about_published_vocabularies(name: str, tmp_path: object) -> None:
    from pathlib import Path

    data = shared("vocab", f"{name}.tiktoken")
    if data is None:
        pytest.skip("shared/vocab is not here")
    path = Path(str(tmp_path)) / f"{name}.tiktoken"
    path.write_bytes(data)
    offsets, left, right = fissile.Tokenizer.from_file(path).splits
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(len(counts)), counts)
    n_tokens, n_splittable, n_pairs, n_later, most, where = FACTS[name]
    assert (counts > 0).sum() == n_splittable == n_tokens - 256
    assert len(left) == n_pairs
    assert ((left > owner) | (right > owner)).sum() == n_later
    assert counts.max() == most == counts[where]
    if name == "gpt2":
        assert np.bincount(counts)[1:7].tolist() == [13114, 19970, 12984, 3483, 407, 22]


def test_tokens_with_many_pairs_and_large_ids() -> None:
    letters = {bytes([b]): b for b in range(256)} | {b"x" * n: 254 + n for n in range(2, 300)}
    assert pairs_of(fissile.Tokenizer.from_ranks(letters, "none")) == split_table(letters)
    # Ids beyond 2^20, which the table keeps in another place.
    ranks = {bytes([b]): b for b in range(256)}
    ranks |= {n.to_bytes(3, "big"): 256 + n for n in range((1 << 20) + 1000)}
    ranks |= {b"\x10\x00\x05\x00\x00\x07": len(ranks)}
    offsets, left, right = fissile.Tokenizer.from_ranks(ranks, "none").splits
    assert offsets.tolist() == [0] * len(ranks) + [1]
    assert (left.tolist(), right.tolist()) == ([256 + (1 << 20) + 5], [256 + 7])
