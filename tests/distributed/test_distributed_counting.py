"""Counting on a cluster: the bytes of one machine's file, whoever dies on the way.

The plan and its results are checked with an engine of five lines; Ray on a cluster of two workers, which the test starts.
"""

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
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import counting, distributed


def in_this_process(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
    for i in random.sample(range(len(tasks)), len(tasks)):
        function(tasks[i])
        yield i


def parts_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.parts")


# --- any engine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part_bytes", [1, 30_000, 1 << 30])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pattern": "gpt2", "sequence": "document", "field": "body", "memory_bytes": 100_000},
        {"pattern": "o200k", "special_tokens": ["def", "self"], "threads": 2},
    ],
    ids=["defaults", "document", "special"],
)
def test_result_is_one_machines_to_the_byte(
    corpus: Path, tmp_path: Path, part_bytes: int, options: dict[str, Any]
) -> None:
    one, many = tmp_path / "one.counts", tmp_path / "many.counts"
    counting.count_to_file(one, corpus, **options)
    distributed.count_to_file(many, corpus, **options, part_bytes=part_bytes, engine=in_this_process)
    assert many.read_bytes() == one.read_bytes()
    assert not parts_of(many).exists()


@given(st.lists(st.sampled_from([1, 2, 0.3, 0.5, 7, 1.25]), min_size=4, max_size=4), st.integers(1, 100))
@settings(max_examples=30)
def test_weights_are_one_machines(
    tmp_path_factory: pytest.TempPathFactory, weights: list[float], part_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("weights")
    paths = [folder / f"{i}.txt" for i in range(4)]
    for i, path in enumerate(paths):
        path.write_text("to be or not to be " * (i + 1))
    paths[3] = paths[0]  # named twice: counted twice
    one, many = folder / "one.counts", folder / "many.counts"
    counting.count_to_file(one, paths, weights=weights)
    distributed.count_to_file(many, paths, weights=weights, part_bytes=part_bytes, engine=in_this_process)
    assert many.read_bytes() == one.read_bytes()


def test_what_is_done_is_not_done_again(corpus: Path, tmp_path: Path) -> None:
    one, many = tmp_path / "one.counts", tmp_path / "many.counts"
    counting.count_to_file(one, corpus)
    ran: list[Any] = []

    def stopping_after_three(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        for i, task in enumerate(tasks[:3]):
            ran.append(task)
            function(task)
            yield i
        raise RuntimeError("the cluster is gone")

    def recording(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        ran.extend(tasks)
        yield from in_this_process(function, tasks, cpus)

    with pytest.raises(RuntimeError, match="the cluster is gone"):
        distributed.count_to_file(many, corpus, part_bytes=1, engine=stopping_after_three)
    assert not many.exists() and len(list(parts_of(many).iterdir())) == 3
    told: list[tuple[str, int, int | None]] = []
    distributed.count_to_file(
        many, corpus, part_bytes=1, threads=2, engine=recording, progress=lambda *of: told.append(of)
    )
    assert many.read_bytes() == one.read_bytes()
    # 3 + 37 parts, two merges of 32 and 8, and the last.
    assert len(ran) == 43 and len({task.out for task in ran}) == 43
    total = sum(path.stat().st_size for path in corpus.iterdir())
    assert ("count", total, total) in told and told[-1] == ("merge", 42, 42)
    assert [done for phase, done, _ in told if phase == "count"] == sorted(done for p, done, _ in told if p == "count")


def test_changed_inputs_and_options_are_counted_anew(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text("old text")
    many = tmp_path / "many.counts"

    def first_only(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        function(tasks[0])
        yield 0
        raise RuntimeError

    with pytest.raises(RuntimeError):
        distributed.count_to_file(many, paths, part_bytes=1, engine=first_only)
    paths[0].write_text("new")
    distributed.count_to_file(many, paths, part_bytes=1, engine=in_this_process)
    assert dict(fissile.PretokenCounts.load(many)) == {b"new": 1, b"old": 1, b" text": 1}
    with pytest.raises(RuntimeError):
        distributed.count_to_file(many, paths, part_bytes=1, engine=first_only)
    distributed.count_to_file(many, paths, "gpt2", part_bytes=1, engine=in_this_process)
    assert fissile.PretokenCounts.load(many) == fissile.count(paths, "gpt2")


def test_input_that_changes_under_way_is_named(corpus: Path, tmp_path: Path) -> None:
    def changing(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        (corpus / "06.txt").write_text("other")
        yield from in_this_process(function, tasks, cpus)

    with pytest.raises(ValueError, match=r"06\.txt: expected the file of .* found one of 5 bytes"):
        distributed.count_to_file(tmp_path / "many.counts", corpus, engine=changing)


def test_file_that_a_worker_does_not_see_is_named(corpus: Path, tmp_path: Path) -> None:
    def elsewhere(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        (corpus / "06.txt").rename(tmp_path / "06.txt")
        yield from in_this_process(function, tasks, cpus)

    with pytest.raises(FileNotFoundError, match=r"not found by the worker on .*file system.*06\.txt"):
        distributed.count_to_file(tmp_path / "many.counts", corpus, engine=elsewhere)


def test_wrong_arguments_are_named_before_any_work(corpus: Path, tmp_path: Path) -> None:
    def never(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        raise AssertionError
        yield

    out = tmp_path / "many.counts"
    for wrong, error, words in (
        ({"pattern": "gpt5"}, ValueError, "gpt5"),
        ({"threads": 0}, ValueError, "threads must be at least 1, not 0"),
        ({"part_bytes": 0}, ValueError, "part_bytes must be at least 1, not 0"),
        ({"memory_bytes": -1}, ValueError, "memory_bytes"),
        ({"special_tokens": "<|end|>"}, TypeError, "special_tokens"),
        ({"inputs": iter(["text"])}, TypeError, "inputs must be paths of files that every worker reaches"),
        ({"inputs": os.devnull}, ValueError, "no regular file"),
        ({"inputs": tmp_path / "absent"}, FileNotFoundError, "absent"),
    ):
        arguments: dict[str, Any] = {"inputs": corpus, "engine": never, **wrong}
        with pytest.raises(error, match=words):
            distributed.count_to_file(out, **arguments)
    assert not out.exists() and not parts_of(out).exists()


def test_names_of_others_in_the_directory_stay(corpus: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.counts"
    parts_of(many).mkdir()
    (parts_of(many) / "mine.counts").write_text("x")
    (parts_of(many) / f".{'0' * 32}.counts.77.partial").write_text("of one that was killed")
    distributed.count_to_file(many, corpus, engine=in_this_process)
    assert [path.name for path in parts_of(many).iterdir()] == ["mine.counts"]


def test_without_ray_the_extra_is_named(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'fissile\[ray\]'"):
        distributed.count_to_file(tmp_path / "many.counts", corpus)


# --- Ray --------------------------------------------------------------------------------------------------------------


def held_once(function: Callable[[Any], None], told: Path) -> Callable[[Any], None]:
    """A task's function that, the first time, tells its process and stays between writing its file and naming it."""

    def held(task: Any) -> None:
        try:
            file = os.open(told, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            function(task)
            return

        replace = Path.replace

        def hold(partial: Path, target: Path) -> Path:
            os.write(file, f"{os.getpid()}\n".encode())
            for _ in range(600):  # Ray ends a task between two steps of Python, not within a sleep
                time.sleep(0.1)
            raise AssertionError("was to be killed")

        Path.replace = hold  # type: ignore[method-assign, assignment]
        try:
            function(task)
        finally:
            Path.replace = replace  # type: ignore[method-assign]

    return held


@pytest.mark.parametrize("retries", [0, 3])
def test_worker_killed_under_way(cluster: str, corpus: Path, tmp_path: Path, retries: int) -> None:
    from ray.exceptions import WorkerCrashedError

    one, many, told = tmp_path / "one.counts", tmp_path / "many.counts", tmp_path / "pid"
    counting.count_to_file(one, corpus)
    killed = threading.Event()

    def kill() -> None:
        while not (told.exists() and told.read_text().endswith("\n")):
            time.sleep(0.01)
        os.kill(int(told.read_text()), signal.SIGKILL)
        killed.set()

    def ray(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        yield from distributed.Ray(retries)(held_once(function, told), tasks, cpus)

    threading.Thread(target=kill, daemon=True).start()
    if retries:
        distributed.count_to_file(many, corpus, part_bytes=60_000, engine=ray)
    else:
        with pytest.raises(WorkerCrashedError):
            distributed.count_to_file(many, corpus, part_bytes=60_000, engine=ray)
        assert not many.exists()
        distributed.count_to_file(many, corpus, part_bytes=60_000)
    assert killed.is_set()
    assert many.read_bytes() == one.read_bytes()
    assert not parts_of(many).exists()


def test_broken_file_is_named_and_others_are_kept(cluster: str, corpus: Path, tmp_path: Path) -> None:
    bad = corpus / "bad.jsonl"
    bad.write_text('{"text": "good"}\n{"text": 5}\n')
    one, many = tmp_path / "one.counts", tmp_path / "many.counts"
    with pytest.raises(ValueError, match=r"bad\.jsonl: line 2: expected an object with a text in 'text'") as raised:
        distributed.count_to_file(many, corpus, part_bytes=1)
    assert type(raised.value) is ValueError
    bad.unlink()
    assert not many.exists() and list(parts_of(many).glob("*.counts"))
    counting.count_to_file(one, corpus)
    distributed.count_to_file(many, corpus, part_bytes=1)
    assert many.read_bytes() == one.read_bytes()


def test_driver_killed_under_way(cluster: str, corpus: Path, tmp_path: Path) -> None:
    one, many = tmp_path / "one.counts", tmp_path / "many.counts"
    counting.count_to_file(one, corpus)
    driver = """
import os, signal, sys
import ray
from fissile import distributed
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
def kill(phase, done, total):
    os.kill(os.getpid(), signal.SIGKILL)
distributed.count_to_file(sys.argv[2], sys.argv[3], part_bytes=20_000, progress=kill)
"""
    ended = subprocess.run([sys.executable, "-c", driver, cluster, many, corpus], cwd=tmp_path, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert not many.exists() and list(parts_of(many).glob("*.counts"))
    distributed.count_to_file(many, corpus, part_bytes=20_000)
    assert many.read_bytes() == one.read_bytes()


def test_interrupt_ends_job_and_tasks(cluster: str, corpus: Path, tmp_path: Path) -> None:
    import ray

    many, told = tmp_path / "many.counts", tmp_path / "pid"

    def on_ray(function: Any, tasks: Sequence[Any], cpus: int) -> Generator[int, None, None]:
        yield from distributed.Ray()(held_once(function, told), tasks, cpus)

    def interrupt(*of: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distributed.count_to_file(many, corpus, part_bytes=60_000, engine=on_ray, progress=interrupt)
    # The task that was held a minute has ended: both CPUs are free.
    for _ in range(200):
        if ray.available_resources().get("CPU") == 2:
            break
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == 2
    assert not many.exists()


def test_counts_train_the_tokenizer_of_one_machine(cluster: str, corpus: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.counts"
    distributed.count_to_file(many, corpus, part_bytes=60_000)
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    fissile.train(corpus, 600).save(here)
    fissile.train(fissile.PretokenCounts.load(many), 600).save(there)
    assert there.read_bytes() == here.read_bytes()
