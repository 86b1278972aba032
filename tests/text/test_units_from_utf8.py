"""Bytes to str, as bytes.decode does it: every width of str, every way to be wrong, every alignment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fissile

BYTES = fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, "none")
TELLING = [b"a", b"\x7f", b"\xc2\x80", b"\xc3\xbf", b"\xc4\x80", b"\xe2\x80\x99", b"\xef\xbf\xbf", b"\xf0\x90\x80\x80"]
TELLING += [b"\xf4\x8f\xbf\xbf", b"\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"]
TELLING += [b"\xe2\x80", b"\xf0\x90\x80", b"\xc3"]


def assert_decodes(data: bytes) -> None:
    text = BYTES.decode(np.frombuffer(data, np.uint8))
    wanted = data.decode("utf-8", "replace")
    assert text == wanted and hash(text) == hash(wanted)
    # As compact as CPython's own. One character is shared by the process, and may keep its UTF-8 beside it.
    assert len(text) < 2 or text.__sizeof__() == wanted.__sizeof__()


@pytest.mark.parametrize("part", TELLING)
def test_every_place_in_a_word(part: bytes) -> None:
    for before in range(18):
        for after in range(18):
            assert_decodes(b"x" * before + part + b"y" * after)
            assert_decodes(b"x" * before + part * 2 + b"y" * after + part)


@given(st.lists(st.sampled_from(TELLING), max_size=40))
def test_any_mixture(parts: list[bytes]) -> None:
    assert_decodes(b"".join(parts))


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    assert_decodes(data)


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    assert_decodes(text.encode())


def test_long_texts_of_each_width() -> None:
    for letter in "aé日👍":
        assert_decodes(("plain ASCII, " * 700 + letter).encode() * 2)
