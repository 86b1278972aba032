"""Encodings by the names of models."""

from __future__ import annotations

from fissile.compat.tiktoken.core import Encoding
from fissile.compat.tiktoken.registry import get_encoding, owner_registry

__all__ = ["encoding_for_model", "encoding_name_for_model"]


def encoding_name_for_model(model_name: str) -> str:
    """Name of the encoding that a model has, as the installed tiktoken says.

    Raises:
        KeyError: it does not know the model.
        ImportError: tiktoken is not installed.
    """
    owner_registry()
    import tiktoken.model

    name: str = tiktoken.model.encoding_name_for_model(model_name)
    return name


def encoding_for_model(model_name: str) -> Encoding:
    """The encoding that a model has; errors as of encoding_name_for_model."""
    return get_encoding(encoding_name_for_model(model_name))
