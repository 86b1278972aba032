"""The generator: known answers of its authors, test vectors of our use of it, and the plain definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fissile import _core
from reference.stochastic import Words, philox4x32_10

testing = _core._testing  # type: ignore[attr-defined]

# kat_vectors of Random123, "philox4x32 10".
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

# (seed, epoch, index, use) -> the first six words, as docs/stochastic.md gives them. These never change.
VECTORS = {
    (0, 0, 0, 0): [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8, 0xF8E4CCA4, 0x5CB200DB],
    (0, 0, 0, 1): [0x00EAA2E5, 0x5E0AD07A, 0x3F6CDAAD, 0x6CD24D6C, 0x5DFFA966, 0x4D9943CC],
    (42, 0, 0, 0): [0x9CEAF053, 0x77F5493B, 0x12BF50AD, 0x5742B3D7, 0xFCDB2127, 0x53BA6CFD],
    (42, 0, 1, 0): [0x42E0B8B3, 0x7DBF5DE8, 0x2FE739D4, 0x6AAF03EB, 0x220383A8, 0x6880FFBE],
    (42, 1, 0, 0): [0x20439B04, 0x9807E022, 0x5419FA3F, 0xC8FA5A2D, 0x1F858D22, 0x5A936FF5],
    (0xFEDCBA9876543210, 7, 0x123456789ABCDE, 4): [
        0xF506CDD0,
        0x0643F463,
        0x7959D2FE,
        0x873BB8E5,
        0xC90B9250,
        0x9C7B0104,
    ],
}


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    assert tuple(testing.philox(counter, *key)) == answer
    assert tuple(philox4x32_10(counter, key)) == answer


@pytest.mark.parametrize(("key", "words"), VECTORS.items())
def test_streams_give_the_documented_words(key: tuple[int, int, int, int], words: list[int]) -> None:
    seed, epoch, index, use = key
    assert testing.random_words(seed, epoch, index, use, len(words)).tolist() == words


@settings(max_examples=40)
@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**56 - 1),
    st.integers(0, 4),
    st.integers(0, 700),
)
def test_streams_are_the_plain_ones(seed: int, epoch: int, index: int, use: int, n: int) -> None:
    words = Words(seed, epoch, index, use)
    assert testing.random_words(seed, epoch, index, use, n).tolist() == [words.next() for _ in range(n)]
