"""What the quick check for NFC passes, NFC leaves alone; and it passes what people write."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fissile import _core

MAY_CHANGE = 255


def passes(text: str) -> bool:
    return _core._testing.is_nfc_quick(text.encode())


def assigned(c: int) -> bool:
    """Known to this Python's Unicode, which may be older than ours."""
    return unicodedata.category(chr(c)) not in ("Cn", "Cs")


CLASSES = _core._testing.nfc_classes()
MARKED = [chr(c) for c in CLASSES.nonzero()[0].tolist() if assigned(c)]
ALPHABET = ["a", "e", "\u0915", "\u05d0", "\u0e01", "\u304b", "\u1100", "\uac00", " ", "\U0001f600"]


def test_classes_are_those_of_the_running_python() -> None:
    for c in filter(assigned, range(0x110000)):
        character = chr(c)
        if CLASSES[c] != MAY_CHANGE:
            assert CLASSES[c] == unicodedata.combining(character)
            assert unicodedata.normalize("NFC", character) == character


def test_random_marks() -> None:
    rng = random.Random(5)
    n_passed = 0
    for _ in range(20_000):
        text = "".join(rng.choice(MARKED if rng.random() < 0.5 else ALPHABET) for _ in range(rng.randrange(6)))
        if passes(text):
            n_passed += 1
            assert unicodedata.normalize("NFC", text) == text, ascii(text)
    assert 1000 < n_passed < 19_000


@given(st.text(st.sampled_from([*MARKED, *ALPHABET])))
def test_what_passes_is_in_nfc(text: str) -> None:
    if passes(text):
        assert unicodedata.normalize("NFC", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Häuser, naïve café – “quoted”",
        "ภาษาไทยไม่มีช่องว่างที่นี่",
        "שָׁלוֹם עֲלֵיכֶם",
        "हिन्दी में क्षेत्र",
        "مَعَ تَشْكِيل",
        "日本語のテキストです。カタカナ、ひらがな、が行",
        "한국어 문장입니다",
    ],
)
def test_ordinary_text_passes(text: str) -> None:
    assert passes(unicodedata.normalize("NFC", text))
