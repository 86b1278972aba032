"""Encoding files into shards: what they hold is what encoding each document says, however the job was run."""

import gzip
import json
import random
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fissile
from fissile.data import encoding_input, readers
from fissile.data.decoding import decode_corpus
from fissile.data.encoding import EncodedCorpus, encode_corpus
from fissile.data.encoding_job import Record
from fissile.data.token_files import TokenFile
from fissile.data.token_writers import Format, group_ends

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "this",
    "are",
    "or",
    "his",
    "from",
    "at",
    "which",
    "but",
]


def documents(n: int, seed: int = 1) -> list[str]:
    """Texts of 0 to some hundred words, some of other letters."""
    draw = random.Random(seed)
    made = []
    for i in range(n):
        words = draw.choices([*WORDS, "日本語", "naïve", "\n", "12345", "e\u0301"], k=draw.choice([0, 1, 5, 40, 300]))
        made.append(" ".join(words) + f" {i}" * (i % 3))
    return made


@pytest.fixture(scope="module")
def tok() -> fissile.Tokenizer:
    return fissile.train(iter(documents(200, 7)), vocab_size=400, pattern="gpt2", special_tokens=["<|end|>"])


def write_jsonl(path: Path, texts: list[str]) -> Path:
    lines = [json.dumps({"id": i, "text": text, "from": {"url": f"u{i}"}}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[list[Path], list[str]]:
    """Files of every kind, and their documents in order."""
    texts = documents(260)
    folder = tmp_path / "corpus"
    folder.mkdir()
    paths = [write_jsonl(folder / "a.jsonl", texts[:100]), folder / "b.jsonl.gz", folder / "c.txt", folder / "d.txt"]
    paths[1].write_bytes(gzip.compress(write_jsonl(tmp_path / "b.jsonl", texts[100:200]).read_bytes()))
    whole = [" ".join(texts[200:230]), " ".join(texts[230:])]
    paths[2].write_text(whole[0])
    paths[3].write_text(whole[1])
    return paths, texts[:200] + whole


def rows_of(made: EncodedCorpus, format: Format) -> list[list[int]]:
    """The rows of all shards, read as plainly as can be."""
    rows: list[list[int]] = []
    for stem in made.shards:
        name = str(stem)
        record = json.loads(Path(name + ".json").read_text())
        dtype = np.dtype(record["dtype"])
        if format == "npy":
            ids, offsets = np.load(name + ".ids.npy"), np.load(name + ".offsets.npy")
            assert ids.dtype == dtype and offsets.dtype == np.int64
            rows += [ids[a:b].tolist() for a, b in pairwise(offsets.tolist())]
        elif format == "parquet":
            parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
            rows += parquet.read_table(name + ".parquet")["ids"].to_pylist()
        elif format == "megatron":
            rows += megatron_rows(name)
        else:
            rows.append(np.fromfile(name + ".bin", dtype).tolist())
    return rows


def megatron_rows(name: str) -> list[list[int]]:
    """As megatron.core.datasets.indexed_dataset reads them: pointers and lengths, by version 1 of the index."""
    index = Path(name + ".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, n, n_documents = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1 and n_documents == n + 1
    dtype = {4: np.int32, 8: np.uint16}[code]
    lengths = np.frombuffer(index, np.int32, n, 34)
    pointers = np.frombuffer(index, np.int64, n, 34 + 4 * n)
    assert np.frombuffer(index, np.int64, n + 1, 34 + 12 * n).tolist() == list(range(n + 1))
    assert len(index) == 34 + 12 * n + 8 * (n + 1)
    data = Path(name + ".bin").read_bytes()
    return [
        np.frombuffer(data, dtype, k, at).tolist() for k, at in zip(lengths.tolist(), pointers.tolist(), strict=True)
    ]


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


FORMATS: list[Format] = ["bin", "npy", "megatron", "parquet"]


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [None, "uint32"])
@pytest.mark.parametrize("format", FORMATS)
def test_rows_are_the_documents(
    tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path, format: Format, dtype: str | None
) -> None:
    paths, texts = corpus
    end = tok.special_tokens["<|end|>"]
    made = encode_corpus(
        tmp_path / "out", paths, tok, format=format, eod="<|end|>", shard_tokens=5000, part_bytes=20_000, dtype=dtype
    )
    expected = [[*tok.encode(text).tolist(), end] for text in texts]
    rows = rows_of(made, format)
    if format == "bin":
        assert [*chain(*rows)] == [*chain(*expected)]
    else:
        assert rows == expected
    assert made.n_documents == len(texts) and made.n_tokens == sum(map(len, expected))
    assert len(made.shards) > 4 and any(stem.name.startswith("00001") for stem in made.shards)
    assert decode_corpus(tmp_path / "out", tmp_path / "back.jsonl") == len(texts)
    assert [json.loads(line)["text"] for line in (tmp_path / "back.jsonl").read_text().splitlines()] == texts


@pytest.mark.parametrize("format", FORMATS)
def test_packed_rows_are_blocks_of_the_stream(
    tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path, format: Format
) -> None:
    paths, texts = corpus
    end = tok.special_tokens["<|end|>"]
    made = encode_corpus(tmp_path / "out", paths, tok, format=format, eod=end, shard_tokens=3000, pack=64)
    stream = [*chain.from_iterable([*tok.encode(text).tolist(), end] for text in texts)]
    rows = rows_of(made, format)
    assert len(made.shards) > 4 and made.dropped_tokens == len(stream) % 64
    assert [*chain(*rows)] == stream[: len(stream) // 64 * 64]
    if format != "bin":
        assert {len(row) for row in rows} == {64}
    decode_corpus(tmp_path / "out", tmp_path / "back.jsonl")
    back = [json.loads(line)["text"] for line in (tmp_path / "back.jsonl").read_text().splitlines()]
    assert len(back) == len(texts) and back[:-1] == texts[:-1] and texts[-1].startswith(back[-1])


def test_a_shard_ends_with_the_document_that_fills_it(
    tok: fissile.Tokenizer, tmp_path: Path, corpus: tuple[list[Path], list[str]]
) -> None:
    made = encode_corpus(tmp_path / "out", corpus[0], tok, format="npy", shard_tokens=700)
    for stem in made.shards[:-1]:
        offsets = np.load(f"{stem}.offsets.npy")
        assert offsets[-2] < 700 <= offsets[-1]


@pytest.mark.parametrize("n_before", [0, 3, 9, 10, 25])
def test_group_ends(n_before: int) -> None:
    lengths = [4, 0, 6, 10, 0, 0, 25, 1, 1, 7, 1]
    expected, size = [], n_before
    for i, length in enumerate(lengths):
        size += length
        if size >= 10:
            expected.append(i)
            size = 0
    assert group_ends(n_before, np.cumsum(lengths), 10) == expected


def test_metadata_is_kept(tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path) -> None:
    [path, *_], texts = corpus
    made = encode_corpus(tmp_path / "out", path, tok, eod="<|end|>", shard_tokens=2000, metadata=True)
    lines = [json.loads(line) for stem in made.shards for line in Path(f"{stem}.meta.jsonl").read_text().splitlines()]
    assert lines == [
        {"source": f"{path}: line {i + 1}", "metadata": {"id": i, "from": {"url": f"u{i}"}}} for i in range(100)
    ]
    decode_corpus(tmp_path / "out", tmp_path / "back.jsonl")
    back = [json.loads(line) for line in (tmp_path / "back.jsonl").read_text().splitlines()]
    assert back == [{"text": text, "id": i, "from": {"url": f"u{i}"}} for i, text in enumerate(texts[:100])]


@pytest.mark.parametrize("split", ["stochastok:0.3", "dropout:0.3"])
def test_splits_are_those_of_the_loaders(
    tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path, split: str
) -> None:
    from fissile.data import TokenStream

    paths, _ = corpus
    options: dict[str, Any] = {"split": split, "seed": 5, "eod": tok.special_tokens["<|end|>"]}
    made = encode_corpus(tmp_path / "out", paths, tok, shard_tokens=2000, epoch=1, epochs=2, part_bytes=9000, **options)
    for epoch in (1, 2):
        stems = [stem for stem in made.shards if stem.parent.name == f"epoch-{epoch:05d}"]
        written = np.concatenate([np.fromfile(f"{stem}.bin", np.uint16) for stem in stems])
        assert written.tolist() == np.concatenate(list(TokenStream(paths, tok, epoch=epoch, **options))).tolist()
    decode_corpus(tmp_path / "out" / "epoch-00002", tmp_path / "back.jsonl")
    assert [json.loads(line)["text"] for line in (tmp_path / "back.jsonl").read_text().splitlines()] == corpus[1]


def test_what_was_written_loads(tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path) -> None:
    from fissile.data import TokenStream

    paths, texts = corpus
    end = tok.special_tokens["<|end|>"]
    expected = [[*tok.encode(text).tolist(), end] for text in texts]
    for format in ("bin", "npy", "megatron"):
        out = tmp_path / format
        encode_corpus(out, paths, tok, format=format, eod=end, shard_tokens=5000, metadata=True)
        assert [ids.tolist() for ids in TokenStream(out)] == expected
        shard = TokenFile(str(next(out.glob("*.bin" if format != "npy" else "*.ids.npy"))))
        begins, ends, ended = shard.bounds()
        assert ended.all() and shard.ids[ends].tolist() == [end] * len(begins)


# --- text files -------------------------------------------------------------------------------------------------------

TEXTS = [
    b"",
    b"one line",
    b"\n\n\nab\n\ncd\n\n\n\n\ne f\n" * 40,
    b"a\nb" * 300 + b"\xff\xfe bad \x80" + "日本語の文章。\n".encode() * 200,
    b"x" * 5000 + b"\nword " * 2000,
    b"<|end|> in\ntext <|end|>\n" * 50,
]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 97)
    monkeypatch.setattr(encoding_input, "_BLOCK_BYTES", 160)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("separator", [None, "\n", "\n\n", "b\n\n", "ab"])
@pytest.mark.parametrize("threads", [1, 2])
def test_text_files_are_encoded_in_stretches(
    tok: fissile.Tokenizer, tmp_path: Path, separator: str | None, threads: int
) -> None:
    paths = []
    for i, text in enumerate(TEXTS):
        paths.append(tmp_path / f"{i}.txt")
        paths[-1].write_bytes(text)
    end = tok.special_tokens["<|end|>"]
    options: dict[str, Any] = {"separator": separator, "eod": end}
    made = encode_corpus(tmp_path / "out", paths, tok, threads=threads, format="npy", shard_tokens=900, **options)
    batch = tok.encode_files(paths, separator=separator, eod=end)
    assert rows_of(made, "npy") == batch.tolist()
    whole = encode_corpus(tmp_path / "whole", paths, tok, format="npy", shard_tokens=900, skip_bad=True, **options)
    assert rows_of(whole, "npy") == batch.tolist()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "llama3"])
def test_a_document_of_many_stretches(tmp_path: Path, pattern: str) -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b" w": 256, b"\n\n": 257, b"wo": 258, b"\nw": 259, b"12": 260}
    tok = fissile.Tokenizer.from_ranks(ranks, pattern=pattern)
    draw = random.Random(3)
    text = "".join(draw.choices(["\n", "\n\n", " ", "w", "wo", "1", "12", "'s", ".", "é", "\r\n", "\t"], k=20_000))
    (tmp_path / "a.txt").write_text(text, newline="")
    made = encode_corpus(tmp_path / "out", tmp_path / "a.txt", tok, format="npy")
    assert rows_of(made, "npy") == [tok.encode(text).tolist()]


# --- going on ---------------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, json, fissile
from fissile.data.encoding import encode_corpus
out, paths, tokenizer, options = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
encode_corpus(out, paths, fissile.Tokenizer.from_file(tokenizer), **options)
"""


@pytest.fixture
def big_corpus(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "big"
    folder.mkdir()
    paths = [write_jsonl(folder / f"{i}.jsonl", documents(1500, i)) for i in range(3)]
    paths.append(folder / "lines.txt")
    paths[-1].write_text("\n".join(documents(900, 9)))
    paths[1].write_bytes(paths[1].read_bytes() + b"broken\n" + paths[0].read_bytes())
    return paths


@pytest.mark.parametrize(
    "options",
    [
        {"eod": "<|end|>", "shard_tokens": 20_000, "skip_bad": True, "metadata": True},
        {
            "format": "npy",
            "eod": "<|end|>",
            "shard_tokens": 20_000,
            "skip_bad": True,
            "pack": 100,
            "part_bytes": 1 << 19,
        },
        {"format": "parquet", "shard_tokens": 20_000, "skip_bad": True, "split": "stochastok:0.2", "seed": 4},
        {"format": "megatron", "eod": "<|end|>", "shard_tokens": 20_000, "skip_bad": True, "separator": "\n"},
    ],
    ids=["bin", "npy-pack", "parquet-split", "megatron-separator"],
)
def test_killed_anywhere_it_ends_with_the_same_bytes(
    tok: fissile.Tokenizer, big_corpus: list[Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    if options.get("format") == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    tok.save(tmp_path / "tok.fissile")
    arguments = [json.dumps([str(path) for path in big_corpus]), str(tmp_path / "tok.fissile"), json.dumps(options)]
    draw = random.Random(len(str(options)))
    killed = tmp_path / "killed"
    n_kills = 0
    for _ in range(4):
        job = subprocess.Popen([sys.executable, "-c", PROGRAM, str(killed), *arguments])
        shards = len(list(killed.glob("*-*.json"))) if killed.exists() else 0
        goal = shards + draw.randint(1, 4)
        while job.poll() is None and (not killed.exists() or len(list(killed.glob("*-*.json"))) < goal):
            time.sleep(0.001)
        n_kills += job.poll() is None
        job.send_signal(signal.SIGKILL)
        job.wait()
    assert n_kills
    tokenizer = fissile.Tokenizer.from_file(tmp_path / "tok.fissile")
    made = encode_corpus(killed, big_corpus, tokenizer, **options)
    encode_corpus(tmp_path / "whole", big_corpus, tokenizer, **options)
    assert files_of(killed) == files_of(tmp_path / "whole")
    assert [message for message in made.skipped if "1.jsonl: line 1501" in message]
    assert encode_corpus(killed, big_corpus, tokenizer, **options) == made  # nothing is left to do


def test_a_directory_of_another_job_is_refused(
    tok: fissile.Tokenizer, corpus: tuple[list[Path], list[str]], tmp_path: Path
) -> None:
    paths, _ = corpus
    out = tmp_path / "out"
    encode_corpus(out, paths, tok)
    before = files_of(out)
    with pytest.raises(ValueError, match=r"encoding\.json: this directory holds a job with seed 0, not 1"):
        encode_corpus(out, paths, tok, seed=1)
    with pytest.raises(ValueError, match="with files"):
        encode_corpus(out, paths[1:], tok)
    assert files_of(out) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected an empty directory"):
        encode_corpus(tmp_path / "full", paths, tok)
    with pytest.raises(ValueError, match="must not lie in"):
        encode_corpus(tmp_path, paths, tok)
    (out / "encoding.json").write_text("[]")
    with pytest.raises(ValueError, match="expected the settings of an encoding job"):
        encode_corpus(out, paths, tok)


def test_an_input_that_changes_meanwhile_is_an_error(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    paths = [write_jsonl(tmp_path / f"{i}.jsonl", documents(50, i)) for i in range(2)]

    def change(*_: object) -> None:
        paths[1].write_text('{"text": "other"}\n')

    with pytest.raises(ValueError, match=r"1\.jsonl: expected the file of .* that was there when the job began"):
        encode_corpus(tmp_path / "out", paths, tok, progress=change, part_bytes=1)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def limited(n_bytes: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_finished_shards_whole(
    tok: fissile.Tokenizer, big_corpus: list[Path], tmp_path: Path, format: Format
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    tok.save(tmp_path / "tok.fissile")
    # The second shard holds a document that no file may hold, as if the disk were full from there on.
    texts = [*documents(300), random.Random(8).randbytes(300_000).hex(), *documents(300, 2)]
    path = write_jsonl(tmp_path / "a.jsonl", texts)
    options = {"format": format, "eod": "<|end|>", "shard_tokens": 10_000}
    arguments = [json.dumps([str(path)]), str(tmp_path / "tok.fissile"), json.dumps(options)]
    out = tmp_path / "out"
    command = [sys.executable, "-c", PROGRAM, str(out), *arguments]
    result = subprocess.run(command, preexec_fn=lambda: limited(200_000), capture_output=True, text=True)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("OSError: [Errno 27]") and "out/00000-0" in last
    assert not [path.name for path in out.iterdir() if path.name.endswith(".partial")]
    assert len(list(out.glob("*-*.json"))) >= 1
    tokenizer = fissile.Tokenizer.from_file(tmp_path / "tok.fissile")
    made = encode_corpus(out, path, tokenizer, **options)  # type: ignore[arg-type]
    assert decode_corpus(out, tmp_path / "back.jsonl") == len(texts) == made.n_documents


def test_skip_bad_leaves_out_what_is_broken_and_says_so(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    good = documents(40)
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": text}) for text in good]
    lines.insert(3, '{"text": 5}')
    lines.insert(10, "{")
    lines.insert(20, "")
    lines.insert(30, '{"text": "a lone \\ud800 surrogate"}')
    path.write_text("\n".join(lines))
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"text": "cut off"}\n' * 1000)[:-20])
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"a\.jsonl: line 4: expected an object with a text"):
        encode_corpus(out, [path, packed], tok, format="npy")
    with pytest.raises(ValueError, match="with skip_bad False, not True"):
        encode_corpus(out, [path, packed], tok, format="npy", skip_bad=True)
    made = encode_corpus(tmp_path / "other", [path, packed], tok, format="npy", skip_bad=True)
    assert rows_of(made, "npy")[:40] == [tok.encode(text).tolist() for text in good]
    whats = ["line 4: expected an object", "line 11: expected JSON", "line 31: ", "b.jsonl.gz: broken .gz file"]
    assert len(made.skipped) == 4 and all(what in message for what, message in zip(whats, made.skipped, strict=True))


def test_an_error_names_the_document(tmp_path: Path) -> None:
    ranks = {bytes([b]): b for b in range(256)}
    tok = fissile.Tokenizer.from_ranks(ranks, pattern="gpt2", special_tokens={"<|end|>": 256})
    path = write_jsonl(tmp_path / "a.jsonl", ["fine", "has <|end|> in it"])
    with pytest.raises(ValueError, match=r"a\.jsonl: line 2: .*<\|end\|>"):
        encode_corpus(tmp_path / "1", path, tok)
    text = tmp_path / "b.txt"
    text.write_text("one\ntwo <|end|>\nthree")
    with pytest.raises(ValueError, match=r"b\.txt: document 1: .*<\|end\|>"):
        encode_corpus(tmp_path / "2", text, tok, separator="\n")
    made = encode_corpus(tmp_path / "3", [path, text], tok, separator="\n", skip_bad=True)
    assert made.n_documents == 3 and len(made.skipped) == 2
    for special, ids in (("take", [104, 97, 115, 32, 256]), ("text", [104, 97, 115, 32, 60])):
        made = encode_corpus(tmp_path / special, path, tok, format="npy", special_tokens=special)  # type: ignore[arg-type]
        assert rows_of(made, "npy")[1][:5] == ids


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eod": "<nope>"}, "eod '<nope>' is no special token"),
        ({"pack": 0}, "pack must be at least 1"),
        ({"shard_tokens": 0}, "shard_tokens must be at least 1"),
        ({"format": "csv"}, "format must be 'bin' or 'npy' or 'megatron' or 'parquet', not 'csv'"),
        ({"dtype": "int32"}, "dtype must be uint16 or uint32"),
        ({"eod": 70000}, "eod must be from 0 to "),
        ({"separator": ""}, "separator must not be empty"),
        ({"pack": 8, "metadata": True}, "with pack there are blocks"),
        ({"split": "nope:0.1"}, "no sampler .nope."),
        ({"split": "stochastok:1.5"}, "P is .1.5."),
        ({"special_tokens": "maybe"}, "special_tokens must be 'default' or"),
        ({"field": "body"}, "expected an object with a text in 'body'"),
    ],
)
def test_options_are_checked(tok: fissile.Tokenizer, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", ["text"])
    with pytest.raises(ValueError, match=message):
        encode_corpus(tmp_path / "out", path, tok, **options)


def test_empty_inputs_make_an_empty_shard(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    for format in FORMATS:
        made = encode_corpus(tmp_path / format, tmp_path / "a.jsonl", tok, format=format, eod="<|end|>")
        assert (made.n_documents, made.n_tokens, len(made.shards)) == (0, 0, 1)
        assert decode_corpus(tmp_path / format, tmp_path / "back.jsonl") == 0
    assert Record.load(Path(f"{made.shards[0]}.json")).next is None


def test_progress_is_told_and_may_stop_it(tok: fissile.Tokenizer, big_corpus: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int | None, int]] = []
    total = sum(path.stat().st_size for path in big_corpus)

    def progress(phase: str, done: int, of: int | None, tokens: int) -> None:
        assert phase == "encode"
        seen.append((done, of, tokens))

    options: dict[str, Any] = {"eod": "<|end|>", "skip_bad": True, "part_bytes": 1 << 19}
    made = encode_corpus(tmp_path / "out", big_corpus, tok, progress=progress, **options)
    assert seen == sorted(seen) and seen[-1] == (total, total, made.n_tokens)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_corpus(tmp_path / "stopped", big_corpus, tok, progress=stop, **options)
    assert encode_corpus(tmp_path / "stopped", big_corpus, tok, **options).n_tokens == made.n_tokens
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "out")


# --- decoding what others wrote ---------------------------------------------------------------------------------------


def test_decodes_files_of_nanogpt(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    texts = [text for text in documents(30) if text]
    end = tok.special_tokens["<|end|>"]
    ids = np.concatenate([[*tok.encode(text).tolist(), end] for text in texts]).astype(np.uint16)
    ids.tofile(tmp_path / "train.bin")
    out = tmp_path / "back.jsonl"
    with pytest.raises(FileNotFoundError, match=r"expected tokenizer\.fissile"):
        decode_corpus(tmp_path / "train.bin", out)
    with pytest.raises(ValueError, match=r"train\.bin: expected a \.json beside it"):
        decode_corpus(tmp_path / "train.bin", out, tok)
    assert decode_corpus(tmp_path / "train.bin", out, tok, dtype="uint16", eod=end) == len(texts)
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == texts
    assert decode_corpus(tmp_path / "train.bin", out, tok, dtype="uint16") == 1
    np.array([70, 71, 60000], np.uint16).tofile(tmp_path / "bad.bin")
    with pytest.raises(ValueError, match=r"bad\.bin: document 0: .*60000"):
        decode_corpus(tmp_path / "bad.bin", out, tok, dtype="uint16", eod=end)
    with pytest.raises(FileNotFoundError, match="expected shards"):
        decode_corpus(tmp_path / "..", out, tok)


def test_decoding_bytes_that_are_no_text(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine\nnot \xff fine")
    encode_corpus(tmp_path / "out", tmp_path / "a.txt", tok, separator="\n", eod="<|end|>")
    with pytest.raises(ValueError, match=r"00000-00000\.bin: document 1: "):
        decode_corpus(tmp_path / "out", tmp_path / "back.jsonl")
    assert not (tmp_path / "back.jsonl").exists()
    assert decode_corpus(tmp_path / "out", tmp_path / "back.jsonl", errors="replace") == 2


@pytest.fixture(autouse=True)
def no_files_stay_open() -> Iterator[None]:
    import gc
    import warnings

    yield
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        gc.collect()
