"""Progress of a long command on the terminal: phase, share done, rate, time left.

With tqdm (pip install 'fissile[progress]') and a terminal a bar; otherwise a line on stderr every few seconds, so that
short work says nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["shown"]

_LINE_SECONDS = 5.0
_Units = Callable[[str], str | None]


@contextlib.contextmanager
def shown(unit: str | Mapping[str, str]) -> Iterator[Callable[..., None]]:
    """A function to be called with (phase, done, total), and tokens or a note if there are any, which shows them.

    Args:
        unit: of done and total, such as "B"; or that of each phase, which are shares where a phase has none.
    """
    units = unit.get if isinstance(unit, Mapping) else lambda phase: unit
    try:
        from tqdm import tqdm
    except ImportError:
        tqdm = None
    if tqdm is None or not sys.stderr.isatty():
        yield _Lines(units)
        return
    bars = _Bars(tqdm, units)
    try:
        yield bars
    finally:
        bars.close()


class _Bars:
    """A bar a phase."""

    def __init__(self, tqdm: Any, units: _Units) -> None:
        self._tqdm = tqdm
        self._units = units
        self._phase = ""
        self._bar: Any = None

    def __call__(self, phase: str, done: int, total: int | None, tokens: int | None = None, note: str = "") -> None:
        if phase != self._phase:
            self.close()
            self._phase = phase
            self._bar = self._tqdm(desc=phase, total=total, unit=self._units(phase) or "", unit_scale=True, leave=False)
        if tokens is not None:
            self._bar.set_postfix_str(f"{_scaled(tokens)}tokens", refresh=False)
        elif note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Lines:
    def __init__(self, units: _Units) -> None:
        self._units = units
        self._phase = ""
        self._began = self._next = 0.0

    def __call__(self, phase: str, done: int, total: int | None, tokens: int | None = None, note: str = "") -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._began, self._next = phase, now, now + _LINE_SECONDS
        if now < self._next:
            return
        self._next = now + _LINE_SECONDS
        rate = done / (now - self._began)
        unit = self._units(phase)
        line = phase
        if unit is not None:
            line += f": {_scaled(done)}{unit}, {_scaled(rate)}{unit}/s".replace("  ", " ")
        if tokens is not None:
            line += f", {_scaled(tokens)}tokens"
        if total and rate > 0:
            line += f", {100 * done / total:.0f} %, {(total - done) / rate:.0f} s left"
        if note:
            line += f", {note}"
        print(line, file=sys.stderr)


def _scaled(value: float) -> str:
    for prefix in ("", "k", "M", "G"):
        if value < 1000:
            return f"{value:.4g} {prefix}"
        value /= 1000
    return f"{value:.4g} T"
