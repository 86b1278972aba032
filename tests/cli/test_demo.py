"""The demo as it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from fissile import demo
from fissile.cli import main


def test_demo_encodes_real_text_and_gets_it_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "VOCAB_SIZE", 1000)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "every byte came back" in out
    assert demo.SENTENCE in out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_demo_whose_reader_has_gone_says_nothing() -> None:
    program = "import sys; from fissile import demo; demo.VOCAB_SIZE = 300; from fissile.cli import main; sys.exit(main(['demo']))"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (141, b"")


def test_demo_without_sources_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert main(["demo"]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_demo_fails_if_text_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "VOCAB_SIZE", 300)
    monkeypatch.setattr("fissile.tokenizer.Tokenizer.decode_bytes", lambda self, ids: b"other")
    assert main(["demo"]) == 1
    assert "not the text that was encoded" in capsys.readouterr().err
