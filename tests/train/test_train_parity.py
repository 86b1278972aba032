"""Training from text to merges beside BpeTrainer of `tokenizers`: every pattern, special tokens, sizes, shared texts."""

import functools
import json
import re
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.patterns import NAMES
from reference.texts import WORLD, library_text, shared, shared_corpora

tokenizers = pytest.importorskip("tokenizers")

PATTERNS = sorted(NAMES)
CORPORA = shared_corpora()


@functools.cache
def pre_tokenizer(pattern: str) -> Any:
    """That of a tokenizer which was trained with the pattern and saved: its nodes, run by `tokenizers` itself."""
    tokenizer = fissile.train([b"a b"], 257, pattern)
    return tokenizers.Tokenizer.from_str(tokenizer._as_json().decode()).pre_tokenizer


def their_merges(texts: list[str], pattern: str, vocab_size: int, **options: Any) -> list[tuple[str, str]]:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(pattern)
    options = {"initial_alphabet": tokenizers.pre_tokenizers.ByteLevel.alphabet(), **options}
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer)
    return merges_in(tokenizer.to_str())


def merges_in(file: str | bytes) -> list[tuple[str, str]]:
    listed = json.loads(file)["model"]["merges"]
    return [tuple(merge if isinstance(merge, list) else merge.split(" ")) for merge in listed]


def check(texts: list[str], pattern: str, vocab_size: int, threads: int | None = None, **options: Any) -> None:
    expected = their_merges(texts, pattern, vocab_size, **options)
    documents = [text.encode() for text in texts]
    ours = fissile.train(documents, vocab_size, pattern, sequence="document", threads=threads, **options)
    assert merges_in(ours._as_json()) == expected


def lines_of(text: str) -> list[str]:
    """`tokenizers` splits a long text in time that grows with its square."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


words = st.sampled_from(
    [
        "a",
        "ab",
        " ab",
        "the",
        " the",
        "'ll",
        "1234",
        "٣٤",
        "日本語",
        "カナ",
        "é",
        "Ab",
        "HTTP",
        "  ",
        "\n",
        "\r\n",
        "!=",
        "//",
        "\t",
        "ß",
    ]
)


@given(
    texts=st.lists(st.lists(words, min_size=1, max_size=30).map("".join), min_size=1, max_size=4),
    pattern=st.sampled_from(PATTERNS),
    special=st.lists(st.sampled_from(["<s>", "<|end|>", "the", "ab", "日本", "a"]), unique=True, max_size=3),
    more=st.integers(0, 60),
    min_frequency=st.integers(0, 5),
    threads=st.sampled_from([1, 2]),
)
@settings(max_examples=100)
def test_any_words(
    texts: list[str], pattern: str, special: list[str], more: int, min_frequency: int, threads: int
) -> None:
    # A special token may be a byte of the alphabet, which then is no other.
    size = 256 + len(set(special) - {"a"}) + more
    check(texts, pattern, size, threads, special_tokens=special, min_frequency=min_frequency)


@pytest.mark.parametrize("limit", [5, 23, 60, 300])
@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "none"])
def test_limit_of_the_alphabet(pattern: str, limit: int) -> None:
    texts = lines_of(library_text(20_000))
    counts = Counter("".join(texts)).most_common()
    while limit < len(counts) and counts[limit - 1][1] == counts[limit][1]:
        limit += 1  # of equally frequent bytes `tokenizers` takes any
    expected = their_merges(texts, pattern, 600, initial_alphabet=[], limit_alphabet=limit)
    documents = [text.encode() for text in texts]
    ours = fissile.train(
        documents, 600, pattern, sequence="document", alphabet="seen", limit_alphabet=limit, special_tokens=[]
    )
    assert merges_in(ours._as_json()) == expected
    assert ours.n_vocab == 600 or limit == 5


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("vocab_size", "min_frequency"), [(300, 1), (1000, 3), (3000, 2)])
def test_real_text(pattern: str, vocab_size: int, min_frequency: int) -> None:
    text = library_text(30_000) + WORLD * 3
    check(lines_of(text), pattern, vocab_size, special_tokens=["<|end|>", "<pad>"], min_frequency=min_frequency)


@pytest.mark.parametrize("name", CORPORA or [pytest.param("", marks=pytest.mark.skip("no shared texts"))])
def test_shared_texts_by_a_pattern_each(name: str, pytestconfig: pytest.Config) -> None:
    data = shared("corpus", name)
    assert data is not None
    place = CORPORA.index(name)
    text = (data if pytestconfig.getoption("--exhaustive") else data[-120_000:]).decode(errors="ignore")
    check(lines_of(text), PATTERNS[place % len(PATTERNS)], 4000, min_frequency=place % 6)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_large_vocabularies(pattern: str, pytestconfig: pytest.Config) -> None:
    """10,000 ids of some files of the standard library; with --exhaustive 128,000 of all there is."""
    everything = pytestconfig.getoption("--exhaustive")
    text = library_text(150_000)
    if everything:
        root = Path(sysconfig.get_paths()["stdlib"])
        paths = [path for path in sorted(root.rglob("*.py")) if "site-packages" not in path.parts]
        text = "".join(path.read_text("utf-8", errors="ignore") for path in paths)
        text += "".join((shared("corpus", name) or b"").decode(errors="ignore") for name in CORPORA)
    check(lines_of(text), pattern, 128_000 if everything else 10_000, special_tokens=["<|end|>"])
