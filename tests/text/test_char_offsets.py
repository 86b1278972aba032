"""offsets(unit="char") against str slicing, with a tokenizer whose tokens are single bytes."""

from hypothesis import given
from hypothesis import strategies as st

import fissile

BYTE_TOKENS = fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, pattern="none", special_tokens={})


def characters_of_each_byte(data: bytes) -> list[list[int]]:
    """Begin and end, in characters, of the character that each byte is a part of; bad bytes are characters."""
    characters = data.decode("utf-8", "surrogateescape")
    return [[i, i + 1] for i, character in enumerate(characters) for _ in character.encode("utf-8", "surrogateescape")]


@given(st.text() | st.binary() | st.text("aé日😀\u0301\0"))
def test_a_byte_lies_in_its_character(text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    assert BYTE_TOKENS.offsets(text, "char").tolist() == characters_of_each_byte(data)


def test_whole_words_are_slices() -> None:
    words = ["né", " 日本", "😀!"]
    ranks = {bytes([b]): b for b in range(256)}
    for word in words:
        data = word.encode()
        for end in range(2, len(data) + 1):  # a token for each beginning, so that merging reaches the word
            ranks[data[:end]] = len(ranks)
    tokenizer = fissile.Tokenizer.from_ranks(ranks, pattern="gpt2", special_tokens={})
    text = "né 日本😀!"
    assert [text[begin:end] for begin, end in tokenizer.offsets(text).tolist()] == words
