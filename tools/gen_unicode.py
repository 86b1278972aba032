"""Writes cpp/text/unicode_tables.inc: the tables behind cpp/text/unicode_class.hpp.

    pip install unicodedata2==16.0.0        # not needed by a Python whose own unicodedata is of that version (3.14)
    python tools/gen_unicode.py > cpp/text/unicode_tables.inc

The tables follow Unicode 16.0 because the owners of the patterns do: tiktoken 0.14 (the Rust crate fancy-regex) and
tokenizers 0.23.3 (Oniguruma) give every one of the 1,112,064 code points the same classes, those of 16.0, and read
`\\s` as White_Space. tests/text/test_unicode_tables.py asks them again. The `regex` package is ahead of them: its
version 2026.11.15 has 17,144 letters, 79 marks, 336 numbers and 251 punctuation marks and symbols that they do not
know, and calls U+0295 a lowercase letter where they say Lo. Where one of the two owners moves on, VERSION follows.

Normalisation is another matter: the NFC of tokenizers 0.23.3 is that of Unicode 9.0. What later versions added is to it a
character like any other that neither composes nor is reordered: NEWER_THAN_NFC lists what would be. As normal forms
are stable, NFC of text without these is the same in every version since.
"""

import sys
from collections.abc import Sequence

try:
    import unicodedata2 as ud
except ImportError:
    import unicodedata as ud

VERSION = "16.0.0"
N_CODE_POINTS = sys.maxunicode + 1
BLOCK = 256

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
NFC_NEWER = 254  # kNfcNewer
# First and last of ranges of characters after Unicode 9.0 with a combining class, or that compose or are composed.
NEWER_THAN_NFC = {
    c
    for first, last in [
        (0x07FD, 0x07FD), (0x0897, 0x089F), (0x08CA, 0x08D3), (0x09FE, 0x09FE), (0x0C3C, 0x0C3C), (0x0D3B, 0x0D3C),
        (0x0EBA, 0x0EBA), (0x1715, 0x1715), (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C), (0x105C9, 0x105C9),
        (0x105D2, 0x105D2), (0x105DA, 0x105DA), (0x105E4, 0x105E4), (0x10D24, 0x10D27), (0x10D69, 0x10D6D),
        (0x10EAB, 0x10EAC), (0x10EFD, 0x10EFF), (0x10F46, 0x10F50), (0x10F82, 0x10F85), (0x11070, 0x11070),
        (0x1133B, 0x1133B), (0x11382, 0x11385), (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x11391),
        (0x113B8, 0x113B8), (0x113BB, 0x113BB), (0x113C2, 0x113C2), (0x113C5, 0x113C5), (0x113C7, 0x113C9),
        (0x113CE, 0x113D0), (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x11930, 0x11930), (0x11935, 0x11935),
        (0x11938, 0x11938), (0x1193D, 0x1193E), (0x11943, 0x11943), (0x119E0, 0x119E0), (0x11A34, 0x11A34),
        (0x11A47, 0x11A47), (0x11A99, 0x11A99), (0x11D42, 0x11D42), (0x11D44, 0x11D45), (0x11D97, 0x11D97),
        (0x11F41, 0x11F42), (0x1611E, 0x16129), (0x1612F, 0x1612F), (0x16D63, 0x16D63), (0x16D67, 0x16D6A),
        (0x16FF0, 0x16FF1), (0x1E08F, 0x1E08F), (0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF),
        (0x1E4EC, 0x1E4EF), (0x1E5EE, 0x1E5EF),
    ]
    for c in range(first, last + 1)
}  # fmt: skip


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
    """Of every code point: NFC_NEWER, NFC_MAY_CHANGE where NFC_Quick_Check is not Yes, or the combining class."""
    may_change = composing_second()
    may_change.update(c for c in range(N_CODE_POINTS) if ud.normalize("NFC", chr(c)) != chr(c))

    def class_of(c: int) -> int:
        # What is not assigned yet may be by the time of the unicodedata that runs.
        if c in NEWER_THAN_NFC or ud.category(chr(c)) == "Cn":
            return NFC_NEWER
        return NFC_MAY_CHANGE if c in may_change else ud.combining(chr(c))

    return bytes(map(class_of, range(N_CODE_POINTS)))


def in_stages(values: bytes) -> tuple[list[int], bytes]:
    """The number of each block of values, and the distinct blocks in the order of their numbers."""
    blocks: dict[bytes, int] = {}
    block_of = [blocks.setdefault(values[i : i + BLOCK], len(blocks)) for i in range(0, len(values), BLOCK)]
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
    block_of, flags = in_stages(bytes(map(flags_of, range(N_CODE_POINTS))))
    print(definition("kBlockOf", block_of))
    print(definition("kFlags", flags))
    block_of, classes = in_stages(nfc_classes())
    print(definition("kNfcBlockOf", block_of))
    print(definition("kNfcClasses", classes))


if __name__ == "__main__":
    main()
