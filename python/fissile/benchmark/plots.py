"""Results as drawings: bars of each peer, and curves against what changes. Needs matplotlib."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fissile.benchmark.harness import Run
from fissile.benchmark.tables import comparable, figures_of, median

__all__ = ["draw"]


def draw(record: Mapping[str, Any], folder: Path) -> list[Path]:
    """One PNG a row, and one a series.

    Args:
        record: what results.json holds.
        folder: where the drawings go.

    Returns:
        Their paths.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise ImportError("drawings need matplotlib: pip install 'fissile[plot]'") from None
    from matplotlib.figure import Figure  # not pyplot, which looks for a display

    made = []
    with matplotlib.rc_context({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": "medium"}):
        for row in record["rows"]:
            if row["series"] is None and figures_of(row["peers"]):
                made.append(_saved(_bars(Figure(), row), folder, row["title"]))
        keys = dict.fromkeys(_series_of(row) for row in record["rows"] if row["series"] is not None)
        for key in keys:
            rows = [row for row in record["rows"] if _series_of(row) == key]
            made.append(_saved(_curves(Figure(), rows), folder, " ".join(key)))
    return made


def _series_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["work"], f"by {row['series']}", row["tokenizer"]["name"], row["corpus"]


def _saved(figure: Any, folder: Path, title: str) -> Path:
    path = folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', title).strip('-').lower()}.png"
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return path


def _label(peer: str, runs: Sequence[Run]) -> str:
    return peer if comparable(runs) else f"{peer} (wrong)"


def _bars(figure: Any, row: Mapping[str, Any]) -> Any:
    """Bars of each peer for each figure of a row, with the spread of the runs; pale where results are wrong."""
    cells = row["peers"]
    figures = figures_of(cells)
    figure.set_size_inches(4 * len(figures), 1 + 0.3 * len(cells))
    for i, name in enumerate(figures):
        axes = figure.add_subplot(1, len(figures), i + 1)
        known = {peer: runs for peer, runs in cells.items() if median(runs, name) is not None}
        for place, (peer, runs) in enumerate(known.items()):
            values = [run[name] for run in runs if name in run]
            middle = median(runs, name) or 0.0
            axes.barh(
                place,
                middle,
                xerr=[[middle - min(values)], [max(values) - middle]],
                color="tab:red" if peer == "fissile" else "tab:gray",
                alpha=1.0 if comparable(runs) else 0.3,
            )
        axes.set_yticks(range(len(known)), [_label(peer, runs) for peer, runs in known.items()])
        axes.invert_yaxis()
        axes.set_xlabel(name)
    figure.suptitle(row["title"])
    figure.tight_layout()
    return figure


def _curves(figure: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The speeds of each peer against what changes from row to row."""
    speeds = [name for name in ("first MB/s", "again MB/s") if any(name in figures_of(row["peers"]) for row in rows)]
    figure.set_size_inches(6 * len(speeds), 4)
    for i, name in enumerate(speeds):
        axes = figure.add_subplot(1, len(speeds), i + 1)
        for peer in rows[0]["peers"]:
            points = [(row["x"], median(row["peers"][peer], name)) for row in rows]
            known = [(x, y) for x, y in points if y is not None]
            runs = [run for row in rows for run in row["peers"][peer]]
            if known:
                width = 2.5 if peer == "fissile" else 1.0
                style = "-" if comparable(runs) else ":"
                axes.plot(*zip(*known, strict=True), style, marker="o", linewidth=width, label=_label(peer, runs))
        axes.set_xscale("log", base=2 if rows[0]["series"] == "threads" else 10)
        axes.set_yscale("log")
        axes.set_xlabel(rows[0]["series"])
        axes.set_ylabel(name)
    figure.axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.suptitle(f"{rows[0]['work']}, {rows[0]['tokenizer']['name']}, {rows[0]['corpus']}")
    return figure
