"""Rows of a table: peers take turns, every measurement in a fresh process, and what they give is compared.

Results that are right are those of the library that owns the tokenizer, as far as it went, being slow; beyond that those of
Fissile, which are compared with the owner's too.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.benchmark import texts as text_files
from fissile.benchmark.processes import result_of
from fissile.benchmark.tokenizer_files import OWNERS, TokenizerFiles
from fissile.benchmark.works import SAMPLED

__all__ = ["Cells", "Job", "Row", "Run", "Settings", "compare", "measure_row"]

Run = dict[str, Any]
"""Figures of one process, the `results` it gave, and how many of them were `wrong`.

Or {"error": why there are none}, or {"not offered": why the peer does not do that}.
"""
Cells = dict[str, list[Run]]
"""By peer, one for each run."""
Sums = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Job:
    """One measurement of one peer; `most_bytes` is how much of the texts it sees, None: all."""

    peer: str
    tokenizer: TokenizerFiles
    texts: str
    work: str
    threads: int
    clock: str
    most_bytes: int | None

    def save(self, path: Path) -> None:
        """Writes it for another process."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @staticmethod
    def load(path: Path) -> Job:
        """The job that `save` wrote."""
        fields = json.loads(path.read_text())
        return Job(**{**fields, "tokenizer": TokenizerFiles(**fields["tokenizer"])})


@dataclass(frozen=True)
class Row:
    """What a table compares peers at.

    Attributes:
        work: of works.WORKS.
        tokenizer: in all its forms.
        corpus: what the texts are called.
        texts: documents.
        threads: cores, and threads of a peer.
        series: what changes between rows that belong together ("document length"), and `x` its value here.
    """

    work: str
    tokenizer: TokenizerFiles
    corpus: str
    texts: Sequence[str]
    threads: int = 1
    series: str | None = None
    x: float | None = None

    @property
    def title(self) -> str:
        """What it is called in tables, and in the JSON."""
        words = f"{self.work}, {self.tokenizer.name}, {self.corpus}, {self.threads} thread{'s' * (self.threads > 1)}"
        return words if self.series is None else f"{words}, {self.series} {self.x:g}"


@dataclass(frozen=True)
class Settings:
    """How rows are measured.

    Attributes:
        peers: names, in the order of their turns.
        runs: processes of each peer.
        clock: of machine.CLOCKS; rows of many threads are by the wall whatever it says.
        slow: peers that see the first `slow_bytes` of the texts only.
        limit: seconds a process may take.
    """

    peers: Sequence[str]
    runs: int = 3
    clock: str = "wall"
    slow: frozenset[str] = frozenset()
    slow_bytes: int = 3_000_000
    limit: float = 300


def measure_row(row: Row, settings: Settings, on_run: Callable[[str], None] = lambda peer: None) -> dict[str, Any]:
    """Measures one row.

    Args:
        row: what to measure.
        settings: whom, how often, and by which clock.
        on_run: called with the name of a peer before each of its processes.

    Returns:
        What the JSON of results holds of a row: its description, the `reference` whose results are right, and `peers`,
        the runs of each.
    """
    owner = OWNERS[row.tokenizer.kind]
    cells: Cells = {peer: [] for peer in settings.peers}
    sums: dict[str, list[Sums]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text_files.store(row.texts, folder / "texts")

        def one(peer: str) -> Run:
            most = settings.slow_bytes if peer in settings.slow or row.work in SAMPLED else None
            job = Job(peer, row.tokenizer, str(folder / "texts"), row.work, row.threads, settings.clock, most)
            job.save(folder / "job.json")
            checks = folder / "checks.npy"
            checks.unlink(missing_ok=True)
            result = result_of(["-m", "fissile.benchmark.child", str(folder / "job.json"), str(checks)], settings.limit)
            if checks.exists():
                sums.setdefault(peer, []).append(np.load(checks))
            return result

        # In turn, so that a slow minute of the machine hits all alike.
        for _ in range(settings.runs):
            for peer, runs in cells.items():
                if not any("error" in run or "not offered" in run for run in runs):
                    on_run(peer)
                    runs.append(one(peer))
        if owner not in cells:  # asked for its results only
            one(owner)
    owned, ours = (sums[peer][0] if peer in sums else None for peer in (owner, "fissile"))
    for peer, runs in cells.items():
        for run, given in zip(runs, sums.get(peer, []), strict=False):
            run["results"], run["wrong"] = compare(given, owned, ours)
    n_owned = 0 if owned is None else len(owned)
    return {
        "title": row.title,
        "work": row.work,
        "tokenizer": {"name": row.tokenizer.name, "kind": row.tokenizer.kind, "ids": row.tokenizer.n_vocab},
        "corpus": row.corpus,
        "documents": len(row.texts),
        "bytes": sum(len(text.encode()) for text in row.texts),
        "threads": row.threads,
        "series": row.series,
        "x": row.x,
        "reference": {"peer": owner if n_owned else "fissile", "results": n_owned},
        "peers": cells,
    }


def compare(given: Sums, owned: Sums | None, ours: Sums | None) -> tuple[int, int]:
    """How many results could be checked, and how many of them are wrong.

    Args:
        given: a checksum of each result of a peer, of all texts or of the first ones.
        owned: those of the owner of the tokenizer, as far as it went.
        ours: those of Fissile, for what is beyond that.
    """
    right = [
        part
        for part in (owned, None if ours is None else ours[0 if owned is None else len(owned) :])
        if part is not None
    ]
    if not right:
        return 0, 0
    reference = np.concatenate(right)
    n = min(len(reference), len(given))
    return n, int((reference[:n] != given[:n]).sum())
