"""Readers: every kind of file gives the documents that were written to it, and a broken one an error that says where."""

import bz2
import gzip
import json
import lzma
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import fissile
from fissile.data import readers

DOCUMENTS = ["first\nline two", "", "zweite – 日本 \u2028 \U0001f600", 'quo"ted\\ \t', "x" * 5000, "last"]


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    return bytes(zstandard.ZstdCompressor(write_checksum=True).compress(data))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


def texts_of(path: Path, **options: str) -> list[readers.Text]:
    [source] = readers.sources(path)
    return [text for batch in readers.batches(source, readers.Options(**options)) for text in batch.texts]


def jsonl(documents: list[str], field: str = "text") -> bytes:
    return b"".join(json.dumps({"id": 1, field: text}, ensure_ascii=False).encode() + b"\n" for text in documents)


# --- which files ------------------------------------------------------------------------------------------------------


def test_directories_and_patterns_stand_for_files(tmp_path: Path) -> None:
    names = ["b.txt", "a.jsonl", "sub/c.txt.gz", "sub/deep/d", ".hidden", ".git/x"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [os.path.relpath(source.path, tmp_path) for source in readers.sources(tmp_path)]
    assert found == ["a.jsonl", "b.txt", os.path.join("sub", "c.txt.gz"), os.path.join("sub", "deep", "d")]
    assert [s.path for s in readers.sources(f"{tmp_path}/*.txt")] == [str(tmp_path / "b.txt")]
    assert len(readers.sources(f"{tmp_path}/**/*c*")) == 1
    assert len(readers.sources([tmp_path / "b.txt", tmp_path])) == 5
    (tmp_path / "odd[1].txt").write_bytes(b"y")  # a name that looks like a pattern, and is there
    assert [s.path for s in readers.sources(str(tmp_path / "odd[1].txt"))] == [str(tmp_path / "odd[1].txt")]


def test_kinds_are_told_by_name(tmp_path: Path) -> None:
    kinds = {
        "a": ("text", None),
        "a.md": ("text", None),
        "a.TXT.GZ": ("text", "gz"),
        "a.jsonl": ("jsonl", None),
        "a.ndjson.zst": ("jsonl", "zst"),
        "a.parquet": ("parquet", None),
    }
    for name, (kind, compression) in kinds.items():
        (tmp_path / name).write_bytes(b"xy")
        [source] = readers.sources(tmp_path / name)
        assert (source.kind, source.compression, source.n_bytes) == (kind, compression, 2)
        assert source.is_plain_text == (kind == "text" and compression is None)


def test_what_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    for name, message in [("none", "none"), ("*.x", "no file matches"), ("", "found none")]:
        with pytest.raises(FileNotFoundError, match=message):
            readers.sources(f"{tmp_path}/{name}")
    for name, message in [("a.zip", "archive"), ("a.tar.gz", "archive"), ("a.parquet.gz", "unpack it first")]:
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
            readers.sources(tmp_path / name)


# --- what is in them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", PACK)
def test_jsonl(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(PACK[suffix](jsonl(DOCUMENTS, "body")))
    assert texts_of(path, field="body") == DOCUMENTS
    path.write_bytes(PACK[suffix](b"\n \r\n" + jsonl(DOCUMENTS).replace(b"\n", b"\r\n") + b"\n\n"))
    assert texts_of(path) == DOCUMENTS
    path.write_bytes(PACK[suffix](jsonl(DOCUMENTS)[:-1]))
    assert texts_of(path) == DOCUMENTS
    path.write_bytes(PACK[suffix](b""))
    assert texts_of(path) == []


@pytest.mark.parametrize("suffix", PACK)
def test_text(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{suffix}"
    text = ("word\nwort \xff" * 300_000).encode("latin-1")  # blocks, and bytes that are not UTF-8
    path.write_bytes(PACK[suffix](text))
    assert texts_of(path) == [text]
    [source] = readers.sources(path)
    assert b"".join(readers.blocks(source)) == text
    assert max(map(len, readers.blocks(source))) <= 1 << 20


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_several_packed_files_in_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(PACK[suffix](b"one ") + PACK[suffix](b"") + PACK[suffix](b"two"))
    assert texts_of(path) == [b"one two"]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_broken_packed_files(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{suffix}"
    packed = PACK[suffix](random.Random(1).randbytes(3000))
    for broken in (packed[:-9], packed[:100], b"plain text", packed[:50] + b"\0\xff" * 30 + packed[110:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=rf"a\.txt{suffix}: broken {suffix} file"):
            texts_of(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 3: expected JSON, found '{': "),
        (b'{"text": "x"} y', "line 3: expected JSON"),
        (b'{"text": "\xff"}', r"line 3: expected JSON, found '{\"text\": \"\\\\xff\"}'"),
        (b"5", "line 3: expected an object with a text in 'text', found a number"),
        (b"[]", "line 3: .* found an array"),
        (b'"x"', "line 3: .* found a string"),
        (b"{}", "line 3: .* found one with nothing"),
        (b'{"a": 1, "b": 2}', "line 3: .* found one with 'a', 'b'"),
        (b'{"text": null}', "line 3: .* found one with null there"),
        (b'{"text": true}', "line 3: .* found one with true or false there"),
        (b'{"text": ' + b"[" * 100_000 + b"}", "line 3: expected JSON, found .*\\.\\.\\.: "),
        (b'{"text": "a\\ud800"}', "line 3: lone surrogate at character 1"),
    ],
)
def test_bad_lines_are_named(line: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "fine"}\n\n' + line + b"\n")
    with pytest.raises(ValueError, match=rf"a\.jsonl: {message}"):
        fissile.count(path)


def test_batches_are_bounded_and_know_their_places(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(["x" * (1 << 20)] * 9 + ["y"] * 40_000))
    [source] = readers.sources(path)
    batches = list(readers.batches(source, readers.Options()))
    assert [len(batch.texts) for batch in batches[:2]] == [4, 4]
    assert max(len(batch.texts) for batch in batches) <= readers.BATCH_DOCUMENTS
    assert batches[1].place(1) == f"{path}: line 6"
    items = list(readers.batches_of(iter(["a"] * 40_000)))
    assert items[1].place(2) == f"texts[{readers.BATCH_DOCUMENTS + 2}]"


# --- parquet ----------------------------------------------------------------------------------------------------------


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "a.parquet"
    encoded = [text.encode() for text in DOCUMENTS]
    for kind in ("string", "large_string", "binary", "large_binary"):
        values = arrow.array(encoded if "binary" in kind else DOCUMENTS, getattr(arrow, kind)())
        parquet.write_table(arrow.table({"id": list(range(6)), "body": values}), path, row_group_size=4)
        assert texts_of(path, column="body") == (encoded if "binary" in kind else DOCUMENTS)
    parquet.write_table(arrow.table({"text": arrow.array(DOCUMENTS).dictionary_encode()}), path)
    assert texts_of(path) == DOCUMENTS
    parquet.write_table(arrow.table({"text": arrow.array([], "string")}), path)
    assert texts_of(path) == []
    parquet.write_table(arrow.table({"text": [1, 2], "other": ["a", None]}), path)
    for column, message in [
        ("text", "expected text in the column 'text', found int64"),
        ("none", "expected the column 'none', found 'text', 'other'"),
        ("other", "row 1: expected text in 'other', found null"),
    ]:
        with pytest.raises(ValueError, match=rf"a\.parquet: {message}"):
            texts_of(path, column=column)
    path.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(ValueError, match=r"a\.parquet: broken parquet file"):
        texts_of(path)


def test_a_page_of_parquet_that_is_broken(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "a.parquet"
    texts = [str(random.Random(i).random()) * 20 for i in range(2000)]
    parquet.write_table(arrow.table({"text": texts}), path, compression="snappy", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(255 - byte for byte in data[len(data) // 4 : len(data) // 2])
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.parquet: broken parquet file: "):
        texts_of(path)


# --- counting what is read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", ["line", "document"])
@pytest.mark.parametrize("suffix", PACK)
def test_counts_do_not_depend_on_the_form_of_the_corpus(suffix: str, sequence: str, tmp_path: Path) -> None:
    text = ("a word \n\n  " + "日本 x\n" * 3 + "  ") * 30_000
    plain = tmp_path / "plain.txt"
    plain.write_text(text, newline="")
    packed = tmp_path / f"packed.txt{suffix}"
    packed.write_bytes(PACK[suffix](text.encode()))
    lines = tmp_path / f"a.jsonl{suffix}"
    lines.write_bytes(PACK[suffix](jsonl([text])))
    expected = fissile.count(iter([text]), sequence=sequence)  # type: ignore[arg-type]
    for path in (plain, packed, lines):
        assert fissile.count(path, sequence=sequence) == expected  # type: ignore[arg-type]
    assert expected.n_documents == 1
    both = fissile.count([plain, packed, lines], sequence=sequence)  # type: ignore[arg-type]
    assert both == expected + expected + expected


def test_a_document_that_cannot_be_divided_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"ab" * 2_000_000))
    assert dict(fissile.count(path, "none", sequence="document")) == {b"ab" * 2_000_000: 1}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    thread = threading.Thread(target=path.write_bytes, args=[b"a b " * 100_000])
    thread.start()
    counts = fissile.count(path, "gpt2")
    thread.join()
    assert dict(counts) == {b"a": 1, b" b": 100_000, b" a": 99_999, b" ": 1}


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, package, extra in [("a.zst", "zstandard", "zstd"), ("a.parquet", "pyarrow", "parquet")]:
        (tmp_path / name).write_bytes(b"x")
        monkeypatch.setitem(__import__("sys").modules, package, None)
        with pytest.raises(ImportError, match=rf"{name}: .*{package} package: pip install 'fissile\[{extra}\]'"):
            texts_of(tmp_path / name)
