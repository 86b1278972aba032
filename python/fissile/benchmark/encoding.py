"""Rows of a table of encoders: what they are given, and whether what they give is right.

Results that are right are those of the library that owns the tokenizer, as far as it went, being slow; beyond that those of
Fissile, which are compared with the owner's too.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fissile.benchmark import texts as text_files
from fissile.benchmark.harness import LONGEST_TRIAL, Cells, Run, Settings, Share
from fissile.benchmark.peers import PEERS
from fissile.benchmark.processes import result_of
from fissile.benchmark.tokenizer_files import OWNERS, TokenizerFiles
from fissile.benchmark.works import DOCUMENTS, LATENCY_CHARS, SAMPLED, UNSIZED

__all__ = ["EncodingRow", "Job", "compare"]

Sums = npt.NDArray[np.uint32]
_SAMPLED_BYTES = 3_000_000
_TRIAL_BYTES = 250_000


@dataclass(frozen=True)
class Job:
    """One measurement of one peer.

    Attributes:
        peer: of PEERS.
        tokenizer: in all its forms.
        texts: path of the documents.
        work: of WORKS.
        threads: cores, and threads of the peer.
        clock: of CLOCKS.
        most_bytes: how much of the texts it sees; None: all.
        seconds: passes after the first one end by then; None: they are as many as there should be.
        trial: to see how fast it is, on little text.
    """

    peer: str
    tokenizer: TokenizerFiles
    texts: str
    work: str
    threads: int
    clock: str
    most_bytes: int | None = None
    seconds: float | None = None
    trial: bool = False

    def save(self, path: Path) -> None:
        """Writes it for another process."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @staticmethod
    def load(path: Path) -> Job:
        """The job that `save` wrote."""
        fields = json.loads(path.read_text())
        return Job(**{**fields, "tokenizer": TokenizerFiles(**fields["tokenizer"])})


@dataclass(frozen=True)
class EncodingRow:
    """What a table compares encoders at.

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
        return words if self.series is None else f"{words}, {self.series} {self.x:,g}"

    @cached_property
    def n_bytes(self) -> int:
        """Of the texts."""
        return sum(len(text.encode()) for text in self.texts)

    @property
    def owner(self) -> str:
        """The peer whose results are right by definition."""
        return OWNERS[self.tokenizer.kind]

    @property
    def whole(self) -> bool:
        """Whether figures depend on how much of the text is seen."""
        return self.work not in SAMPLED | UNSIZED

    @property
    def least_bytes(self) -> int:
        """Less of the texts is given to nobody."""
        return 100_000

    def peers(self, names: Sequence[str]) -> list[str]:
        """Those among these that encode."""
        return [name for name in names if name in PEERS]

    def trial_key(self) -> Hashable:
        """Rows with equal keys share their trials."""
        work = "split" if self.work == "split" else "encode"
        return work, self.tokenizer.name, self.corpus

    def trial(self, peer: str, settings: Settings, folder: Path) -> Run:
        """A process on little text: "overhead s", and "MB/s" of the work; or why there are none."""
        # From all over the text, as its start need not be like the rest.
        step = max(1, self.n_bytes // _TRIAL_BYTES)
        text_files.store(text_files.first_bytes(self.texts[::step], _TRIAL_BYTES), folder / "texts")
        job = Job(peer, self.tokenizer, str(folder / "texts"), self.work, 1, "wall", trial=True)
        started = time.perf_counter()
        run, _ = _child(job, folder, min(settings.limit, LONGEST_TRIAL))
        if "trial s" not in run:
            return run
        overhead = max(time.perf_counter() - started - run["trial s"], 0.0)
        return {"overhead s": overhead, "MB/s": run["trial bytes"] / max(run["trial s"], 1e-9) / 1e6}

    def work_bytes(self, n_bytes: int) -> tuple[float, float]:
        """With so many bytes of text, the least and the most bytes a process works through, passes and checks included."""
        some = min(n_bytes, n_bytes * DOCUMENTS / max(len(self.texts), 1))
        if self.work in SAMPLED:
            return 3 * LATENCY_CHARS, 9 * LATENCY_CHARS
        return {"decode": (3 * some, 6 * some), "load": (some, some), "sharing": (4 * some, 16 * some)}.get(
            self.work, (2 * n_bytes, 4 * n_bytes)
        )

    def measure(self, peer: str, share: Share, settings: Settings, folder: Path) -> tuple[Run, Sums | None]:
        """One process: its figures, and a checksum of each result."""
        texts = folder / "texts of this row"
        if not texts.exists():
            text_files.store(self.texts, texts)
        most = _SAMPLED_BYTES if self.work in SAMPLED else share.n_bytes
        seconds = None if settings.budget is None else settings.budget / max(share.runs, 1)
        job = Job(peer, self.tokenizer, str(texts), self.work, self.threads, settings.clock, most, seconds)
        return _child(job, folder, settings.limit)

    def judge(self, cells: Cells, given: Mapping[str, Sequence[Sums]]) -> int:
        """Says of each run how many results it gave and how many are wrong; how many results the owner gave."""
        owned, ours = (given[peer][0] if peer in given else None for peer in (self.owner, "fissile"))
        for name, runs in cells.items():
            for run, sums in zip(runs, given.get(name, []), strict=False):
                run["results"], run["wrong"] = compare(sums, owned, ours)
        return 0 if owned is None else len(owned)

    def describe(self) -> dict[str, Any]:
        """What the JSON of results says of it."""
        return {
            "work": self.work,
            "tokenizer": {"name": self.tokenizer.name, "kind": self.tokenizer.kind, "ids": self.tokenizer.n_vocab},
            "corpus": self.corpus,
            "documents": len(self.texts),
            "bytes": self.n_bytes,
            "threads": self.threads,
            "series": self.series,
            "x": self.x,
        }


def _child(job: Job, folder: Path, limit: float) -> tuple[Run, Sums | None]:
    job.save(folder / "job.json")
    checks = folder / "checks.npy"
    checks.unlink(missing_ok=True)
    run = result_of(["-m", "fissile.benchmark.child", str(folder / "job.json"), str(checks)], limit)
    return run, np.load(checks) if checks.exists() else None


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
