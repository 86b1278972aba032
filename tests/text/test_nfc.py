"""What the check for NFC passes, NFC leaves alone; it passes what people write; the rest becomes what tokenizers has."""

import random
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fissile import _core

MAY_CHANGE = 255
NEWER = 254  # of no interest to NFC as of Unicode 9.0
CLASSES = _core._testing.nfc_classes()
STARTERS = ["a", "e", "\u0915", "\u05d0", "\u0e01", "\u304b", "\u1100", "\uac00", " ", "\U0001f600"]
OTHERS = [chr(c) for c in (CLASSES * (_core._testing.char_flags() != 0)).nonzero()[0].tolist()]  # assigned, no starters


def passes(text: str) -> bool:
    return _core._testing.is_nfc_quick(text.encode())


def nfc(text: str) -> str:
    return _core._testing.nfc(text.encode()).decode()


def has_newer(text: str) -> bool:
    """Whether NFC of the text may depend on the version of Unicode."""
    return any(CLASSES[ord(character)] == NEWER for character in text)


def random_texts(n: int) -> Iterator[str]:
    rng = random.Random(5)
    for _ in range(n):
        yield "".join(rng.choice(OTHERS if rng.random() < 0.6 else STARTERS) for _ in range(rng.randrange(8)))


def test_classes_are_those_of_the_running_python() -> None:
    for c in range(0x110000):
        character = chr(c)
        if unicodedata.category(character) not in ("Cn", "Cs") and CLASSES[c] < NEWER:
            assert CLASSES[c] == unicodedata.combining(character)
            assert unicodedata.normalize("NFC", character) == character


def test_random_marks() -> None:
    n_passed = 0
    for text in filter(lambda text: not has_newer(text), random_texts(20_000)):
        normal = unicodedata.normalize("NFC", text)
        assert nfc(text) == normal, ascii(text)
        if passes(text):
            n_passed += 1
            assert normal == text, ascii(text)
    assert 1000 < n_passed < 19_000


def test_every_version_of_unicode_gives_what_tokenizers_does() -> None:
    normalizer = pytest.importorskip("tokenizers").normalizers.NFC()
    for text in [*random_texts(50_000), *(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)]:
        normal = normalizer.normalize_str(text)
        assert nfc(text) == normal, ascii(text)
        assert normal == text or not passes(text), ascii(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cn"])))
def test_other_text(text: str) -> None:
    if not has_newer(text):
        assert nfc(text) == unicodedata.normalize("NFC", text)


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


def test_text_with_bad_bytes_stays() -> None:
    assert _core._testing.nfc(b"e\xcc\x81\xff") == b"e\xcc\x81\xff"
