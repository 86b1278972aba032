"""Encodings by name: those of the installed tiktoken, with its files and its cache."""

from __future__ import annotations

import threading
from typing import Any

from fissile.compat.tiktoken.core import Encoding

__all__ = ["ENCODINGS", "get_encoding", "list_encoding_names", "owner_registry"]

_lock = threading.RLock()
ENCODINGS: dict[str, Encoding] = {}


def owner_registry() -> Any:
    """tiktoken.registry, of the real one; ImportError if it is not installed."""
    try:
        import tiktoken.registry
    except ImportError:
        raise ImportError(
            "which encodings there are, and where their files lie, is asked of tiktoken: pip install 'fissile[tiktoken]'; "
            "for a rank file at hand there is Encoding.from_tokenizer(name, fissile.Tokenizer.from_tiktoken(path))"
        ) from None
    return tiktoken.registry


def list_encoding_names() -> list[str]:
    """Names that get_encoding knows: those of the installed tiktoken and its plugins.

    Raises:
        ImportError: tiktoken is not installed.
    """
    names: list[str] = owner_registry().list_encoding_names()
    return names


def get_encoding(encoding_name: str) -> Encoding:
    """An encoding by its name, the same object every time.

    Its ranks are those of the installed tiktoken, which fetches their file or finds it in its cache (TIKTOKEN_CACHE_DIR).

    Raises:
        ValueError: no encoding has this name.
        ImportError: tiktoken is not installed.
    """
    if not isinstance(encoding_name, str):
        raise ValueError(f"Expected a string in get_encoding, got {type(encoding_name)}")
    with _lock:
        if encoding_name not in ENCODINGS:
            ENCODINGS[encoding_name] = _made_by_name(encoding_name)
        return ENCODINGS[encoding_name]


def _made_by_name(name: str) -> Encoding:
    names = list_encoding_names()
    if name not in names:
        raise ValueError(f"Unknown encoding {name}.\nThe installed tiktoken knows {names}.")
    registry = owner_registry()
    if name in registry.ENCODINGS:
        return Encoding.from_tiktoken(registry.ENCODINGS[name])
    return Encoding(**registry.ENCODING_CONSTRUCTORS[name]())
