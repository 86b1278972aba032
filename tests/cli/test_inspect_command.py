"""`fissile inspect` as a user runs it: tables, colours, pages, splits, several tokenizers."""

import base64
from pathlib import Path

import pytest

import fissile
from fissile.cli import main


@pytest.fixture
def rank_file(tmp_path: Path) -> str:
    """All single bytes, then "ab" and "abc"."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"ab", b"abc"]
    path = tmp_path / "toy.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)))
    return str(path)


@pytest.fixture
def json_file(tmp_path: Path) -> str:
    path = tmp_path / "other.json"
    fissile.train(iter(["bca bca"]), 260, "gpt2").save(path)
    return str(path)


def make_terminal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Makes standard output a terminal that shows colours, but for what `variables` say."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm-256color", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": ""}], ids=str)
def test_a_terminal_gets_colors(
    rank_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    make_terminal(monkeypatch, **variables)
    assert main(["inspect", "abcab", "--tokenizer", rank_file, "--pattern", "gpt2"]) == 0
    out = capsys.readouterr().out
    assert out == fissile.Tokenizer.from_tiktoken(rank_file, "gpt2").inspect("abcab").colored() + "\n"
    assert "\x1b[" in out


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_without_colors_gets_a_table(
    rank_file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    make_terminal(monkeypatch, **variables)
    command = ["inspect", "abcab", "--tokenizer", rank_file, "--pattern", "gpt2"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "\x1b[" not in out
    assert out.startswith("abc|ab\n")
    assert main([*command, "--color", "always"]) == 0  # what is asked for here counts more
    assert "\x1b[" in capsys.readouterr().out


@pytest.mark.parametrize(("color", "has_colors"), [("always", True), ("auto", False), ("never", False)])
def test_a_pipe_gets_colors_when_asked(
    rank_file: str, color: str, has_colors: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "ab", "--tokenizer", rank_file, "--pattern", "gpt2", f"--color={color}"]) == 0
    assert ("\x1b[" in capsys.readouterr().out) == has_colors


def test_a_split_and_another_tokenizer_come_below(
    rank_file: str, json_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizers = ["--tokenizer", rank_file, "--pattern", "gpt2", "--tokenizer", json_file]
    assert main(["inspect", "abcab bca", *tokenizers, "--split", "stochastok:1", "--seed", "5", "--epoch", "2"]) == 0
    first, second = fissile.Tokenizer.from_tiktoken(rank_file, "gpt2"), fissile.Tokenizer.from_file(json_file)
    expected = first.inspect("abcab bca", second, split="stochastok:1", seed=5, epoch=2)
    out = capsys.readouterr().out
    assert out == f"{expected}\n"
    assert [block.splitlines()[0] for block in out.split("\n\n")] == [
        rank_file,
        f"{rank_file}, StochasTok(p=1.0), seed 5, epoch 2",
        json_file,
        f"{json_file}, StochasTok(p=1.0), seed 5, epoch 2",
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)], ids=str)
def test_a_pattern_is_that_of_the_tokenizer_in_front_of_it(
    rank_file: str, json_file: str, order: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [["--tokenizer", rank_file], ["--pattern", "gpt2"], ["--tokenizer", json_file]]
    assert main(["inspect", "ab", *(option for i in order for option in options[i])]) == 0
    assert sorted(block.splitlines()[0] for block in capsys.readouterr().out.split("\n\n")) == [json_file, rank_file]


def test_a_pattern_of_no_rank_file_is_an_error(
    rank_file: str, json_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "ab", "--tokenizer", rank_file, "--tokenizer", json_file, "--pattern", "gpt2"]) == 1
    assert rank_file in capsys.readouterr().err  # which has none


def test_html_writes_a_page(rank_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    command = ["inspect", "abc é", "--tokenizer", rank_file, "--pattern", "gpt2", "--html", str(page)]
    assert main([*command, "--split", "characters", "--seed", "1"]) == 0
    tokenizer = fissile.Tokenizer.from_tiktoken(rank_file, "gpt2")
    assert page.read_text("utf-8") == tokenizer.inspect("abc é", split="characters", seed=1).html()
    assert capsys.readouterr().out == f"{page}: 4 tokens, 6 tokens\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "toy.tiktoken"]


def test_a_page_is_bounded_and_a_table_is_not(
    rank_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["inspect", "x" * 20_000, "--tokenizer", rank_file, "--pattern", "gpt2"]
    assert main(command) == 0
    assert len(capsys.readouterr().out.splitlines()) == 20_003
    assert main([*command, "--limit", "1K"]) == 0
    *rows, note, _ = capsys.readouterr().out.splitlines()
    assert len(rows) == 1026
    assert note == "the first 1,024 of 20,000 tokens: those of the first 1,024 bytes"
    page = tmp_path / "page.html"
    assert main([*command, "--html", str(page)]) == 0
    assert "the first 10,000 of 20,000 tokens: those of the first 10,000 bytes" in page.read_text()
    assert main([*command, "--color=always"]) == 0
    assert "the first 10,000 of 20,000 tokens: those of the first 10,000 bytes" in capsys.readouterr().out


def test_failures_are_one_line_and_leave_nothing(
    rank_file: str, json_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "nowhere" / "page.html"
    for more, message in [(["--html", str(page)], "nowhere"), (["--split", "dropout:0.1", "--seed", "-1"], "seed")]:
        assert main(["inspect", "ab", "--tokenizer", json_file, *more]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err and captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.json", "toy.tiktoken"]


def test_a_wrong_split_is_wrong_usage(json_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["inspect", "ab", "--tokenizer", json_file, "--split", "stochastok"])
    assert exit.value.code == 2
    assert "expected such as stochastok:0.1" in capsys.readouterr().err
