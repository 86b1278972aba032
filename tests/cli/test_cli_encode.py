"""`fissile encode` and `fissile decode`: what they write, what they say, and how they fail."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fissile
from fissile.cli import main

TEXTS = ["to be or not to be", "", "that is <|end|> the question"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    tok = fissile.train(iter(TEXTS), vocab_size=290, pattern="gpt2", special_tokens=["<|end|>"])
    tok.save(tmp_path / "tok.json")
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text, "n": i}) + "\n" for i, text in enumerate(TEXTS)))
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("options", [["--format", "npy"], ["--metadata", "--format", "megatron"], ["--eod", "<|end|>"]])
def test_there_and_back(corpus: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    folder = corpus.parent
    special = ["--special-tokens", "text"]
    assert run("encode", corpus, "--tokenizer", folder / "tok.json", "-o", folder / "out", *special, *options) == 0
    assert "3 documents" in capsys.readouterr().out
    assert run("decode", folder / "out", "-o", folder / "back.jsonl") == 0
    back = [json.loads(line) for line in (folder / "back.jsonl").read_text().splitlines()]
    expected = [{"text": text} | ({"n": i} if "--metadata" in options else {}) for i, text in enumerate(TEXTS)]
    assert back == expected
    assert capsys.readouterr().out == f"{folder / 'back.jsonl'}: 3 documents\n"


def test_standard_input(corpus: Path) -> None:
    folder = corpus.parent
    command = [sys.executable, "-m", "fissile", "encode", "-", "--input-kind", "jsonl", "--tokenizer"]
    command += [str(folder / "tok.json"), "-o", str(folder / "out"), "--eod", "none", "--dtype", "uint32"]
    subprocess.run(command, input=corpus.read_bytes(), check=True, capture_output=True)
    tok = fissile.Tokenizer.from_file(folder / "tok.json")
    assert np.fromfile(folder / "out" / "00000-00000.bin", np.uint32).tolist() == tok.encode_batch(TEXTS).ids.tolist()


def test_lines_of_text_split_in_two_epochs(corpus: Path) -> None:
    folder = corpus.parent
    text = folder / "a.txt"
    text.write_text("\n".join(TEXTS))
    options = ["--separator", r"\n", "--split", "stochastok:0.5", "--seed", 3, "--epochs", 2, "--format", "npy"]
    assert run("encode", text, "--tokenizer", folder / "tok.json", "-o", folder / "out", *options) == 0
    tok = fissile.Tokenizer.from_file(folder / "tok.json")
    for epoch in range(2):
        batch = tok.encode_batch(TEXTS, split="stochastok:0.5", seed=3, epoch=epoch)
        assert np.load(folder / "out" / f"epoch-0000{epoch}" / "00000-00000.ids.npy").tolist() == batch.ids.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encode", "a.jsonl", "-o", "out"], "--format bin needs --eod TOKEN"),
        (["encode", "a.jsonl", "-o", "out", "--eod", "<nope>"], "no special token of the tokenizer, which has <|end|>"),
        (["encode", "missing", "-o", "out", "--eod", "none"], "No such file or directory: 'missing'"),
        (["encode", "a.jsonl", "-o", "out", "--eod", "none", "--field", "x"], "a.jsonl: line 1: expected an object"),
        (["encode", "a.jsonl", "-o", ".", "--eod", "none"], "must not lie in "),
        (["decode", ".", "-o", "x.jsonl"], "expected shards"),
        (["decode", "missing", "-o", "x.jsonl"], "missing: no such file or directory"),
    ],
)
def test_failures_are_one_line(
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert run(*arguments, "--tokenizer", "tok.json") == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith(f"fissile {arguments[0]}: ")


def test_skipped_inputs_are_listed(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.write_text(corpus.read_text() + "{\n" * 12)
    folder = corpus.parent
    options = ["--tokenizer", folder / "tok.json", "-o", folder / "out", "--eod", "none", "--skip-bad"]
    assert run("encode", corpus, *options) == 0
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 11 and "a.jsonl: line 4: expected JSON" in error[0] and "skipped 12 in all" in error[-1]
