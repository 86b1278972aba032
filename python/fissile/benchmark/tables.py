"""Figures of many runs as tables: medians with their spread, who is best, and our ratio to them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fissile.benchmark.harness import Cells, Run

__all__ = [
    "MOST_WRONG",
    "Closest",
    "best_of",
    "closest",
    "comparable",
    "comparisons",
    "figures_of",
    "markdown",
    "median",
    "more_is_better",
    "number",
    "part_of_text",
    "row_table",
    "seen",
    "series_tables",
    "summary",
    "times_better",
    "value_in_series",
    "wrong",
]

MOST_WRONG = 0.001
"""A peer that gives wrong results for more than this share of the texts is no peer to be compared with."""
_NO_FIGURES = ("apart", "bytes", "error", "not offered", "note", "results", "wrong")
_NO_RACE = ("ids", "bytes per id")
"""Figures that nobody is first in."""


def more_is_better(figure: str) -> bool:
    """Whether the greater of two values is the better one."""
    return "MB/s" in figure or figure.endswith(", x")


def seen(runs: Iterable[Run]) -> int | None:
    """Bytes of the text that a peer saw; None where it makes no difference, or there are no figures."""
    return next((run["bytes"] for run in runs if "bytes" in run), None)


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
    return n_wrong <= MOST_WRONG * n_results and not any("apart" in run for run in runs)


def comparisons(row: Mapping[str, Any]) -> list[Cells]:
    """Peers of a row with ours on as much of the text as they saw: first those that saw all of it."""
    cells: Cells = row["peers"]
    parts = [cells]
    for n_bytes, runs in row.get("fissile on less", {}).items():
        parts.append({"fissile": runs} | {p: r for p, r in cells.items() if p != "fissile" and seen(r) == int(n_bytes)})
    return parts


def best_of(cells: Cells, figure: str) -> tuple[str, float] | None:
    """The best peer whose results are right and that saw as much of the text as ours, and its median; never ourselves."""
    if figure in _NO_RACE:
        return None
    as_much = seen(cells.get("fissile", []))
    found = {
        peer: median(runs, figure)
        for peer, runs in cells.items()
        if peer != "fissile" and comparable(runs) and (as_much is None or seen(runs) == as_much)
    }
    known = {peer: value for peer, value in found.items() if value is not None}
    if not known:
        return None
    peer = (max if more_is_better(figure) else min)(known, key=known.__getitem__)
    return peer, known[peer]


class Closest(NamedTuple):
    """Ours and that of the peer that comes closest to it, or is furthest ahead, on as much of the text."""

    peer: str
    ours: float
    theirs: float
    better: float
    n_bytes: int | None


def closest(row: Mapping[str, Any], figure: str) -> Closest | None:
    """Who of a row our ratio is the least to, whether it saw all of the text or less; None: nobody is right."""
    found = []
    for part in comparisons(row):
        ours, best = median(part.get("fissile", []), figure), best_of(part, figure)
        if ours and best and best[1]:
            found.append(Closest(best[0], ours, best[1], times_better(ours, best[1], figure), seen(part["fissile"])))
    return min(found, key=lambda one: one.better, default=None)


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
    note = next((run["note"] for run in runs if "note" in run), "")
    verdict = f"**WRONG**: {n_wrong} of {n_results}" if n_wrong else f"right ({n_results})" if n_results else ""
    return "; ".join(filter(None, (verdict, note))).replace("|", "/")


def part_of_text(n_bytes: int) -> str:
    """What a table calls so many bytes from the start of a text."""
    size, unit = (n_bytes / 1e6, "MB") if n_bytes >= 1e6 else (n_bytes / 1e3, "kB")
    return f"first {size:.3g} {unit}"


def _ratio(cells: Cells, figure: str) -> str:
    ours, best = median(cells.get("fissile", []), figure), best_of(cells, figure)
    return f"**{times_better(ours, best[1], figure):.2f}** ({best[0]})" if ours and best and best[1] else ""


def row_table(row: Mapping[str, Any]) -> str:
    """All figures of a row of the results: medians, from the least to the greatest, and our ratio to the best peer."""
    cells: Cells = row["peers"]
    figures = figures_of(cells)
    lines = [f"\n## {row['title']}\n", "| peer | " + " | ".join(figures) + " | results |"]
    lines.append("|---|" + "---:|" * len(figures) + "---|")
    absent: dict[str, list[str]] = {}
    for peer, runs in cells.items():
        if reasons := [run["not offered"] for run in runs if "not offered" in run]:
            absent.setdefault(reasons[0], []).append(peer)
        elif error := _error(runs):
            lines.append(f"| {peer} |" + " |" * len(figures) + f" {error} |")
        else:
            n_bytes = seen(runs)
            less = n_bytes is not None and n_bytes < row["bytes"]
            lines.append(_line(f"{peer}, {part_of_text(n_bytes or 0)}" if less else peer, runs, figures))
    for n_bytes, runs in row.get("fissile on less", {}).items():
        if not any(seen(theirs) == int(n_bytes) for theirs in cells.values()):
            continue  # who should have seen this much failed at it
        lines.append(_line(f"fissile, {part_of_text(int(n_bytes))}", runs, figures))
    for part in comparisons(row):
        ratios = [_ratio(part, figure) for figure in figures]
        n_bytes = seen(part.get("fissile", []))
        name = "" if part is cells or n_bytes is None else f", {part_of_text(n_bytes)}"
        if any(ratios):
            lines.append(f"| *ours, times better than the best{name}* | " + " | ".join(ratios) + " | |")
    if absent:
        lines.append(
            "\nNot offered: " + "; ".join(f"{', '.join(peers)} ({why})" for why, peers in absent.items()) + "."
        )
    return "\n".join(lines) + "\n"


def _line(name: str, runs: Sequence[Run], figures: Sequence[str]) -> str:
    """Of one peer in a table."""
    shown = []
    for figure in figures:
        values = sorted(run[figure] for run in runs if figure in run)
        spread = f" ({number(values[0])} to {number(values[-1])})" if len(values) > 1 and figure not in _NO_RACE else ""
        middle = statistics.median(values) if values else 0.0
        shown.append((f"{middle:,.0f}" if figure == "ids" else f"{number(middle)}{spread}") if values else "")
    return f"| {name} | " + " | ".join(shown) + f" | {_verdict(runs)} |"


def series_tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one series as a table for each figure: a line a peer, a column a value of what changes."""
    first = rows[0]
    text = f"\n## {first['work']} by {first['series']}, {first['tokenizer']['name']}, {first['corpus']}\n"
    for figure in dict.fromkeys(figure for row in rows for figure in figures_of(row["peers"])):
        lines = [f"\n| {figure} | " + " | ".join(f"{row['x']:,g}" for row in rows) + " | |"]
        lines.append("|---|" + "---:|" * len(rows) + "---|")
        for peer in first["peers"]:
            values = [value_in_series(row, peer, figure) for row in rows]
            runs = [run for row in rows for run in row["peers"][peer]]
            if any(value is not None for value in values):
                shown = " | ".join("" if value is None else number(value) for value in values)
                lines.append(f"| {peer} | {shown} | {'**WRONG**' if wrong(runs)[0] and not comparable(runs) else ''} |")
        ratios = [_ratio(row["peers"], figure) for row in rows]
        if any(ratios):
            lines.append(f"| *ours, times better than the best* | {' | '.join(ratios)} | |")
        text += "\n".join(lines) + "\n"
    if any(row.get("fissile on less") for row in rows):
        text += "\nEmpty: the peer is too slow for this much text in its time.\n"
    return text


def value_in_series(row: Mapping[str, Any], peer: str, figure: str) -> float | None:
    """The median of a peer that saw all of the text; None where it has none."""
    runs = row["peers"].get(peer, [])
    return median(runs, figure) if seen(runs) in (None, row["bytes"]) else None


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a figure: ours, that of the peer that comes closest, and how many times better ours is."""
    lines = ["| work | figure | ours | best peer | times better |", "|---|---|---:|---:|---:|"]
    for row in rows:
        for figure in figures_of({"fissile": row["peers"].get("fissile", [])}):
            if figure in _NO_RACE:
                continue
            best = closest(row, figure)
            ours = best.ours if best else median(row["peers"]["fissile"], figure)
            assert ours is not None
            theirs = f"{number(best.theirs)} ({best.peer}{_less(row, best.n_bytes)})" if best else ""
            ratio = f"{best.better:.2f}" if best else ""
            lines.append(f"| {row['title']} | {figure} | {number(ours)} | {theirs} | {ratio} |")
    return "\n".join(lines) + "\n"


def _less(row: Mapping[str, Any], n_bytes: int | None) -> str:
    """What is said of a comparison on less than all of the text."""
    return f", both {part_of_text(n_bytes)}" if n_bytes is not None and n_bytes < row["bytes"] else ""


def markdown(record: Mapping[str, Any]) -> str:
    """The whole of a record of results as a page."""
    rows = record["rows"]
    alone = [row for row in rows if row["series"] is None]
    trades = {row["work"] == "train" for row in rows}
    title = "Trainers" if trades == {True} else "Encoders and trainers" if len(trades) > 1 else "Encoders"
    text = f"# {title} side by side\n\nMade by `{record['command']}`\n\n{machine_lines(record['machine'])}\n"
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
        f"{machine['memory GB'] or '?'} GB of memory, {machine['system']}, Python {machine['python']}"
        f"{_state(machine)}. {packages}.\n"
    )


def _state(machine: Mapping[str, Any]) -> str:
    """When it was, and what else the machine did then."""
    date, load = machine.get("date"), machine.get("load")
    return (f", {date}" if date else "") + (f", load average {load} at the start" if load is not None else "")


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
