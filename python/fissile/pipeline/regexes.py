"""Regular expressions as the owners of tokenizers run them, by the `regex` package.

tiktoken has the Rust crate fancy-regex, tokenizers has Oniguruma. Both differ from `regex` in syntax (`$`, `\\h`, `{1,3}+`,
sets, flags), in what a few classes hold, and in the version of Unicode. So a pattern is parsed in its owner's dialect and
written anew for `regex`, and characters that Unicode 16.0 does not have yet are shown to it as one that no version has.
What cannot be written with the same meaning is refused.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from itertools import chain, islice
from operator import methodcaller
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from fissile.pipeline.character_sets import UNASSIGNED, members

__all__ = ["Dialect", "Matcher", "code_points", "translate"]

Dialect = Literal["rust", "oniguruma"]
Spans = npt.NDArray[np.int64]  # (n, 2): begin and end in characters

_NEVER_ASSIGNED = 0xFDD0
_MATCHES_AT_ONCE = 1 << 15  # between two looks at Ctrl-C
_CHARACTERS_AT_ONCE = 1 << 20  # likewise
_CHARACTERS_ALONE = 1 << 16  # a few milliseconds, in which letting other threads go on would take a quarter more time


class Matcher:
    """Finds the matches of one pattern.

    Args:
        pattern: the expression, or with dialect None the very text to look for.
        dialect: whose syntax it is in.

    Raises:
        ValueError: it is no expression, or one that `regex` cannot be made to run in the same way.
        ImportError: the `regex` package is not installed.
    """

    def __init__(self, pattern: str, dialect: Dialect | None) -> None:
        #: the text it looks for, or None
        self.literal = pattern if dialect is None else None
        self._any: Any
        if dialect is None:
            self._any = re.compile(re.escape(pattern))
            self._options: dict[str, Any] = {}
            return
        written = translate(pattern, dialect)
        try:
            import regex
        except ImportError:
            raise ImportError(
                "a regular expression that is not built in needs the regex package: pip install 'fissile[regex]'"
            ) from None
        try:
            self._any = regex.compile(written, regex.VERSION0)
        except regex.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        self._options = {"concurrent": True}
        #: so far no text had anything between matches
        self._covers = True

    @functools.cached_property
    def _parts(self) -> Any:
        """The expression that gives what lies between matches and the matches in turn."""
        import regex

        return regex.compile(f"({self._any.pattern})", regex.VERSION0)

    @property
    def _tells_lengths(self) -> bool:
        """No literal text, and without groups, of which `regex` would give the matches, too."""
        return self.literal is None and not self._any.groups

    def spans(self, text: str) -> Spans:
        """Where it matches, from left to right, without overlap: (n, 2) int64, in characters."""
        text = _as_of_unicode_16(text) if self._options else text
        matches = self._any.finditer(text, **self._options)
        parts = []
        while True:
            some = islice(matches, _MATCHES_AT_ONCE)
            parts.append(np.fromiter(chain.from_iterable(map(methodcaller("span"), some)), np.int64))
            if len(parts[-1]) < 2 * _MATCHES_AT_ONCE:
                break
        found = np.concatenate(parts).reshape(-1, 2)
        if (found[:, 0] == found[:, 1]).any():
            return self._spans_with_empty(text)
        return found

    def lengths(self, text: str) -> npt.NDArray[np.int64]:
        """The text in stretches: the length of each match, and less than nothing for what lies between; 0: one of nothing."""
        if not self._tells_lengths:
            return _lengths_of(self.spans(text), len(text))
        shown = _as_of_unicode_16(text)
        if self._covers and len(shown) <= _CHARACTERS_AT_ONCE:
            lengths = map(len, self._any.findall(shown, concurrent=len(shown) > _CHARACTERS_ALONE))
            matches = np.fromiter(lengths, np.int64)
            if matches.all() and int(matches.sum()) == len(shown):
                return matches
            self._covers = False
        find = self._parts.split if len(shown) <= _CHARACTERS_AT_ONCE else self._parts.splititer
        lengths = map(len, find(shown, concurrent=len(shown) > _CHARACTERS_ALONE))
        parts: list[npt.NDArray[np.int64]] = []
        while not parts or len(parts[-1]) == 2 * _MATCHES_AT_ONCE:
            parts.append(np.fromiter(islice(lengths, 2 * _MATCHES_AT_ONCE), np.int64))
        found = np.concatenate(parts)
        if not found[1::2].all():
            return _lengths_of(self._spans_with_empty(shown), len(text))
        found[::2] *= -1
        some: npt.NDArray[np.int64] = found[found != 0]
        return some

    def lengths_of_word(self, text: str) -> tuple[int, ...]:
        """The same of a short text."""
        if not self._tells_lengths:
            return tuple(self.lengths(text).tolist())
        lengths = list(map(len, self._parts.split(_as_of_unicode_16(text), concurrent=False)))
        if 0 in lengths[1::2]:
            return tuple(self.lengths(text).tolist())
        lengths[::2] = [-length for length in lengths[::2]]
        return tuple(filter(None, lengths))

    def _spans_with_empty(self, text: str) -> Spans:
        """As the owners go on after a match of nothing: one character further, where Python looks for a longer one."""
        found = []
        at = 0
        last_end = -1
        while at <= len(text) and (match := self._any.search(text, at, **self._options)):
            begin, end = match.span()
            if begin < end:
                at = end
            else:
                at = end + 1
                if end == last_end:  # right after a match it does not count
                    continue
            found.append((begin, end))
            last_end = end
        return np.array(found, np.int64).reshape(-1, 2)


def _lengths_of(spans: Spans, n: int) -> npt.NDArray[np.int64]:
    """Matcher.lengths of a text of n characters with these matches."""
    ends_before = np.concatenate([[0], spans[:, 1]]).astype(np.int64)
    gaps = np.append(spans[:, 0], n) - ends_before
    lengths = np.column_stack([-gaps, np.append(spans[:, 1] - spans[:, 0], 0)]).ravel()
    is_match = np.arange(len(lengths)) % 2 == 1
    is_match[-1] = False  # there is none behind the last gap
    some: npt.NDArray[np.int64] = lengths[(lengths != 0) | is_match]
    return some


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Every character of a str, lone surrogates included: (n,) uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _as_of_unicode_16(text: str) -> str:
    """The text with what is newer than Unicode 16.0 as a character that is not assigned, and U+0295 as the Lo it was."""
    if text.isascii():
        return text
    points = code_points(text)
    newer = members(UNASSIGNED)[points]
    older = points == 0x295
    if not newer.any() and not older.any():
        return text
    shown = np.where(older, np.uint32(0x1BB), np.where(newer, np.uint32(_NEVER_ASSIGNED), points))
    return shown.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


# --- case, as simple folding has it -----------------------------------------------------------------------------------


def _fold(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


@functools.cache
def _variants() -> tuple[dict[str, str], frozenset[str]]:
    """Characters that fold alike, by character; and what single characters fold to that is longer."""
    by_fold = defaultdict(list)
    longer = set()
    for c in chain(range(0xD800), range(0xE000, 0x20000)):
        character = chr(c)
        by_fold[_fold(character)].append(character)
        if len(character.casefold()) > 1:
            longer.add(character.casefold())
    return {c: "".join(alike) for alike in by_fold.values() if len(alike) > 1 for c in alike}, frozenset(longer)


# --- the translation --------------------------------------------------------------------------------------------------

_HEX = "0-9A-Fa-f"
# Outside of brackets Oniguruma counts six numbers of Latin-1 as word characters.
_ONIGURUMA_WORD = r"(?:(?![\u200c\u200d])[\w²³¹¼½¾])"
_ONIGURUMA_WORD_IN_SET = r"(?:(?![\u200c\u200d])\w)"
_ASCII = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": r"\x20-~", "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": _HEX,
}  # fmt: skip
_UNICODE = {
    "alnum": r"\p{Alphabetic}\p{Nd}", "alpha": r"\p{Alphabetic}", "ascii": r"\x00-\x7f", "blank": r"\p{Zs}\t",
    "cntrl": r"\p{Cc}", "digit": r"\p{Nd}", "lower": r"\p{Lowercase}", "punct": r"\p{P}\p{S}", "space": r"\s",
    "upper": r"\p{Uppercase}", "xdigit": _HEX,
}  # fmt: skip
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_CASED = {
    "lu",
    "ll",
    "lt",
    "lower",
    "upper",
    "lowercase",
    "uppercase",
    "titlecase",
    "lowercaseletter",
    "uppercaseletter",
}


class _Target(NamedTuple):
    """What differs between the engines that are written for."""

    any: str  # matches any character
    end: str  # of the text
    character: str  # a character by its number
    word: str  # what belongs to \w in Rust, inside brackets
    possessive_bounds: str  # {1,3}+ of Rust


_TARGETS = {
    "regex": _Target("(?s:.)", r"\Z", "\\U{:08x}", r"\w", "{}{}+"),
    "oniguruma": _Target(
        "(?m:.)", r"\z", "\\x{{{:x}}}", r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}", "(?>{}{})"
    ),
}


class _Set:
    """A set of characters: what fits into brackets, and expressions that match one character."""

    def __init__(self, any_character: str) -> None:
        self.any = any_character
        self.plain = ""
        self.others: list[str] = []

    def expression(self, negated: bool = False) -> str:
        if not self.others:
            if self.plain:
                return f"[{'^' * negated}{self.plain}]"
            return self.any if negated else "(?!)"
        union = "|".join(([f"[{self.plain}]"] if self.plain else []) + self.others)
        return f"(?:(?!{union}){self.any})" if negated else f"(?:{union})"


class _Translator:
    """Recursive descent over one pattern; each method returns what it read, written for `regex`."""

    def __init__(self, pattern: str, dialect: Dialect, target: _Target) -> None:
        self.pattern = pattern
        self.target = target
        self.oniguruma = dialect == "oniguruma"
        self.at = 0
        self.folded_run = ""  # literals under (?i) just read, for foldings of several characters

    def refuse(self, what: str) -> NoReturn:
        raise ValueError(f"the regular expression {self.pattern!r} has {what} at character {self.at}")

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def take(self, text: str) -> bool:
        found = self.peek(text)
        self.at += len(text) * found
        return found

    def next(self) -> str:
        if self.at >= len(self.pattern):
            self.refuse("no end")
        self.at += 1
        return self.pattern[self.at - 1]

    def scan(self, expression: str) -> str | None:
        match = re.compile(expression).match(self.pattern, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match.group()

    # Alternatives up to a closing parenthesis or the end.
    def alternatives(self, flags: frozenset[str]) -> str:
        written: list[str] = []
        begin = 0  # of the branch's last atom, in `written`
        while self.at < len(self.pattern) and not self.peek(")"):
            if self.scan(r"\(\?#[^)]*\)") or ("x" in flags and self.scan(r"\s+|#[^\n]*")):
                continue
            if self.take("|"):
                self.folded_run = ""
                written.append("|")
                continue
            change = self.scan(r"\(\?[a-zA-Z]*(-[a-zA-Z]+)?\)")
            if change is not None:
                flags = self.changed(flags, change[2:-1])
                if not self.oniguruma:
                    continue
                # To Oniguruma it is a group that holds the rest, alternatives and all.
                written.append(f"(?:{self.alternatives(flags)})")
                break
            begin = len(written)
            written.append(self.atom(flags))
            self.quantifiers(written, begin, flags)
        return "".join(written)

    def quoted(self, character: str) -> str:
        if character.isalnum():
            return character
        if character.isascii() and character.isprintable():
            return f"\\{character}"
        return self.target.character.format(ord(character))

    def changed(self, flags: frozenset[str], change: str) -> frozenset[str]:
        on, _, off = change.partition("-")
        known = "imx" if self.oniguruma else "imsxu"
        for flag in on + off:
            if flag not in known or (flag == "u" and flag in off):
                self.refuse(f"the flag {flag!r}")
        names = {"m": "s"} if self.oniguruma else {}  # its (?m) lets the dot match a newline
        return (flags | {names.get(f, f) for f in on}) - {names.get(f, f) for f in off} - {"u"}

    def quantifiers(self, written: list[str], begin: int, flags: frozenset[str]) -> None:
        n = 0
        self.scan(r"(\(\?#[^)]*\))+")
        while (found := self.scan(r"[*+?]|\{\d+(,\d*)?\}|\{,\d+\}")) is not None:
            self.folded_run = ""
            if n > 0:
                written[begin:] = [f"(?:{''.join(written[begin:])})"]
            n += 1
            bounds = found.startswith("{")
            low, comma, high = found.strip("{}").partition(",")
            if comma and high and int(low or 0) > int(high):
                self.refuse("a repetition that ends before it begins")
            # In Oniguruma {1,3}+ repeats, and {2}? is optional: quantifiers of their own.
            if not (self.oniguruma and bounds) or (comma and not self.peek("+")):
                suffix = self.scan(r"[+?]") or ""
                if bounds and suffix == "+":
                    atom = "".join(written[begin:])
                    written[begin:] = [self.target.possessive_bounds.format(atom, found)]
                    continue
                # An exact number is neither greedy nor lazy, and Oniguruma reads {2}? as optional.
                found += suffix if not bounds or comma else ""
            written.append(found)

    def atom(self, flags: frozenset[str]) -> str:
        character = self.next()
        if character not in "([.^$\\":
            if character in "*+?":
                self.refuse("nothing to repeat")
            return self.literal(character, flags)
        if character == "\\":
            return self.escape(flags)
        self.folded_run = ""
        if character == "(":
            return self.group(flags)
        if character == "[":
            return self.brackets(flags)
        if character == ".":
            return self.target.any if "s" in flags else "."
        if character == "^":
            if self.oniguruma:
                return rf"(?:\A|(?<=\n)(?!{self.target.end}))"
            return r"(?:\A|(?<=\n))" if "m" in flags else r"\A"
        end = self.target.end
        return rf"(?=\n|{end})" if self.oniguruma or "m" in flags else end

    def literal(self, character: str, flags: frozenset[str]) -> str:
        if "i" not in flags:
            return self.quoted(character)
        alike, longer = _variants()
        if self.oniguruma:
            self.folded_run += _fold(character)
            if len(character.casefold()) > 1 or any(self.folded_run.endswith(text) for text in longer):
                self.refuse(f"{self.folded_run!r} under (?i), which folds to a single character,")
        return f"[{''.join(map(self.quoted, alike[character]))}]" if character in alike else self.quoted(character)

    def group(self, flags: frozenset[str]) -> str:
        opening = self.scan(r"\?(:|=|!|>|<=|<!|P?<\w+>)")
        if opening is None:
            inner = self.scan(r"\?[a-zA-Z]*(-[a-zA-Z]+)?:")
            if inner is not None:
                flags, opening = self.changed(flags, inner[1:-1]), "?:"
            elif self.peek("?") or self.peek("*"):
                self.refuse("a group of a kind that is not supported")
            else:
                opening = ""
        opening = opening.replace("?P<", "?<")
        body = self.alternatives(flags)
        if not self.take(")"):
            self.refuse("a group without an end")
        self.folded_run = ""
        return f"({opening}{body})"

    # --- escapes ---

    def number(self) -> str | None:
        """The character of \\x41, \\x{41}, \\u0041, \\u{41} or \\U00000041, past the backslash."""
        digits = self.scan(r"x\{[0-9A-Fa-f]+\}|u\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}")
        if digits is None:
            return None
        value = int(digits[1:].strip("{}"), 16)
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            self.refuse(f"U+{value:X}, which is no character,")
        return chr(value)

    def class_escape(self, flags: frozenset[str], in_set: bool = False) -> _Set | None:
        """The set of \\d, \\w, \\p{L} and the like, past the backslash."""
        found = _Set(self.target.any)
        letter = self.scan(r"[dDsSwWhH]")
        if letter is not None:
            if letter in "wW" and self.oniguruma:
                word = _ONIGURUMA_WORD_IN_SET if in_set else _ONIGURUMA_WORD
                found.others.append(word if letter == "w" else f"(?:(?!{word}){self.target.any})")
            elif letter == "w":
                found.plain = self.target.word
            elif letter == "W":
                found.others.append(f"[^{self.target.word}]")
            elif letter == "h":
                found.plain = _HEX
            elif letter == "H":
                found.others.append(f"[^{_HEX}]")
            else:
                found.plain = f"\\{letter}"
            return found
        kind = self.scan(r"[pP]\{\^?[^{}]+\}" if self.oniguruma else r"[pP](\{\^?[^{}]+\}|[A-Z])")
        if kind is None:
            return None
        name = kind[1:].strip("{}")
        negated = (kind[0] == "P") != name.startswith("^")
        name = name.removeprefix("^")
        key = re.sub(r"[ _-]", "", name).lower()
        if "i" in flags and key.rpartition("=")[2] in _CASED:
            self.refuse(f"the property {name!r} under (?i)")
        if self.oniguruma and key in ("word", "graph", "print"):
            self.refuse(f"the property {name!r}")
        if self.oniguruma and key in _UNICODE:
            found.others.append(f"[{'^' * negated}{_UNICODE[key]}]")
        else:
            name = name.rpartition("=")[2]  # of gc=Lu, Script=Han
            found.plain = f"\\{'P' if negated else 'p'}{{{name}}}"
        return found

    def escape(self, flags: frozenset[str]) -> str:
        found = self.class_escape(flags)
        if found is not None:
            self.folded_run = ""
            return found.expression()
        character = self.number()
        if character is None:
            letter = self.next()
            if letter in _CONTROLS:
                character = _CONTROLS[letter]
            elif letter.isascii() and letter.isalnum():
                self.folded_run = ""
                return self.assertion(letter)
            else:
                character = letter
        return self.literal(character, flags)

    def assertion(self, letter: str) -> str:
        if letter in "Az":
            return r"\A" if letter == "A" else self.target.end
        if letter == "Z":
            return rf"(?=\n{'?' if self.oniguruma else '*'}{self.target.end})"
        if letter in "bB":
            word = _ONIGURUMA_WORD if self.oniguruma else f"[{self.target.word}]"
            same = f"(?<={word})(?={word})|(?<!{word})(?!{word})"
            return f"(?:{same})" if letter == "B" else f"(?!{same})"
        if letter == "R":
            return "(?>\r\n|[\n-\r\x85\u2028\u2029])"
        if letter in "123456789" and self.scan(r"\d") is None:
            return f"\\{letter}"
        self.refuse(f"\\{letter}")

    # --- brackets ---

    def brackets(self, flags: frozenset[str]) -> str:
        """One character of a set, past its opening bracket."""
        negated = self.take("^")
        total: str | None = None  # of the operands before
        operator = ""
        current = _Set(self.target.any)
        empty = True
        while True:
            if not empty and self.take("]"):
                break
            if self.at >= len(self.pattern):
                self.refuse("a set without an end")
            found = self.scan(r"&&" if self.oniguruma else r"&&|--|~~")
            if found is not None:
                total, operator, current = self.combined(total, operator, current), found, _Set(self.target.any)
            else:
                self.member(current, flags)
            empty = False
        if total is None:
            return current.expression(negated)
        result = _Set(self.target.any)
        result.others.append(self.combined(total, operator, current))
        return result.expression(negated)

    @staticmethod
    def combined(total: str | None, operator: str, current: _Set) -> str:
        right = current.expression()
        if total is None:
            return right
        if operator == "&&":
            return f"(?:(?={total}){right})"
        if operator == "--":
            return f"(?:(?!{right}){total})"
        return f"(?:(?!{right}){total}|(?!{total}){right})"

    def member(self, current: _Set, flags: frozenset[str]) -> None:
        posix = self.scan(r"\[:\^?[a-z]+:\]")
        if posix is not None:
            table = _UNICODE if self.oniguruma else _ASCII
            name = posix.strip("[:^]")
            if name not in table or ("i" in flags and name in ("lower", "upper")):
                self.refuse(f"the class {posix}")
            if "^" in posix:
                current.others.append(f"[^{table[name]}]")
            else:
                current.plain += table[name]
            return
        if self.take("["):
            current.others.append(self.brackets(flags))
            return
        if self.take("\\"):
            found = self.class_escape(flags, in_set=True)
            if found is not None:
                current.plain += found.plain
                current.others += found.others
                return
            first = self.escaped_member()
        else:
            first = self.next()
        last = first
        if self.peek("-") and not self.peek("-]") and (self.oniguruma or not self.peek("--")):
            self.take("-")
            last = self.escaped_member() if self.take("\\") else self.next()
            if last == "[":
                self.refuse("a range that ends in a set")
        if first > last:
            self.refuse(f"the range {first}-{last}, whose ends are in the wrong order,")
        current.plain += self.quoted(first) + (f"-{self.quoted(last)}" if last != first else "")
        if "i" not in flags:
            return
        for character, alike in _variants()[0].items():
            if first <= character <= last:
                current.plain += "".join(map(self.quoted, alike))

    def escaped_member(self) -> str:
        character = self.number()
        if character is not None:
            return character
        letter = self.next()
        if letter == "b" and self.oniguruma:
            return "\b"
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isascii() and letter.isalnum():
            self.refuse(f"\\{letter} in a set")
        return letter


def translate(pattern: str, dialect: Dialect, target: Literal["regex", "oniguruma"] = "regex") -> str:
    """A pattern of fancy-regex ("rust") or Oniguruma, written for `regex` or Oniguruma; ValueError says what cannot be."""
    translator = _Translator(pattern, dialect, _TARGETS[target])
    try:
        written = translator.alternatives(frozenset())
    except RecursionError:
        raise ValueError(f"the regular expression {pattern[:50]!r}... is nested too deeply") from None
    if translator.at < len(pattern):
        translator.refuse("a closing parenthesis too many")
    return written
