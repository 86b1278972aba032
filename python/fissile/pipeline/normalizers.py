"""Normalizers of tokenizer.json.

Each is a function from text to text. Offsets need to know more: which character of the old text each new one stands for,
by the rules of `tokenizers`; that is a second function, slower, and called for offsets alone.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt

from fissile.pipeline.character_sets import (
    ACCENT,
    CHINESE,
    LOWER,
    NEWER_THAN_FORMS,
    NOT_SPACING,
    NOT_TEXT,
    WHITE_SPACE,
    members,
)
from fissile.pipeline.regexes import Matcher, code_points

__all__ = [
    "Normalizer",
    "bert",
    "join",
    "lowercase",
    "nmt",
    "normal_form",
    "precompiled",
    "prepend",
    "replace",
    "strip",
    "strip_accents",
]

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Normalizer:
    """One normalizer.

    Attributes:
        apply: the text, normalised.
        sources: for each character of that, the place of the old one it stands for; -1 for none.
        moves_start: whether the first character of the result stands for a later one than the first.
    """

    apply: Callable[[str], str]
    sources: Callable[[str], list[int]]
    moves_start: Callable[[str], bool] = lambda text: False


# --- normal forms -----------------------------------------------------------------------------------------------------

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
_NEWER = re.compile(
    "([{}])".format(
        "".join("-".join(f"\\U{int(end, 16):08x}" for end in text.split("-")) for text in NEWER_THAN_FORMS.split())
    )
)


def normal_form(form: Form) -> Normalizer:
    """NFC, NFD, NFKC or NFKD of Unicode 9.0, on every Python."""

    def apply(text: str) -> str:
        if text.isascii():
            return text
        # What is newer neither composes nor is reordered: a start of its own.
        parts = _NEWER.split(text)
        parts[::2] = [unicodedata.normalize(form, part) for part in parts[::2]]
        return "".join(parts)

    return Normalizer(apply, lambda text: _form_sources(form, text))


def _form_sources(form: Form, text: str) -> list[int]:
    """By the rules of the crate unicode-normalization-alignments: each new character has a number, 0 where it takes the
    place of the next old one, 1 where it is put in, and one less for each that composes with it. What is reordered takes
    places in its new order."""
    decomposed: list[tuple[str, int]] = []
    marks: list[tuple[int, str, int]] = []

    def flush() -> None:
        marks.sort(key=lambda mark: mark[0])
        decomposed.extend((character, change) for _, character, change in marks)
        marks.clear()

    for character in text:
        newer = _NEWER.match(character) is not None
        parts = character if newer else unicodedata.normalize("NFKD" if "K" in form else "NFD", character)
        for i, part in enumerate(parts):
            order = 0 if newer else unicodedata.combining(part)
            if order == 0:
                flush()
                decomposed.append((part, min(i, 1)))
            else:
                marks.append((order, part, min(i, 1)))
    flush()
    return _sources_of([change for _, change in (_composed(decomposed) if "C" in form else decomposed)])


def _sources_of(changes: Sequence[int]) -> list[int]:
    """Sources from the number of each new character."""
    sources = []
    place = 0
    for change in changes:
        sources.append(place - (change > 0))
        place += 1 - change if change <= 0 else 0
    return sources


def _composed(decomposed: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Canonical composition, each change that of all that went into a character."""
    out: list[tuple[str, int]] = []
    starter = -1  # place in `out` of what may compose with what comes
    last_order = -1  # of what stands between it and that; -1: nothing does
    for character, change in decomposed:
        order = 0 if _NEWER.match(character) else unicodedata.combining(character)
        if starter >= 0 and last_order < order:
            joined = unicodedata.normalize("NFC", out[starter][0] + character)
            if len(joined) == 1 and not _NEWER.search(joined + character):
                out[starter] = (joined, out[starter][1] + change - 1)
                continue
        out.append((character, change))
        if order == 0:
            starter, last_order = len(out) - 1, -1
        else:
            last_order = order
    return out


# --- case, spaces, accents --------------------------------------------------------------------------------------------

_NEWER_LOWER = {c: c + distance for first, last, distance in LOWER for c in range(first, last + 1)}


def lowercase() -> Normalizer:
    """Lowercase: each character by itself, so that a final sigma is like any other."""

    def apply(text: str) -> str:
        lower = text.replace("Σ", "σ").lower()
        return lower if lower.isascii() else lower.translate(_NEWER_LOWER)

    return Normalizer(apply, lambda text: [i for i, character in enumerate(text) for _ in apply(character)])


def strip_accents() -> Normalizer:
    """StripAccents: without marks."""
    return _without(members(ACCENT))


def _without(removed: npt.NDArray[np.bool_]) -> Normalizer:
    """A text without some characters."""

    def apply(text: str) -> str:
        points = code_points(text)
        gone = removed[points]
        return points[~gone].tobytes().decode("utf-32-le", "surrogatepass") if gone.any() else text

    return Normalizer(
        apply,
        lambda text: [i for i, character in enumerate(text) if not removed[ord(character)]],
        lambda text: bool(text) and bool(removed[ord(text[0])]),
    )


def bert(clean_text: bool, chinese_chars: bool, strip_accents: bool, lower: bool) -> list[Normalizer]:
    """BertNormalizer: no control characters and plain spaces only; Chinese characters between spaces; without accents;
    in small letters."""
    steps = []
    if clean_text:
        spaces = dict.fromkeys(np.flatnonzero(members(WHITE_SPACE)).tolist(), " ")
        steps += [
            _without(members(NOT_TEXT)),
            Normalizer(lambda text: text.translate(spaces), lambda text: list(range(len(text)))),
        ]
    if chinese_chars:
        chinese = members(CHINESE)

        def apart(text: str) -> str:
            return "".join(f" {c} " if chinese[ord(c)] else c for c in text) if not text.isascii() else text

        steps.append(
            Normalizer(apart, lambda text: [i for i, c in enumerate(text) for _ in range(3 if chinese[ord(c)] else 1)])
        )
    if strip_accents:
        steps += [normal_form("NFD"), _without(members(NOT_SPACING))]
    if lower:
        steps.append(lowercase())
    return steps


_SPACES = "".join(map(chr, np.flatnonzero(members(WHITE_SPACE)).tolist()))


def strip(left: bool, right: bool) -> Normalizer:
    """Strip: without white space on either side."""

    def apply(text: str) -> str:
        text = text.lstrip(_SPACES) if left else text
        return text.rstrip(_SPACES) if right else text

    def sources(text: str) -> list[int]:
        begin = len(text) - len(text.lstrip(_SPACES)) if left else 0
        return list(range(begin, begin + len(apply(text))))

    return Normalizer(apply, sources, lambda text: left and text != "" and text[0] in _SPACES)


_NMT = {
    **dict.fromkeys([*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F]),
    **dict.fromkeys([9, 10, 12, 13, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD], " "),
}


def nmt() -> Normalizer:
    """Nmt: without control characters, and with plain spaces for others."""

    def apply(text: str) -> str:
        return text.translate(_NMT)

    return Normalizer(
        apply,
        lambda text: [i for i, character in enumerate(text) if apply(character)],
        lambda text: text != "" and not apply(text[0]),
    )


def precompiled(shortest: Callable[[bytes], bytes | None]) -> Normalizer:
    """Precompiled: what a table of characters makes of each grapheme cluster of less than six bytes, or else of each
    character.

    Args:
        shortest: replaces the shortest entry of the table that some bytes begin with; all of them are replaced.

    Raises:
        ImportError: the `regex` package, which finds the clusters, is not installed.
    """
    try:
        import regex
    except ImportError:
        raise ImportError("a Precompiled normalizer needs the regex package: pip install 'fissile[regex]'") from None
    clusters = regex.compile(r"\X")

    @functools.lru_cache(1 << 14)
    def parts(cluster: str) -> list[tuple[str, str]]:
        """What is replaced in a cluster, in order, and by what."""
        data = cluster.encode("utf-8", "surrogateescape")
        whole = shortest(data) if len(data) < 6 else None
        if whole is not None:
            return [(cluster, whole.decode("utf-8", "replace"))]
        found = [(c, shortest(c.encode("utf-8", "surrogateescape"))) for c in cluster]
        return [(c, c if new is None else new.decode("utf-8", "replace")) for c, new in found]

    @functools.lru_cache(1 << 14)
    def written(cluster: str) -> str:
        return "".join(new for _, new in parts(cluster))

    def cut(text: str) -> list[str]:
        return list(text) if text.isascii() and "\r\n" not in text else clusters.findall(text)

    def sources(text: str) -> list[int]:
        changes: list[int] = []
        for old, new in chain.from_iterable(map(parts, cut(text))):
            added = len(new) - len(old)
            changes += [0] * len(new)
            if added > 0:
                changes[-added:] = [1] * added
            elif added < 0 and changes:
                changes[-1] += added
        return _sources_of(changes)

    def moves_start(text: str) -> bool:
        first = next(iter(cut(text)), "")
        return first != "" and not written(first)

    return Normalizer(lambda text: "".join(map(written, cut(text))), sources, moves_start)


def prepend(content: str) -> Normalizer:
    """Prepend: some text in front of any text."""
    return Normalizer(
        lambda text: content + text if text else text,
        lambda text: [0] * len(content) * bool(text) + list(range(len(text))),
    )


def replace(matcher: Matcher, content: str) -> Normalizer:
    """Replace: some text for every match."""

    def apply(text: str) -> str:
        if matcher.literal is not None:
            return text.replace(matcher.literal, content)
        kept = []
        at = 0
        for begin, end in matcher.spans(text).tolist():
            kept += [text[at:begin], content]
            at = end
        return "".join([*kept, text[at:]])

    def sources(text: str) -> list[int]:
        found: list[int] = []
        at = 0
        for begin, end in matcher.spans(text).tolist():
            found += [*range(at, begin), *[end - 1] * len(content)]
            at = end
        return [*found, *range(at, len(text))]

    def moves_start(text: str) -> bool:
        first = next(iter(matcher.spans(text).tolist()), None)
        return first is not None and first[0] == 0 and first[1] > bool(content)

    return Normalizer(apply, sources, moves_start)


# --- together ---------------------------------------------------------------------------------------------------------


Normalized = tuple[bytes, bool, Positions | None]


def join(steps: Sequence[Normalizer]) -> Callable[[bytes, bool], Normalized]:
    """The normalizers as the core calls them: the bytes of a stretch, whether to say where from -> it normalised, whether
    its first character stands for the stretch's first, and for each byte the character of the stretch it stands for."""

    def run(data: bytes, with_sources: bool) -> Normalized:
        text = data.decode("utf-8", "surrogateescape")
        keeps_start = True
        sources = np.arange(len(text), dtype=np.int64) if with_sources else None
        for step in steps:
            keeps_start = keeps_start and not step.moves_start(text)
            if sources is not None and text:
                sources = sources[np.maximum(np.array(step.sources(text), np.int64), 0)]
            text = step.apply(text)
        if sources is not None:
            sources = np.repeat(sources, [len(c.encode("utf-8", "surrogateescape")) for c in text])
        return text.encode("utf-8", "surrogateescape"), keeps_start, sources

    return run
