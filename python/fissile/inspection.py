"""What a text becomes: its tokens with their ids, bytes and places, to look at.

An Inspection holds the tokens of one text as several lists (views): of one tokenizer or more, canonical and split. It
prints as a table, shows itself in colours in a notebook, and is written as a page of its own by `html()`. What is shown is
bounded by `limit`; what is counted is not. Costs one encoding and one alignment (Tokenizer.offsets) a tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fissile.arguments import instance, whole
from fissile.stochastic import Split, draw_key, parse_split

if TYPE_CHECKING:
    from fissile.tokenizer import Text, Tokenizer

__all__ = ["Inspection", "Token", "View", "inspect"]


class Token(NamedTuple):
    """One token of a view.

    Attributes:
        id: its id.
        token: its bytes, which are not those of the text where the tokenizer rewrites text.
        begin: where it begins in the text, in bytes.
        end: where it ends.
        differs: whether no token of the first view lies there.
        special: whether it is a special token.
    """

    id: int
    token: bytes
    begin: int
    end: int
    differs: bool
    special: bool


@dataclass(frozen=True, eq=False)
class View:
    """One list of tokens of the text.

    Attributes:
        tokenizer: what made it.
        how: how the text is split: "" for canonical ids, else the sampler, the seed and the epoch.
        ids: (n,) uint32.
        ranges: (n, 2) int64: begin and end of each token, in bytes of the text.
        differs: (n,) bool: whether no token of the first view lies there.
    """

    tokenizer: Tokenizer
    how: str
    ids: npt.NDArray[np.uint32]
    ranges: npt.NDArray[np.int64]
    differs: npt.NDArray[np.bool_]

    @property
    def title(self) -> str:
        """Where the tokenizer is from, and how it splits."""
        return f"{self.name}, {self.how}" if self.how else self.name

    @property
    def name(self) -> str:
        """Where the tokenizer is from."""
        return self.tokenizer._spec.source

    def tokens(self, n: int | None = None) -> Iterator[Token]:
        """The first n tokens; None: all."""
        special = set(self.tokenizer.special_tokens.values())
        rows = zip(self.ids[:n].tolist(), self.ranges[:n].tolist(), self.differs[:n].tolist(), strict=True)
        for id, (begin, end), differs in rows:
            yield Token(id, self.tokenizer.token_bytes(id), begin, end, differs, id in special)


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """The tokens of a text, as Tokenizer.inspect gives them.

    Attributes:
        text: the text.
        views: the lists of tokens, the canonical one of the first tokenizer first.
        limit: tokens that begin in so many first bytes of the text are shown; None: all.
    """

    text: bytes
    views: tuple[View, ...]
    limit: int | None

    def n_shown(self, view: View) -> int:
        """How many tokens of a view are shown."""
        if self.limit is None or self.limit >= len(self.text):
            return len(view.ids)
        behind = view.ranges[:, 0] >= self.limit
        return int(np.argmax(behind)) if behind.any() else len(view.ids)

    @cached_property
    def _char_starts(self) -> npt.NDArray[np.int64]:
        """Where each character of what is shown begins, and where the last ends; a byte that is not UTF-8 is one."""
        shown = max((int(view.ranges[: self.n_shown(view), 1].max(initial=0)) for view in self.views), default=0)
        text = self.text[: shown + 3]  # to the end of a character that a token ends in
        code_points = np.frombuffer(
            text.decode("utf-8", "surrogateescape").encode("utf-32-le", "surrogatepass"), np.uint32
        )
        is_byte = (code_points >= 0xDC80) & (code_points <= 0xDCFF)
        widths = np.where(is_byte, 1, 1 + (code_points >= 0x80) + (code_points >= 0x800) + (code_points >= 0x10000))
        return np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])

    def chars(self, begin: int, end: int) -> tuple[int, int]:
        """The range of a token that is shown, in characters; those that it cuts belong to it, as in Tokenizer.offsets."""
        first = int(np.searchsorted(self._char_starts, begin, "right")) - 1
        return first, max(int(np.searchsorted(self._char_starts, end)), first)

    def part_of(self, begin: int, end: int) -> bytes:
        """The characters that a range of bytes cuts or takes whole; empty if it cuts none."""
        first, last = (int(self._char_starts[char]) for char in self.chars(begin, end))
        return b"" if (first, last) == (begin, end) else self.text[first:last]

    def colored(self, width: int = 80) -> str:
        """The text in the colours of a terminal, a colour a token, and the ids in the same colours, in lines of `width`."""
        from fissile.inspection_text import colored

        return colored(self, width)

    def html(self) -> str:
        """A page of HTML that needs nothing else: id, bytes and place of a token show when it is pointed at."""
        from fissile.inspection_html import page

        return page(self)

    def _repr_html_(self) -> str:
        from fissile.inspection_html import fragment

        return fragment(self)

    def __repr__(self) -> str:
        from fissile.inspection_text import table

        return "\n".join(table(self))


def inspect(
    text: Text,
    tokenizers: Sequence[Tokenizer],
    *,
    split: Split,
    seed: int | None,
    epoch: int,
    limit: int | None,
) -> Inspection:
    """What Tokenizer.inspect gives, of any number of tokenizers; arguments and errors are its."""
    from fissile.tokenizer import Tokenizer

    for i, other in enumerate(tokenizers[1:]):
        instance(f"others[{i}]", other, Tokenizer, "a Tokenizer")
    limit = None if limit is None else whole("limit", limit, 0)
    if isinstance(split, str):
        split = parse_split(split)
    seed, epoch, _ = draw_key(seed, epoch, 0)
    views: list[View] = []
    data = b""
    for tokenizer in tokenizers:
        # encode comes before the text is turned into bytes: its errors say what it takes.
        ids = tokenizer.encode(text, allowed_special="all")
        data = text.encode() if isinstance(text, str) else bytes(text)
        ranges = tokenizer.offsets(data, unit="byte", allowed_special="all")
        first = views[0].ranges if views else ranges
        views.append(View(tokenizer, "", ids, ranges, _differs(ranges, first, len(data))))
        if split is not None:
            drawn = tokenizer.encode(data, allowed_special="all", split=split, seed=seed, epoch=epoch)
            places = _split_ranges(tokenizer, data, ids, ranges, drawn)
            how = f"{_name(split)}, seed {seed}" + (f", epoch {epoch}" if epoch else "")
            views.append(View(tokenizer, how, drawn, places, _differs(places, first, len(data))))
    return Inspection(data, tuple(views), limit)


def _name(split: Split) -> str:
    """A sampler as its maker writes it, without what is left at its default."""
    if split is None or isinstance(split, str):
        return str(split)
    given = [f"{f.name}={getattr(split, f.name)!r}" for f in fields(split) if getattr(split, f.name) != f.default]
    return f"{type(split).__name__}({', '.join(given)})"


def _differs(ranges: npt.NDArray[np.int64], first: npt.NDArray[np.int64], n_bytes: int) -> npt.NDArray[np.bool_]:
    """Which ranges are none of the first view's."""
    factor = np.array([n_bytes + 1, 1])
    found: npt.NDArray[np.bool_] = ~np.isin(ranges @ factor, first @ factor)
    return found


def _split_ranges(
    tokenizer: Tokenizer,
    text: bytes,
    ids: npt.NDArray[np.uint32],
    ranges: npt.NDArray[np.int64],
    drawn: npt.NDArray[np.uint32],
) -> npt.NDArray[np.int64]:
    """Where the tokens of a split lie in the text, told from where the canonical ones do.

    Both spell the same bytes, so a place in these is a place in a canonical token, and that lies in the text. Where the
    token is not what the text has there, because the tokenizer rewrote it, a part of it takes the place of the whole; a
    token with a space put in front is what the text has there, but for the space.
    """
    begins = np.concatenate([[0], np.cumsum(_n_bytes(tokenizer, ids))])  # of canonical tokens, among the bytes spelt
    cuts = np.concatenate([[0], np.cumsum(_n_bytes(tokenizer, drawn))])
    if begins[-1] != cuts[-1]:
        raise RuntimeError(f"a split spells {cuts[-1]} bytes, expected {begins[-1]}")
    if not len(ids):
        return np.zeros((len(drawn), 2), np.int64)
    missing = np.diff(begins) - (ranges[:, 1] - ranges[:, 0])  # bytes of the token that the text does not have
    as_text = missing == 0
    for i in np.flatnonzero(missing > 0).tolist():
        as_text[i] = tokenizer.token_bytes(int(ids[i])).endswith(text[ranges[i, 0] : ranges[i, 1]])
    # The canonical token that holds the first byte of each, and the one that holds the last.
    first = np.clip(np.searchsorted(begins, cuts[:-1], "right") - 1, 0, len(ids) - 1)
    last = np.clip(np.searchsorted(begins, cuts[1:], "left") - 1, 0, len(ids) - 1)
    inside_first = np.maximum(cuts[:-1] - begins[first] - missing[first], 0) * as_text[first]
    left_of_last = (begins[last + 1] - cuts[1:]) * as_text[last]
    begin = ranges[first, 0] + inside_first
    return np.stack([begin, np.maximum(ranges[last, 1] - left_of_last, begin)], axis=1)


def _n_bytes(tokenizer: Tokenizer, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Length of each token."""
    distinct, places = np.unique(ids, return_inverse=True)
    lengths = np.array([len(tokenizer.token_bytes(id)) for id in distinct.tolist()], np.int64)
    return lengths[places]
