"""fissile count and fissile merge-counts: what they write, what they say, and that a failure leaves nothing behind."""

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fissile
from fissile.cli import main
from fissile.progress import shown


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.txt").write_text("one two\n  two three\n")
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b'{"body": "two<|end|>one"}\n'))
    return folder


def test_count_writes_the_counts_of_all_inputs(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.counts"
    options = ["--pattern", "gpt2", "--sequence", "document", "--field", "body", "--special", "<|end|>"]
    options += ["--threads", "2", "--memory", "64K", "-o", str(out)]
    assert main(["count", str(corpus / "a.txt"), f"{corpus}/*.gz", *options]) == 0
    assert capsys.readouterr().out == f"{out}: 33 bytes of text counted\n"
    expected = fissile.count(corpus, "gpt2", sequence="document", field="body", special_tokens=["<|end|>"])
    assert fissile.PretokenCounts.load(out) == expected
    assert expected[b"two"] == 1


def test_merge_counts_adds(corpus: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "1.counts", tmp_path / "2.counts"]
    for part in parts:
        assert main(["count", str(corpus / "a.txt"), "-o", str(part)]) == 0
    assert main(["merge-counts", *map(str, parts), "-o", str(tmp_path / "all.counts")]) == 0
    one = fissile.PretokenCounts.load(parts[0])
    assert fissile.PretokenCounts.load(tmp_path / "all.counts") == one + one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["count", "{}/none.txt"], "none.txt"),
        (["count", "{}/*.none"], "no file matches"),
        (
            ["count", "{}/a.txt", "{}/b.jsonl.gz"],
            "line 1: expected an object with a text in 'text', found one with 'body'",
        ),
        (["count", "{}/empty.txt"], "the inputs hold no text"),
        (["count", "{}/a.txt", "--pattern", "nonesuch"], "pattern 'nonesuch' is not built in"),
        (["count", "{}/a.txt", "-o", "{}/none/x"], "no such directory to write to"),
        (["count", "{}/a.txt", "-o", "{}"], "found a directory"),
        (["count", "{}/a.txt", "--weights", "1,2"], "weights must be as many as the paths"),
        (["count", ""], "the name of an input is empty"),
        (["merge-counts", "{}/a.txt"], "this is not a counts file of fissile"),
        (["merge-counts", "{}/gpt2.counts", "{}/gpt4.counts"], "counted with the pattern 'cl100k', expected 'gpt2'"),
        (["merge-counts", "{}/gpt2.counts", "{}/none"], "none"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    arguments: list[str], message: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "empty.txt").write_bytes(b"")
    for pattern in ("gpt2", "gpt4"):
        fissile.count(corpus / "a.txt", pattern).save(corpus / f"{pattern}.counts")
    command = [argument.format(corpus) for argument in arguments]
    assert main([*command, *([] if "-o" in command else ["-o", str(tmp_path / "out")])]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"fissile {arguments[0]}: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "partial" not in captured.err
    assert "list of str" not in captured.err  # a hint for those who call from Python
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1Q", "", "inf"])
def test_bad_numbers_of_bytes(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["count", "a", "-o", "b", "--memory", number])
    assert "expected a number of bytes such as 500M or 4G" in capsys.readouterr().err


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 10.0, 11.0, 20.0])
    monkeypatch.setattr("fissile.progress.time.monotonic", lambda: next(clock))
    with shown("B") as progress:
        progress("count", 0, 4_000_000_000)
        progress("count", 1_000_000_000, 4_000_000_000)
        progress("count", 1_100_000_000, 4_000_000_000)  # too soon
        progress("count", 2_000_000_000, None)
    assert capsys.readouterr().err == "count: 1 GB, 100 MB/s, 25 %, 30 s left\ncount: 2 GB, 100 MB/s\n"


def test_each_phase_has_its_unit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    monkeypatch.setattr("fissile.progress.time.monotonic", lambda: next(clock))
    with shown({"count": "B", "train": " ids"}) as progress:
        for phase in ("count", "merge", "train"):
            progress(phase, 0, 2000)
            progress(phase, 500, 2000)
    assert capsys.readouterr().err == (
        "count: 500 B, 50 B/s, 25 %, 30 s left\nmerge, 25 %, 30 s left\ntrain: 500 ids, 50 ids/s, 25 %, 30 s left\n"
    )


def test_weights_are_those_of_count(corpus: Path, tmp_path: Path) -> None:
    (corpus / "c.txt").write_text("three\n")
    names = [str(corpus / "a.txt"), str(corpus / "c.txt")]
    assert main(["count", *names, "--weights", "0.5,2", "-o", str(tmp_path / "x")]) == 0
    assert fissile.PretokenCounts.load(tmp_path / "x") == fissile.count(names, weights=[0.5, 2])


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM")
def test_a_terminated_count_leaves_nothing_behind(tmp_path: Path) -> None:
    pipe, temporary = tmp_path / "pipe", tmp_path / "temporary"
    os.mkfifo(pipe)
    temporary.mkdir()
    command = [sys.executable, "-m", "fissile", "count", str(pipe), "--memory", "64K", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(temporary)})
    with open(pipe, "wb") as file:
        file.write(b"words " * 10_000)
        file.flush()
        for _ in range(600):
            if list(temporary.glob("fissile-*")):
                break
            time.sleep(0.05)
        assert list(temporary.glob("fissile-*"))
        time.sleep(0.5)  # until its reader waits for more
        process.terminate()
        assert process.wait(timeout=60) == 143
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with shown("B") as progress:
        progress("count", 5, 10)
        progress("count", 10, 10)
        progress("merge", 0, 1)
    shown_text = capsys.readouterr().err
    assert "count: " in shown_text
    assert "merge: " in shown_text
