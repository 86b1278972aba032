"""numpy, imported when something of it is first used.

Importing it takes longer than all of this package, and starts threads that keep a core busy for a while. Training, counting
and most of the command line need nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["np"]

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        """Stands for the module; what has been asked for once is an attribute from then on."""

        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)
            return value

    np = _Numpy()
