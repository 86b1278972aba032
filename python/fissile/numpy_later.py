"""numpy, imported when something of it is first used.

Importing it takes longer than all of this package, and starts threads that keep a core busy for a while. Training, counting
and most of the command line need nothing of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["np", "npt"]

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:

    class _Later:
        """Stands for a module; what has been asked for once is an attribute from then on."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module(self._name), name)
            setattr(self, name, value)
            return value

    np, npt = _Later("numpy"), _Later("numpy.typing")
