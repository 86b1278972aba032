"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Have a file written beside its place, then put it there; if writing fails, nothing is left.

    Args:
        path: the file; one that is there already gives way at once.
        write: writes the file of the name it gets.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        write(os.fspath(partial))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
