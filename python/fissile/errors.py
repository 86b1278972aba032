"""Exceptions with a name of their own. Others are Python's: ValueError, TypeError, KeyError, OSError."""

from fissile._core import TokenizerFileError

__all__ = ["TokenizerFileError"]
