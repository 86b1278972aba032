"""Files that appear under their name only when they are complete.

They are written beside their place and then put there at once. A link is followed, as by any program that opens it for
writing: the file that it leads to gets the new content, and the link stays. What is there and is no regular file (a pipe,
a device) cannot be replaced like this and is written to as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fissile.numpy_later import np, npt

__all__ = ["PartialFile", "check_writable", "write_bytes_whole", "write_whole"]


def check_writable(path: str | os.PathLike[str]) -> None:
    """OSError where it can be seen before hours of work that a file of this name could not be written after them."""
    place = _place(Path(path))
    if place is None:
        denied = not os.access(path, os.W_OK)
    else:
        if not place.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"no such directory to write to, {place.parent}", os.fspath(path))
        denied = not os.access(place.parent, os.W_OK | os.X_OK)
    if denied:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))


def _place(path: Path) -> Path | None:
    """Where the file really lies, or will lie; None for what is written to as it is. OSError for a directory."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:  # or a link to what is not there yet
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "expected the name of a file, found a directory", os.fspath(path))
    return Path(os.path.realpath(path)) if stat.S_ISREG(mode) else None


def write_whole(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Have a file written beside its place, then put it there; if writing fails, nothing is left.

    Args:
        path: the file; one that is there already gives way at once. Of what is no regular file, nothing gives way: it gets
            the bytes once they are complete, from a temporary file.
        write: writes the file of the name it gets.
    """
    place = _place(Path(path))
    if place is None:
        _write_through(path, write)
        return
    partial = place.with_name(f".{place.name}.{os.getpid()}.partial")
    try:
        with _errors_of(path, partial):
            write(os.fspath(partial))
            partial.replace(place)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _write_through(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="fissile-") as directory:
        whole = os.path.join(directory, "whole")
        write(whole)
        with _errors_of(path, Path(whole)), open(whole, "rb") as file, open(path, "wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)


def write_bytes_whole(path: Path, data: bytes) -> None:
    """The same of bytes that are there already; OSErrors name the file."""
    file = PartialFile(path)
    try:
        file.write(data)
        file.finish()
    finally:
        file.discard()


class PartialFile:
    """A file that has another name until it is complete; errors of the system name it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = _place(path)
        if self._place is None:
            self.partial = path
        else:
            # Another worker may be writing the same file, on another machine.
            self.partial = self._place.with_name(f".{self._place.name}.{os.urandom(8).hex()}.partial")
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
            if self._place is not None:
                os.replace(self.partial, self._place)

    def discard(self) -> None:
        """Remove it, unless it is finished."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self._place is not None:
            with contextlib.suppress(OSError):
                self.partial.unlink()

    def named_errors(self) -> contextlib.AbstractContextManager[None]:
        """OSErrors that say which file it was: those of write and close do not."""
        return _errors_of(self.path, self.partial)


@contextlib.contextmanager
def _errors_of(path: str | os.PathLike[str], partial: Path) -> Iterator[None]:
    """OSErrors about the partial file, or about no file, that name the one which was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # of the core
            raise OSError(str(error).replace(os.fspath(partial), os.fspath(path))) from error
        if error.filename is not None and os.fspath(error.filename) != os.fspath(partial):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
