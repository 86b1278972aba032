"""Corpora on disk: reading them, encoding them into shards of ids, and loaders that feed training.

All of it needs numpy alone, but files that another package reads; fissile.data.torch has the same for DataLoaders (pip install 'fissile[torch]').
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fissile.data.decoding import decode_corpus
    from fissile.data.encoding import encode_corpus
    from fissile.data.stream import TokenStream
    from fissile.data.table import TokenTable

__all__ = ["TokenStream", "TokenTable", "decode_corpus", "encode_corpus"]

# Imported when asked for: reading alone needs neither.
_LATER = {
    "TokenStream": "fissile.data.stream",
    "TokenTable": "fissile.data.table",
    "decode_corpus": "fissile.data.decoding",
    "encode_corpus": "fissile.data.encoding",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'fissile.data' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
