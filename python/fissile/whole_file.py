"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

__all__ = ["PartialFile", "write_bytes_whole", "write_whole"]


def write_whole(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Have a file written beside its place, then put it there; if writing fails, nothing is left.

    Args:
        path: the file; one that is there already gives way at once.
        write: writes the file of the name it gets.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with _named(partial, target):
            write(os.fspath(partial))
            partial.replace(target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_bytes_whole(path: Path, data: bytes) -> None:
    """The same of bytes that are there already; OSErrors name the file."""
    file = PartialFile(path)
    try:
        file.write(data)
        file.finish()
    finally:
        file.discard()


@contextlib.contextmanager
def _named(partial: Path, target: Path) -> Iterator[None]:
    """OSErrors about a file that is being written have its later name; those of write and close have none."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) != os.fspath(partial):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(target)) from error


class PartialFile:
    """A file that has another name until it is complete; errors of the system name it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Another worker may be writing the same file, on another machine.
        self.partial = path.with_name(f".{path.name}.{os.urandom(8).hex()}.partial")
        with self.named_errors():
            self.file: BinaryIO = open(self.partial, "wb")  # noqa: SIM115  # open as long as this object is

    def write(self, data: bytes | memoryview | npt.NDArray[Any]) -> None:
        """Append bytes, or the memory of an array."""
        with self.named_errors():
            self.file.write(data.data if isinstance(data, np.ndarray) else data)

    def finish(self) -> None:
        """Close it and give it its name."""
        with self.named_errors():
            self.file.close()
            os.replace(self.partial, self.path)

    def discard(self) -> None:
        """Remove it, unless it is finished."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self.partial.unlink()

    def named_errors(self) -> contextlib.AbstractContextManager[None]:
        """OSErrors that say which file it was."""
        return _named(self.partial, self.path)
