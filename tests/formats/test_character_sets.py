"""The sets of characters of fissile.pipeline, against what `tokenizers` does with every code point."""

import itertools

import numpy as np
import pytest

from fissile.pipeline import character_sets, normalizers
from fissile.pipeline.regexes import code_points

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import normalizers as their_normalizers  # noqa: E402
from tokenizers import pre_tokenizers  # noqa: E402

EVERY = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def dropped(node: "pre_tokenizers.PreTokenizer") -> "np.ndarray":
    """Which code points a node that removes its matches removes."""
    kept = np.zeros(0x110000, np.bool_)
    kept[code_points("".join(piece for piece, _ in node.pre_tokenize_str(EVERY)))] = True
    kept[0xD800:0xE000] = True
    return ~kept


def removing(pattern: str) -> "np.ndarray":
    return dropped(pre_tokenizers.Split(tokenizers.Regex(pattern), "removed"))


@pytest.mark.parametrize(
    ("ranges", "found"),
    [
        (character_sets.PUNCTUATION, lambda: dropped(pre_tokenizers.Punctuation("removed"))),
        (character_sets.WHITE_SPACE, lambda: dropped(pre_tokenizers.WhitespaceSplit())),
        (character_sets.UNASSIGNED, lambda: removing(r"\p{Cn}")),
    ],
    ids=["punctuation", "white space", "unassigned"],
)
def test_removed_characters(ranges: str, found: "object") -> None:
    assert (character_sets.members(ranges) == found()).all()  # type: ignore[operator]


def test_numbers() -> None:
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str("a".join(EVERY))
    alone = np.zeros(0x110000, np.bool_)
    alone[[ord(piece) for piece, _ in pieces if len(piece) == 1 and piece != "a"]] = True
    assert (character_sets.members(character_sets.NUMERIC) == alone).all()


def test_words() -> None:
    pieces = pre_tokenizers.Whitespace().pre_tokenize_str(" ".join(f"a{c}" for c in EVERY))
    word = np.zeros(0x110000, np.bool_)
    word[[ord(piece[1]) for piece, _ in pieces if len(piece) == 2 and piece[0] == "a"]] = True
    word[ord("a")] = True
    assert (character_sets.members(character_sets.WORD) == word).all()


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_normal_forms_of_every_character(form: "normalizers.Form") -> None:
    ours, theirs = normalizers.normal_form(form), getattr(their_normalizers, form)()
    for character in EVERY:
        assert ours.apply(character) == theirs.normalize_str(character), hex(ord(character))


@pytest.mark.parametrize("name", ["Lowercase", "StripAccents", "Nmt"])
def test_other_normalizers_of_every_character(name: str) -> None:
    step = {"Lowercase": normalizers.lowercase, "StripAccents": normalizers.strip_accents, "Nmt": normalizers.nmt}[
        name
    ]()
    theirs = getattr(their_normalizers, name)()
    for character in EVERY:
        assert step.apply(character) == theirs.normalize_str(character), hex(ord(character))


def test_bert_normalizer_of_every_character() -> None:
    alone = [tuple(i == only for i in range(4)) for only in range(4)]
    for options in [(False,) * 4, *alone, (True,) * 4]:
        assert_normalizes_as_bert(options, "a".join(EVERY))
    # What an option changes is the same whatever the others do; in which order they come shows in what some option changes.
    changed = [c for c in EVERY if any(their_bert(options).normalize_str(c) != c for options in alone)]
    for options in itertools.product([True, False], repeat=4):
        assert_normalizes_as_bert(options, "a".join(changed))


def their_bert(options: tuple[bool, ...]) -> "their_normalizers.Normalizer":
    clean, chinese, accents, lower = options
    return their_normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=chinese, strip_accents=accents, lowercase=lower
    )


def assert_normalizes_as_bert(options: tuple[bool, ...], text: str) -> None:
    wanted = their_bert(options).normalize_str(text)
    for step in normalizers.bert(*options):
        text = step.apply(text)
    assert text == wanted, options
