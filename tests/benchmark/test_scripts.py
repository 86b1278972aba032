"""Every script of bench/ runs, at its smallest: what nobody runs for months rots unseen."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fissile import train
from reference.bench_scripts import BENCH, bench_script

TEXT = "".join(f"The cat number {i} sat on the mat, and {i * 7} mice danced; c'est ça, 東京!\n\n" for i in range(400))
#: Modules that are read by scripts and no scripts themselves.
NO_SCRIPTS = {"corpora"}
#: Packages that a script is nothing without.
NEEDS = {
    "compat": ["transformers"],
    "distributed": ["ray"],
    "encode": ["matplotlib"],
    "loaders": ["datasets", "tokenizers", "torch", "torchdata"],
    "pipeline": ["tokenizers"],
    "train": ["matplotlib"],
}
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in NO_SCRIPTS)

pytestmark = [
    pytest.mark.skipif(not BENCH.is_dir(), reason="this copy of the sources is without bench/"),
    pytest.mark.skipif(sys.platform != "linux", reason="the scripts pin cores and read /proc"),
]


def run(script: str, *arguments: object) -> str:
    """What a script says; it must end well."""
    for package in NEEDS.get(script, []):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    command = [sys.executable, str(BENCH / f"{script}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "my.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toys by the names of what scripts look for."""
    folder = tmp_path_factory.mktemp("vocab")
    for name, pattern in (("gpt2", "gpt2"), ("cl100k_base", "cl100k"), ("o200k_base", "o200k")):
        train(iter([TEXT]), 300, pattern).save(folder / f"{name}.tiktoken")
    for name, pattern in (("llama2", "gpt2"), ("qwen3", "qwen2")):
        train(iter([TEXT]), 300, pattern).save(folder / f"{name}.json")
    return folder


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    names = {name for names in bench_script("corpora").CORPORA.values() for name in names}
    for name in names:
        (folder / name).write_text(TEXT, encoding="utf-8")
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_says_what_it_does(script: str) -> None:
    assert "usage:" in run(script, "--help")


def test_encode(vocabularies: Path, corpora: Path, tmp_path: Path) -> None:
    given = ("--vocab-dir", vocabularies, "--corpus-dir", corpora, "--peers", "fissile", "--quick")
    assert "## encode, cl100k_base, English and code, 1 thread" in run(
        "encode", *given, "--rows", "0,12", "-o", tmp_path / "encode"
    )
    rows = json.loads((tmp_path / "encode.json").read_text())["rows"]
    assert [row["work"] for row in rows] == ["encode", "decode"]
    assert "| decode an array of ids |" in (tmp_path / "encode.md").read_text()  # an absolute goal, without peers


def test_adversarial(vocabularies: Path, corpora: Path, tmp_path: Path) -> None:
    given = ("--vocab-dir", vocabularies, "--corpus-dir", corpora, "--peers", "fissile", "--runs", 1)
    run("adversarial", *given, "--size", 10_000, "--only", "letter", "-o", tmp_path / "adversarial")
    results = json.loads((tmp_path / "adversarial.json").read_text())["results"]
    assert list(results) == ["a megabyte of English", "one letter", "two letters in turn"]
    assert all(run["ms"] > 0 for by_peer in results.values() for run in by_peer["fissile"])
    assert "| one letter |" in (tmp_path / "adversarial.md").read_text()


def test_adversarial_tells_who_is_too_slow_from_who_crashes_and_who_fails() -> None:
    adversarial = bench_script("adversarial")
    assert adversarial.cell([{"ms": 2.0, "ids": "a"}], "a") == ("2.0", 2.0)
    assert adversarial.cell([{"ms": 2.0, "ids": "b"}], "a") == ("2.0 *", None)
    assert adversarial.cell([{"error": "more than 30 s"}], "a") == ("> 30 s", None)
    assert adversarial.cell([{"error": "crashed: SIGSEGV"}], "a") == ("crashed", None)
    assert adversarial.cell([{"error": "ValueError: no"}], "a") == ("failed", None)
    assert not adversarial.gets_another([{"ms": 2000.0}])
    assert not adversarial.gets_another([{"ms": 2.0}, {"error": "more than 30 s"}])
    assert adversarial.gets_another([]) and adversarial.gets_another([{"ms": 2.0}])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_peer_instructions(vocabularies: Path, corpora: Path, tmp_path: Path) -> None:
    given = ("--vocab-dir", vocabularies, "--corpus-dir", corpora, "--peers", "fissile", "--corpora", "CJK")
    run("peer_instructions", *given, "--bytes", 20_000, "-o", tmp_path / "counted.md")
    line = re.search(r"\| CJK \| (\d+) \| ([\d.]+) \| fissile \| ([\d.]+) \|", (tmp_path / "counted.md").read_text())
    assert line is not None and 10_000 < int(line[1]) <= 20_000 and float(line[2]) > 0 < float(line[3])


def test_compat(text: Path, vocabularies: Path, tmp_path: Path) -> None:
    given = (vocabularies / "qwen3.json", text, "--megabytes", 0.01, "--rounds", 1, "-o", tmp_path / "compat.md")
    assert "| `tok(list)` |" in run("compat", *given)
    assert (tmp_path / "compat.md").read_text().startswith("# Calls of a transformers tokenizer")


def test_count(text: Path, tmp_path: Path) -> None:
    run("count", f"English={text}", "--runs", 1, "--peers", "fissile", "--patterns", "gpt2", "-o", tmp_path / "count")
    assert "| fissile | 1 |" in (tmp_path / "count.md").read_text()


def test_train_adds_rows_of_the_same_machine_and_begins_anew_when_asked(text: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    output = tmp_path / "results" / "train"
    given = (text, "--vocab", 300, "--threads", 1, "--runs", 1, "--peers", "fissile", "-o", output)
    run("train", *given)
    run("train", *given, "--pattern", "cl100k")
    record = json.loads(output.with_suffix(".json").read_text())
    assert [row["tokenizer"]["name"] for row in record["rows"]] == ["gpt2", "cl100k"]
    page = output.with_suffix(".md").read_text()
    assert "| 300 ids, cl100k, my, 1 thread | process s |" in page and "(ours, gpt2)" in page
    assert page.count("--pattern cl100k") == 1  # each command that made rows is there
    for changed in (record | {"machine": record["machine"] | {"cpu": "an abacus"}}, record | {"rows": {}}):
        output.with_suffix(".json").write_text(json.dumps(changed))
        with pytest.raises(AssertionError, match="--anew begins again"):
            run("train", *given)
    run("train", *given, "--anew")
    assert len(json.loads(output.with_suffix(".json").read_text())["rows"]) == 1


def test_train_corpora_and_their_mixture(corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = bench_script("train_corpora")
    sources = tmp_path / "sources"
    sources.mkdir()
    for i in range(20):
        (sources / f"{i}.py").write_text(f"# module {i}\n" + "def double(argument):\n    return argument * 2\n" * 9)
    for name in ("DOCS", "SOURCES", "MESSAGES"):
        monkeypatch.setattr(script, name, [sources])
    for name in ("ENGLISH", "TRANSLATED"):
        monkeypatch.setattr(script, name, getattr(script, name)[:1])
    out = tmp_path / "out"
    given = ["--shared", str(corpora), "-o", str(out), "--mb", "0.1", "--mixture-mb", "0.3"]
    monkeypatch.setattr(sys, "argv", ["train_corpora.py", *given])
    script.main()
    texts = {path.stem: path.read_text(encoding="utf-8") for path in out.iterdir()}
    assert sorted(texts) == ["code", "english", "languages", "mixture"]
    assert len(texts["mixture"].encode()) >= 300_000
    # Of what comes again, some is other text; pretokens that were not there before come up.
    first = sum(len(texts[name]) for name in ("code", "english", "languages"))
    words = set(texts["mixture"][:first].split())
    assert set(texts["mixture"][first:].split()) - words


def test_superwords(text: Path, tmp_path: Path) -> None:
    given = (text, "--other", text, "--vocab", 400, "--shares", 0.8, "--held-out", 5000, "--runs", 1)
    said = run("superwords", *given, "-o", tmp_path / "superwords")
    assert all(f"| {unit}, t = 320 |" in said for unit in ("document", "line", "runs"))
    assert (tmp_path / "superwords.json").exists()


def test_interrupt(text: Path, tmp_path: Path) -> None:
    said = run("interrupt", text, "--only", "sleeps", "--runs", 1, "-o", tmp_path / "interrupt.md")
    _, name, seconds, exception, *_ = (cell.strip() for cell in said.splitlines()[-1].split("|"))
    assert (name, round(float(seconds))) == ("a Python that sleeps", 1)
    assert float(exception.split()[0]) >= 0


def test_linear(vocabularies: Path, tmp_path: Path) -> None:
    given = ("--tokenizer", vocabularies / "qwen3.json", "--sizes", 1000, 4000, "--vocab", 300, "--runs", 1)
    assert "| random letters | encode, later |" in run("linear", *given, "-o", tmp_path / "linear.md")


def test_pipeline(text: Path, vocabularies: Path, tmp_path: Path) -> None:
    given = (text, "--tokenizer", vocabularies / "qwen3.json", "--megabytes", 1, "--peer-megabytes", 1, "--runs", 1)
    assert "| fissile_encode | .jsonl |" in run("pipeline", *given, "-o", tmp_path / "pipeline.md")


def test_distributed(text: Path, tmp_path: Path) -> None:
    said = run("distributed", text, "--megabytes", 1, "--workers", 1, "--runs", 1, "-o", tmp_path / "distributed.md")
    assert "| " in said
