"""Documents from files and iterables, in batches of bounded size.

`sources` says which files there are and what they hold; `batches` and `blocks` read one. Plain text files are read by
the core, which needs no Python object a document: those are `Source.is_plain_text`, and nothing here opens them.

    name                         a document is
    *.jsonl, *.ndjson            the text in one field of a line
    *.parquet                    the text in one column of a row (pyarrow)
    any other                    the file

each but parquet also as .gz, .bz2, .xz or .zst (zstandard).
"""

from __future__ import annotations

import glob
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from fissile.arguments import path_texts

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

__all__ = ["Batch", "Options", "Source", "Text", "batches", "batches_of", "blocks", "sources"]

Text = str | bytes | bytearray | memoryview
PathLike = str | os.PathLike[str]

BATCH_SIZE = 4 << 20
"""About how much text a batch holds, in characters or bytes."""
BATCH_DOCUMENTS = 16384
"""At most so many documents are in a batch."""
BLOCK_BYTES = 1 << 20
_PACKED_BYTES = 8 << 10

_COMPRESSIONS = {".gz": "gz", ".bz2": "bz2", ".xz": "xz", ".zst": "zst"}
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")


@dataclass(frozen=True)
class Source:
    """A file, and how to read it."""

    path: str
    kind: Literal["text", "jsonl", "parquet"]
    compression: str | None
    """"gz", "bz2", "xz", "zst" or None."""
    n_bytes: int | None
    """On disk; None for what is no regular file, such as a pipe."""

    @property
    def is_plain_text(self) -> bool:
        """Whether the core can read it: a regular file of text, not compressed."""
        return self.kind == "text" and self.compression is None and self.n_bytes is not None


@dataclass(frozen=True)
class Batch:
    """Whole documents, in order."""

    texts: Sequence[Text]
    place: Callable[[int], str]
    """Where texts[i] comes from, for errors: "corpus.jsonl: line 12"."""
    records_done: Sequence[int] | range = ()
    """How many lines or rows of the file are read once texts[i] is; empty where there is no such number."""
    others: Sequence[dict[str, Any]] | None = None
    """What else the record of texts[i] held, if asked for."""


@dataclass(frozen=True)
class Options:
    """How files are read.

    Args:
        field: of jsonl: the key of the text in each line's object. Empty lines are left out.
        column: of parquet: the column of text.
        first_record: lines or rows of the file that are passed over.
        others: keep what else a record holds.
        on_read: called now and then with how many of the file's bytes have been read.
        on_bad: called for a line or row that is broken, which is then left out, with how many of them are read by then
            and with what is wrong; None: a ValueError says so.
    """

    field: str = "text"
    column: str = "text"
    first_record: int = 0
    others: bool = False
    on_read: Callable[[int], None] = lambda n: None
    on_bad: Callable[[int, str], None] | None = None

    def bad(self, n_records: int, message: str) -> None:
        """Of a line or row that holds no text."""
        if self.on_bad is None:
            raise ValueError(message)
        self.on_bad(n_records, message)


# --- which files ------------------------------------------------------------------------------------------------------


def sources(paths: PathLike | Iterable[PathLike], argument: str = "paths") -> list[Source]:
    """The files that paths stand for.

    Args:
        paths: one path or several. A directory stands for all files in it and below, but those whose names begin with a
            dot, in order of their paths; a name with *, ? or [ that is no file for all that match it ("**" goes down
            directories).
        argument: what errors call the paths.

    Returns:
        Every file, in order; one named twice is there twice.

    Raises:
        FileNotFoundError: a path does not exist, a pattern matches nothing, or a directory holds no file.
        ValueError: a file is an archive of files.
    """
    return [_source(name) for path in path_texts(argument, paths) for name in _files(path)]


def _files(path: str) -> list[str]:
    if os.path.isdir(path):
        found = sorted(_walk(path))
        if not found:
            raise FileNotFoundError(f"{path}: expected files in this directory, found none")
        return found
    if not os.path.lexists(path) and glob.has_magic(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if not os.path.isdir(name))
        if not found:
            raise FileNotFoundError(f"{path}: no file matches")
        return found
    return [path]


def _walk(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(folder, name) for name in names if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def _source(path: str) -> Source:
    status = os.stat(path)
    is_file = stat.S_ISREG(status.st_mode)
    if is_file:
        with open(path, "rb"):  # an error now rather than after hours of work; a pipe would take it for its only reader
            pass
    stem, suffix = os.path.splitext(path.lower())
    compression = _COMPRESSIONS.get(suffix)
    inner = os.path.splitext(stem)[1] if compression else suffix
    if inner in _ARCHIVES:
        raise ValueError(f"{path}: expected text, .jsonl or .parquet, found an archive of files: unpack it first")
    kind: Literal["text", "jsonl", "parquet"] = "text"
    if inner in (".jsonl", ".ndjson"):
        kind = "jsonl"
    elif inner == ".parquet":
        kind = "parquet"
        if compression:
            raise ValueError(f"{path}: a parquet file inside of {suffix} cannot be read: unpack it first")
    return Source(path, kind, compression, status.st_size if is_file else None)


# --- reading one ------------------------------------------------------------------------------------------------------


def batches(source: Source, options: Options) -> Iterator[Batch]:
    """The documents of a file.

    Args:
        source: from `sources`. A text file is one document, and held whole.
        options: how it is read.

    Raises:
        ValueError: the file is broken, or a line or row holds no such text; the file, the line and what was found are
            named.
        ImportError: the package that reads such files is not installed.
        OSError: the file cannot be read.
    """
    if source.kind == "text":
        text = b"".join(blocks(source, options.on_read))
        yield Batch([text], lambda _: source.path)
    elif source.kind == "jsonl":
        yield from _jsonl(source, options)
    else:
        yield from _parquet(source, options)


def batches_of(texts: Iterable[Text]) -> Iterator[Batch]:
    """The documents of an iterable, which is read as far as its batch has been asked for.

    Raises:
        TypeError: an item is no text.
    """
    batch: list[Text] = []
    size = first = 0
    for text in texts:
        if not isinstance(text, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"texts[{first + len(batch)}] must be str or bytes, not {type(text).__name__}")
        batch.append(text)
        size += len(text)
        if size >= BATCH_SIZE or len(batch) == BATCH_DOCUMENTS:
            yield Batch(batch, _item_numbers(first))
            first += len(batch)
            batch, size = [], 0
    if batch:
        yield Batch(batch, _item_numbers(first))


def _item_numbers(first: int) -> Callable[[int], str]:
    return lambda i: f"texts[{first + i}]"


def blocks(source: Source, on_read: Callable[[int], None] = lambda n: None) -> Iterator[bytes]:
    """The bytes of a file, unpacked, in blocks of about a megabyte.

    Args:
        source: a text or jsonl file.
        on_read: called with how many of the file's bytes have been read, before they are unpacked.

    Raises:
        ValueError: the file is broken, or ends in the middle.
        ImportError: "zst" without the zstandard package.
        OSError: the file cannot be read.
    """
    with open(source.path, "rb") as raw:
        file: BinaryIO = raw
        if source.compression == "zst":
            for block in _zstd(raw, source.path):
                on_read(raw.tell() if raw.seekable() else 0)
                yield block
            return
        if source.compression is not None:
            file = _unpacked(raw, source.compression)
        try:
            while block := file.read(BLOCK_BYTES):
                on_read(raw.tell() if raw.seekable() else 0)
                yield block
        except _broken() as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the system, not of the file
            raise ValueError(f"{source.path}: broken .{source.compression} file: {error}") from error


def _unpacked(raw: BinaryIO, compression: str) -> BinaryIO:
    if compression == "gz":
        import gzip

        return io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"))
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(raw)  # type: ignore[return-value]
    import lzma

    return lzma.LZMAFile(raw)  # type: ignore[return-value]


def _broken() -> tuple[type[Exception], ...]:
    """What the modules of the standard library raise for broken files; loaded only once something was raised."""
    import lzma
    import zlib

    return (OSError, EOFError, zlib.error, lzma.LZMAError)


def _zstd(raw: BinaryIO, path: str) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise ImportError(f"{path}: reading .zst needs the zstandard package: pip install 'fissile[zstd]'") from None
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    is_inside = False  # a frame
    unpacked = bytearray()
    try:
        # Few bytes at a time, as there is no way to ask for few unpacked ones.
        while packed := raw.read(_PACKED_BYTES):
            while packed:
                is_inside = True
                unpacked += unpacker.decompress(packed)
                packed = b""
                if unpacker.eof:  # another frame may follow
                    packed = unpacker.unused_data
                    unpacker = zstandard.ZstdDecompressor().decompressobj()
                    is_inside = False
            while len(unpacked) >= BLOCK_BYTES:
                yield bytes(unpacked[:BLOCK_BYTES])
                del unpacked[:BLOCK_BYTES]
    except zstandard.ZstdError as error:
        raise ValueError(f"{path}: broken .zst file: {error}") from error
    if is_inside:
        raise ValueError(f"{path}: broken .zst file: found the end of the file inside a frame")
    if unpacked:
        yield bytes(unpacked)


# --- lines of JSON ----------------------------------------------------------------------------------------------------


def _lines(source: Source, on_read: Callable[[int], None]) -> Iterator[list[bytes]]:
    """The lines of a file without their ends, a block's at a time."""
    begun: list[bytes] = []
    for block in blocks(source, on_read):
        lines = block.split(b"\n")
        begun.append(lines[0])
        if len(lines) == 1:
            continue
        lines[0] = b"".join(begun)
        begun = [lines.pop()]
        yield lines
    if last := b"".join(begun):
        yield [last]


def _jsonl(source: Source, options: Options) -> Iterator[Batch]:
    decode = _json_decoder()
    field = options.field
    texts: list[Text] = []
    numbers: list[int] = []
    others: list[dict[str, Any]] = []
    size = number = 0

    def batch() -> Batch:
        return Batch(texts, _line_numbers(source.path, numbers), numbers, others if options.others else None)

    for lines in _lines(source, options.on_read):
        if number + len(lines) <= options.first_record:
            number += len(lines)
            continue
        for line in lines:
            number += 1
            if number <= options.first_record or not line.strip():
                continue
            try:
                record = decode(line)
            except (ValueError, RecursionError) as error:
                found = f"expected JSON, found {_shown(line)}: {error}"
                options.bad(number, f"{source.path}: line {number}: {found}")
                continue
            text = record.get(field) if isinstance(record, dict) else None
            if not isinstance(text, str):
                options.bad(number, f"{source.path}: line {number}: {_no_text(record, field)}")
                continue
            texts.append(text)
            numbers.append(number)
            if options.others:
                del record[field]
                others.append(record)
            size += len(text)
            if size >= BATCH_SIZE or len(texts) == BATCH_DOCUMENTS:
                yield batch()
                texts, numbers, others, size = [], [], [], 0
    if texts:
        yield batch()


def _json_decoder() -> Callable[[bytes], Any]:
    """Reads a line as json does, by orjson, where there is one, what that reads too."""
    import json

    plain = json.JSONDecoder().decode

    def by_json(line: bytes) -> Any:
        return plain(line.decode())

    try:
        from orjson import JSONDecodeError, loads
    except ImportError:
        return by_json

    def by_orjson(line: bytes) -> Any:
        try:
            return loads(line)
        except JSONDecodeError:  # NaN and lone surrogates, and the message where it is broken
            return by_json(line)

    return by_orjson


def _line_numbers(path: str, numbers: list[int]) -> Callable[[int], str]:
    return lambda i: f"{path}: line {numbers[i]}"


def _shown(line: bytes) -> str:
    return repr(line[:40].decode("utf-8", "backslashreplace")) + ("..." if len(line) > 40 else "")


def _no_text(record: Any, field: str) -> str:
    expected = f"expected an object with a text in {field!r}, found"
    if not isinstance(record, dict):
        return f"{expected} {_kind(record)}"
    if field not in record:
        keys = ", ".join(map(repr, list(record)[:8])) + (", ..." if len(record) > 8 else "")
        return f"{expected} one with {keys or 'nothing'}"
    return f"{expected} one with {_kind(record[field])} there"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# --- parquet ----------------------------------------------------------------------------------------------------------


def _parquet(source: Source, options: Options) -> Iterator[Batch]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            f"{source.path}: reading .parquet needs the pyarrow package: pip install 'fissile[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(source.path) as file:
            yield from _rows(file, source, options)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, not of the file
        raise ValueError(f"{source.path}: broken parquet file: {error}") from error


def _rows(file: ParquetFile, source: Source, options: Options) -> Iterator[Batch]:
    from pyarrow import types

    path, column = source.path, options.column
    schema = file.schema_arrow
    if column not in schema.names:
        raise ValueError(f"{path}: expected the column {column!r}, found {', '.join(map(repr, schema.names))}")
    kind = schema.field(column).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_text = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    if not any(is_kind(kind) for is_kind in is_text):
        raise ValueError(f"{path}: expected text in the column {column!r}, found {kind}")
    # Rows of average length fill a batch.
    metadata = file.metadata
    n_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    n_rows = max(1, min(BATCH_DOCUMENTS, BATCH_SIZE * max(metadata.num_rows, 1) // max(n_bytes, 1)))
    end = 0
    for rows in file.iter_batches(batch_size=n_rows, columns=None if options.others else [column]):
        begin, end = end, end + len(rows)
        if end <= options.first_record:
            continue
        numbers: Sequence[int] = range(max(begin, options.first_record), end)
        rows = rows.slice(numbers[0] - begin)
        texts = rows.column(column).to_pylist()
        if rows.column(column).null_count:
            kept = [i for i, text in enumerate(texts) if text is not None]
            for number, text in zip(numbers, texts, strict=True):
                if text is None:
                    options.bad(number + 1, f"{path}: row {number}: expected text in {column!r}, found null")
            rows, texts, numbers = rows.take(kept), [texts[i] for i in kept], [numbers[i] for i in kept]
        if texts:
            others = rows.drop_columns([column]).to_pylist() if options.others else None
            yield Batch(texts, _row_numbers(path, numbers), [number + 1 for number in numbers], others)
        options.on_read((source.n_bytes or 0) * end // metadata.num_rows)


def _row_numbers(path: str, numbers: Sequence[int]) -> Callable[[int], str]:
    return lambda i: f"{path}: row {numbers[i]}"
