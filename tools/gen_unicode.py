"""Writes cpp/text/unicode_tables.inc: the tables behind cpp/text/unicode_class.hpp.

    pip install unicodedata2==16.0.0        # not needed by a Python whose own unicodedata is of that version (3.14)
    python tools/gen_unicode.py > cpp/text/unicode_tables.inc

The tables follow Unicode 16.0 because the owners of the patterns do: tiktoken 0.14 (the Rust crate fancy-regex) and
tokenizers 0.23.3 (Oniguruma) give every one of the 1,112,064 code points the same classes, those of 16.0, and read
`\\s` as White_Space. tests/text/test_unicode_tables.py asks them again. The `regex` package is ahead of them: its
version 2026.11.15 has 17,144 letters, 79 marks, 336 numbers and 251 punctuation marks and symbols that they do not
know, and calls U+0295 a lowercase letter where they say Lo. Where one of the two owners moves on, VERSION follows.
"""

import sys
from collections.abc import Sequence

try:
    import unicodedata2 as ud
except ImportError:
    import unicodedata as ud

VERSION = "16.0.0"
N_CODE_POINTS = sys.maxunicode + 1

# Bits of CharFlag.
UPPER, LOWER, OTHER, MARK, NUMBER, SPACE, PUNCT_SYMBOL = (1 << i for i in range(7))
BY_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": OTHER, "Lo": OTHER}
BY_MAJOR = {"M": MARK, "N": NUMBER, "P": PUNCT_SYMBOL, "S": PUNCT_SYMBOL}
WHITE_SPACE = {
    *range(0x09, 0x0E),
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
}

NFC_MAY_CHANGE = 255  # kNfcMayChange


def flags_of(c: int) -> int:
    """CharFlag bits of one code point."""
    category = ud.category(chr(c))  # surrogates are Cs: no flags
    flags = BY_CATEGORY.get(category, 0) | BY_MAJOR.get(category[0], 0)
    return flags | (SPACE if c in WHITE_SPACE else 0)


def composing_second() -> set[int]:
    """Characters that may compose with one before them, so that their NFC_Quick_Check is Maybe."""
    found = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # Hangul vowels and trailing consonants
    for c in range(N_CODE_POINTS):
        parts = ud.decomposition(chr(c)).split()
        is_canonical_pair = len(parts) == 2 and not parts[0].startswith("<")
        if is_canonical_pair and ud.normalize("NFC", chr(c)) == chr(c):  # else excluded from composition
            found.add(int(parts[1], 16))
    return found


def nfc_classes() -> bytes:
    """Of every code point: NFC_MAY_CHANGE where NFC_Quick_Check is not Yes, else the canonical combining class."""
    may_compose = composing_second()
    return bytes(
        NFC_MAY_CHANGE if c in may_compose or ud.normalize("NFC", chr(c)) != chr(c) else ud.combining(chr(c))
        for c in range(N_CODE_POINTS)
    )


def in_stages(values: bytes, block_size: int) -> tuple[list[int], bytes]:
    """The number of each block of values, and the distinct blocks in the order of their numbers."""
    blocks: dict[bytes, int] = {}
    starts = range(0, len(values), block_size)
    block_of = [blocks.setdefault(values[i : i + block_size], len(blocks)) for i in starts]
    assert len(blocks) <= 256, "block numbers are bytes"
    return block_of, b"".join(blocks)


def definition(name: str, values: Sequence[int]) -> str:
    """A C++ array of bytes."""
    rows = "\n".join("    " + ", ".join(map(str, values[i : i + 32])) + "," for i in range(0, len(values), 32))
    return f"const std::uint8_t {name}[{len(values)}] = {{\n{rows}\n}};"


def main() -> None:
    """Prints the tables as C++ definitions."""
    if ud.unidata_version != VERSION:
        sys.exit(f"{ud.__name__} has Unicode {ud.unidata_version}, expected {VERSION}")
    print(f"// Unicode {VERSION}, by tools/gen_unicode.py: python tools/gen_unicode.py > cpp/text/unicode_tables.inc")
    block_of, flags = in_stages(bytes(map(flags_of, range(N_CODE_POINTS))), 256)
    print(definition("kBlockOf", block_of))
    print(definition("kFlags", flags))
    block_of, classes = in_stages(nfc_classes(), 64)
    print(definition("kNfcBlockOf", block_of))
    print(definition("kNfcClasses", classes))


if __name__ == "__main__":
    main()
