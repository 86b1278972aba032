"""What training saw and did, to print and to plot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fissile.numpy_later import np, npt
from fissile.printable import printable

__all__ = ["Phase", "TrainingReport"]


class Phase(NamedTuple):
    """One part of the work.

    Attributes:
        name: what was done.
        seconds: wall time.
        amount: how much of `unit` it did.
        unit: "bytes", "merges", ...
    """

    name: str
    seconds: float
    amount: int
    unit: str


@dataclass
class TrainingReport:
    """What fissile.train saw and did.

    Attributes:
        pattern: how text was split for training.
        sequence: "line" or "document": what pretokens do not cross.
        superwords: from how many ids on tokens may bridge spaces, and within what; "" where they may not.
        n_documents: documents read; 0 where counts did not say.
        n_bytes: bytes of the corpus.
        n_pretokens: pretokens in the corpus.
        n_distinct: different ones.
        vocab_size: ids of the result.
        n_merges: merges of the result.
        last_count: how often the last merge's pair occurred.
        longest: the longest tokens, longest first.
        unused_ids: of tokens that the corpus, as training left it, holds nowhere.
        not_occurring: inherited and seed merges whose pair does not occur in the corpus.
        points: vocabulary size, and bytes a token on the training corpus, in which ordinary merges replaced all
            occurrences.
        held_out: by name of the text, (k, 2) float64: vocabulary size, and bytes a token on it.
        phases: where the time went.
        warnings: what a reader should know.
    """

    pattern: str
    sequence: str
    n_documents: int
    n_bytes: int
    n_pretokens: int
    n_distinct: int
    superwords: str = ""
    vocab_size: int = 0
    n_merges: int = 0
    last_count: int = 0
    longest: list[bytes] = field(default_factory=list)
    unused_ids: list[int] = field(default_factory=list)
    not_occurring: list[tuple[bytes, bytes]] = field(default_factory=list)
    points: list[tuple[int, float]] = field(default_factory=list)
    held_out: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def unused(self) -> npt.NDArray[np.uint32]:
        """`unused_ids` as an array: (n,) uint32."""
        return np.array(self.unused_ids, np.uint32)

    @property
    def curve(self) -> npt.NDArray[np.float64]:
        """`points` as an array: (k, 2) float64."""
        return np.array(self.points, np.float64).reshape(-1, 2)

    def __repr__(self) -> str:
        lines = [
            f"trained on    {self.n_bytes:,} bytes, {self.n_pretokens:,} pretokens, {self.n_distinct:,} of them distinct",
            f"pattern       {self.pattern}, within a {self.sequence}",
            *([f"superwords    {self.superwords}"] if self.superwords else []),
            f"vocabulary    {self.vocab_size:,} ids, {self.n_merges:,} merges, the last of a pair seen {self.last_count:,} times",
        ]
        curves: dict[str, Iterable[Any]] = {"training text": self.points, **self.held_out}
        for name, curve in curves.items():
            points = ", ".join(f"{value:.3f} at {int(size):,}" for size, value in curve)
            if points:
                lines.append(f"bytes a token {points} ({name})")
        lines.append(f"longest       {' '.join(_shortened(token) for token in self.longest)}")
        lines.append(f"unused        {len(self.unused_ids)} tokens")
        if self.not_occurring:
            lines.append(f"inherited     {len(self.not_occurring)} merges do not occur in this corpus")
        for phase in self.phases:
            rate = f", {phase.amount / phase.seconds:,.0f} {phase.unit} a second" if phase.seconds > 0 else ""
            lines.append(f"{phase.name:<13} {phase.seconds:.2f} s, {phase.amount:,} {phase.unit}{rate}")
        return "\n".join(lines + [f"warning       {text}" for text in self.warnings])

    def plot(self, axes: Any = None) -> Any:
        """Draws bytes a token against vocabulary size.

        Args:
            axes: matplotlib Axes to draw on; None: new ones.

        Returns:
            The Axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        if axes is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise ImportError("plotting a report needs matplotlib: pip install 'fissile[plot]'") from None
            axes = pyplot.subplots()[1]
        for name, curve in {"training text": self.curve, **self.held_out}.items():
            if len(curve):
                axes.plot(curve[:, 0], curve[:, 1], marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("vocabulary size")
        axes.set_ylabel("bytes a token")
        axes.legend()
        return axes


def _shortened(token: bytes) -> str:
    text = repr(printable(token))
    return text if len(text) <= 32 else f"{text[:24]}...' ({len(token)} bytes)"
