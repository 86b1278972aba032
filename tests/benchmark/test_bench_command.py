"""`fissile bench` on a text of some kilobytes, with the owners of the formats as peers."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fissile import train
from fissile.cli import main

pytest.importorskip("tiktoken")
pytest.importorskip("tokenizers")
TEXT = "".join(f"The cat number {i} sat on the mat, and {i * 7} mice danced around it.\n\n" for i in range(100))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks") / "toy.tiktoken"
    train(iter([TEXT]), 400, "cl100k").save(path, "tiktoken")
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "my.txt"
    path.write_text(TEXT)
    return path


def bench(*arguments: object) -> int:
    return main(["bench", *map(str, arguments)])


def test_every_work_is_measured_and_checked_against_the_owner(
    text: Path, ranks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    works = "encode,lists,decode,count,latency,load"
    common = (text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 1, "--threads", 1, "-o", out)
    assert bench(*common, "--peers", "tiktoken,tokenizers", "--work", works) == 0
    record = json.loads((out / "results.json").read_text())
    assert [row["work"] for row in record["rows"]] == works.split(",")
    for row in record["rows"]:
        assert row["reference"]["peer"] == "tiktoken"
        assert list(row["peers"]) == ["fissile", "tiktoken", "tokenizers"]
        for peer, (run,) in row["peers"].items():
            assert "error" not in run, (row["title"], peer)
            assert run["results"] == row["reference"]["results"] > 0
            assert run["wrong"] == 0
            assert all(value > 0 for name, value in run.items() if "MB/s" in name or name.endswith(("ms", "us")))
    assert {"first MB/s", "again MB/s", "peak MB"} <= record["rows"][0]["peers"]["fissile"][0].keys()
    assert record["machine"]["packages"]["fissile"]
    page = (out / "results.md").read_text()
    assert "Right results are those of tiktoken" in page
    assert "**WRONG**" not in page
    assert all(f"## {row['title']}" in page for row in record["rows"])
    assert f"## {record['rows'][0]['title']}" in capsys.readouterr().out


def test_wrong_ids_are_called_wrong(text: Path, ranks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A tokenizers that drops the last id of every text, found first by the processes of the benchmark.
    (tmp_path / "sitecustomize.py").write_text(
        "import fissile.benchmark.peers as p\n"
        "right = p.Tokenizers.flat\n"
        "p.Tokenizers.flat = lambda self, made: right(self, [getattr(x, 'ids', x)[:-1] for x in made])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    out = tmp_path / "out"
    common = (text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 1, "--threads", 1, "-o", out)
    assert bench(*common, "--peers", "tokenizers", "--work", "encode") == 0
    (row,) = json.loads((out / "results.json").read_text())["rows"]
    (ours,), (theirs,) = row["peers"]["fissile"], row["peers"]["tokenizers"]
    assert ours["wrong"] == 0
    assert theirs["wrong"] == theirs["results"] == ours["results"] > 0
    page = (out / "results.md").read_text()
    assert f"**WRONG**: {theirs['wrong']} of {theirs['results']}" in page
    assert "(tokenizers)" not in page  # nobody is left to be compared with


def test_series_are_rows_with_what_changes(text: Path, ranks: Path, tmp_path: Path) -> None:
    common = (text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 1, "--peers", "fissile")
    assert bench(*common, "--work", "lengths,threads,vocabularies", "--threads", 2, "-o", tmp_path) == 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [(row["series"], row["x"]) for row in rows] == [
        ("document length", 100),
        ("document length", 1000),
        ("threads", 1),
        ("threads", 2),
        ("vocabulary size", 400),
    ]
    assert rows[0]["documents"] == -(-len(TEXT) // 100)
    assert rows[2]["threads"] == 1 and rows[3]["threads"] == 2
    assert "by document length" in (tmp_path / "results.md").read_text()


def test_drawings_are_made_where_matplotlib_is(text: Path, ranks: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    common = (text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 2, "--peers", "fissile", "--threads", 1)
    assert bench(*common, "--work", "encode,sizes", "-o", tmp_path) == 0
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["encode-by-input-bytes-toy-my-txt.png", "encode-toy-my-txt-1-thread.png"]


def test_sentencepiece_models_are_checked_against_sentencepiece(text: Path, tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    prefix, sizes = str(tmp_path / "toy"), {"vocab_size": 320, "byte_fallback": True}
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=prefix, model_type="bpe", minloglevel=2, **sizes
    )
    arguments = (
        text,
        "--tokenizer",
        tmp_path / "toy.model",
        "--runs",
        1,
        "--threads",
        1,
        "--work",
        "encode,load,split",
    )
    assert bench(*arguments, "--peers", "sentencepiece,tiktoken", "-o", tmp_path / "out") == 0
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    for row in rows:
        assert row["reference"]["peer"] == "sentencepiece" and row["reference"]["results"] > 0
        assert row["peers"]["fissile"][0]["wrong"] == row["peers"]["sentencepiece"][0]["wrong"] == 0
        assert row["peers"]["tiktoken"] == [{"not offered": "needs one expression that splits text"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--work", "encode,sleep"], "work 'sleep' is not known; expected 'all' or some of encode, lists"),
        (["--peers", "nonesuch"], "peer 'nonesuch' is not known"),
        (["--runs", "0"], "runs must be at least 1, not 0"),
        (["--threads", "0"], "threads must be at least 1, not 0"),
        (["--budget", "0"], "budget must be more than 0 seconds, not 0.0"),
        (["--limit", "-1"], "limit must be more than 0 seconds, not -1.0"),
        (["--work", "train", "--vocab-size", "256"], "vocab_size must be at least 257, all bytes and a merge, not 256"),
        (["--work", "train", "--peers", "tiktoken"], "peer 'tiktoken' does nothing of --work train"),
        (["-o", __file__], "expected a folder for results, found a file"),
    ],
)
def test_mistakes_are_found_before_anything_is_measured(
    arguments: list[str], message: str, text: Path, ranks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(text, "--tokenizer", ranks, "--pattern", "cl100k", *arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_an_interrupt_ends_it_and_leaves_the_rows_that_were_done(
    number: int, status: int, text: Path, ranks: Path, tmp_path: Path
) -> None:
    # Rows of many runs, so that there are some left when the first is done.
    arguments = ["bench", text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 2, "--threads", 1]
    arguments += ["--peers", "fissile", "--work", "encode,lengths,sizes,latency,load,decode,lists", "-o", tmp_path]
    # A process started in the background ignores SIGINT, and Python then leaves it so.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from fissile.cli import main; raise SystemExit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "results.md").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert json.loads((tmp_path / "results.json").read_text())["rows"]
    if number == signal.SIGINT:
        assert f"interrupted: rows that were done are in {tmp_path}" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_peers_that_crash_or_hang_are_told_and_hurt_nobody_else(
    text: Path, ranks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys, time\n"
        "if 'fissile.benchmark.child' in sys.orig_argv:\n"
        "    import fissile.benchmark.peers as p\n"
        "    p.Tiktoken.lists = lambda self, texts: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    p.Tokenizers.batch = lambda self, texts: time.sleep(99)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    common = (text, "--tokenizer", ranks, "--pattern", "cl100k", "--runs", 1, "--threads", 1, "-o", tmp_path / "out")
    assert bench(*common, "--peers", "tiktoken,tokenizers", "--work", "encode", "--limit", 5) == 0
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert row["peers"]["tiktoken"] == [{"error": "crashed: SIGSEGV"}]
    assert row["peers"]["tokenizers"] == [{"error": "more than 5 s"}]
    assert row["reference"]["peer"] == "fissile"
    assert row["peers"]["fissile"][0]["results"] > 0
