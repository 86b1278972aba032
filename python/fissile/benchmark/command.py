"""What `fissile bench` does: a user's text and tokenizer, against every encoder that is installed and can load it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fissile.benchmark import machine, plots, tables
from fissile.benchmark import texts as text_files
from fissile.benchmark.harness import Row, Settings, measure_row
from fissile.benchmark.peers import PACKAGES, PEERS, chosen
from fissile.benchmark.tokenizer_files import TokenizerFiles
from fissile.benchmark.works import WORKS
from fissile.tokenizer import Tokenizer

__all__ = ["ALL_WORKS", "DEFAULT_WORK", "run", "write"]

DEFAULT_WORK = "encode,lists,decode,count,latency,load"
SERIES = ("lengths", "threads", "sizes", "vocabularies")
"""Encoding again and again: documents of other lengths, other numbers of threads, more or less text, the first tokens."""
ALL_WORKS = (*WORKS, *SERIES)
_LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
_SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_VOCABULARIES = (1_000, 4_000, 16_000, 64_000, 256_000)
_LENGTHS_BYTES = 4_000_000


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
    limit: float = 300,
    command: str = "fissile bench",
    show: Callable[[str], None] = print,
    progress: Callable[[str, int, int | None], None] = lambda name, done, total: None,
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
        limit: seconds a process may take.
        command: what to say the results were made by.
        show: prints.
        progress: called with "measuring", how many processes have ended, and how many there will be at most.

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
    names = chosen(peers)
    if output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)  # found out before minutes of work, not after them
    if files:
        texts = text_files.from_files(files, max_bytes, size=document_chars, field=field, column=column)
        corpus = ", ".join(Path(file).name for file in files[:3]) + (", ..." if len(files) > 3 else "")
    else:
        texts = _standard_library(max_bytes, document_chars)
        corpus = "Python's standard library"
    slow = frozenset(name for name in names if PEERS[name].slow)
    settings = Settings(names, runs=runs, clock=clock, slow=slow, limit=limit)
    record: dict[str, Any] = {
        "machine": machine.describe(PACKAGES),
        "command": command,
        "settings": {"runs": runs, "clock": clock, "slow": sorted(slow), "slow bytes": settings.slow_bytes},
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        tokenizer_files = TokenizerFiles.of(tokenizer, Path(folder))
        if "vocabularies" in works and tokenizer_files.ranks is None:
            if work != "all":
                raise ValueError(f"work 'vocabularies' cuts ranks, and {tokenizer!r} has none")
            works.remove("vocabularies")
        rows = _rows(works, tokenizer_files, corpus, texts, threads or machine.n_cpus())
        each = runs * len(names)
        for i, row in enumerate(rows):
            places = iter(range(i * each, (i + 1) * each))

            def on_run(peer: str, places: Iterator[int] = places) -> None:
                progress("measuring", next(places, 0), len(rows) * each)

            record["rows"].append(measure_row(row, settings, on_run))
            show(tables.row_table(record["rows"][-1]))
            if output is not None:
                write(record, Path(output))  # an interrupt later leaves what there is
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


def _rows(works: Sequence[str], files: TokenizerFiles, corpus: str, texts: Sequence[str], most: int) -> list[Row]:
    """What to measure: throughput on one thread and on many, the rest on one; and the series."""
    rows = []
    for work in works:
        if work == "lengths":
            some = text_files.first_bytes(texts, _LENGTHS_BYTES)
            longest = sum(map(len, some))
            sizes = [size for size in _LENGTHS if size <= longest] or [longest]
            rows += [
                Row("encode", files, corpus, text_files.cut(some, size), 1, "document length", size) for size in sizes
            ]
        elif work == "threads":
            numbers = sorted({1 << i for i in range(most.bit_length())} | {most})
            rows += [Row("encode", files, corpus, texts, n, "threads", n) for n in numbers]
        elif work == "sizes":
            n_bytes = sum(len(text.encode()) for text in texts)
            sizes = [*(size for size in _SIZES if size < n_bytes), n_bytes]
            rows += [
                Row("encode", files, corpus, text_files.first_bytes(texts, size), 1, "input bytes", size)
                for size in sizes
            ]
        elif work == "vocabularies":
            n_ranks = Path(files.ranks or "").read_bytes().count(b"\n")
            sizes = [*(size for size in _VOCABULARIES if size < n_ranks), n_ranks]
            rows += [Row("encode", files.cut(size), corpus, texts, 1, "vocabulary size", size) for size in sizes]
        else:
            many = {1, most} if work in ("encode", "lists", "count", "split") else {most} if work == "sharing" else {1}
            rows += [Row(work, files, corpus, texts, n) for n in sorted(many)]
    return rows


def write(record: dict[str, Any], folder: Path) -> None:
    """Write results.json and results.md."""
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(tables.markdown(record), encoding="utf-8")
