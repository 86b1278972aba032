"""Encoding on a cluster: the shards of one machine, whoever dies on the way."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

import fissile
from fissile import distributed
from fissile.data.encoding import encode_corpus


def in_this_process(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
    for i in random.sample(range(len(tasks)), len(tasks)):
        function(tasks[i])
        yield i


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def tok() -> fissile.Tokenizer:
    return fissile.train(iter(["def encode(self, text): return self.table[text]"] * 9), 300, special_tokens=["<|end|>"])


OPTIONS: dict[str, Any] = {"eod": "<|end|>", "shard_tokens": 20_000, "part_bytes": 30_000, "seed": 3}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"split": "stochastok:0.2", "epochs": 2},
        {"format": "npy", "pack": 128},
        {"metadata": True, "skip_bad": True},
    ],
    ids=["bin", "split", "pack", "metadata"],
)
def test_shards_are_one_machines_to_the_byte(
    tok: fissile.Tokenizer, corpus: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    one = encode_corpus(tmp_path / "one", corpus, tok, **OPTIONS, **options)
    told: list[tuple[str, int, int | None, int]] = []
    many = distributed.encode_corpus(
        tmp_path / "many",
        corpus,
        tok,
        engine=in_this_process,
        progress=lambda *of: told.append(of),
        **OPTIONS,
        **options,
    )
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")
    assert (many.n_tokens, many.n_documents, len(many.shards)) == (one.n_tokens, one.n_documents, len(one.shards))
    total = sum(path.stat().st_size for path in corpus.iterdir()) * options.get("epochs", 1)
    assert told == sorted(told) and told[-1] == ("encode", total, total, one.n_tokens)


def test_a_job_goes_on_elsewhere(tok: fissile.Tokenizer, corpus: Path, tmp_path: Path) -> None:
    def stopping(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        for i in (3, 1):
            function(tasks[i])
            yield i
        raise RuntimeError("the cluster is gone")

    ran: list[Any] = []

    def recording(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        ran.extend(tasks)
        yield from in_this_process(function, tasks, cpus)

    for name, again in (("cluster", True), ("machine", False)):
        out = tmp_path / name
        with pytest.raises(RuntimeError, match="the cluster is gone"):
            distributed.encode_corpus(out, corpus, tok, engine=stopping, **OPTIONS)
        if again:
            distributed.encode_corpus(out, corpus, tok, engine=recording, **OPTIONS)
        else:
            encode_corpus(out, corpus, tok, **OPTIONS)
    assert {task.part.index for task in ran}.isdisjoint({1, 3}) and ran
    encode_corpus(tmp_path / "one", corpus, tok, **OPTIONS)
    assert files_of(tmp_path / "cluster") == files_of(tmp_path / "machine") == files_of(tmp_path / "one")


def test_a_file_that_a_worker_does_not_see_is_named(tok: fissile.Tokenizer, corpus: Path, tmp_path: Path) -> None:
    def elsewhere(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        (corpus / "06.txt").rename(tmp_path / "06.txt")
        yield from in_this_process(function, tasks, cpus)

    with pytest.raises(FileNotFoundError, match=r"not found by the worker on .*06\.txt"):
        distributed.encode_corpus(tmp_path / "out", corpus, tok, engine=elsewhere, **OPTIONS)
    read, write = os.pipe()
    try:
        with pytest.raises(ValueError, match="expected a file that every worker can read"):
            distributed.encode_corpus(tmp_path / "pipe", f"/dev/fd/{read}", tok, engine=in_this_process)
    finally:
        os.close(read)
        os.close(write)


# --- Ray --------------------------------------------------------------------------------------------------------------


def held_once(function: Callable[[Any], None], told: Path) -> Callable[[Any], None]:
    """A task's function that, the first time, tells its process and stays between writing a shard and naming it."""

    def held(task: Any) -> None:
        from fissile.whole_file import PartialFile

        try:
            file = os.open(told, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            function(task)
            return
        finish = PartialFile.finish

        def hold(partial: PartialFile) -> None:
            os.write(file, f"{os.getpid()}\n".encode())
            for _ in range(600):
                time.sleep(0.1)
            raise AssertionError("was to be killed")

        PartialFile.finish = hold  # type: ignore[method-assign]
        try:
            function(task)
        finally:
            PartialFile.finish = finish  # type: ignore[method-assign]

    return held


def test_worker_killed_under_way(cluster: str, tok: fissile.Tokenizer, corpus: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    killed = threading.Event()

    def kill() -> None:
        while not (told.exists() and told.read_text().endswith("\n")):
            time.sleep(0.01)
        os.kill(int(told.read_text()), signal.SIGKILL)
        killed.set()

    def ray(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        yield from distributed.Ray()(held_once(function, told), tasks, cpus)

    threading.Thread(target=kill, daemon=True).start()
    options = OPTIONS | {"split": "stochastok:0.1", "pack": 64, "format": "npy"}
    distributed.encode_corpus(tmp_path / "many", corpus, tok, engine=ray, **options)
    assert killed.is_set()
    encode_corpus(tmp_path / "one", corpus, tok, **options)
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")


def test_driver_killed_under_way(cluster: str, tok: fissile.Tokenizer, corpus: Path, tmp_path: Path) -> None:
    tok.save(tmp_path / "tok.fissile")
    driver = f"""
import os, signal, sys
import ray
import fissile
from fissile import distributed
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
def kill(*of):
    os.kill(os.getpid(), signal.SIGKILL)
tok = fissile.Tokenizer.from_file(sys.argv[4])
distributed.encode_corpus(sys.argv[2], sys.argv[3], tok, progress=kill, **{OPTIONS!r})
"""
    many = tmp_path / "many"
    command = [sys.executable, "-c", driver, cluster, many, corpus, tmp_path / "tok.fissile"]
    ended = subprocess.run(command, cwd=tmp_path, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    same = fissile.Tokenizer.from_file(tmp_path / "tok.fissile")
    distributed.encode_corpus(many, corpus, same, **OPTIONS)
    encode_corpus(tmp_path / "one", corpus, same, **OPTIONS)
    assert files_of(many) == files_of(tmp_path / "one")
