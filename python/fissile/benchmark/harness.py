"""Rows of a table: peers take turns, every measurement in a fresh process, and what they give is compared.

Nobody waits an hour for a slow peer. Each is tried first, on a little text; from what that took it is planned what it gets:
all of the text in all runs, or fewer runs where they would take longer than the budget of a cell, or, where one run would, the
first part of the text only. Such figures are no match for those of the whole text, whoever they flatter. So ours are measured
on the same part as well, and a peer is compared with that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Cells", "Plan", "Row", "Run", "Settings", "Share", "measure_row", "measure_rows", "planned"]

Run = dict[str, Any]
"""Figures of one process, the `results` it gave, and how many of them were `wrong`; `bytes` of text, where it matters.

Or {"error": why there are none}, or {"not offered": why the peer does not do that}.
"""
Cells = dict[str, list[Run]]
"""By peer, one for each run."""

LONGEST_TRIAL = 60.0  # seconds: a peer that hangs is found out by then
_SIZES = tuple(n * 10**k for k in range(5, 12) for n in (1, 3))


@dataclass(frozen=True)
class Settings:
    """How rows are measured.

    Attributes:
        peers: names, in the order of their turns; ours is among them.
        runs: processes of each peer.
        clock: of machine.CLOCKS; rows of many threads are by the wall whatever it says.
        limit: seconds a process may take.
        budget: seconds that all runs of a peer in a row should take, about; None: they take what they take.
    """

    peers: Sequence[str]
    runs: int = 3
    clock: str = "wall"
    limit: float = 120
    budget: float | None = None


@dataclass(frozen=True)
class Share:
    """What a peer gets in a row.

    Attributes:
        n_bytes: of the text, from its start; None: all of it.
        runs: processes.
        seconds: they will take, about.
        failed: why there will be none, as a run says it.
    """

    n_bytes: int | None
    runs: int
    seconds: float = 0.0
    failed: Run | None = None


Plan = dict[str, Share]
"""By peer; the owner's is there also where it is no peer, and is asked for its results once."""


class Row(Protocol):
    """What a table compares peers at: encoding.EncodingRow or training.TrainingRow."""

    @property
    def title(self) -> str:
        """What it is called in tables, and in the JSON."""

    @property
    def n_bytes(self) -> int:
        """Of the text."""

    @property
    def owner(self) -> str:
        """The peer whose results are right by definition."""

    @property
    def whole(self) -> bool:
        """Whether figures depend on how much of the text is seen."""

    @property
    def least_bytes(self) -> int:
        """Less of the text is given to nobody."""

    def peers(self, names: Sequence[str]) -> list[str]:
        """Those among these that are of this trade."""

    def trial_key(self) -> Hashable:
        """Rows with equal keys share their trials."""

    def trial(self, peer: str, settings: Settings, folder: Path) -> Run:
        """A process on little text: "overhead s", and "MB/s" of the work; or why there are none."""

    def work_bytes(self, n_bytes: int) -> tuple[float, float]:
        """With so many bytes of text, the least and the most bytes a process works through, passes and checks included."""

    def measure(self, peer: str, share: Share, settings: Settings, folder: Path) -> tuple[Run, Any]:
        """One process: its figures, and what `judge` compares; None where there is nothing."""

    def judge(self, cells: Cells, given: Mapping[str, Sequence[Any]]) -> int:
        """Says of each run how many results it gave and how many are wrong; how many results the owner gave.

        Args:
            cells: by peer; and ours on the first part of the text, by other names.
            given: by the same names what `measure` gave, and the owner's, wherever it is no peer.
        """

    def describe(self) -> dict[str, Any]:
        """What the JSON of results says of it."""


def planned(row: Row, trial: Run, settings: Settings) -> Share:
    """What a peer gets, from what its trial took."""
    if "error" in trial or "not offered" in trial:
        return Share(None, 0, failed=trial)
    overhead, speed = trial["overhead s"], trial["MB/s"] * 1e6

    def seconds(n_bytes: int) -> float:
        return float(overhead + row.work_bytes(n_bytes)[0] / speed)

    def share(n_bytes: int | None, runs: int) -> Share:
        least, most = row.work_bytes(n_bytes or row.n_bytes)
        some = runs * (overhead + least / speed)
        likely = max(some, min(settings.budget or float("inf"), runs * (overhead + most / speed)))
        return Share(n_bytes, runs, likely)

    if settings.budget is None:
        return share(None, settings.runs)
    for runs in range(settings.runs, 0, -1):
        if runs * seconds(row.n_bytes) <= settings.budget:
            return share(None, runs)
    sizes = [size for size in _SIZES if row.least_bytes <= size < row.n_bytes]
    fitting = [size for size in sizes if seconds(size) <= settings.budget]
    n_bytes = max(fitting, default=min(sizes, default=None))
    return share(n_bytes if seconds(row.n_bytes) > seconds(n_bytes or 0) else None, 1)


def measure_rows(
    rows: Sequence[Row],
    settings: Settings,
    *,
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
    show: Callable[[str], None] = lambda line: None,
    progress: Callable[..., None] = lambda phase, done, total, note="": None,
) -> list[dict[str, Any]]:
    """Try all peers, say how long it will take, and measure row by row.

    Args:
        rows: what to measure.
        settings: whom, how often, how long.
        on_row: called with each row of the results when it is done.
        show: called with a line that says how long it will take.
        progress: called with a phase, how many processes have ended, how many there will be, and what is running.

    Returns:
        What `measure_row` gives, row by row.
    """
    plans = _plans(rows, settings, progress)
    n_runs = sum(share.runs for plan in plans for share in plan.values())
    seconds = sum(share.seconds for plan in plans for share in plan.values())
    n_peers = len({peer for row in rows for peer in row.peers(settings.peers)})
    show(f"{len(rows)} rows, {n_peers} peers, {n_runs} processes: {_in_words(seconds)}")
    done = 0
    results = []
    for row, plan in zip(rows, plans, strict=True):

        def on_run(peer: str, row: Row = row) -> None:
            nonlocal done
            progress("measuring", done, max(n_runs, done + 1), note=f"{row.title}: {peer}")
            done += 1

        results.append(measure_row(row, settings, plan, on_run))
        on_row(results[-1])
    return results


def _plans(rows: Sequence[Row], settings: Settings, progress: Callable[..., None]) -> list[Plan]:
    trials: dict[tuple[Hashable, str], Run] = {}
    names = [(row, dict.fromkeys([*row.peers(settings.peers), row.owner])) for row in rows]
    n_trials = len({(row.trial_key(), peer) for row, peers in names for peer in peers})
    plans: list[Plan] = []
    with tempfile.TemporaryDirectory() as folder:
        for row, peers in names:
            plans.append({})
            for peer in peers:
                key = (row.trial_key(), peer)
                if key not in trials:
                    progress("trying", len(trials), n_trials, note=peer)
                    trials[key] = row.trial(peer, settings, Path(folder))
                asked = settings if peer in settings.peers else replace(settings, runs=1)
                plans[-1][peer] = planned(row, trials[key], asked)
    return plans


def _in_words(seconds: float) -> str:
    return f"about {seconds / 60:.0f} minutes" if seconds > 90 else f"about {max(seconds, 1):.0f} seconds"


def measure_row(
    row: Row, settings: Settings, plan: Plan, on_run: Callable[[str], None] = lambda peer: None
) -> dict[str, Any]:
    """Measures one row.

    Args:
        row: what to measure.
        settings: how often, and by which clock.
        plan: what each peer gets.
        on_run: called with the name of a peer before each of its processes.

    Returns:
        What the JSON of results holds of a row: its description, the `reference` whose results are right, `peers`, the
        runs of each, and `fissile on less`, ours on the first bytes of the text, as many as slow peers saw.
    """
    ours = plan.get("fissile", Share(None, settings.runs))
    peers = row.peers(settings.peers)
    parts = {plan[peer].n_bytes for peer in peers if row.whole} - {None, ours.n_bytes}
    cells: Cells = {peer: list(filter(None, [plan[peer].failed])) for peer in peers}
    less: dict[str, list[Run]] = {str(n): [] for n in sorted(n for n in parts if n is not None)}
    turns = [(peer, peer, plan[peer], runs) for peer, runs in cells.items()]
    if "fissile" in plan and not ours.failed:
        turns += [(f"fissile on {n}", "fissile", Share(int(n), ours.runs), runs) for n, runs in less.items()]
    given: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)

        def one(name: str, peer: str, share: Share) -> Run:
            run, results = row.measure(peer, share, settings, folder)
            if results is not None:
                given.setdefault(name, []).append(results)
            if row.whole and "error" not in run and "not offered" not in run:
                run["bytes"] = share.n_bytes or row.n_bytes
            return run

        # In turn, so that a slow minute of the machine hits all alike.
        for i in range(settings.runs):
            for name, peer, share, runs in turns:
                if i < share.runs and not any("error" in run or "not offered" in run for run in runs):
                    on_run(peer)
                    runs.append(one(name, peer, share))
        if row.owner not in cells and not plan[row.owner].failed:
            on_run(row.owner)
            one(row.owner, row.owner, plan[row.owner])
        n_owned = row.judge({name: runs for name, _, _, runs in turns}, given)
    return {
        "title": row.title,
        **row.describe(),
        "reference": {"peer": row.owner if n_owned else "fissile", "results": n_owned},
        "peers": cells,
        "fissile on less": less,
    }
