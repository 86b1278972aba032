"""Texts to measure on: files as documents, and a file of documents that every process of a benchmark reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

__all__ = ["DOCUMENT_CHARS", "cut", "documents", "first_bytes", "from_files", "load", "store"]

DOCUMENT_CHARS = 2000
"""Characters of a document, about, where a file does not say where its documents end."""


def documents(text: str, size: int = DOCUMENT_CHARS) -> list[str]:
    """Paragraphs joined to documents of about `size` characters, and of twice as many at most."""
    found, current, length = [], [], 0
    for paragraph in text.split("\n\n"):
        current.append(paragraph)
        length += len(paragraph)
        if length >= size:
            found.append("\n\n".join(current))
            current, length = [], 0
    if current:
        found.append("\n\n".join(current))
    return [d[i : i + 2 * size] for d in found for i in range(0, len(d), 2 * size)]


def cut(texts: Sequence[str], size: int) -> list[str]:
    """The same characters in documents of `size` each, but for the last."""
    whole = "".join(texts)
    return [whole[i : i + size] for i in range(0, len(whole), size)]


def first_bytes(texts: Sequence[str], n_bytes: int) -> list[str]:
    """The first documents, as long as all of them have no more than `n_bytes` of UTF-8; at least one, cut if need be."""
    ends = np.cumsum([len(text.encode()) for text in texts])
    n = int(np.searchsorted(ends, n_bytes, side="right"))
    if n == 0 and len(texts):
        return [texts[0].encode()[:n_bytes].decode(errors="ignore")]
    return list(texts[:n])


def from_files(
    paths: Iterable[str | os.PathLike[str]],
    n_bytes: int,
    *,
    size: int = DOCUMENT_CHARS,
    field: str = "text",
    column: str = "text",
) -> list[str]:
    """The documents of some files.

    Args:
        paths: text, .jsonl or .parquet, packed or not, directories of them, or patterns of names.
        n_bytes: how many bytes of text are enough; what comes after them is not read.
        size: characters of a document of a text file, about.
        field: of .jsonl: key of the text.
        column: of .parquet: column of text.

    Raises:
        ValueError: there is no text in the files, or one is broken.
        OSError: a file cannot be read.
    """
    from fissile.data import readers

    found: list[str] = []
    left = n_bytes
    for source in readers.sources(paths):
        for batch in readers.batches(source, readers.Options(field, column)):
            # What is no UTF-8 is replaced: peers take strings of characters only.
            texts = [text if isinstance(text, str) else bytes(text).decode(errors="replace") for text in batch.texts]
            if source.kind == "text":
                texts = [document for text in texts for document in documents(text, size)]
            texts = [text for text in texts if text]
            fitting = first_bytes(texts, left)
            found += [text for text in fitting if text]
            left -= sum(len(text.encode()) for text in fitting)
            if left <= 0 or fitting != texts:
                return found
    if not found:
        raise ValueError(f"{', '.join(map(str, paths))}: expected text, found none")
    return found


def store(texts: Sequence[str], path: Path) -> None:
    """Write documents for `load`."""
    data = [text.encode(errors="replace") for text in texts]
    with path.open("wb") as file:
        np.save(file, np.array([len(one) for one in data], np.int64))
        for one in data:
            file.write(one)


def load(path: Path) -> list[str]:
    """The documents that `store` wrote."""
    with path.open("rb") as file:
        sizes = np.load(file)
        return [file.read(int(size)).decode() for size in sizes]
