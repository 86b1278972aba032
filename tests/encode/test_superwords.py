"""Vocabularies with tokens of several words are encoded in two steps: the ids are those of merging whole spans."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fissile
from fissile import _core
from reference.texts import library_text

PIECES = [
    "the ",
    " of",
    "in",
    "\n",
    "  ",
    "1",
    "12",
    ".",
    ", ",
    "a",
    "日本",
    "e\u0301",
    "é",
    " to be",
    "def ",
    "self.",
    "=",
]
LONG = [
    "a" * 5000,
    " " * 3000,
    "the " * 3000,
    "a b " * 3000,
    "\n" * 2000,
    "of the " * 4000,
    "日本" * 2000,
    "self.a = " * 900,
    # Words too long for the piece table between short ones, and spans that end at, before and behind them.
    "the internationalization of 日本語の文章日本語の文章, 12 " * 300,
    "counterrevolutionaries\n\n((the 1 " * 300,
    # Runs that may join and do not, of every length.
    *("the end of " * n + "a " for n in range(1, 40)),
]


@pytest.fixture(scope="module", params=["document", "line", "runs"])
def tok(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> fissile.Tokenizer:
    path = tmp_path_factory.mktemp("superwords") / "corpus.txt"
    path.write_text(library_text()[:200_000] + "in the end of the day " * 50 + "日本語の文章 ", encoding="utf-8")
    return fissile.train(
        path, 3000, "gpt4", superword_at=1500, superword_unit=request.param, special_tokens=["<|end|>"]
    )


def texts() -> list[str]:
    draw = random.Random(5)
    text = library_text()[200_000:260_000]
    made = ["".join(draw.choices(PIECES, k=draw.randrange(100))) for _ in range(500)]
    return [*made, *LONG, text, *(text[i : i + 300] for i in range(0, len(text), 300))]


def test_ids_are_those_of_whole_spans(tok: fissile.Tokenizer) -> None:
    # A dropout that drops nothing merges each span from its bytes on.
    whole = tok.encode_batch(texts(), split=fissile.BPEDropout(0.0), seed=0)
    assert any(b" t" in tok.token_bytes(id)[1:] for id in range(256, 3000))
    assert tok.encode_batch(texts()) == whole
    assert tok.encode_batch(texts(), threads=1) == whole
    assert tok.count_batch(texts()).tolist() == whole.lengths.tolist()
    assert [tok.encode(text).tolist() for text in texts()] == whole.tolist()


def test_bytes_that_are_no_text(tok: fissile.Tokenizer) -> None:
    draw = random.Random(6)
    for _ in range(300):
        data = draw.randbytes(draw.randrange(200)) + b"of the " * draw.randrange(3)
        ids = tok.encode(data)
        assert ids.tolist() == tok.encode(data, split=fissile.BPEDropout(0.0), seed=0).tolist()
        assert tok.decode_bytes(ids) == data


HOSTILE = {
    "one letter": b"a" * 1_000_000,
    "spaces": b" " * 1_000_000,
    "digits": b"7" * 1_000_000,
    "letters and spaces": b"a " * 500_000,
    "characters": "日本語".encode() * 100_000,
    "superwords": b" of the" * 150_000,  # one run, over many rounds
    "superwords in spans": b"of the end (( 1 of the\n\n" * 40_000,
    "not UTF-8": b"\xff\xe6\x97 of the\x80" * 80_000,
    "any bytes": random.Random(8).randbytes(300_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_megabytes(tok: fissile.Tokenizer, name: str) -> None:
    whole = tok.encode(HOSTILE[name], split=fissile.BPEDropout(0.0), seed=0)
    assert np.array_equal(tok.encode(HOSTILE[name]), whole)
    assert tok.count(HOSTILE[name]) == len(whole)


@pytest.mark.parametrize("isa", _core._testing.isas())
def test_every_instruction_set_gives_the_same_ids(
    tok: fissile.Tokenizer, isa: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("isa")
    tok.save(folder / "tokenizer.json")
    program = (
        "import sys, fissile, numpy; from encode.test_superwords import texts; "
        "ids = fissile.Tokenizer.from_file(sys.argv[1] + '/tokenizer.json').encode_batch(texts()).ids; "
        "numpy.save(sys.argv[1] + '/ids.npy', ids)"
    )
    tests = str(Path(__file__).parents[1])
    environment = os.environ | {"FISSILE_ISA": isa, "PYTHONPATH": os.pathsep.join([tests, *sys.path])}
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, env=environment)
    assert np.array_equal(np.load(folder / "ids.npy"), tok.encode_batch(texts()).ids)


def test_ids_are_those_of_tokenizers(tok: fissile.Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    path = tmp_path_factory.mktemp("superwords") / "tokenizer.json"
    tok.save(path)
    owner = tokenizers.Tokenizer.from_file(str(path))
    loaded = fissile.Tokenizer.from_file(path)
    for text in texts():
        wanted = owner.encode(text, add_special_tokens=False).ids
        assert tok.encode(text).tolist() == loaded.encode(text).tolist() == wanted


def test_spans_do_not_join(tok: fissile.Tokenizer) -> None:
    """What stands on two sides of a special token, or of a digit, is encoded apart."""
    left, right = "in the end of", " the day"
    end = tok.special_tokens["<|end|>"]
    ids = tok.encode(f"{left}<|end|>{right}", allowed_special="all")
    assert ids.tolist() == [*tok.encode(left).tolist(), end, *tok.encode(right).tolist()]
    apart = [tok.encode(part) for part in (left, "12", right)]
    assert tok.encode(f"{left}12{right}").tolist() == np.concatenate(apart).tolist()
