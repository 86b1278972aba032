"""Models with `end_of_word_suffix` (CLIP, GPT) or `continuing_subword_prefix`, and such as leave unknown characters out.

In a model with affixes the symbol of a character depends on where in its pretoken it stands: "o" inside, "o</w>" at the end.
In one without an unknown token, what is on both sides of an unknown character may merge. The core knows one symbol a
character, and merges nothing across unknown ones. So every symbol of the model gets a character of its own here, a number;
tokens are spelt in those, and the last step before the core writes the text in them. What has no symbol where it stands
becomes a character that no token holds, or is left out. Merging, unknown tokens and offsets are then as in any model over
characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fissile.pipeline.decoders import alphabet_bytes
from fissile.pipeline.pre_tokenizers import Pieces
from fissile.pipeline.regexes import code_points

__all__ = ["Affixes"]

_FIRST = 0x100  # character of the first symbol: no letter or space that the core knows
_UNKNOWN = 0x10FFFE  # what is not in the model
_NEVER = "\U0010ffff"  # in front of tokens that no merge makes


def _number(place: int) -> int:
    """The character of a symbol."""
    c = _FIRST + place
    return c if c < 0xD800 else c + 0x800


class Affixes:
    """How such a model is spelt for the core.

    Args:
        prefix: continuing_subword_prefix, or nothing.
        suffix: end_of_word_suffix, or nothing.
        tokens: of the model; those that are a character with or without affixes are its symbols.
        over_bytes: characters are those of the byte-level alphabet.
        drops_unknown: a character without a symbol is left out, and what is on both sides of it may merge.

    Attributes:
        symbols: the symbols in order; with them for tokens the same is made again.
    """

    def __init__(self, prefix: str, suffix: str, tokens: Iterable[str], over_bytes: bool, drops_unknown: bool) -> None:
        self.drops_unknown = drops_unknown
        self.over_bytes = over_bytes
        self.prefix = prefix
        self.suffix = suffix
        self.symbols: list[str] = []
        found: dict[tuple[bool, bool], dict[int, int]] = {}
        for token in tokens:
            forms = [
                (inner, last, token[len(prefix) * inner : len(token) - len(suffix) * last])
                for inner in (False, True)
                for last in (False, True)
                if not (inner and not token.startswith(prefix)) and not (last and not token.endswith(suffix))
            ]
            forms = [form for form in forms if len(form[2]) == 1]
            if forms:
                for inner, last, character in forms:
                    found.setdefault((inner, last), {})[ord(character)] = _number(len(self.symbols))
                self.symbols.append(token)
        self._of_symbol = {symbol: chr(_number(i)) for i, symbol in enumerate(self.symbols)}
        self._spelt = self._of_symbol
        self._tables = {
            (inner, last): self._table(found.get((inner, last), {}))
            for inner in (False, True)
            for last in (False, True)
        }

    @staticmethod
    def _table(numbers: dict[int, int]) -> npt.NDArray[np.uint32]:
        """The number of each character up to the last that has one; what comes after is unknown."""
        table = np.full(max(numbers, default=0) + 2, _UNKNOWN, np.uint32)
        table[list(numbers)] = list(numbers.values())
        return table

    def step(self, pieces: Pieces) -> Pieces:
        """A pre-tokenizer, the last: every character as the number of its symbol."""
        if not len(pieces.ends):
            return pieces
        points = code_points(pieces.text)
        first = np.zeros(len(points), np.bool_)
        last = first.copy()
        first[pieces.begins] = True
        last[pieces.ends - 1] = True
        written = np.empty(len(points), "<u4")
        for (inner, at_end), table in self._tables.items():
            here = (first != inner) & (last == at_end)
            written[here] = table[np.minimum(points[here], len(table) - 1)]
        pieces = replace(pieces, text=written.tobytes().decode("utf-32-le"))
        return pieces.kept(written != _UNKNOWN) if self.drops_unknown else pieces

    def spell(
        self, vocab: dict[str, int], merges: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """Tokens and merges as the core is to have them.

        Raises:
            ValueError: a merge names an unknown token, or a token is made of different symbols by different merges.
        """
        spelt = self._spelt = dict(self._of_symbol)
        written: dict[int, tuple[str, str]] = {}
        waiting = list(enumerate(merges))
        while waiting:
            later = []
            for i, (left, right) in waiting:
                result = left + right[len(self.prefix) :]
                for token in (left, right, result):
                    if token not in vocab:
                        raise ValueError(
                            f"merges[{i}] ({left!r}, {right!r}) needs the token {token!r}, which is not in the vocabulary"
                        )
                if left not in spelt or right not in spelt:
                    later.append((i, (left, right)))
                    continue
                written[i] = spelt[left], spelt[right]
                if spelt.setdefault(result, spelt[left] + spelt[right]) != spelt[left] + spelt[right]:
                    raise ValueError(
                        f"merges[{i}] makes {result!r} of other characters than the model has it for already, which is not "
                        "supported together with continuing_subword_prefix or end_of_word_suffix"
                    )
            if len(later) == len(waiting):  # those never come about
                break
            waiting = later
        tokens = {self.spelling(token): id for token, id in vocab.items()}
        return tokens, [written[i] for i in sorted(written)]

    def spelling(self, token: str) -> str:
        """A token as `spell` has spelt it."""
        return self._spelt.get(token, _NEVER + token)

    def token(self, data: bytes) -> bytes:
        """What a token of the core stands for."""
        spelling = data.decode()
        if spelling.startswith(_NEVER):
            token = spelling[1:]
        else:
            symbols = [self.symbols[ord(c) - _FIRST - 0x800 * (ord(c) >= 0xE000)] for c in spelling]
            token = "".join([*symbols[:1], *(symbol[len(self.prefix) :] for symbol in symbols[1:])])
        return alphabet_bytes(token) if self.over_bytes else token.encode()
