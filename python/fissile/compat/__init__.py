"""Fissile behind the classes of other libraries: fissile.compat.tiktoken and fissile.compat.transformers.

Each is loaded when it is asked for; transformers needs the library whose face it wears.
"""

from typing import Any

__all__ = ["tiktoken", "transformers"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'fissile.compat' has no attribute {name!r}")
    from importlib import import_module

    return import_module(f"fissile.compat.{name}")
