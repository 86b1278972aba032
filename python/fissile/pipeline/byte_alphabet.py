"""The characters that byte-level models write bytes with."""

from __future__ import annotations

__all__ = ["byte_alphabet"]


def byte_alphabet() -> list[str]:
    """The character of each byte in the byte-level alphabet of GPT-2."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
