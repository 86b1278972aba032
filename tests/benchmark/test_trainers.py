"""Trainers side by side on some kilobytes: whose merges are right, and what is said of those that are others."""

import json
from pathlib import Path
from typing import Any

import pytest

from fissile.benchmark.harness import Run, Settings, measure_rows
from fissile.benchmark.trades import chosen
from fissile.benchmark.trainers import TRAINERS
from fissile.benchmark.training import TrainingRow, agreement
from fissile.cli import main

TEXT = "".join(f"The cat number {i} sat on the mat, and {i * 7} mice danced around it; c'est ça!\n" for i in range(300))
INSTALLED = [name for name, kind in TRAINERS.items() if kind.installed() and not kind.ours]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "my.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cells(text: Path) -> dict[str, Run]:
    pytest.importorskip("tokenizers")
    settings = Settings(["fissile", *INSTALLED[1:]], 1)
    (row,) = measure_rows([TrainingRow("my.txt", text, 400, "gpt2")], settings)
    assert row["reference"]["peer"] == "tokenizers"
    assert row["reference"]["results"] > 0
    return {peer: runs[0] for peer, runs in row["peers"].items()}


@pytest.mark.parametrize("peer", TRAINERS)
def test_every_trainer_trains_and_is_checked(peer: str, cells: dict[str, Run]) -> None:
    if peer not in cells:
        pytest.skip(f"{peer} is not installed, or no peer")
    run, kind = cells[peer], TRAINERS[peer]
    assert "error" not in run
    assert run["bytes"] == len(TEXT.encode())
    assert all(run[figure] > 0 for figure in ("train s", "train MB/s", "process s", "peak MB", "ids", "bytes per id"))
    assert run["train s"] <= run["process s"]
    if kind.others is None:
        assert run["results"] > 0 and run["wrong"] == 0
        assert run["ids"] == 400
    else:
        assert "results" not in run
        assert f"others by design ({kind.others})" in run["note"]


def test_files_are_one_document_to_gigatoken(cells: dict[str, Run]) -> None:
    if "gigatoken" not in cells:
        pytest.skip("gigatoken is not installed")
    assert cells["gigatoken"]["note"] == "lines are not split by themselves"


def test_other_merges_are_told(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers")
    # The third merge of `tokenizers` is lost where its model is read, found first by the process that trains.
    (tmp_path / "sitecustomize.py").write_text(
        "import json\n"
        "loads = json.loads\n"
        "def without_the_third(text):\n"
        "    tree = loads(text)\n"
        "    if tree.get('model', {}) and isinstance(tree['model'], dict):\n"
        "        del tree['model']['merges'][2]\n"
        "    return tree\n"
        "json.loads = without_the_third\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    (row,) = measure_rows([TrainingRow("my.txt", text, 300, "gpt2")], Settings(["fissile", "tokenizers"], 1))
    (ours,), (theirs,) = row["peers"]["fissile"], row["peers"]["tokenizers"]
    assert ours["wrong"] > 0  # as `tokenizers` is right by definition
    assert theirs["wrong"] > 0  # and does not agree with ours


def test_peers_with_a_pattern_of_their_own_are_held_to_it(text: Path) -> None:
    pytest.importorskip("gigabpe")
    (row,) = measure_rows([TrainingRow("my.txt", text, 400, "cl100k")], Settings(["fissile", "gigabpe"], 1))
    (run,) = row["peers"]["gigabpe"]
    assert run["wrong"] == 0 < run["results"]
    assert run["note"] == "splits text as gpt2"


def test_what_a_peer_cannot_train_by_is_said(text: Path) -> None:
    if not TRAINERS["rustbpe"].installed():
        pytest.skip("rustbpe is not installed")
    (row,) = measure_rows([TrainingRow("my.txt", text, 300, "deepseek_v3")], Settings(["fissile", "rustbpe"], 1))
    assert row["peers"]["rustbpe"] == [{"not offered": "needs one expression that splits text"}]


def test_lists_of_merges_are_compared_as_far_as_the_shorter_goes() -> None:
    assert agreement("abcd", "abc") == "yet the same 3 merges"
    assert agreement("abcd", "abdc") == "the same up to merge 2, 100.0 % of tokens shared"
    assert agreement("abcd", "xbcd") == "the same up to merge 0, 75.0 % of tokens shared"


def test_trainers_are_peers_by_name_and_ways_of_ours_only_when_asked_for() -> None:
    assert set(INSTALLED) <= set(chosen("all"))
    assert "superwords_runs" not in chosen("all")
    assert chosen("superwords_runs,fissile") == ["fissile", "superwords_runs"]


def test_the_command_trains_as_the_tokenizer_splits(text: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from fissile import train

    train(iter([TEXT]), 300, "llama3").save(tmp_path / "tokenizer.json")
    arguments: list[Any] = ["bench", text, "--tokenizer", tmp_path / "tokenizer.json", "--runs", 1, "--threads", 1]
    arguments += ["--peers", "tokenizers", "-o", tmp_path / "out", "--vocab-size", 320]
    assert main([*map(str, arguments), "--work", "train,train-sizes,train-vocabularies,train-threads"]) == 0
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert [(row["series"], row["x"]) for row in rows] == [
        (None, None),
        ("input bytes", rows[0]["bytes"]),
        ("vocabulary size", 320),
        ("threads", 1),
    ]
    for row in rows:
        assert row["tokenizer"]["name"] == "llama3"
        assert list(row["peers"]) == ["fissile", "tokenizers"]
        assert all(run["wrong"] == 0 < run["results"] for runs in row["peers"].values() for run in runs)
    assert (tmp_path / "out" / "results.md").read_text().startswith("# Trainers side by side")
