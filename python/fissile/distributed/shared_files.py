"""Files that every worker must reach by the same name: what is said where one does not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["seen_here"]


@contextlib.contextmanager
def seen_here(path: str) -> Iterator[None]:
    """FileNotFoundErrors that name the worker.

    Args:
        path: what is looked for, where the error does not say.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            error.errno,
            f"not found by the worker on {socket.gethostname()}; inputs and result must lie on a file system that every "
            "worker reaches by the same name",
            error.filename or path,
        ) from None
