"""Checks of arguments, with one way to say what is wrong: TypeError for a type, ValueError for a value."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

from fissile.numpy_later import np, npt

__all__ = [
    "UINT64_MAX",
    "choice",
    "flag",
    "function",
    "instance",
    "integer_dtype",
    "path_text",
    "path_texts",
    "string",
    "strings",
    "whole",
]

T = TypeVar("T")


_INT64_MAX = (1 << 63) - 1
UINT64_MAX = (1 << 64) - 1


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """A whole number from `least` to `most` (None: what 63 bits hold), of Python or numpy."""
    if isinstance(value, bool) or not (isinstance(value, int) or isinstance(value, np.integer)):  # noqa: SIM101 (numpy last)
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    limit = _INT64_MAX if most is None else most
    if not least <= value <= limit:
        expected = f"at least {least}" if most is None and value < least else f"from {least} to {limit}"
        raise ValueError(f"{name} must be {expected}, not {value}")
    return int(value)


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """One of some strings."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")
    return value


def flag(name: str, value: object) -> bool:
    """True or False, of Python or numpy."""
    if not (isinstance(value, bool) or isinstance(value, np.bool_)):  # noqa: SIM101 (numpy last)
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
    return bool(value)


def function(name: str, value: object) -> None:
    """Something that can be called, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function or None, not {type(value).__name__}")


def instance(name: str, value: T, kind: type[Any] | tuple[type[Any], ...], expected: str) -> T:
    """An object of a class, or of one of some; `expected` names it as it goes on behind "must be"."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}")
    return value


def integer_dtype(name: str, value: npt.DTypeLike) -> np.dtype[Any]:
    """An integer type of numpy."""
    try:
        kind = np.dtype(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer type of numpy, not {value!r}") from None
    if kind.kind not in "ui":
        raise ValueError(f"{name} must be an integer type, not {kind}")
    return kind


def string(name: str, value: object) -> str:
    """A str that has a form in UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has a lone surrogate at character {error.start}: {value!r}") from None
    return value


def strings(name: str, value: object) -> list[str]:
    """Any number of str."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a collection of texts, not one {type(value).__name__}")
    found = list(value)
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"{name} must hold texts, each a str, found {one!r}")
        string(f"{one!r} in {name}", one)
    return found


def path_text(name: str, value: object) -> str:
    """A path as a str."""
    path = value if isinstance(value, str) else os.fspath(value) if isinstance(value, os.PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a path, a str or an os.PathLike of one, not {type(value).__name__}")
    if "\0" in path:
        raise ValueError(f"{name} must be a path, which has no null character, not {path!r}")
    return path


def path_texts(name: str, value: object) -> list[str]:
    """One path or several, as str."""
    if isinstance(value, (str, os.PathLike)):
        return [path_text(name, value)]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} must be a path or several, each a str or an os.PathLike, not {type(value).__name__}")
    return [path_text(f"{name}[{i}]", path) for i, path in enumerate(value)]
