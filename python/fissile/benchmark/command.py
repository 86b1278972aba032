"""What `fissile bench` does: a user's text and tokenizer, against every encoder that is installed and can load it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fissile.benchmark import machine, plots, tables
from fissile.benchmark import texts as text_files
from fissile.benchmark.encoding import EncodingRow
from fissile.benchmark.harness import Row, Settings, measure_rows
from fissile.benchmark.peers import PEERS
from fissile.benchmark.tokenizer_files import TokenizerFiles
from fissile.benchmark.trades import PACKAGES, chosen
from fissile.benchmark.trainers import TRAINERS
from fissile.benchmark.training import TrainingRow
from fissile.benchmark.works import WORKS
from fissile.tokenizer import Tokenizer

__all__ = [
    "ALL_WORKS",
    "BUDGET",
    "DEFAULT_WORK",
    "SERIES",
    "TRAINING",
    "encoding_rows",
    "run",
    "training_rows",
    "write",
]

DEFAULT_WORK = "encode,lists,decode,count,latency,load"
BUDGET = 5.0  # with sixteen packages a megabyte takes a few minutes
"""Seconds that all runs of a peer in a row take, about, where nobody says otherwise."""
SERIES = ("lengths", "threads", "sizes", "vocabularies")
"""Encoding again and again: documents of other lengths, other numbers of threads, more or less text, the first tokens."""
TRAINING = ("train", "train-sizes", "train-vocabularies", "train-threads")
"""Training, and training again and again: on more or less text, to more or fewer ids, on more threads."""
ALL_WORKS = (*WORKS, *SERIES, *TRAINING)
_LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
_SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_VOCABULARIES = (1_000, 4_000, 16_000, 64_000, 256_000)
_LENGTHS_BYTES = 4_000_000
_TRAINED = 32_000


def run(
    files: Sequence[str],
    tokenizer: Tokenizer,
    *,
    peers: str = "all",
    work: str = DEFAULT_WORK,
    output: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    runs: int = 3,
    max_bytes: int = 32_000_000,
    document_chars: int = text_files.DOCUMENT_CHARS,
    field: str = "text",
    column: str = "text",
    clock: str = "wall",
    limit: float = 120,
    budget: float | None = BUDGET,
    vocab_size: int | None = None,
    command: str = "fissile bench",
    show: Callable[[str], None] = print,
    progress: Callable[..., None] = lambda phase, done, total, note="": None,
) -> dict[str, Any]:
    """Measure, print tables as they come, and write them.

    Args:
        files: text, .jsonl or .parquet, packed or not, directories or patterns; none: Python's standard library.
        tokenizer: the one to measure with.
        peers: names with commas between them, or "all" that are installed.
        work: of ALL_WORKS, with commas between them.
        output: folder for results.json, results.md and drawings; None: nothing is written.
        threads: the most threads of a row; None: every CPU.
        runs: processes of each peer and row.
        max_bytes: how much of the files is read.
        document_chars: characters of a document of a text file, about.
        field: of .jsonl: key of the text.
        column: of .parquet: column of text.
        clock: "wall" or "cpu".
        limit: seconds a process may take; one that takes longer is ended.
        budget: seconds that all runs of a peer in a row should take, about: slow peers get fewer runs, and then less of
            the text. None: they take what they take.
        vocab_size: ids that are trained; None: as many as the tokenizer has, and 32,000 at the most.
        command: what to say the results were made by.
        show: prints.
        progress: called with a phase, how many processes have ended, how many there will be, and what is running.

    Returns:
        What results.json holds.

    Raises:
        ValueError: no such peer or work, a number that is out of range, or no text.
        OSError: a file cannot be read, or the folder cannot be written to.
    """
    works = list(dict.fromkeys(word.strip() for word in work.split(","))) if work != "all" else list(ALL_WORKS)
    for word in works:
        if word not in ALL_WORKS:
            raise ValueError(f"work {word!r} is not known; expected 'all' or some of {', '.join(ALL_WORKS)}")
    for name, value in (
        ("runs", runs),
        ("threads", threads),
        ("max_bytes", max_bytes),
        ("document_chars", document_chars),
    ):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    for name, seconds in (("limit", limit), ("budget", budget)):
        if seconds is not None and not seconds > 0:
            raise ValueError(f"{name} must be more than 0 seconds, not {seconds}")
    if vocab_size is not None and vocab_size < 257:
        raise ValueError(f"vocab_size must be at least 257, all bytes and a merge, not {vocab_size}")
    names = chosen(peers)
    if output is not None:  # found out before minutes of work, not after them
        if Path(output).is_file():
            raise ValueError(f"{output}: expected a folder for results, found a file")
        Path(output).mkdir(parents=True, exist_ok=True)
    if idle := [] if peers == "all" else _idle(names, works):
        raise ValueError(f"peer {idle[0]!r} does nothing of --work {','.join(works)}")
    if files:
        texts = text_files.from_files(files, max_bytes, size=document_chars, field=field, column=column)
        corpus = ", ".join(Path(file).name for file in files[:3]) + (", ..." if len(files) > 3 else "")
    else:
        texts = _standard_library(max_bytes, document_chars)
        corpus = "Python's standard library"
    settings = Settings(names, runs, clock, limit, budget)
    record: dict[str, Any] = {
        "machine": machine.describe(PACKAGES),
        "command": command,
        "settings": {"runs": runs, "clock": clock, "limit s": limit, "budget s": budget},
        "rows": [],
    }
    show(f"{corpus}, {sum(len(text.encode()) for text in texts) / 1e6:,.1f} MB")

    def on_row(row: dict[str, Any]) -> None:
        record["rows"].append(row)
        show(tables.row_table(row))
        if output is not None:
            write(record, Path(output))  # an interrupt later leaves what there is

    with tempfile.TemporaryDirectory() as folder:
        tokenizer_files = TokenizerFiles.of(tokenizer, Path(folder))
        if "vocabularies" in works and tokenizer_files.ranks is None:
            if work != "all":
                raise ValueError(f"work 'vocabularies' cuts ranks, and {tokenizer!r} has none")
            works.remove("vocabularies")
        most = threads or machine.n_cpus()
        rows: list[Row] = [
            *encoding_rows([word for word in works if word not in TRAINING], tokenizer_files, corpus, texts, most)
        ]
        if training := [word for word in works if word in TRAINING]:
            text = Path(folder) / "corpus.txt"
            text.write_bytes("\n".join(texts).encode(errors="replace"))
            size = vocab_size or max(257, min(tokenizer.n_vocab, _TRAINED))
            whole = TrainingRow(corpus, text, size, _trainable(tokenizer_files), most)
            rows += training_rows(training, whole, Path(folder))
        measure_rows(rows, settings, on_row=on_row, show=show, progress=progress)
    if output is not None:
        try:
            drawn = plots.draw(record, Path(output))
        except ImportError as error:
            show(f"no drawings: {error}")
        else:
            show(f"{len(drawn)} drawings")
        show(f"{Path(output) / 'results.md'}, {Path(output) / 'results.json'}")
    return record


def _standard_library(max_bytes: int, document_chars: int) -> list[str]:
    from fissile.demo import standard_library

    files = (data.decode(errors="replace") for data in standard_library())
    return text_files.first_bytes([d for text in files for d in text_files.documents(text, document_chars)], max_bytes)


def encoding_rows(
    works: Sequence[str], files: TokenizerFiles, corpus: str, texts: Sequence[str], most: int
) -> list[EncodingRow]:
    """What to encode: throughput on one thread and on many, the rest on one; and the series."""
    rows: list[EncodingRow] = []
    for work in works:
        if work == "lengths":
            some = text_files.first_bytes(texts, _LENGTHS_BYTES)
            longest = sum(map(len, some))
            sizes = [size for size in _LENGTHS if size <= longest] or [longest]
            rows += [
                EncodingRow("encode", files, corpus, text_files.cut(some, size), 1, "document length", size)
                for size in sizes
            ]
        elif work == "threads":
            rows += [EncodingRow("encode", files, corpus, texts, n, "threads", n) for n in _threads(most)]
        elif work == "sizes":
            n_bytes = sum(len(text.encode()) for text in texts)
            sizes = [*(size for size in _SIZES if size < n_bytes), n_bytes]
            rows += [
                EncodingRow("encode", files, corpus, text_files.first_bytes(texts, size), 1, "input bytes", size)
                for size in sizes
            ]
        elif work == "vocabularies":
            n_ranks = Path(files.ranks or "").read_bytes().count(b"\n")
            sizes = [*(size for size in _VOCABULARIES if size < n_ranks), n_ranks]
            rows += [
                EncodingRow("encode", files.cut(size), corpus, texts, 1, "vocabulary size", size) for size in sizes
            ]
        else:
            many = {1, most} if work in ("encode", "lists", "count", "split") else {most} if work == "sharing" else {1}
            rows += [EncodingRow(work, files, corpus, texts, n) for n in sorted(many)]
    return rows


def _idle(names: Sequence[str], works: Sequence[str]) -> list[str]:
    """Those who do nothing of this."""
    trades = [TRAINERS if work in TRAINING else PEERS for work in works]
    return [name for name in names if not any(name in trade for trade in trades)]


def _trainable(files: TokenizerFiles) -> str:
    """The tokenizer's way to split text, if one can train by it; or else GPT-4's."""
    if files.kind == "sentencepiece" or files.pattern in ("", "none", "superbpe"):
        return "cl100k"
    return files.pattern


def training_rows(works: Sequence[str], whole: TrainingRow, folder: Path) -> list[TrainingRow]:
    """What to train: on all of the text on every thread; and the series."""
    rows: list[TrainingRow] = []
    for work in works:
        if work == "train-sizes":
            sizes = [*(size for size in _SIZES if 100_000 < size < whole.n_bytes), whole.n_bytes]
            rows += [replace(whole.first(size, folder), series="input bytes", x=size) for size in sizes]
        elif work == "train-vocabularies":
            sizes = [*(size for size in _VOCABULARIES if size < whole.vocab_size), whole.vocab_size]
            rows += [replace(whole, vocab_size=size, series="vocabulary size", x=size) for size in sizes]
        elif work == "train-threads":
            rows += [replace(whole, threads=n, series="threads", x=n) for n in _threads(whole.threads)]
        else:
            rows += [replace(whole, threads=n) for n in sorted({1, whole.threads})]
    return rows


def _threads(most: int) -> list[int]:
    return sorted({1 << i for i in range(most.bit_length())} | {most})


def write(record: dict[str, Any], folder: Path) -> None:
    """Write results.json and results.md."""
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(tables.markdown(record), encoding="utf-8")
