"""What may be made, changed or read by several threads at once. Most to be found on free-threaded builds of Python."""

import contextlib
import pickle
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fissile
from reference.generated import strings
from reference.texts import WORLD, library_text, small_ranks

N_THREADS = 6
RANKS = small_ranks()
TEXTS = [WORLD, *strings(41, 30), library_text()[:5_000]]


def fresh() -> fissile.Tokenizer:
    """A tokenizer that has seen nothing."""
    return fissile.Tokenizer.from_ranks(RANKS, "cl100k", {"<|endoftext|>": 5000})


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Results of the works, each begun at the same moment in a thread of its own; an exception comes out."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(i: int) -> None:
        try:
            start.wait()
            results[i] = works[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def streamed(tokenizer: fissile.Tokenizer) -> str:
    stream = tokenizer.stream_decoder()
    return "".join(stream.push(id) for id in tokenizer.encode(WORLD).tolist()) + stream.finish()


# Each makes something at its first call, which later ones share.
FIRST_USES: dict[str, Callable[[fissile.Tokenizer], Any]] = {
    "lists": lambda t: t.encode_batch(TEXTS, threads=1, disallowed_special=()).tolist(),
    "streams": streamed,
    "decoding": lambda t: t.decode(t.encode(WORLD)),
    "halves": lambda t: [part.tolist() for part in t.splits],
    "stochastok": lambda t: t.encode(WORLD, split=fissile.StochasTok(0.3), seed=1).tolist(),
    "dropout": lambda t: t.encode(WORLD, split=fissile.BPEDropout(0.3), seed=1).tolist(),
    "uniform": lambda t: t.encode(WORLD, split=fissile.UniformSplit(0.3), seed=1).tolist(),
    "offsets": lambda t: t.offsets(WORLD).tolist(),
    "merges": lambda t: t.merges,
    "copies": lambda t: pickle.loads(pickle.dumps(t)).encode(WORLD).tolist(),
    "counts": lambda t: t.count_batch(TEXTS, threads=2, disallowed_special=()).tolist(),
    "inspection": lambda t: str(t.inspect(WORLD)),
}


@pytest.mark.parametrize("name", FIRST_USES)
def test_first_use_by_all_threads_at_once(name: str) -> None:
    use = FIRST_USES[name]
    wanted = use(fresh())
    for _ in range(4):
        shared = fresh()
        assert at_once(*[lambda t=shared: use(t)] * N_THREADS) == [wanted] * N_THREADS


def test_all_first_uses_at_once() -> None:
    wanted = [use(fresh()) for use in FIRST_USES.values()]
    for _ in range(4):
        shared = fresh()
        assert at_once(*[lambda t=shared, u=use: u(t) for use in FIRST_USES.values()]) == wanted


def test_one_result_read_by_all() -> None:
    tokenizer = fresh()
    ragged = tokenizer.encode_batch(TEXTS, disallowed_special=())
    wanted = ragged.tolist()
    uses: list[Callable[[], Any]] = [
        ragged.tolist,
        lambda: pickle.loads(pickle.dumps(ragged)).tolist(),
        lambda: [row.tolist() for row in ragged],
        lambda: [tokenizer.encode(text, disallowed_special=()).tolist() for text in tokenizer.decode_batch(ragged)],
    ]
    for _ in range(10):
        assert at_once(*uses * 2) == [wanted] * 8


def test_lists_that_change_meanwhile() -> None:
    """Whatever is read, it is some of what was there."""
    tokenizer = fresh()
    ids = tokenizer.encode("the rest of them ").tolist() * 50
    texts = ["the rest", "of them"] * 200
    changing_ids, changing_texts = list(ids), list(texts)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            changing_ids.clear()
            changing_texts.clear()
            changing_ids.extend(ids)
            changing_texts.extend(texts)

    def read() -> None:
        whole = tokenizer.decode(ids)
        allowed = {tuple(tokenizer.encode(text).tolist()) for text in texts}
        try:
            for _ in range(300):
                assert whole.startswith(tokenizer.decode(changing_ids))
                assert {tuple(row) for row in tokenizer.encode_batch(changing_texts, threads=1).tolist()} <= allowed
        finally:
            stop.set()

    at_once(change, read, read)


def test_a_buffer_that_is_written_to_meanwhile() -> None:
    """It is read once, at first: ids of half of the old and half of the new bytes would be remembered."""
    tokenizer = fresh()
    old = WORLD.encode()

    def written_to(text: bytearray) -> Iterator[str]:
        text[:] = text[::-1]  # in the middle of the call, as another thread could
        yield "<|endoftext|>"

    calls: list[Callable[..., Any]] = [tokenizer.encode, tokenizer.count, tokenizer.offsets]
    for call in calls:
        for buffer_of in (lambda text: text, memoryview, lambda text: np.frombuffer(text, np.uint8)):
            text = bytearray(old)
            assert np.array_equal(call(buffer_of(text), allowed_special=written_to(text)), call(old))
            assert text == old[::-1]


def test_training_that_reports_while_others_encode() -> None:
    lines = library_text()[:100_000].splitlines(keepends=True)
    shared = fresh()
    wanted = shared.encode_batch(lines, threads=1, disallowed_special=()).tolist()
    merges = fissile.train(iter(lines), 600, pattern="cl100k").merges
    reports: list[str] = []

    def train() -> list[tuple[bytes, bytes]]:
        def progress(*report: object) -> None:
            # A report that uses a tokenizer which the other threads have in use.
            reports.append(shared.decode(shared.encode(WORLD)))

        return fissile.train(iter(lines), 600, pattern="cl100k", progress=progress).merges

    def encode() -> list[list[int]]:
        return [shared.encode(line, disallowed_special=()).tolist() for line in lines]

    def encode_all() -> list[list[int]]:
        return shared.encode_batch(lines, threads=2, disallowed_special=()).tolist()

    assert at_once(train, encode, train, encode_all) == [merges, wanted, merges, wanted]
    assert reports and set(reports) == {WORLD}


def test_counting_by_many_threads_adds_up() -> None:
    lines = library_text()[:100_000].splitlines(keepends=True)
    whole = fissile.count(iter(lines), pattern="cl100k")
    parts = at_once(*[lambda i=i: fissile.count(iter(lines[i::N_THREADS]), pattern="cl100k") for i in range(N_THREADS)])
    sums = at_once(*[lambda: fissile.train(whole, 500).merges, lambda: sum(parts[1:], parts[0]) == whole] * 2)
    assert sums == [sums[0], True] * 2


def test_an_array_goes_from_thread_to_thread() -> None:
    """Memory that one thread's scratch gave away is not written to again."""
    tokenizer = fresh()
    text = library_text()
    wanted = tokenizer.encode(text, disallowed_special=())
    kept: list[np.ndarray[Any, Any]] = []

    def make() -> None:
        for _ in range(5):
            kept.append(tokenizer.encode(text, disallowed_special=()))

    at_once(*[make] * 4)
    assert len(kept) == 20 and all(np.array_equal(ids, wanted) for ids in kept)


def test_ids_that_are_written_to_meanwhile() -> None:
    """They are decoded and split to something, or refused: what was found right once may not be so any more."""
    tokenizer = fresh()
    right = tokenizer.encode(library_text()[:20_000] * 20, disallowed_special=())
    ids = right.copy()
    vocabulary = tokenizer._spec.vocabulary
    leading = ["keep", "drop_one", "drop_in_first_token", "drop_in_first_piece", "drop_in_empty_text"]
    decoders = [fissile._core.Decoder(vocabulary, leading_space=way) for way in leading]
    splits: list[Callable[[], object]] = [
        lambda: fissile.stochastok(ids, tokenizer, 0.5, seed=1),
        lambda: fissile.stochastok(ids, tokenizer, 0.0, seed=1),
    ]
    decodes: list[Callable[[], object]] = [lambda d=d: d.decode_bytes(ids) for d in decoders]
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for place in (0, -1):
                ids[place] = 0xFFFFFFFF
                ids[place] = right[place]

    def read() -> None:
        try:
            for call in [*decodes, *splits] * 100:
                with contextlib.suppress(KeyError, ValueError):
                    call()
        finally:
            done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        at_once(write, read)
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(tokenizer.encode(tokenizer.decode(right), disallowed_special=()), right)


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has its GIL")
def test_the_gil_stays_off() -> None:
    program = "import sys, fissile; fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, 'gpt2').encode('a'); print(sys._is_gil_enabled())"
    # A warning, which Python gives where a module turns the GIL on, is an error.
    result = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr
