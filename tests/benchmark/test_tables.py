"""The arithmetic between figures and tables: medians, who is best, ratios, what counts as wrong."""

import pytest

from fissile.benchmark import tables
from fissile.benchmark.harness import Cells, Run


def run(speed: float, wrong: int = 0) -> Run:
    return {"first MB/s": speed, "load ms": 1000 / speed, "results": 1000, "wrong": wrong}


@pytest.fixture
def cells() -> Cells:
    return {
        "fissile": [run(100), run(300), run(200)],
        "right": [run(90), run(100), run(80)],
        "nearly": [run(150, wrong=1), run(120), run(130)],
        "fast but wrong": [run(1000), run(1000, wrong=2), run(1000)],
        "broken": [{"error": "a | b"}],
        "other": [{"not offered": "reads cuneiform"}],
    }


def row(cells: Cells, **others: object) -> dict[str, object]:
    return {
        "title": "encode, toy",
        "work": "encode",
        "tokenizer": {"name": "toy"},
        "corpus": "text",
        "bytes": 1000,
        "series": None,
        "x": None,
        "reference": {"peer": "tiktoken", "results": 1000},
        "peers": cells,
        **others,
    }


def test_median_is_of_the_runs_that_have_the_figure(cells: Cells) -> None:
    assert tables.median(cells["fissile"], "first MB/s") == 200
    assert tables.median([*cells["right"], {"error": "x"}], "first MB/s") == 90
    assert tables.median(cells["broken"], "first MB/s") is None


def test_a_peer_with_wrong_results_in_any_run_is_not_the_best(cells: Cells) -> None:
    assert tables.wrong(cells["fast but wrong"]) == (2, 1000)
    assert not tables.comparable(cells["fast but wrong"])
    assert tables.best_of(cells, "first MB/s") == ("nearly", 130)  # one in a thousand is let pass


def test_less_is_better_for_times_and_memory(cells: Cells) -> None:
    assert tables.best_of(cells, "load ms") == ("nearly", pytest.approx(1000 / 130))
    assert [tables.more_is_better(x) for x in ("again MB/s", "2 Python threads, x", "load ms", "peak MB")] == [
        True,
        True,
        False,
        False,
    ]


def test_ratios_above_one_are_ahead() -> None:
    assert tables.times_better(200, 100, "first MB/s") == 2
    assert tables.times_better(5, 10, "load ms") == 2
    assert tables.times_better(10, 5, "20 characters new us") == 0.5


def test_there_is_no_best_among_none() -> None:
    assert tables.best_of({"fissile": [run(1)]}, "first MB/s") is None
    assert tables.best_of({}, "first MB/s") is None


def test_table_shows_spread_wrong_results_errors_and_who_is_not_there(cells: Cells) -> None:
    lines = tables.row_table(row(cells)).splitlines()
    by_peer = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    assert by_peer["fissile"] == "| fissile | 200 (100 to 300) | 5.00 (3.33 to 10.0) | right (1000) |"
    assert by_peer["fast but wrong"].endswith("| **WRONG**: 2 of 1000 |")
    assert by_peer["broken"] == "| broken | | | a / b |"
    assert by_peer["*ours, times better than the best*"] == (
        "| *ours, times better than the best* | **1.54** (nearly) | **1.54** (nearly) | |"
    )
    assert "other" not in by_peer
    assert lines[-1] == "Not offered: other (reads cuneiform)."


def test_summary_has_a_line_a_figure(cells: Cells) -> None:
    lines = tables.summary([row(cells)]).splitlines()
    assert lines[2] == "| encode, toy | first MB/s | 200 | 130 (nearly) | 1.54 |"
    assert len(lines) == 4


def test_rows_of_a_series_are_columns(cells: Cells) -> None:
    other = {"fissile": [run(400)], "right": [run(100)], "fast but wrong": [run(1)]}
    first = {peer: cells[peer] for peer in other}
    rows = [row(first, series="threads", x=1), row(other, series="threads", x=2)]
    text = tables.series_tables(rows)
    assert "| first MB/s | 1 | 2 | |" in text
    assert "| fissile | 200 | 400 |  |" in text
    assert "| fast but wrong | 1000 | 1.00 | **WRONG** |" in text
    assert "| *ours, times better than the best* | **2.22** (right) | **4.00** (right) | |" in text


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1234"), (99.94, "99.9"), (9.994, "9.99"), (-0.5, "-0.50")])
def test_numbers_have_three_digits_or_so(value: float, text: str) -> None:
    assert tables.number(value) == text
