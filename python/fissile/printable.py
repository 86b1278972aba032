"""Tokens as text that a terminal or a page can show: no control characters, nothing that reorders or hides what follows."""

from __future__ import annotations

from itertools import groupby
from typing import Literal, NamedTuple

__all__ = ["Part", "parts", "printable"]


class Part(NamedTuple):
    """A stretch of a token that is shown in one way.

    Attributes:
        kind: "text", as it is; "mark": combining marks that begin the token and have nothing to stand on; "escape": one
            control character or other invisible one, as Python escapes it; "byte": one that is no whole character, in
            hexadecimal.
        shown: what to show.
    """

    kind: Literal["text", "mark", "escape", "byte"]
    shown: str


def printable(token: bytes) -> str:
    r"""A token's text on one line; control characters escaped, bytes that are no whole character as <xx>.

    >>> printable(" naïve\n".encode() + b"\xe6\x9d")
    ' naïve\\n<e6><9d>'
    """
    return "".join(f"<{part.shown}>" if part.kind == "byte" else part.shown for part in parts(token))


def parts(token: bytes) -> list[Part]:
    r"""The stretches of a token, in order.

    >>> [part.shown for part in parts(b"a b\n" + b"\xe6\x9d")]
    ['a b', '\\n', 'e6', '9d']
    """
    from unicodedata import category

    found: list[Part] = []
    text = token.decode("utf-8", errors="surrogateescape")
    for visible, characters in groupby(text, str.isprintable):
        if visible:
            stretch = "".join(characters)
            n_marks = 0
            while not found and n_marks < len(stretch) and category(stretch[n_marks])[0] == "M":
                n_marks += 1
            found += [Part("mark", stretch[:n_marks])] if n_marks else []
            found += [Part("text", stretch[n_marks:])] if n_marks < len(stretch) else []
        else:
            found += [_invisible(character) for character in characters]
    return found


def _invisible(character: str) -> Part:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how surrogateescape spells the byte that is `code - 0xDC00`
        return Part("byte", f"{code - 0xDC00:02x}")
    return Part("escape", repr(character)[1:-1])
