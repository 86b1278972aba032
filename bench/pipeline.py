"""`fissile encode` from files to shards, beside `encode_files` on the same text, datatrove and Megatron-LM's way.

    python bench/pipeline.py TEXT... --tokenizer tokenizer.json --megabytes 1000 --peer-megabytes 100 --runs 3 \
        -o bench/results/pipeline.md

The texts are cut into documents of about 2,000 characters and repeated until there are enough: as lines of jsonl, and as
one text file with a NUL between documents. Every way takes turns and is a whole process, with as many threads or workers as
there are CPUs. datatrove's tokenizer stage is run without shuffling. Megatron-LM's is the pattern of its
tools/preprocess_data.py: json.loads, `tokenizers` in a pool of processes, ids of every document written one by one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SEPARATOR = "\0"
N_CPUS = len(os.sched_getaffinity(0))


def documents(texts: list[Path], n_bytes: int) -> Iterator[str]:
    """So many bytes of documents, the texts again and again."""
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in texts).replace(SEPARATOR, " ")
    pieces = [text[i : i + 2000] for i in range(0, len(text), 2000)]
    sizes = [len(piece.encode()) for piece in pieces]
    done = i = 0
    while done < n_bytes:
        yield pieces[i % len(pieces)]
        done += sizes[i % len(pieces)]
        i += 1


def write_inputs(folder: Path, texts: list[Path], megabytes: int) -> int:
    """Both files; returns the bytes of their documents."""
    n_bytes = 0
    with (
        open(folder / "a.jsonl", "w", encoding="utf-8") as lines,
        open(folder / "a.txt", "w", encoding="utf-8") as text,
    ):
        for i, document in enumerate(documents(texts, megabytes * 1_000_000)):
            record = {"id": i, "text": document, "metadata": {"url": f"https://example.org/{i}"}}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            text.write((SEPARATOR if i else "") + document)
            n_bytes += len(document.encode())
    return n_bytes


# --- the ways, each in a process of its own ---------------------------------------------------------------------------


def fissile_encode(tokenizer: str, source: str, out: str) -> None:
    from fissile.cli import main

    options = ["--tokenizer", tokenizer, "-o", out, "--eod", "none", "--separator", r"\0", "--special-tokens", "text"]
    status = main(["encode", source, *options])
    assert status == 0


def encode_files(tokenizer: str, source: str, out: str) -> None:
    import fissile

    tok = fissile.Tokenizer.from_file(tokenizer)
    tok.encode_files(str(Path(source).with_suffix(".txt")), separator=SEPARATOR)


def datatrove(tokenizer: str, source: str, out: str) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    # A file is read by one task, so each gets a file of its own.
    folder = Path(out, "in")
    folder.mkdir(parents=True)
    with open(source, encoding="utf-8") as lines:
        shares = [open(folder / f"{i}.jsonl", "w", encoding="utf-8") for i in range(N_CPUS)]  # noqa: SIM115
        for i, line in enumerate(lines):
            shares[i % N_CPUS].write(line)
        for share in shares:
            share.close()
    began = time.perf_counter()
    stage = DocumentTokenizer(str(Path(out, "out")), tokenizer, shuffle_documents=False)
    pipeline = [JsonlReader(str(folder)), stage]
    LocalPipelineExecutor(pipeline, tasks=N_CPUS, workers=N_CPUS, logging_dir=str(Path(out, "log"))).run()
    print("seconds", time.perf_counter() - began)


def _start(tokenizer: str) -> None:
    from tokenizers import Tokenizer

    global _tokenizer
    _tokenizer = Tokenizer.from_file(tokenizer)


def _encode_line(line: str) -> list[int]:
    ids: list[int] = _tokenizer.encode(json.loads(line)["text"]).ids
    return ids


def megatron(tokenizer: str, source: str, out: str) -> None:
    Path(out).mkdir()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    lengths = []
    with (
        open(source, encoding="utf-8") as lines,
        open(Path(out, "a.bin"), "wb") as file,
        multiprocessing.Pool(N_CPUS, _start, (tokenizer,)) as pool,
    ):
        for ids in pool.imap(_encode_line, lines, 32):
            file.write(np.array(ids, np.int32).tobytes())
            lengths.append(len(ids))
    np.array(lengths, np.int32).tofile(Path(out, "a.idx"))


WAYS = {f.__name__: f for f in (fissile_encode, encode_files, datatrove, megatron)}
_tokenizer: Any = None


# --- measuring --------------------------------------------------------------------------------------------------------


def seconds(way: str, tokenizer: Path, source: Path) -> float:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, __file__, "--way", way, str(tokenizer), str(source), str(Path(out, "out"))]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        took = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
    told = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    return float(told[0].split()[1]) if told else took


def version_of(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} (none)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--peer-megabytes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()

    lines = ["| way | input | MB | seconds | MB/s | of encode_files |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as directory:
        large, small = Path(directory, "large"), Path(directory, "small")
        sizes = {}
        for folder, megabytes in ((large, arguments.megabytes), (small, arguments.peer_megabytes)):
            folder.mkdir()
            sizes[folder] = write_inputs(folder, arguments.texts, megabytes)
        jobs = [
            ("encode_files", large / "a.txt"),
            ("fissile_encode", large / "a.txt"),
            ("fissile_encode", large / "a.jsonl"),
            ("fissile_encode", small / "a.jsonl"),
            *((way, small / "a.jsonl") for way in ("datatrove", "megatron") if way == "megatron" or find_spec(way)),
        ]
        times: dict[tuple[str, Path], list[float]] = {job: [] for job in jobs}
        for _ in range(arguments.runs):
            for job in jobs:
                times[job].append(seconds(job[0], arguments.tokenizer, job[1]))
        reference = sizes[large] / statistics.median(times[jobs[0]])
        for (way, source), took in times.items():
            rate = sizes[source.parent] / statistics.median(took)
            spread = f"{statistics.median(took):.2f} ({min(took):.2f} to {max(took):.2f})"
            size = f"{sizes[source.parent] / 1e6:.0f}"
            lines.append(f"| {way} | {source.suffix} | {size} | {spread} | {rate / 1e6:.0f} | {rate / reference:.2f} |")
    packages = ", ".join(version_of(name) for name in ("tokenizers", "datatrove", "orjson", "numpy"))
    shown = " ".join(["TEXT..." if str(a) in map(str, arguments.texts) else a for a in sys.argv[1:]])
    shown = shown.replace(str(arguments.tokenizer), arguments.tokenizer.name).replace(
        "TEXT... " * len(arguments.texts), "TEXT... "
    )
    header = [
        "# From files to shards",
        "",
        f"Made by `python bench/pipeline.py {shown}`",
        "",
        f"{platform.machine()}, {N_CPUS} cores, Python {platform.python_version()}, {packages}; tokenizer "
        f"{arguments.tokenizer.name}; medians of {arguments.runs} runs in turn, whole processes.",
        "",
    ]
    text = "\n".join([*header, *lines]) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        shutil.rmtree(sys.argv[5], ignore_errors=True)
        WAYS[sys.argv[2]](*sys.argv[3:])
    else:
        main()
