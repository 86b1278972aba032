"""The tables of character classes: as generated, and as the owners of the patterns see every code point."""

import importlib.util
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from fissile import _core

ROOT = Path(__file__).resolve().parents[2]
VERSION = "16.0.0"
UPPER, LOWER, OTHER, MARK, NUMBER, SPACE, PUNCT_SYMBOL = (1 << i for i in range(7))
# What patterns ask for, and the flags that say so.
CLASSES = {
    r"\p{L}": UPPER | LOWER | OTHER,
    r"[\p{Lu}\p{Lt}]": UPPER,
    r"\p{Ll}": LOWER,
    r"[\p{Lm}\p{Lo}]": OTHER,
    r"\p{M}": MARK,
    r"\p{N}": NUMBER,
    r"\s": SPACE,
    r"[\p{P}\p{S}]": PUNCT_SYMBOL,
}
EVERY_CHARACTER = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)


def source_has_version() -> bool:
    if importlib.util.find_spec("unicodedata2") is None:
        return unicodedata.unidata_version == VERSION
    import unicodedata2

    return unicodedata2.unidata_version == VERSION


def matched_by_tiktoken(pattern: str) -> set[str]:
    tiktoken = pytest.importorskip("tiktoken")
    bytes_alone = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=bytes_alone, special_tokens={})
    return set(encoding.decode(encoding.encode_ordinary(EVERY_CHARACTER)))  # what is not matched, is not encoded


def matched_by_tokenizers(pattern: str) -> set[str]:
    tokenizers = pytest.importorskip("tokenizers")
    keep_matches = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "removed", invert=True)
    return {
        character
        for begin in range(0, len(EVERY_CHARACTER), 1 << 16)
        for piece, _ in keep_matches.pre_tokenize_str(EVERY_CHARACTER[begin : begin + (1 << 16)])
        for character in piece
    }


@pytest.mark.skipif(not source_has_version(), reason=f"needs unicodedata2=={VERSION}")
def test_tables_are_what_the_generator_writes() -> None:
    generator = [sys.executable, str(ROOT / "tools" / "gen_unicode.py")]
    generated = subprocess.run(generator, check=True, capture_output=True, text=True).stdout
    assert generated == (ROOT / "cpp" / "text" / "unicode_tables.inc").read_text()


@pytest.mark.parametrize("matched", [matched_by_tiktoken, matched_by_tokenizers])
@pytest.mark.parametrize("pattern", CLASSES)
def test_peers_see_every_code_point_alike(pattern: str, matched: Callable[[str], set[str]]) -> None:
    flags = _core._testing.char_flags()
    wanted = {chr(c) for c in (flags & CLASSES[pattern]).nonzero()[0]}
    different = sorted(matched(pattern) ^ wanted)
    assert not different, f"{len(different)} code points, the first U+{ord(different[0]):04X}"


def test_surrogates_have_no_class() -> None:
    assert not _core._testing.char_flags()[0xD800:0xE000].any()
    assert not _core._testing.nfc_classes()[0xD800:0xE000].any()


def test_word_characters_are_those_of_rust() -> None:
    from fissile.pipeline.character_sets import WORD, members

    assert (_core._testing.word_characters().astype(bool) == members(WORD)).all()
