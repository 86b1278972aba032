"""The table of bench/stochastic.py: what is to be reached, and that the script runs."""

from pathlib import Path
from types import ModuleType

import pytest

from reference.bench_scripts import bench_script
from reference.texts import SHARED, library_text, shared


@pytest.fixture
def script() -> ModuleType:
    return bench_script("stochastic")


def test_all_figures_must_reach_what_is_to_be_reached(script: ModuleType) -> None:
    assert script.mark([1.2, 1.3], at_most=1.3) == "at most 1.3: reached"
    assert script.mark([1.2, 1.31], at_most=1.3) == "at most 1.3: missed"
    assert script.mark([50], at_least=50.0, unit=" x") == "at least 50 x: reached"
    assert script.mark([49, 60], at_least=50.0, unit=" x") == "at least 50 x: missed"


def test_ids_have_a_rate_to_reach_by_their_number(script: ModuleType) -> None:
    goal = script.goals_of_ids
    assert goal(20_000, {0.1: 351, 1.0: 29}) == "p = 0.1 at least 350: reached; p = 1 at least 30: missed"
    assert goal(20_001, {0.1: 249, 1.0: 30}) == "p = 0.1 at least 250: missed; p = 1 at least 30: reached"
    assert goal(200_001, {0.1: 1, 1.0: 1}) == ""


def test_growth_is_a_power_of_the_number_of_ids(script: ModuleType) -> None:
    assert script.growth({500: 400, 200_000: 300, 20_000_000: 300}) == "ids^1.00, at most 1.1: reached"
    assert script.growth({200_000: 300, 20_000_000: 3}) == "ids^2.00, at most 1.1: missed"
    assert script.growth({500: 400, 200_000: 300}) == "not measured"


def test_the_script_makes_its_table(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shared("vocab", "qwen3.json") is None:
        pytest.skip("shared/vocab is not here")
    (tmp_path / "text.txt").write_text(library_text(40_000))
    options = ["--vocab-dir", str(SHARED / "vocab"), "--text", str(tmp_path / "text.txt"), "--runs", "1"]
    monkeypatch.setattr(
        "sys.argv", ["stochastic.py", *options, "--largest", "250000", "-o", str(tmp_path / "table.md")]
    )
    script.main()
    report = (tmp_path / "table.md").read_text()
    for row in ("| StochasTok(0.1) |", "| BPEDropout(0.1) |"):
        line = next(line for line in report.splitlines() if line.startswith(row))
        assert line.endswith((": reached |", ": missed |"))
    assert report.count("at least 350: ") == 6
    assert report.count("not measured") == 2  # the text is too short for it
    assert report.count("at most 100 ms: ") == 1
    assert ("at least 50 x: " in report) != ("not compared" in report)
