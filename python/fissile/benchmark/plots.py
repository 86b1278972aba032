"""Results as drawings: bars of each peer, and curves against what changes. Needs matplotlib."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fissile.benchmark.harness import Run
from fissile.benchmark.tables import (
    comparable,
    figures_of,
    median,
    more_is_better,
    number,
    part_of_text,
    seen,
    value_in_series,
    wrong,
)
from fissile.benchmark.trades import PEER_NAMES

__all__ = ["draw"]

_OURS = "#d62728"
# Told apart by eye, none of them near ours; a peer has the same in every drawing, whoever else is installed.
_COLOURS = (
    "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#bcbd22", "#7f7f7f", "#e377c2", "#393b79", "#637939",
    "#ff7f0e", "#5254a3", "#8ca252", "#7b4173", "#3182bd", "#31a354", "#756bb1", "#636363", "#9c9ede", "#cedb9c",
)  # fmt: skip
_MARKERS = "osD^vP*X<>"
_NOT_DRAWN = ("ids", "CPU s", "train MB/s")  # in the bars: said by others
_SPEEDS = ("first MB/s", "again MB/s", "train MB/s")
_X_LABELS = {
    "document length": "characters of a document",
    "input bytes": "bytes of text",
    "threads": "threads, each on a core of its own",
    "vocabulary size": "ids of the vocabulary",
}


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
    style: dict[Any, Any] = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "font.size": 9,
    }
    with matplotlib.rc_context(style):
        for row in record["rows"]:
            if row["series"] is None and figures_of(row["peers"]):
                made.append(_saved(_bars(Figure(), row), record, row, folder, row["title"]))
        keys = dict.fromkeys(_series_of(row) for row in record["rows"] if row["series"] is not None)
        for key in keys:
            rows = [row for row in record["rows"] if _series_of(row) == key]
            if any(_speeds(row) for row in rows):
                made.append(_saved(_curves(Figure(), rows), record, rows[-1], folder, " ".join(key)))
    return made


def _series_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["work"], f"by {row['series']}", row["tokenizer"]["name"], row["corpus"]


def _saved(figure: Any, record: Mapping[str, Any], row: Mapping[str, Any], folder: Path, title: str) -> Path:
    """Writes a drawing, with what it was measured on below it."""
    machine = record["machine"]
    text = f"{row['corpus']}, {row['bytes'] / 1e6:,.3g} MB of UTF-8, {row['documents']:,} document{'s' * (row['documents'] != 1)}"
    if row["series"] == "input bytes":
        text = f"{row['corpus']}, as much of it as the axis says"
    lines = [text, f"{machine['cpu']}, {machine['cores used']} of {machine['cores']} cores, {machine['system']}"]
    made = f"Python {machine['python']}, fissile {machine['packages'].get('fissile', '')}, {machine.get('date', '')}"
    figure.supxlabel("\n".join([*lines, made.strip(", ")]), fontsize=7, color="0.4", ha="left", x=0.01)
    path = folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', title).strip('-').lower()}.png"
    figure.savefig(path, dpi=130)
    return path


def _colour(peer: str) -> str:
    return _OURS if peer == "fissile" else _COLOURS[PEER_NAMES.index(peer) % len(_COLOURS)]


def _label(peer: str, runs: Sequence[Run], n_bytes: int) -> str:
    """A peer's name, and what is to be known of its figures."""
    some = seen(runs)
    known = [part_of_text(some)] if some is not None and some < n_bytes else []
    if not comparable(runs):
        known.append("wrong" if wrong(runs)[0] else "another kind")
    return f"{peer} ({', '.join(known)})" if known else peer


def _bars(figure: Any, row: Mapping[str, Any]) -> Any:
    """Bars of each peer for each figure of a row, the best on top, with the spread of the runs; pale where it is no match."""
    cells = row["peers"]
    figures = [name for name in figures_of(cells) if name not in _NOT_DRAWN]
    columns = 2 if len(figures) in (2, 4) else min(3, len(figures))
    lines = math.ceil(len(figures) / columns)
    most = max(sum(median(runs, name) is not None for runs in cells.values()) for name in figures)
    figure.set_size_inches(0.8 + 4.2 * columns, 1.3 + lines * (0.7 + 0.24 * most))
    figure.set_layout_engine("constrained")
    for i, name in enumerate(figures):
        axes = figure.add_subplot(lines, columns, i + 1)
        known = {peer: runs for peer, runs in cells.items() if median(runs, name) is not None}
        order = sorted(known, key=lambda peer: median(known[peer], name) or 0.0, reverse=_higher_first(name))
        for place, peer in enumerate(order):
            runs = known[peer]
            values = [run[name] for run in runs if name in run]
            middle = median(runs, name) or 0.0
            match = comparable(runs) and seen(runs) in (None, row["bytes"])
            axes.barh(
                place,
                middle,
                height=0.75,
                xerr=[[middle - min(values)], [max(values) - middle]] if len(values) > 1 else None,
                error_kw={"elinewidth": 0.8, "capsize": 2, "ecolor": "0.3"},
                color=_colour(peer),
                alpha=1.0 if match else 0.35,
            )
            axes.annotate(
                number(middle),
                (max(values), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color="0.25",
            )
        axes.set_yticks(range(len(order)), [_label(peer, known[peer], row["bytes"]) for peer in order], fontsize=8)
        for tick, peer in zip(axes.get_yticklabels(), order, strict=True):
            tick.set_fontweight("bold" if peer == "fissile" else "normal")
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.set_title(f"{name} ({'more' if _higher_first(name) else 'less'} is better)")
    figure.suptitle(row["title"], fontweight="bold")
    return figure


def _higher_first(name: str) -> bool:
    return more_is_better(name) or name == "bytes per id"


def _speeds(row: Mapping[str, Any]) -> list[str]:
    return [name for name in _SPEEDS if name in figures_of(row["peers"])]


def _curves(figure: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The speeds of each peer against what changes from row to row; dotted where results are wrong."""
    speeds = list(dict.fromkeys(name for row in rows for name in _speeds(row)))
    series = rows[0]["series"]
    figure.set_size_inches(2.2 + 5 * len(speeds), 5)
    figure.set_layout_engine("constrained")
    lines: dict[str, Any] = {}
    for i, name in enumerate(speeds):
        axes = figure.add_subplot(1, len(speeds), i + 1)
        for peer in dict.fromkeys(peer for row in rows for peer in row["peers"]):
            points = [(row["x"], value_in_series(row, peer, name)) for row in rows]
            known = [(x, y) for x, y in points if y is not None]
            if not known:
                continue
            runs = [run for row in rows for run in row["peers"].get(peer, [])]
            right = comparable(runs)
            (line,) = axes.plot(
                *zip(*known, strict=True),
                "-" if right else ":",
                marker=_MARKERS[PEER_NAMES.index(peer) % len(_MARKERS)],
                markersize=6 if peer == "fissile" else 4,
                linewidth=2.5 if peer == "fissile" else 1.2,
                color=_colour(peer),
                zorder=3 if peer == "fissile" else 2,
            )
            lines.setdefault(_label(peer, runs, 0), line)
        _scaled(axes, series, [row["x"] for row in rows])
        axes.set_xlabel(_X_LABELS.get(series, series))
        axes.set_ylabel(f"{name} (logarithmic)")
    figure.legend(lines.values(), lines.keys(), loc="outside right center", frameon=False, fontsize=8)
    where = "" if series == "threads" else f", {rows[0]['threads']} thread{'s' * (rows[0]['threads'] > 1)}"
    name, corpus = rows[0]["tokenizer"]["name"], rows[0]["corpus"]
    figure.suptitle(f"{rows[0]['work']} by {series}, {name}, {corpus}{where}", fontweight="bold")
    return figure


def _scaled(axes: Any, series: str, values: Sequence[float]) -> None:
    """Logarithmic axes with numbers that are read at a glance."""
    axes.set_xscale("log", base=2 if series == "threads" else 10)
    axes.set_yscale("log")
    axes.grid(alpha=0.25, which="major")
    shown = [x for i, x in enumerate(values) if i == 0 or i == len(values) - 1 or values[-1] / x > 1.5]
    axes.set_xticks(shown, [_short(x) for x in shown])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda y, place: f"{y:g}")
    axes.yaxis.set_minor_formatter(lambda y, place: f"{y:g}" if f"{y:e}"[0] in "25" else "")
    axes.tick_params(axis="y", which="minor", labelsize=7)


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g}"
