"""Pre-tokenizers of tokenizer.json, and the patterns of rank files that are not built in.

A step takes Pieces and cuts them further, drops characters or puts some in. Sets of characters are looked up for the whole
text at once; regular expressions and literal strings see each piece alone, as in `tokenizers`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from fissile.pipeline.byte_alphabet import byte_alphabet
from fissile.pipeline.regexes import Matcher, code_points

__all__ = ["Behavior", "Pieces", "Step", "byte_level", "join", "metaspace", "separate", "split"]

Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Behavior = Literal["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


# Behind another split most pieces are words, and those come again: each split remembers so many of up to so many characters,
# with their matches, which takes ten megabytes at most.
_REMEMBERED_WORDS = 1 << 15
_LONGEST_WORD = 24


@dataclass(frozen=True)
class Pieces:
    """A stretch of text in pieces that lie end to end.

    Attributes:
        text: what is left of it, perhaps with characters put in.
        ends: (k,) int64, ends of the pieces in characters; none is empty.
        sources: (n,) int64, for each of the n characters the place of the one of the stretch that it stands for; None if
            nobody asked.
        first: the first piece begins where the whole text does.
    """

    text: str
    ends: Positions
    sources: Positions | None
    first: bool

    @staticmethod
    def whole(text: str, first: bool, with_sources: bool) -> Pieces:
        """All of a text as one piece."""
        ends = np.array([len(text)] if text else [], np.int64)
        return Pieces(text, ends, np.arange(len(text), dtype=np.int64) if with_sources else None, first)

    @property
    def begins(self) -> Positions:
        """Begins of the pieces: (k,) int64."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64) if len(self.ends) else self.ends

    def kept(self, keep: Flags) -> Pieces:
        """Without the characters that are not to be kept; pieces of none are gone."""
        if keep.all():
            return self
        ends = np.concatenate([[0], np.cumsum(keep)])[self.ends]
        text = code_points(self.text)[keep].tobytes().decode("utf-32-le", "surrogatepass")
        sources = None if self.sources is None else self.sources[keep]
        return Pieces(text, _distinct(ends), sources, self.first and bool(keep[:1].all()))

    def with_inserted(self, character: str, at: Positions) -> Pieces:
        """A character more at the beginning of some pieces, which stands for the one it comes before."""
        if not len(at):
            return self
        points = np.insert(code_points(self.text), at, ord(character))
        text = points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        ends = self.ends + np.searchsorted(at, self.ends, side="left")
        sources = None if self.sources is None else np.insert(self.sources, at, self.sources[at])
        return replace(self, text=text, ends=ends, sources=sources)


Step = Callable[[Pieces], Pieces]


def _distinct(ends: Positions) -> Positions:
    """Ends without those of empty pieces."""
    return ends[np.diff(ends, prepend=0) > 0]


def _cut(
    pieces: Pieces, ends: Positions, matched: Flags, behavior: Behavior, empty_at: Positions | None = None
) -> Pieces:
    """Pieces cut at `ends`, where matched[i] says whether what ends at ends[i] is a match.

    `ends` holds the pieces' own; behaviours do not reach across those. Contiguous does not reach across matches of
    nothing either, which are at `empty_at`.
    """
    if behavior == "Removed":
        return replace(pieces, ends=ends).kept(np.repeat(~matched, np.diff(ends, prepend=0)))
    if behavior == "Isolated":
        return replace(pieces, ends=ends)
    before, after = matched[:-1], matched[1:]
    if behavior == "MergedWithPrevious":
        joined = after & ~before
    elif behavior == "MergedWithNext":
        joined = before & ~after
    else:
        joined = before == after
        if empty_at is not None:
            joined &= ~np.isin(ends[:-1], empty_at)
    last_of_piece = np.isin(ends[:-1], pieces.ends)
    return replace(pieces, ends=ends[np.append(~joined | last_of_piece, True)])


def split(matcher: Matcher, behavior: Behavior, invert: bool = False) -> Step:
    """Split: cuts at the matches of a pattern, and does with them what `behavior` says."""

    lengths_of_word = functools.lru_cache(_REMEMBERED_WORDS)(matcher.lengths_of_word)

    def step(pieces: Pieces) -> Pieces:
        if not len(pieces.ends):
            return pieces
        text = pieces.text
        found: list[npt.NDArray[np.int64]] = []
        of_words: list[int] = []
        for begin, end in zip(pieces.begins.tolist(), pieces.ends.tolist(), strict=True):
            if end - begin <= _LONGEST_WORD:
                of_words += lengths_of_word(text[begin:end])
            else:
                found += [np.array(of_words, np.int64), matcher.lengths(text[begin:end])]
                of_words = []
        lengths = np.concatenate([*found, np.array(of_words, np.int64)])
        ends = np.cumsum(np.abs(lengths))
        some = lengths != 0
        return _cut(pieces, ends[some], (lengths[some] > 0) != invert, behavior, ends[~some])

    return step


def matches_only(matcher: Matcher) -> Step:
    """The matches of a pattern, each alone; what none matches is dropped, as tiktoken does."""
    return split(matcher, "Removed", invert=True)


def separate(members: Flags, behavior: Behavior) -> Step:
    """Cuts at each character of a set (a flag a code point); Digits, Punctuation and others are such."""

    def step(pieces: Pieces) -> Pieces:
        if not len(pieces.ends):
            return pieces
        matched = members[code_points(pieces.text)]
        cut = matched.copy()  # after this character
        cut[:-1] |= matched[1:]
        cut[pieces.ends - 1] = True
        at = np.flatnonzero(cut)
        return _cut(pieces, at + 1, matched[at], behavior)

    return step


def words(word: Flags, space: Flags) -> Step:
    r"""Whitespace, or \w+|[^\w\s]+: runs of word characters and runs of others, without the white space."""

    def step(pieces: Pieces) -> Pieces:
        if not len(pieces.ends):
            return pieces
        points = code_points(pieces.text)
        kind = np.where(space[points], 2, word[points])
        cut = np.append(kind[1:] != kind[:-1], True)
        cut[pieces.ends - 1] = True
        at = np.flatnonzero(cut)
        return _cut(pieces, at + 1, kind[at] == 2, "Removed")

    return step


def fixed_length(length: int) -> Step:
    """FixedLength: pieces of so many characters, the last of each perhaps shorter."""

    def step(pieces: Pieces) -> Pieces:
        if not len(pieces.ends):
            return pieces
        begin_of = np.repeat(pieces.begins, np.diff(pieces.ends, prepend=0))
        place = np.arange(len(pieces.text)) - begin_of
        cut = place % length == length - 1
        cut[pieces.ends - 1] = True
        return replace(pieces, ends=np.flatnonzero(cut) + 1)

    return step


def metaspace(replacement: str, scheme: str, splits: bool) -> Step:
    """Metaspace: spaces become the replacement, one goes in front of pieces as the scheme says, each may begin a piece."""

    def step(pieces: Pieces) -> Pieces:
        pieces = replace(pieces, text=pieces.text.replace(" ", replacement))
        begins = pieces.begins
        if scheme == "first":
            begins = begins[: int(pieces.first)]
        if scheme != "never" and len(begins):
            bare = code_points(pieces.text)[begins] != ord(replacement)
            pieces = pieces.with_inserted(replacement, begins[bare])
        if not splits:
            return pieces
        members = np.zeros(0x110000, np.bool_)
        members[ord(replacement)] = True
        return separate(members, "MergedWithNext")(pieces)

    return step


def byte_level(add_prefix_space: bool, pattern: Matcher | None) -> Step:
    """ByteLevel: every byte becomes a character of the alphabet; before that a space may go in front of each piece, and
    a pattern may cut it."""
    points = np.array([ord(c) for c in byte_alphabet()], np.uint32)

    def step(pieces: Pieces) -> Pieces:
        pieces = prefix_spaces(pieces) if add_prefix_space else pieces
        pieces = split(pattern, "Isolated")(pieces) if pattern else pieces
        data, ends, lengths = _encoded(pieces)
        text = points[np.frombuffer(data, np.uint8)].astype("<u4").tobytes().decode("utf-32-le")
        sources = None if pieces.sources is None else np.repeat(pieces.sources, lengths)
        return replace(pieces, text=text, ends=ends, sources=sources)

    return step


def prefix_spaces(pieces: Pieces) -> Pieces:
    """A space in front of each piece that does not begin with one."""
    begins = pieces.begins
    return pieces.with_inserted(" ", begins[code_points(pieces.text)[begins] != ord(" ")])


def _encoded(pieces: Pieces) -> tuple[bytes, Positions, Positions]:
    """The text as UTF-8, the pieces' ends in it, and the number of bytes of each character."""
    # Bytes that were not UTF-8 are lone surrogates in the str, and bytes again here.
    data = pieces.text.encode("utf-8", "surrogateescape")
    if len(data) == len(pieces.text):
        return data, pieces.ends, np.ones(len(data), np.int64)
    points = code_points(pieces.text)
    lengths = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000).astype(np.int64)
    lengths[(points >= 0xD800) & (points < 0xE000)] = 1
    return data, np.cumsum(lengths)[pieces.ends - 1], lengths


Rewritten = tuple[bytes, Positions, Positions | None]


def join(steps: Sequence[Step], in_byte_alphabet: bool) -> Callable[[bytes, bool, bool], Rewritten]:
    """The steps as the core calls them: the bytes of a stretch, whether it begins the text, whether to say where from ->
    its bytes rewritten, the ends of the pieces in them, and for each byte the character of the stretch it stands for.

    Args:
        steps: in order.
        in_byte_alphabet: the steps leave characters of the byte-level alphabet, which become bytes again.
    """
    byte_of = np.zeros(512, np.uint8)
    byte_of[[ord(c) for c in byte_alphabet()]] = range(256)

    def run(data: bytes, first: bool, with_sources: bool) -> Rewritten:
        pieces = Pieces.whole(data.decode("utf-8", "surrogateescape"), first, with_sources)
        for step in steps:
            pieces = step(pieces)
        if in_byte_alphabet:
            return byte_of[code_points(pieces.text)].tobytes(), pieces.ends, pieces.sources
        rewritten, ends, lengths = _encoded(pieces)
        return rewritten, ends, None if pieces.sources is None else np.repeat(pieces.sources, lengths)

    return run
