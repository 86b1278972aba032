"""What slow peers get of the runs and of the text, and that they are compared with ours on the same."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fissile.benchmark import tables
from fissile.benchmark.harness import Cells, Run, Settings, Share, measure_rows, planned


class Toy:
    """A row whose peers are as fast as their names say, in MB/s; nothing is measured."""

    title = "toy"
    n_bytes = 50_000_000
    owner = "1"
    whole = True
    least_bytes = 100_000

    def __init__(self) -> None:
        self.measured: list[tuple[str, int | None]] = []

    def peers(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name != "other trade"]

    def trial_key(self) -> Hashable:
        return "toy"

    def trial(self, peer: str, settings: Settings, folder: Path) -> Run:
        self.measured.append((f"trial of {peer}", None))
        if peer == "broken":
            return {"error": "crashed"}
        if peer == "absent":
            return {"not offered": "no"}
        return {"overhead s": 1.0, "MB/s": 100.0 if peer == "fissile" else float(peer)}

    def work_bytes(self, n_bytes: int) -> tuple[float, float]:
        return 2 * n_bytes, 4 * n_bytes

    def measure(self, peer: str, share: Share, settings: Settings, folder: Path) -> tuple[Run, Any]:
        self.measured.append((peer, share.n_bytes))
        n_bytes = share.n_bytes or self.n_bytes
        speed = 100.0 if peer == "fissile" else float(peer)
        # As it is with caches: the more text, the faster.
        return {"first MB/s": speed * n_bytes / self.n_bytes, "peak MB": n_bytes / 1e6}, (peer, n_bytes)

    def judge(self, cells: Cells, given: Mapping[str, Sequence[Any]]) -> int:
        for name, runs in cells.items():
            for run, _ in zip(runs, given.get(name, ()), strict=False):
                run["results"], run["wrong"] = 1000, 0
        return 1000

    def describe(self) -> dict[str, Any]:
        return {"work": "toy", "tokenizer": {"name": "t"}, "corpus": "c", "bytes": self.n_bytes, "series": None}


@pytest.mark.parametrize(
    ("speed", "budget", "n_bytes", "runs"),
    [
        (100.0, None, None, 3),  # no budget: all of it
        (0.1, None, None, 3),
        (100.0, 12.0, None, 3),  # 3 times 1 s and two passes of 0.5 s
        (50.0, 8.0, None, 2),  # 3 s a process
        (25.0, 8.0, None, 1),  # 5 s a process
        (10.0, 8.0, 30_000_000, 1),  # 11 s a process; 7 s with 30 MB
        (1.0, 8.0, 3_000_000, 1),
        (0.001, 8.0, 100_000, 1),  # the least there is
        (1000.0, 0.5, 100_000, 1),  # loading alone takes longer
    ],
)
def test_slow_peers_get_fewer_runs_and_then_less_text(
    speed: float, budget: float | None, n_bytes: int | None, runs: int
) -> None:
    share = planned(Toy(), {"overhead s": 1.0, "MB/s": speed}, Settings(["fissile"], 3, budget=budget))
    assert (share.n_bytes, share.runs, share.failed) == (n_bytes, runs, None)
    if budget is not None and n_bytes != 100_000:
        assert share.seconds <= budget


def test_who_fails_the_trial_is_not_measured() -> None:
    row = Toy()
    (made,) = measure_rows([row], Settings(["fissile", "broken", "absent", "other trade"], 2))
    assert made["peers"]["broken"] == [{"error": "crashed"}]
    assert made["peers"]["absent"] == [{"not offered": "no"}]
    assert "other trade" not in made["peers"]
    assert [peer for peer, _ in row.measured if peer in ("broken", "absent")] == []


def test_rows_alike_share_their_trials_and_peers_take_turns() -> None:
    row = Toy()
    said: list[str] = []
    done: list[tuple[str, int, int]] = []
    rows = measure_rows(
        [row, row],
        Settings(["fissile", "50"], 2),
        show=said.append,
        progress=lambda phase, n, total, note="": done.append((phase, n, total)),
    )
    assert len(rows) == 2
    trials = [peer for peer, _ in row.measured if peer.startswith("trial")]
    assert sorted(trials) == ["trial of 1", "trial of 50", "trial of fissile"]
    # The owner is no peer here: asked once in a row.
    assert [peer for peer, _ in row.measured][3:] == ["fissile", "50", "fissile", "50", "1"] * 2
    assert said == ["2 rows, 2 peers, 10 processes: about 7 minutes"]
    assert done[0] == ("trying", 0, 3)
    assert [(n, total) for phase, n, total in done if phase == "measuring"] == [(n, 10) for n in range(10)]


def test_a_peer_that_saw_less_is_compared_with_ours_on_as_much() -> None:
    row = Toy()
    (made,) = measure_rows([row], Settings(["fissile", "50", "10", "1"], 3, budget=12.0))
    seen = {peer: tables.seen(runs) for peer, runs in made["peers"].items()}
    assert seen == {"fissile": 50_000_000, "50": 50_000_000, "10": 50_000_000, "1": 3_000_000}
    assert [len(runs) for runs in made["peers"].values()] == [3, 3, 1, 1]
    assert [(n, len(runs)) for n, runs in made["fissile on less"].items()] == [("3000000", 3)]
    whole, part = tables.comparisons(made)
    assert tables.best_of(whole, "first MB/s") == ("50", 50.0)
    assert tables.best_of(whole, "peak MB") == ("50", 50.0)  # and not the one that saw 3 MB
    assert tables.best_of(part, "peak MB") == ("1", 3.0)
    page = tables.row_table(made)
    assert "| 1, first 3 MB | 0.06 | 3.00 | right (1000) |" in page
    assert "| fissile, first 3 MB | 6.00 (6.00 to 6.00) | 3.00 (3.00 to 3.00) | right (1000) |" in page
    assert "| *ours, times better than the best* | **2.00** (50) | **1.00** (50) | |" in page
    assert "| *ours, times better than the best, first 3 MB* | **100.00** (1) | **1.00** (1) | |" in page


def test_where_all_others_saw_less_the_summary_has_those() -> None:
    (made,) = measure_rows([Toy()], Settings(["fissile", "2", "1"], 3, budget=12.0))
    assert {tables.seen(made["peers"][peer]) for peer in ("2", "1")} == {10_000_000, 3_000_000}
    assert "| toy | first MB/s | 20.0 | 0.40 (2, both first 10 MB) | 50.00 |" in tables.summary([made])


def test_the_summary_has_the_peer_that_comes_closest_on_whatever_part() -> None:
    (made,) = measure_rows([Toy()], Settings(["fissile", "50", "2"], 3, budget=12.0))
    for run in made["peers"]["2"]:
        run["first MB/s"] = 40.0  # of the first 10 MB, where ours is 20
    best = tables.closest(made, "first MB/s")
    assert best == ("2", 20.0, 40.0, 0.5, 10_000_000)


def test_a_part_of_the_text_that_nobody_encoded_has_no_line() -> None:
    (made,) = measure_rows([Toy()], Settings(["fissile", "50", "1"], 3, budget=12.0))
    assert "| fissile, first 3 MB |" in tables.row_table(made)
    made["peers"]["1"] = [{"error": "crashed"}]
    page = tables.row_table(made)
    assert "first 3 MB" not in page and "| 1 | | | crashed |" in page
