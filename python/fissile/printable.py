"""Tokens as text a terminal can show."""

from __future__ import annotations

__all__ = ["printable"]


def printable(token: bytes) -> str:
    r"""A token's text on one line; control characters escaped, bytes that are no whole character as <xx>.

    >>> printable(" naïve\n".encode() + b"\xe6\x9d")
    ' naïve\\n<e6><9d>'
    """
    text = token.decode("utf-8", errors="surrogateescape")
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how surrogateescape spells the byte that is `code - 0xDC00`
        return f"<{code - 0xDC00:02x}>"
    return character if character.isprintable() else repr(character)[1:-1]
