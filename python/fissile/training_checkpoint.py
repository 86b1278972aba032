"""The merges so far, in a file: with the corpus they are all that a training needs to go on.

Each stage of a training has its merges in the file, under its own name and with a hash of what they depend on: the corpus,
the options, and what the stage began with.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fissile.numpy_later import np, npt
from fissile.whole_file import check_writable, write_whole

if TYPE_CHECKING:
    from fissile.training_draft import Draft
    from fissile.training_stage import Corpus

__all__ = ["Checkpoint", "StageCheckpoint"]


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
        path: the file; ValueError where it is there and broken, OSError where it could not be written.
        seconds: how often it is written.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float) -> None:
        check_writable(path)
        self.path = Path(path)
        self.seconds = seconds
        # By stage, in order: a hash of what its merges depend on, and they.
        self.stages: dict[str, tuple[str, Saved]] = {}
        if not self.path.exists():
            return
        from zipfile import BadZipFile  # 3 ms, for a file that is rarely there

        try:
            with np.load(self.path, allow_pickle=False) as file:
                for name in map(str, file["stages"]):
                    merges = Saved(*(file[f"{name} {part}"] for part in Saved._fields))
                    self.stages[name] = (str(file[f"{name} identity"]), merges)
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ValueError(f"{self.path}: not a checkpoint of training, or a broken one: {error}") from None

    def stage(self, name: str, about: str, corpus: Corpus, draft: Draft, options: str) -> StageCheckpoint:
        """What one stage reads and writes.

        Args:
            name: of the stage.
            about: what the corpus is, beside its counts.
            corpus: what is trained on.
            draft: what the stage starts from.
            options: what the merges depend on beside these.
        """
        from hashlib import sha256

        digest = sha256()
        for array in (*corpus, draft.merges):
            digest.update(np.ascontiguousarray(array).data)
        digest.update("\n".join([about, options, *map(bytes.hex, draft.tokens)]).encode())
        return StageCheckpoint(self, name, digest.hexdigest())

    def save(self) -> None:
        """Replaces the file; it is whole at any time."""
        arrays = {"stages": np.array(list(self.stages), np.str_)}
        for name, (identity, saved) in self.stages.items():
            arrays |= {f"{name} {part}": array for part, array in saved._asdict().items()}
            arrays[f"{name} identity"] = np.array(identity)

        def write(path: str) -> None:
            with open(path, "wb") as file:  # given a name, savez would add an extension to it
                np.savez(file, **arrays)  # type: ignore[arg-type]  # its other keyword is none of these

        write_whole(self.path, write)

    def remove(self) -> None:
        """The training is over, and what it gave is saved."""
        self.path.unlink(missing_ok=True)


class StageCheckpoint:
    """The merges of one stage; made by Checkpoint.stage."""

    def __init__(self, file: Checkpoint, name: str, identity: str) -> None:
        self._file = file
        self._name = name
        self._identity = identity
        self._before: Saved | None = None  # merges of the run that this one goes on from
        self.seconds = file.seconds

    def load(self) -> Saved | None:
        """What was saved, or None.

        Raises:
            ValueError: it is of another training.
        """
        if self._name not in self._file.stages:
            return None
        identity, saved = self._file.stages[self._name]
        if identity != self._identity:
            raise ValueError(
                f"{self._file.path}: a checkpoint of a training with other options or another corpus; remove it to start "
                "anew"
            )
        self._before = saved
        return saved

    def restart(self) -> None:
        """What was loaded is not gone on from."""
        self._before = None

    def write(
        self, merges: npt.NDArray[np.uint32], counts: npt.NDArray[np.uint64], joined: npt.NDArray[np.uint64]
    ) -> None:
        """Saves the merges of this run after those that were loaded."""
        saved = Saved(merges, counts, joined)
        if self._before is not None:
            before = self._before
            saved = Saved(
                np.concatenate([before.merges, merges]),
                np.concatenate([before.counts, counts]),
                np.concatenate([before.joined, joined]),
            )
        stages = self._file.stages
        for later in list(stages)[list(stages).index(self._name) :] if self._name in stages else []:
            del stages[later]  # they began where this stage was then
        stages[self._name] = (self._identity, saved)
        self._file.save()
