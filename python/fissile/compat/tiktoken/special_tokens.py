"""The special-token arguments of tiktoken's methods, and looking for special tokens as it does.

Of tokens that begin at one place the longest is found; tiktoken leaves that to the order of its hash table.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

__all__ = ["NOTHING", "Allowed", "Choice", "Disallowed", "choose", "refuse", "search_for"]

Allowed = Literal["all"] | AbstractSet[str]
Disallowed = Literal["all"] | Collection[str]

_NO_STRINGS: frozenset[str] = frozenset()
NOTHING: AbstractSet[str] = _NO_STRINGS  #: the default of allowed_special


class Choice(NamedTuple):
    """Special tokens, as the core is told of them.

    Attributes:
        taken: those that are taken.
        refused: "all": the core refuses what is not taken; (): nothing.
        searched: what is looked for beforehand, special tokens or not.
    """

    taken: Allowed
    refused: Literal["all"] | tuple[()]
    searched: frozenset[str]


def choose(special_tokens: AbstractSet[str], allowed: Allowed, disallowed: Disallowed) -> Choice:
    """What a method's allowed_special and disallowed_special ask for; TypeError if the former is no set."""
    taken: Allowed
    if isinstance(allowed, (set, frozenset)):
        taken = special_tokens & allowed if allowed else NOTHING
        if len(taken) < len(allowed) and not all(isinstance(token, str) for token in allowed):
            raise TypeError(f"allowed_special must be 'all' or a set of strings, not {allowed!r}")
        if len(taken) == len(special_tokens):
            taken = "all"
    elif isinstance(allowed, str) and allowed == "all":
        taken = "all"
    else:
        raise TypeError(f"allowed_special must be 'all' or a set of strings, not {allowed!r}")
    if isinstance(disallowed, str) and disallowed == "all":
        return Choice(taken, "all", _NO_STRINGS)
    return Choice(taken, (), frozenset(disallowed))


@functools.lru_cache(maxsize=128)
def search_for(strings: frozenset[str]) -> re.Pattern[str]:
    """An expression that finds them."""
    return re.compile("|".join(re.escape(string) for string in sorted(strings, key=len, reverse=True)))


def refuse(text: str, tokens: frozenset[str]) -> None:
    """Raises what tiktoken raises if a text holds one of some strings."""
    found = search_for(tokens).search(text) if tokens else None
    if found is None:
        return
    token = found.group()
    raise ValueError(
        f"Encountered text corresponding to disallowed special token {token!r}.\n"
        f"If you want this text to be encoded as a special token, pass it to `allowed_special`, e.g. "
        f"`allowed_special={{{token!r}, ...}}`.\n"
        f"If you want this text to be encoded as normal text, disable the check for this token by passing "
        f"`disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
        "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
    )
