"""Corpora on disk: reading them, and loaders that feed training.

TokenStream and TokenTable need numpy alone; fissile.data.torch has the same for DataLoaders (pip install 'fissile[torch]').
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fissile.data.stream import TokenStream
    from fissile.data.table import TokenTable

__all__ = ["TokenStream", "TokenTable"]

# Imported when asked for: reading alone needs neither.
_LATER = {"TokenStream": "fissile.data.stream", "TokenTable": "fissile.data.table"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'fissile.data' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
