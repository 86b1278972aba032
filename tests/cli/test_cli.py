"""Commands as a user runs them: what they print, and the status they end with."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from fissile.cli import main


@pytest.fixture
def rank_file(tmp_path: Path) -> Path:
    """All single bytes, then "ab" and "abc"."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"ab", b"abc"]
    path = tmp_path / "toy.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)))
    return path


def test_inspect_shows_each_token(rank_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "abcab é", "--tokenizer", str(rank_file), "--pattern", "gpt2"]) == 0
    first, _, *rows, last = capsys.readouterr().out.splitlines()
    assert first == "abc|ab| |<c3>|<a9>"
    assert [row.split() for row in rows[:2]] == [["257", "0", "3", "abc"], ["256", "3", "5", "ab"]]
    assert len(rows) == 5
    assert last == "5 tokens, 8 bytes, 1.60 bytes a token"


def test_inspect_reads_a_file_byte_for_byte(
    rank_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"ab\xff\r\n")
    assert main(["inspect", str(text), "--tokenizer", str(rank_file), "--pattern", "gpt2"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == r"ab|<ff>|\r|\n"


@pytest.mark.parametrize("text", ["", "x\0y", "x" * 5000], ids=["empty", "holds NUL", "longer than a path"])
def test_inspect_takes_any_text(rank_file: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", text, "--tokenizer", str(rank_file), "--pattern", "gpt2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{len(text)} tokens, {len(text)} bytes")


def test_failure_is_one_line_on_stderr_and_status_1(rank_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "text", "--tokenizer", str(rank_file)]) == 1  # a rank file needs its pattern
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("fissile inspect: ")
    assert str(rank_file) in captured.err
    assert captured.err.count("\n") == 1


def test_interrupt_ends_with_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fissile.demo.run", interrupted)
    assert main(["demo"]) == 130


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["inspect", "text"]])
def test_wrong_usage_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert "usage: fissile" in capsys.readouterr().err


def test_module_runs_as_a_program() -> None:
    result = subprocess.run([sys.executable, "-m", "fissile", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("fissile ")
