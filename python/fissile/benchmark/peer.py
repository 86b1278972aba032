"""What every encoder offers to a benchmark, however its package spells it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.benchmark.tokenizer_files import TokenizerFiles

__all__ = ["Flat", "NotOffered", "Peer", "Texts", "ends"]

Texts = Sequence[str]
Flat = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]
"""Ids (n,) and offsets (documents + 1,)."""


class NotOffered(Exception):
    """A peer has no such thing, or cannot load the tokenizer; the message says why."""


class Peer:
    """One encoder with one tokenizer, on some threads. A kind of it is made with the tokenizer's forms.

    Attributes:
        package: name on PyPI.
        module: what is imported.
        one: ids of a single text, in the most compact form.
        decode: text of a sequence of ids.
    """

    package: str
    module: str
    one: Callable[[str], Any]
    decode: Callable[[Any], str]

    def __init__(self, files: TokenizerFiles, threads: int) -> None:
        self.files = files
        self.threads = threads
        self.load(importlib.import_module(self.module))

    @classmethod
    def installed(cls) -> bool:
        """Whether the package can be imported."""
        try:
            return importlib.util.find_spec(cls.module) is not None
        except ModuleNotFoundError:  # the package around it
            return False

    def load(self, module: Any) -> None:
        """Makes the encoder; NotOffered: this tokenizer cannot be loaded."""
        raise NotImplementedError

    def batch(self, texts: Texts) -> Any:
        """Ids of many texts in the most compact form there is."""
        return self.lists(texts)

    def lists(self, texts: Texts) -> Any:
        """Ids of many texts as lists of Python ints."""
        raise NotImplementedError

    def count(self, texts: Texts) -> Any:
        """Numbers of ids of many texts."""
        return [len(ids) for ids in self.lists(texts)]

    def split(self, texts: Texts) -> Any:
        """Ids of many texts with BPE-dropout at a probability of a tenth; NotOffered: there is none."""
        raise NotOffered("does not split at random")

    def flat(self, result: Any) -> Flat:
        """One array of ids and one of offsets from what `batch` or `lists` gave."""
        sizes = [len(ids) for ids in result]
        ids = (id for one in result for id in one)
        return np.fromiter(ids, np.uint32, count=sum(sizes)), ends(sizes)

    # --- what peers ask of the tokenizer ------------------------------------------------------------------------------

    def published(self, *names: str) -> str:
        """The tokenizer's name, if it is one of these."""
        if self.files.published not in names:
            raise NotOffered(f"has only {', '.join(names)}")
        return self.files.published

    def ranks(self) -> str:
        """Path of the rank file."""
        if self.files.ranks is None:
            raise NotOffered("reads rank files, and this tokenizer is none")
        return self.files.ranks

    def json(self) -> str:
        """Path of the tokenizer.json, spelt as such tokenizers usually are."""
        if self.files.usual_json is None:
            raise NotOffered("reads tokenizer.json, and this tokenizer has no such form")
        return self.files.usual_json


def ends(sizes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Offsets of runs of these sizes."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
