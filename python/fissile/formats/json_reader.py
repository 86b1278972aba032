"""Typed access to the parts of a JSON file; errors name the file, the place, what was found and what was expected."""

from __future__ import annotations

from typing import Any, NoReturn

from fissile.errors import TokenizerFileError

__all__ = ["Json", "Reader"]

Json = dict[str, Any]


class Reader:
    """Reads the parts of one file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, where: str, problem: str) -> NoReturn:
        """A TokenizerFileError about one place."""
        raise TokenizerFileError(f"{self.source}: {where}: {problem}")

    def unsupported(self, node: Json, where: str, why: str = "") -> NoReturn:
        """A TokenizerFileError about a node that means what is not supported."""
        self.fail(where, f"{node.get('type')} {why or 'is not supported here'}")

    def get(self, parent: Json, key: str, where: str, types: type | tuple[type, ...], default: Any = ...) -> Any:
        """parent[key], which must be of these types, or the default where there is none."""
        place = f"{where}.{key}" if where else key
        value = parent.get(key, default)
        if value is ...:
            self.fail(place, "is missing")
        if value is default and key not in parent:
            return value
        kinds = types if isinstance(types, tuple) else (types,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            expected = " or ".join("null" if t is type(None) else t.__name__ for t in kinds)
            self.fail(place, f"expected {expected}, found {type(value).__name__}")
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                self.fail(place, "holds a lone surrogate")
        return value

    def character(self, parent: Json, key: str, where: str, default: Any = ...) -> str:
        """As get, for a string of one character."""
        value: str = self.get(parent, key, where, str, default)
        if len(value) != 1:
            self.fail(f"{where}.{key}", f"expected one character, found {value!r}")
        return value

    def choice(self, parent: Json, key: str, where: str, choices: tuple[str, ...], default: Any = ...) -> str:
        """As get, for one of some strings."""
        value: str = self.get(parent, key, where, str, default)
        if value not in choices:
            self.fail(f"{where}.{key}", f"expected one of {', '.join(choices)}; found {value!r}")
        return value

    def steps(self, node: Any, where: str, members: str) -> list[tuple[Json, str]]:
        """The nodes of a tree of Sequences in order, each with its place."""
        if node is None:
            return []
        if not isinstance(node, dict):
            self.fail(where, f"expected an object or null, found {type(node).__name__}")
        if self.get(node, "type", where, str) != "Sequence":
            return [(node, where)]
        found = []
        for i, member in enumerate(self.get(node, members, where, list)):
            found += self.steps(member, f"{where}.{members}[{i}]", members)
        return found

    def pattern(self, node: Json, where: str) -> tuple[str, str]:
        """("Regex" | "String", text) of a Split or Replace."""
        pattern = self.get(node, "pattern", where, dict)
        if len(pattern) != 1 or next(iter(pattern)) not in ("Regex", "String"):
            self.fail(f"{where}.pattern", "expected one of Regex and String")
        kind = next(iter(pattern))
        return kind, self.get(pattern, kind, f"{where}.pattern", str)
