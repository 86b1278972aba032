"""Figures of many runs as tables: medians with their spread, who is best, and our ratio to them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fissile.benchmark.harness import Cells, Run

__all__ = [
    "MOST_WRONG",
    "best_of",
    "comparable",
    "figures_of",
    "markdown",
    "median",
    "more_is_better",
    "number",
    "row_table",
    "series_tables",
    "summary",
    "times_better",
    "wrong",
]

MOST_WRONG = 0.001
"""A peer that gives wrong results for more than this share of the texts is no peer to be compared with."""
_NO_FIGURES = ("error", "not offered", "results", "wrong")


def more_is_better(figure: str) -> bool:
    """Whether the greater of two values is the better one."""
    return "MB/s" in figure or figure.endswith(", x")


def median(runs: Iterable[Run], figure: str) -> float | None:
    """Of one figure of some runs; None where no run has it."""
    values = [run[figure] for run in runs if figure in run]
    return statistics.median(values) if values else None


def wrong(runs: Iterable[Run]) -> tuple[int, int]:
    """(wrong results, results) of the run that has most of them."""
    return max(((run.get("wrong", 0), run.get("results", 0)) for run in runs), default=(0, 0))


def comparable(runs: Sequence[Run]) -> bool:
    """Whether a peer's results are right, but for white space that hardly any text has."""
    n_wrong, n_results = wrong(runs)
    return n_wrong <= MOST_WRONG * n_results


def best_of(cells: Cells, figure: str) -> tuple[str, float] | None:
    """The best peer whose results are right, and its median; never ourselves."""
    found = {peer: median(runs, figure) for peer, runs in cells.items() if peer != "fissile" and comparable(runs)}
    known = {peer: value for peer, value in found.items() if value is not None}
    if not known:
        return None
    peer = (max if more_is_better(figure) else min)(known, key=known.__getitem__)
    return peer, known[peer]


def times_better(ours: float, best: float, figure: str) -> float:
    """How many times better ours is: above 1 is ahead."""
    return ours / best if more_is_better(figure) else best / ours


def number(value: float) -> str:
    """Three digits or so."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def figures_of(cells: Cells) -> list[str]:
    """Names of the figures that runs have, in the order they were made."""
    return list(dict.fromkeys(key for runs in cells.values() for run in runs for key in run if key not in _NO_FIGURES))


def _error(runs: Sequence[Run]) -> str | None:
    return next((run["error"].replace("|", "/")[:100] for run in runs if "error" in run), None)


def _verdict(runs: Sequence[Run]) -> str:
    n_wrong, n_results = wrong(runs)
    if not n_results:
        return ""
    return f"**WRONG**: {n_wrong} of {n_results}" if n_wrong else f"right ({n_results})"


def _ratio(cells: Cells, figure: str) -> str:
    ours, best = median(cells.get("fissile", []), figure), best_of(cells, figure)
    return f"**{times_better(ours, best[1], figure):.2f}** ({best[0]})" if ours and best and best[1] else ""


def row_table(row: Mapping[str, Any]) -> str:
    """All figures of a row of the results: medians, from the least to the greatest, and our ratio to the best peer."""
    cells: Cells = row["peers"]
    figures = figures_of(cells)
    lines = [f"\n## {row['title']}\n", "| peer | " + " | ".join(figures) + " | results |"]
    lines.append("|---|" + "---:|" * len(figures) + "---|")
    absent = []
    for peer, runs in cells.items():
        if reasons := [run["not offered"] for run in runs if "not offered" in run]:
            absent.append(f"{peer} ({reasons[0]})")
            continue
        if error := _error(runs):
            lines.append(f"| {peer} |" + " |" * len(figures) + f" {error} |")
            continue
        shown = []
        for figure in figures:
            values = sorted(run[figure] for run in runs if figure in run)
            spread = f" ({number(values[0])} to {number(values[-1])})" if len(values) > 1 else ""
            shown.append(f"{number(statistics.median(values))}{spread}" if values else "")
        lines.append(f"| {peer} | " + " | ".join(shown) + f" | {_verdict(runs)} |")
    ratios = [_ratio(cells, figure) for figure in figures]
    if any(ratios):
        lines.append("| *ours, times better than the best* | " + " | ".join(ratios) + " | |")
    if absent:
        lines.append(f"\nNot offered by {', '.join(absent)}.")
    return "\n".join(lines) + "\n"


def series_tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one series as a table for each figure: a line a peer, a column a value of what changes."""
    first = rows[0]
    text = f"\n## {first['work']} by {first['series']}, {first['tokenizer']['name']}, {first['corpus']}\n"
    for figure in dict.fromkeys(figure for row in rows for figure in figures_of(row["peers"])):
        lines = [f"\n| {figure} | " + " | ".join(f"{row['x']:,g}" for row in rows) + " | |"]
        lines.append("|---|" + "---:|" * len(rows) + "---|")
        for peer in first["peers"]:
            values = [median(row["peers"][peer], figure) for row in rows]
            runs = [run for row in rows for run in row["peers"][peer]]
            if any(value is not None for value in values):
                shown = " | ".join("" if value is None else number(value) for value in values)
                lines.append(f"| {peer} | {shown} | {'' if comparable(runs) else '**WRONG**'} |")
        ratios = " | ".join(_ratio(row["peers"], figure) for row in rows)
        lines.append(f"| *ours, times better than the best* | {ratios} | |")
        text += "\n".join(lines) + "\n"
    return text


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a figure: ours, the best peer's, and how many times better ours is."""
    lines = ["| work | figure | ours | best peer | times better |", "|---|---|---:|---:|---:|"]
    for row in rows:
        cells: Cells = row["peers"]
        for figure in figures_of({"fissile": cells.get("fissile", [])}):
            ours, best = median(cells["fissile"], figure), best_of(cells, figure)
            assert ours is not None
            theirs = f"{number(best[1])} ({best[0]})" if best else ""
            ratio = f"{times_better(ours, best[1], figure):.2f}" if best and best[1] and ours else ""
            lines.append(f"| {row['title']} | {figure} | {number(ours)} | {theirs} | {ratio} |")
    return "\n".join(lines) + "\n"


def markdown(record: Mapping[str, Any]) -> str:
    """The whole of a record of results as a page."""
    rows = record["rows"]
    alone = [row for row in rows if row["series"] is None]
    text = f"# Encoders side by side\n\nMade by `{record['command']}`\n\n{machine_lines(record['machine'])}\n"
    text += _references(rows)
    if alone:
        text += "\n" + summary(alone) + "".join(map(row_table, alone))
    names = dict.fromkeys((row["work"], row["series"], row["tokenizer"]["name"], row["corpus"]) for row in rows)
    for work, series, tokenizer, corpus in names:
        if series is not None:
            key = (work, series, tokenizer, corpus)
            text += series_tables(
                [r for r in rows if (r["work"], r["series"], r["tokenizer"]["name"], r["corpus"]) == key]
            )
    return text


def machine_lines(machine: Mapping[str, Any]) -> str:
    """A description of a machine in words."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    pinned = "pinned" if machine["pinned"] else "not pinned: this system cannot"
    return (
        f"{machine['cpu']}, {machine['cores used']} of {machine['cores']} cores used ({pinned}), "
        f"{machine['memory GB'] or '?'} GB of memory, {machine['system']}, Python {machine['python']}. {packages}.\n"
    )


def _references(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who was taken for right."""
    owners = sorted({row["reference"]["peer"] for row in rows if row["reference"]["results"]})
    without = sum(1 for row in rows if not row["reference"]["results"])
    text = ""
    if owners:
        text += f"\nRight results are those of {', '.join(owners)}, as far as it went, and beyond that ours.\n"
    if without:
        text += f"\nIn {without} of {len(rows)} rows the owner of the tokenizer is not there: right results are ours.\n"
    return text
