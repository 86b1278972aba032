"""One tokenizer, many threads and processes: every call at once, while it learns, forks and is copied."""

import gc
import multiprocessing
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fissile
from reference.generated import strings
from reference.texts import WORLD, library_text, small_ranks

N_THREADS = 8
RANKS = small_ranks()


def fresh() -> fissile.Tokenizer:
    """A tokenizer that has seen nothing."""
    return fissile.Tokenizer.from_ranks(RANKS, "cl100k", {"<|endoftext|>": 5000})


def together(work: Callable[[int], None]) -> None:
    """Runs the work in every thread at once; the first exception comes out."""
    start = threading.Barrier(N_THREADS)

    def begin(turn: int) -> None:
        start.wait()
        work(turn)

    with ThreadPoolExecutor(N_THREADS) as pool:
        for done in [pool.submit(begin, turn) for turn in range(N_THREADS)]:
            done.result()


def test_every_call_at_once() -> None:
    texts = [WORLD, *strings(5, 150), library_text()[:20_000]]
    alone = fresh()
    ids = [alone.encode(text, disallowed_special=()).tolist() for text in texts]
    offsets = [alone.offsets(text, disallowed_special=()).tolist() for text in texts]
    for _ in range(3):  # what a tokenizer makes at its first call is made anew
        shared = fresh()

        def encode(order: list[int], shared: fissile.Tokenizer = shared) -> None:
            for i in order:
                assert shared.encode(texts[i], disallowed_special=()).tolist() == ids[i]

        def count(order: list[int], shared: fissile.Tokenizer = shared) -> None:
            for i in order:
                assert shared.count(texts[i].encode(), disallowed_special=()) == len(ids[i])

        def batch(order: list[int], shared: fissile.Tokenizer = shared) -> None:
            made = shared.encode_batch([texts[i] for i in order], threads=2, disallowed_special=())
            assert made.tolist() == [ids[i] for i in order]
            assert shared.decode_batch(made) == [texts[i] for i in order]

        def decode(order: list[int], shared: fissile.Tokenizer = shared) -> None:
            for i in order:
                assert shared.decode(ids[i]) == shared.decode(np.array(ids[i], np.uint32)) == texts[i]

        def locate(order: list[int], shared: fissile.Tokenizer = shared) -> None:
            for i in order:
                assert shared.offsets(texts[i], disallowed_special=()).tolist() == offsets[i]

        calls = (encode, count, batch, decode, encode, locate, batch, encode)

        def work(turn: int, calls: tuple[Callable[[list[int]], None], ...] = calls) -> None:
            order = random.Random(turn).sample(range(len(texts)), len(texts))
            for call in calls[turn:] + calls[:turn]:
                call(order)

        together(work)


def test_threads_that_learn_different_texts() -> None:
    """What is remembered grows under the feet of the others."""
    shared, alone = fresh(), fresh()
    texts = [strings(100 + turn, 1500) for turn in range(N_THREADS)]
    wanted = [alone.encode_batch(some, disallowed_special=()).tolist() for some in texts]

    def work(turn: int) -> None:
        got = [shared.encode(text, disallowed_special=()).tolist() for text in texts[turn]]
        assert got == wanted[turn]
        assert shared.encode_batch(texts[turn - 1], threads=2, disallowed_special=()).tolist() == wanted[turn - 1]

    together(work)


def test_tokenizers_that_come_and_go_do_not_meet() -> None:
    """What a thread remembers belongs to a tokenizer, also where the next one is made in the place of the last."""
    tables = []
    for turn in range(4):
        pairs = sorted(token for token in RANKS if len(token) == 2)
        random.Random(turn).shuffle(pairs)
        tables.append({bytes([b]): b for b in range(256)} | {pair: 256 + i for i, pair in enumerate(pairs)})
    texts = ["the rest of them are there", WORLD]
    wanted = [[fissile.Tokenizer.from_ranks(t, "gpt2").encode(text).tolist() for text in texts] for t in tables]

    def work(turn: int) -> None:
        for i in range(24):
            which = (turn + i) % len(tables)
            tokenizer = fissile.Tokenizer.from_ranks(tables[which], "gpt2")
            for text, ids in zip(texts, wanted[which], strict=True):
                assert tokenizer.encode(text).tolist() == tokenizer.encode(text).tolist() == ids
            del tokenizer
            gc.collect(0)

    together(work)


FORKS = """
import os, signal, sys, threading
import fissile
from reference.generated import strings
from reference.texts import small_ranks

texts = strings(9, 300)
make = lambda: fissile.Tokenizer.from_ranks(small_ranks(), "o200k")
alone, shared = make(), make()
wanted = alone.encode_batch(texts, disallowed_special=()).tolist()
stop = threading.Event()

def work(turn):
    while not stop.is_set():
        for text in strings(turn, 200):
            shared.encode(text, disallowed_special=())
        shared.encode_batch(texts, threads=2, disallowed_special=())
        turn += 4

workers = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
for worker in workers:
    worker.start()
failed = []
for _ in range(25):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that waits for a lock of a thread it does not have is killed
        one = [shared.encode(text, disallowed_special=()).tolist() for text in texts]
        many = shared.encode_batch(texts, threads=2, disallowed_special=()).tolist()
        os._exit(0 if one == many == wanted and shared.decode_batch(shared.encode_batch(texts[:9], disallowed_special=())) == texts[:9] else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        failed.append(code)
stop.set()
for worker in workers:
    worker.join()
print("failed:", *failed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="its allocator's own locks survive a fork")
def test_forked_while_other_threads_encode() -> None:
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    # Python 3.12 and later warn of a fork beside threads; here it is what is tested.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS]
    environment = os.environ | {"PYTHONPATH": paths}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert result.stdout.strip() == "failed:", result.stdout + result.stderr


def test_spawned_processes_get_an_equal_tokenizer() -> None:
    tokenizer = fresh()
    texts = [WORLD, *strings(6, 20)]
    wanted = [tokenizer.encode(text, disallowed_special=()).tolist() for text in texts]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        counts = [pool.submit(tokenizer.count, text, disallowed_special=()) for text in texts]
        batches = [pool.submit(tokenizer.encode_batch, texts, disallowed_special=()) for _ in range(2)]
        assert [count.result() for count in counts] == [len(ids) for ids in wanted]
        assert [batch.result().tolist() for batch in batches] == [wanted, wanted]
