"""An Inspection as text: a table for pipes and files, and colours for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fissile.printable import parts, printable

if TYPE_CHECKING:
    from fissile.inspection import Inspection, Token, View

__all__ = ["colored", "note", "summary", "table"]

# Of the 256 colours that terminals share: light ones, neighbours far apart, with black on them. They look the same on a
# dark terminal and on a light one.
_BACKGROUNDS = (153, 223, 157, 183, 229, 217)
_RESET = "\x1b[0m"


def summary(inspection: Inspection, view: View, mark: str) -> str:
    """How many tokens a view has, of how many bytes, and how many of them bear the mark of those that differ."""
    n, n_bytes = len(view.ids), len(inspection.text)
    per_token = f", {n_bytes / n:.2f} bytes a token" if n else ""
    differs = f", {int(view.differs.sum())} differ ({mark})" if view is not inspection.views[0] else ""
    return f"{n} tokens, {n_bytes} bytes{per_token}{differs}"


def note(inspection: Inspection, view: View) -> str:
    """What of a view is not shown, if anything."""
    n, n_shown = len(view.ids), inspection.n_shown(view)
    if n == n_shown:
        return ""
    return f"the first {n_shown:,} of {n:,} tokens: those of the first {inspection.limit:,} bytes"


def table(inspection: Inspection) -> Iterator[str]:
    """Lines of the plain form: the tokens with | between them, then one a line with id and range in bytes."""
    several = len(inspection.views) > 1
    for view in inspection.views:
        if several:
            yield f"{'' if view is inspection.views[0] else chr(10)}{view.title}"
        n = inspection.n_shown(view)
        yield "|".join(printable(token.token) for token in view.tokens(n))
        yield f"{'id':>8} {'begin':>8} {'end':>8}  token"
        for token in view.tokens(n):
            mark = "*" if token.differs else " "
            yield f"{token.id:>8} {token.begin:>8} {token.end:>8}{mark} {printable(token.token)}"
        if note(inspection, view):
            yield note(inspection, view)
        yield summary(inspection, view, "*")


def colored(inspection: Inspection, width: int) -> str:
    """The coloured form; a token that differs from the first view's is underlined. Ids stay whole in lines of `width`."""
    return "\n\n".join("\n".join(_colored_view(inspection, view, width)) for view in inspection.views)


def _colored_view(inspection: Inspection, view: View, width: int) -> Iterator[str]:
    tokens = list(view.tokens(inspection.n_shown(view)))
    if len(inspection.views) > 1:
        yield f"\x1b[1m{printable(view.title.encode())}{_RESET}"
    yield "".join(_colored_token(token, i) for i, token in enumerate(tokens)).removesuffix("\n")
    yield from _colored_ids(tokens, width)
    if note(inspection, view):
        yield note(inspection, view)
    yield summary(inspection, view, "underlined")


def _colored_ids(tokens: list[Token], width: int) -> Iterator[str]:
    line, used = "", 0
    for i, token in enumerate(tokens):
        shown = f" {token.id} "
        if used and used + len(shown) > width:
            yield line
            line, used = "", 0
        line += f"{_style(token, i)}{shown}{_RESET}"
        used += len(shown)
    yield line


def _style(token: Token, i: int) -> str:
    attributes = ("4;" if token.differs else "") + ("1;" if token.special else "")
    return f"\x1b[{attributes}38;5;16;48;5;{_BACKGROUNDS[i % len(_BACKGROUNDS)]}m"


def _colored_token(token: Token, i: int) -> str:
    shown = ""
    for part in parts(token.token):
        if part.kind == "byte":
            shown += f"<{part.shown}>"
        elif part.kind == "mark":
            shown += f"\N{DOTTED CIRCLE}{part.shown}"  # or they would stand on the token in front
        else:
            shown += part.shown
        if part == ("escape", "\\n"):
            shown += "\n"
    # Colours end with the line, or some terminals paint the rest of it.
    return "\n".join(f"{_style(token, i)}{line}{_RESET}" if line else "" for line in shown.split("\n"))
