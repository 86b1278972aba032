"""The pretokenizer patterns, as regular expressions run by the `regex` package: leftmost match, alternatives in order.

`regex` follows a later Unicode version than tiktoken and tokenizers do, so texts for it are made of characters that have
one class in all (see `known`); classes of every code point are compared with tiktoken itself.
"""

import functools
import unicodedata
from itertools import pairwise

import regex

_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REGEXES = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++\Z|\s*[\r\n]|\s+(?!\S)|\s",
    "llama3": _SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": _SUFFIX + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen35": _SUFFIX + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _SUFFIX + "?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _SUFFIX + "?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "tekken": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "kimi_k2": r"[\p{Han}]+"
    r"|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+" + _SUFFIX + "?"
    r"|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*" + _SUFFIX + "?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "superbpe": r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)",
}  # fmt: skip
DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
)
# Patterns of several expressions, each of which isolates its matches in the pieces that those before it left.
SEQUENCES = {"deepseek_v3": DEEPSEEK, "starcoder": (r"\p{N}", REGEXES["gpt2"])}
PATTERNS = (*REGEXES, *SEQUENCES, "none")


def isolate(expression: str, text: str) -> list[str]:
    """Matches and what lies between them, in order."""
    cuts = {0, len(text)}
    for match in regex.finditer(expression, text):
        cuts.update(match.span())
    return [text[a:b] for a, b in pairwise(sorted(cuts))]


def pretokens(pattern: str, text: str) -> list[str]:
    """The pretokens of a text."""
    if not text or pattern == "none":
        return [text] if text else []
    pieces = [text]
    for expression in SEQUENCES.get(pattern) or (REGEXES[pattern],):
        # What an earlier split matched is not split again by a later one's rules unless that one matches in it.
        pieces = [part for piece in pieces for part in isolate(expression, piece)]
    return pieces


@functools.cache
def _stable() -> frozenset[str]:
    """Characters with the same general category for `regex` as for Python, whose Unicode is years older."""
    every = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    kinds = {unicodedata.category(c) for c in every} - {"Cn", "Co", "Cs"}
    found = (c for kind in kinds for c in regex.findall(rf"\p{{{kind}}}", every) if unicodedata.category(c) == kind)
    return frozenset(found)


def known(text: str) -> str:
    """The text without characters that are new to some Unicode version around, or of another class in it."""
    stable = _stable()
    return "".join(c for c in text if c in stable)
