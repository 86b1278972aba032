"""The merges so far, in a file: with the corpus they are all that a training needs to go on."""

from __future__ import annotations

import os
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fissile.whole_file import write_whole

if TYPE_CHECKING:
    from fissile.training_draft import Draft
    from fissile.training_stage import Corpus

__all__ = ["Checkpoint"]


class Saved(NamedTuple):
    """Merges (n, 3), their counts (n,) and how many tokens each made (n,)."""

    merges: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.uint64]
    joined: npt.NDArray[np.uint64]

    def first(self, n: int) -> Saved:
        """The first n merges."""
        return Saved(self.merges[:n], self.counts[:n], self.joined[:n])


class Checkpoint:
    """One training's file.

    Args:
        path: the file.
        seconds: how often it is written.
        about: what the corpus is, beside its counts.
        corpus: what is trained on.
        draft: what training starts from.
        options: what the merges depend on beside these.
    """

    def __init__(
        self, path: str | os.PathLike[str], seconds: float, about: str, corpus: Corpus, draft: Draft, options: str
    ) -> None:
        self.path = Path(path)
        self.seconds = seconds
        self._before: Saved | None = None  # merges of the run that this one goes on from
        digest = sha256()
        for array in corpus:
            digest.update(np.ascontiguousarray(array).data)
        self.identity = "\n".join([about, digest.hexdigest(), options, *map(bytes.hex, draft.tokens)])

    def load(self) -> Saved | None:
        """What was saved, or None where there is no file.

        Raises:
            ValueError: the file is of another training, or broken.
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                saved = Saved(file["merges"], file["counts"], file["joined"])
                identity = str(file["identity"])
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self.path}: not a checkpoint of training, or a broken one: {error}") from None
        if identity != self.identity:
            raise ValueError(
                f"{self.path}: a checkpoint of a training with other options or another corpus; remove it to start anew"
            )
        self._before = saved
        return saved

    def restart(self) -> None:
        """What was loaded is not gone on from."""
        self._before = None

    def write(
        self, merges: npt.NDArray[np.uint32], counts: npt.NDArray[np.uint64], joined: npt.NDArray[np.uint64]
    ) -> None:
        """Replaces the file; it is whole at any time."""
        if self._before is not None:
            before = self._before
            merges = np.concatenate([before.merges, merges])
            counts = np.concatenate([before.counts, counts])
            joined = np.concatenate([before.joined, joined])

        def write(path: str) -> None:
            with open(path, "wb") as file:  # given a name, savez would add an extension to it
                np.savez(file, merges=merges, counts=counts, joined=joined, identity=np.array(self.identity))

        write_whole(self.path, write)

    def remove(self) -> None:
        """The training is over."""
        self.path.unlink(missing_ok=True)
