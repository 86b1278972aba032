"""From shards of token ids back to text: a line of JSON a document."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.arguments import function, instance, integer_dtype, path_text, string, whole
from fissile.data.encoding_job import TOKENIZER_FILE
from fissile.data.token_files import Chunk, TokenFile, documents_of_stream, is_token_file, whole_documents
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer
from fissile.whole_file import PartialFile

__all__ = ["decode_corpus"]

PathLike = str | os.PathLike[str]
_ROWS = 1024


def decode_corpus(
    directory: PathLike,
    out: PathLike,
    tokenizer: Tokenizer | None = None,
    *,
    eod: int | None = None,
    dtype: str | None = None,
    errors: str = "strict",
    progress: Callable[[str, int, int | None], object] | None = None,
) -> int:
    """Write the documents of token files as lines {"text": ...}, with the metadata that was kept beside them.

    What `fissile.data.encode_corpus` wrote in any format, .bin of nanoGPT and llm.c, and Megatron's indexed datasets. Of
    packed ids the documents are found by the id that ends them.

    Args:
        directory: holds the shards; or one shard (.bin, .ids.npy or .parquet).
        out: the .jsonl file, there under its name when it is complete.
        tokenizer: of the ids; None: the one that `encode_corpus` left beside them.
        eod: id that ends documents in a .bin which nothing else describes.
        dtype: of the ids of such a file.
        errors: what becomes of bytes that are not UTF-8: "strict" makes an error, "replace" U+FFFD.
        progress: called with ("decode", bytes of the shards done, of how many).

    Returns:
        How many documents were written.

    Raises:
        ValueError: a shard is broken, an id is no token's, or a document is not UTF-8; shard and document are named.
        FileNotFoundError: there is no shard, or no tokenizer.
        OSError: a file cannot be read or written.
        ImportError: .parquet without the pyarrow package.
    """
    place = Path(path_text("directory", directory))
    target = Path(path_text("out", out))
    if tokenizer is not None:
        instance("tokenizer", tokenizer, Tokenizer, "a Tokenizer or None")
    if eod is not None:
        whole("eod", eod, 0)
    if dtype is not None:
        integer_dtype("dtype", dtype)
    string("errors", errors)
    function("progress", progress)
    shards = _shards(place)
    if tokenizer is None:
        tokenizer = _tokenizer_beside(place)
    sizes = [shard.stat().st_size for shard in shards]
    n_documents = done = 0
    file = PartialFile(target)
    try:
        begun: list[npt.NDArray[Any]] = []
        for shard, size in zip(shards, sizes, strict=True):
            metadata = _Metadata(shard)
            number = 0
            for documents in _documents(shard, dtype, eod, begun):
                texts = _decoded(tokenizer, documents, errors, shard, number)
                lines = (_line(text, other) for text, other in zip(texts, metadata.take(len(texts)), strict=True))
                file.write(b"".join(lines))
                number += len(texts)
            n_documents += number
            done += size
            if progress is not None:
                progress("decode", done, sum(sizes))
        file.finish()
    finally:
        file.discard()
    return n_documents


def _shards(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no such file or directory")
    found = sorted(path for path in place.iterdir() if is_token_file(path.name) or path.suffix == ".parquet")
    if not found:
        epochs = ", ".join(path.name for path in sorted(place.glob("epoch-*")))
        instead = f"the directories {epochs}: decode one of them" if epochs else "none"
        raise FileNotFoundError(f"{place}: expected shards (.bin, .ids.npy or .parquet), found {instead}")
    return found


def _tokenizer_beside(place: Path) -> Tokenizer:
    folder = place.parent if place.is_file() else place
    for candidate in (folder / TOKENIZER_FILE, folder.resolve().parent / TOKENIZER_FILE):
        if candidate.is_file():
            return Tokenizer.from_file(candidate)
    raise FileNotFoundError(f"{folder}: expected {TOKENIZER_FILE} in it, found none: name the tokenizer")


# --- documents --------------------------------------------------------------------------------------------------------


def _documents(shard: Path, dtype: str | None, eod: int | None, begun: list[npt.NDArray[Any]]) -> Iterator[Ragged]:
    """The documents of a shard, some at a time, without the ids that end them.

    Args:
        begun: ids of a document that begins in an earlier shard, as packed ones may; those of the one that goes on in the
            next are left there.
    """
    record = _record(shard)
    if shard.suffix == ".parquet":
        chunks: Iterator[Chunk] = _parquet_chunks(shard, record)
        end = record.get("eod")
    else:
        file = TokenFile(os.fspath(shard), dtype, eod)
        chunks, end = file.chunks(), file.eod
        if end is None and file.offsets is None:  # nothing tells documents apart
            yield Ragged(np.asarray(file.ids), np.array([0, len(file.ids)], np.int64))
            return
    for chunk in chunks:
        documents = chunk.documents
        if begun and len(documents):
            documents = _prepended(np.concatenate(begun), documents)
            begun.clear()
        if record.get("pack") is not None and end is not None and len(documents) and not chunk.ended[-1]:
            begun.append(np.array(documents[len(documents) - 1]))
            documents = documents[:-1]
        yield documents
    if begun and record.get("next") is None:
        yield _prepended(np.concatenate(begun), Ragged(np.empty(0, np.uint32), np.zeros(2, np.int64)))
        begun.clear()


def _prepended(ids: npt.NDArray[Any], documents: Ragged) -> Ragged:
    """The documents, the first of which begins with these ids."""
    offsets = documents.offsets + len(ids)
    offsets[0] = 0
    return Ragged(np.concatenate([ids, documents.ids]), offsets)


def _beside(shard: Path, suffix: str) -> Path:
    """The file that says more about a shard."""
    stem = shard.name.removesuffix(".ids.npy") if shard.name.endswith(".ids.npy") else shard.stem
    return shard.with_name(stem + suffix)


def _record(shard: Path) -> dict[str, Any]:
    path = _beside(shard, ".json")
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: expected the record of a shard: {error}") from error
    return record if isinstance(record, dict) else {}


def _parquet_chunks(shard: Path, record: dict[str, Any]) -> Iterator[Chunk]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            f"{shard}: reading .parquet needs the pyarrow package: pip install 'fissile[parquet]'"
        ) from None
    eod, is_packed = record.get("eod"), record.get("pack") is not None
    try:
        with parquet.ParquetFile(shard) as file:
            if "ids" not in file.schema_arrow.names:
                raise ValueError(f"{shard}: expected the column 'ids', found {', '.join(file.schema_arrow.names)}")
            for rows in file.iter_batches(batch_size=_ROWS, columns=["ids"]):
                lists = rows.column(0)
                offsets = np.asarray(lists.offsets).astype(np.int64)
                ids = np.asarray(lists.flatten())
                if is_packed and eod is not None:
                    yield documents_of_stream(0, ids, eod)
                else:
                    yield whole_documents(0, Ragged(ids, offsets - offsets[0]), eod)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{shard}: broken parquet file: {error}") from error


# --- text -------------------------------------------------------------------------------------------------------------


def _decoded(tokenizer: Tokenizer, documents: Ragged, errors: str, shard: Path, first: int) -> Sequence[str]:
    try:
        return tokenizer.decode_batch(documents, errors)
    except (ValueError, KeyError):
        for i, ids in enumerate(documents):
            try:
                tokenizer.decode(ids, errors)
            except KeyError as error:
                raise ValueError(f"{shard}: document {first + i}: {error.args[0]}") from None
            except ValueError as error:
                raise ValueError(f"{shard}: document {first + i}: {error}") from None
        raise


class _Metadata:
    """What was kept of a shard's documents, in step with them."""

    def __init__(self, shard: Path) -> None:
        self._path = _beside(shard, ".meta.jsonl")
        self._lines = self._path.read_bytes().splitlines() if self._path.is_file() else None
        self._at = 0

    def take(self, n: int) -> Sequence[dict[str, Any]]:
        """That of the next n documents."""
        if self._lines is None:
            return [{}] * n
        taken = self._lines[self._at : self._at + n]
        if len(taken) < n:
            raise ValueError(f"{self._path}: expected a line a document, found {len(self._lines)}")
        self._at += n
        return [json.loads(line)["metadata"] for line in taken]


def _line(text: str, metadata: dict[str, Any]) -> bytes:
    return json.dumps({"text": text, **metadata}, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
