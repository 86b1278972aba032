"""A megabyte of everything hostile: ids equal to tiktoken's, and work that grows with the text and not its square."""

import base64
import functools
import time
from collections.abc import Callable

import pytest

import fissile
from fissile.formats import tokenizer_json
from fissile.formats.tiktoken import PATTERNS
from reference.texts import adversarial, shared, small_ranks

PUBLISHED_RANKS = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}
NAMES = [name for name, text in adversarial(100).items() if text]


@functools.cache
def texts(size: int) -> dict[str, str]:
    return adversarial(size)


@functools.cache
def tokenizer(pattern: str) -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), pattern)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
@pytest.mark.parametrize("name", NAMES)
def test_all_ways_give_the_same_ids(name: str, pattern: str) -> None:
    ours, text = tokenizer(pattern), texts(1_000_000)[name]
    ids = ours.encode(text)
    assert ours.decode(ids) == text
    assert ours.count(text) == len(ids)
    # Beside another document and in three threads, the long one is divided.
    batch = ours.encode_batch([text, "x"], threads=3)
    assert batch[0].tobytes() == ids.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_megabyte_has_the_ids_of_tiktoken(name: str) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    theirs = tiktoken.Encoding("small", pat_str=PATTERNS["cl100k"], mergeable_ranks=small_ranks(), special_tokens={})
    text = texts(1_000_000)[name]
    assert tokenizer("cl100k").encode(text).tolist() == theirs.encode_ordinary(text)


@functools.cache
def published(name: str) -> tuple[fissile.Tokenizer, Callable[[str], list[int]]]:
    """A shared vocabulary, here and in the library that owns it."""
    ranks = name in PUBLISHED_RANKS
    data = shared("vocab", f"{name}.tiktoken" if ranks else f"{name}.json")
    if data is None:
        pytest.skip("no shared vocabularies")
    if ranks:
        tiktoken = pytest.importorskip("tiktoken")
        table = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, data.splitlines())}
        pattern = PUBLISHED_RANKS[name]
        theirs = tiktoken.Encoding(name, pat_str=PATTERNS[pattern], mergeable_ranks=table, special_tokens={})
        return fissile.Tokenizer.from_ranks(table, pattern), theirs.encode_ordinary
    owner = pytest.importorskip("tokenizers").Tokenizer.from_str(data.decode())
    ours = fissile.Tokenizer(tokenizer_json.from_json(data, name))
    return ours, lambda text: owner.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("vocabulary", [*PUBLISHED_RANKS, "qwen3", "deepseek_v3", "llama2"])
@pytest.mark.parametrize("name", NAMES)
def test_published_vocabularies(name: str, vocabulary: str, pytestconfig: pytest.Config) -> None:
    """A tenth of a megabyte; with --exhaustive all of it."""
    ours, theirs = published(vocabulary)
    text = texts(1_000_000 if pytestconfig.getoption("--exhaustive") else 100_000)[name]
    assert ours.encode(text).tolist() == theirs(text)


def seconds(ours: fissile.Tokenizer, text: str) -> float:
    """Best of three, by the thread's own clock, which work of others does not move much."""
    best = float("inf")
    for _ in range(3):
        start = time.thread_time()
        ours.count(text)
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("name", NAMES)
def test_work_grows_with_the_text(name: str) -> None:
    """Sixteen times the text takes far from 256 times the time; a few milliseconds of start are forgiven."""
    ours = tokenizer("cl100k")
    small, large = (seconds(ours, texts(size)[name]) for size in (62_500, 1_000_000))
    assert large < 64 * small + 0.05
