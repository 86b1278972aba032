"""`fissile train` as a user runs it."""

from pathlib import Path

import pytest

import fissile
from fissile.cli import main
from reference.texts import library_text

TEXT = library_text(4000)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


def test_train_writes_a_tokenizer_and_a_report(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tokenizer.json"
    arguments = ["train", str(corpus), "--vocab-size", "280", "--pattern", "gpt2", "--special-token", "<|end|>"]
    assert main([*arguments, "--held-out", str(corpus), "-o", str(out)]) == 0
    tokenizer = fissile.Tokenizer.from_file(out)
    assert tokenizer.merges == fissile.train([corpus], 280, "gpt2", special_tokens=["<|end|>"]).merges
    assert tokenizer.special_tokens == {"<|end|>": 0}
    captured = capsys.readouterr()
    assert "280 ids" in captured.out
    assert "held-out text" in captured.out
    assert captured.err == ""


def test_train_writes_ranks(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.tiktoken"
    assert main(["train", str(corpus), "--vocab-size", "270", "-o", str(out)]) == 0
    assert fissile.Tokenizer.from_tiktoken(out, pattern="gpt4").n_vocab == 270


def test_train_goes_on_and_makes_superwords(corpus: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    common = ["train", str(corpus), "--pattern", "gpt2"]
    assert main([*common, "--vocab-size", "275", "-o", str(first)]) == 0
    options = ["--superword-at", "275", "--superword-unit", "document", "--continue-from", str(first)]
    assert main([*common, "--vocab-size", "280", *options, "-o", str(second)]) == 0
    merges = fissile.Tokenizer.from_file(second).merges
    assert merges[:19] == fissile.Tokenizer.from_file(first).merges
    assert len(merges) == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CORPUS", "--vocab-size", "10"], "vocab_size is 10"),
        (["CORPUS", "--vocab-size", "300", "--pattern", "nonsense"], "nonsense"),
        (["no such file", "--vocab-size", "300"], "no such file"),
        (["EMPTY", "--vocab-size", "300"], "empty"),
        (["CORPUS", "--vocab-size", "300", "-o", "NOWHERE"], "no such directory"),
        (["CORPUS", "--vocab-size", "300", "-o", "EXTENSION"], ".json or .tiktoken"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    corpus: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").touch()
    names = {"CORPUS": corpus, "EMPTY": tmp_path / "empty"}
    names |= {"NOWHERE": tmp_path / "nowhere" / "t.json", "EXTENSION": tmp_path / "t.bin"}
    spelt = [str(names.get(argument, argument)) for argument in arguments]
    if "-o" not in spelt:
        spelt += ["-o", str(tmp_path / "t.json")]
    assert main(["train", *spelt]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt", "empty"}
