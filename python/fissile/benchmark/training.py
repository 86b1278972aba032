"""Rows of a table of trainers: what they are given, and whether the merges they make are those they should make.

Right are the merges of `tokenizers`. A trainer that splits text in a way of its own is held to ours by that way, and ours by
the row's way to those of `tokenizers`. One whose merges are others by design has as many ids as were asked for, and
compresses the text as well, or is not compared with.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fissile.benchmark import trainers
from fissile.benchmark.harness import LONGEST_TRIAL, Cells, Run, Settings, Share
from fissile.benchmark.processes import timed
from fissile.benchmark.tokenizer_files import GPT2_USUAL
from fissile.benchmark.trainers import TRAINERS, Task, Tokens
from fissile.formats.patterns import PATTERNS, canonical_pattern, is_built_in
from fissile.formats.tokenizer_json_trees import pre_tokenizer_tree
from fissile.tokenizer import Tokenizer

__all__ = ["LEAST_COMPRESSION", "Trained", "TrainingRow", "agreement", "merges"]

LEAST_COMPRESSION = 0.99
"""A trainer of other merges that gives less than this share of our bytes per id made another thing."""
_TRIAL_BYTES = 1_000_000
_ENCODED_BYTES = 4_000_000  # of the corpus, which bytes per id are of


@dataclass(frozen=True)
class Trained:
    """What a trainer made of the first bytes of a corpus.

    Attributes:
        tokens: what each merge makes, in hex; None: it is in the model.
        model: path of a SentencePiece model.
        n_bytes: of the corpus.
        n_ids: how many there are; None: one for each byte and each merge.
    """

    tokens: tuple[str, ...] | None
    model: str
    n_bytes: int
    n_ids: int | None = None


@dataclass(frozen=True)
class TrainingRow:
    """What a table compares trainers at.

    Attributes:
        corpus: what the text is called.
        path: of the text, in UTF-8.
        vocab_size: ids in all.
        pattern: how text is split, as Fissile names it: a built-in pattern, or an expression.
        threads: cores.
        series: what changes between rows that belong together ("vocabulary size"), and `x` its value here.
    """

    corpus: str
    path: Path
    vocab_size: int
    pattern: str = "gpt2"
    threads: int = 1
    series: str | None = None
    x: float | None = None

    @property
    def title(self) -> str:
        """What it is called in tables, and in the JSON."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        words = f"train, {self.vocab_size:,} ids, {self._pattern_name}, {self.corpus}, {threads}"
        return words if self.series is None else f"{words}, {self.series} {self.x:,g}"

    @property
    def _pattern_name(self) -> str:
        name = canonical_pattern(self.pattern)
        return name if is_built_in(name) else "own pattern"

    @cached_property
    def n_bytes(self) -> int:
        """Of the text."""
        return self.path.stat().st_size

    @property
    def owner(self) -> str:
        """The trainer whose merges are right by definition."""
        return "tokenizers"

    @property
    def whole(self) -> bool:
        """Whether figures depend on how much of the text is seen."""
        return True

    @property
    def least_bytes(self) -> int:
        """Less of the text is given to nobody: what takes long then is merging, which less text does not shorten."""
        return _TRIAL_BYTES

    def peers(self, names: Sequence[str]) -> list[str]:
        """Those among these that train."""
        return [name for name in names if name in TRAINERS]

    def trial_key(self) -> Hashable:
        """Rows with equal keys share their trials."""
        return "train", self.corpus, self.pattern, self.vocab_size, min(self.n_bytes, 2 * _TRIAL_BYTES)

    def trial(self, peer: str, settings: Settings, folder: Path) -> Run:
        """A process on little text: "overhead s", and "MB/s" of the work; or why there are none."""
        n_bytes = min(_TRIAL_BYTES, self.n_bytes)
        run, _ = self._child(peer, n_bytes, folder, min(settings.limit, LONGEST_TRIAL))
        if "train s" not in run:
            return run
        return {
            "overhead s": max(run["process s"] - run["train s"], 0.0),
            "MB/s": n_bytes / max(run["train s"], 1e-9) / 1e6,
        }

    def work_bytes(self, n_bytes: int) -> tuple[float, float]:
        """With so many bytes of text, the least and the most bytes a process works through: it goes once over them."""
        return n_bytes, n_bytes

    def measure(self, peer: str, share: Share, settings: Settings, folder: Path) -> tuple[Run, Trained | None]:
        """One process: its figures, and the merges."""
        return self._child(peer, share.n_bytes or self.n_bytes, folder, settings.limit)

    def _child(self, peer: str, n_bytes: int, folder: Path, limit: float) -> tuple[Run, Trained | None]:
        name = canonical_pattern(self.pattern)
        regex = PATTERNS.get(name) or (None if is_built_in(name) else name)
        split = GPT2_USUAL if name == "gpt2" else pre_tokenizer_tree(name)
        corpus = self._first(n_bytes, folder)
        model = str(folder / f"{peer} {n_bytes}")
        task = Task(peer, str(corpus), self.vocab_size, name, regex, split, model, self.threads)
        why_not = TRAINERS[peer].why_not(task)
        if why_not:
            return {"not offered": why_not}, None
        task.save(folder / "task.json")
        corpus.read_bytes()  # into the page cache: the disk is not what is measured
        result_path = folder / "result.json"
        result_path.unlink(missing_ok=True)
        # Not by its path alone: then its folder, whose files have common names, would be searched for modules.
        program = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
        arguments = ["-c", program, trainers.__file__, str(folder / "task.json"), str(result_path)]
        figures = timed(arguments, self.threads, limit)
        if "error" in figures:
            return figures, None
        result = json.loads(result_path.read_text(encoding="utf-8"))
        run: Run = {
            "train s": result["train s"],
            "train MB/s": n_bytes / max(result["train s"], 1e-9) / 1e6,
            "process s": figures.pop("s"),
            **figures,
        }
        tokens = result["tokens"]
        return run, Trained(None if tokens is None else tuple(tokens), f"{model}.model", n_bytes, result["ids"])

    def first(self, n_bytes: int, folder: Path) -> TrainingRow:
        """The same with the first bytes of the text only, up to the end of a line."""
        return replace(self, path=self._first(n_bytes, folder))

    def _first(self, n_bytes: int, folder: Path) -> Path:
        """The first bytes of the text up to the end of a line, as a file."""
        if n_bytes >= self.n_bytes:
            return self.path
        path = folder / f"first {n_bytes}.txt"
        if not path.exists():
            with self.path.open("rb") as file:
                data = file.read(n_bytes)
            end = data.rfind(b"\n") + 1
            path.write_bytes(data[:end] if end else data.decode(errors="ignore").encode())
        return path

    def judge(self, cells: Cells, given: Mapping[str, Sequence[Trained]]) -> int:
        """Says of each run how many merges it gave and how many are wrong; how many merges the owner gave."""
        folder = Path(next(iter(given.values()))[0].model).parent if given else Path()
        with self.path.open("rb") as file:
            text = file.read(_ENCODED_BYTES)
        references: dict[tuple[int, str, str], list[str]] = {}
        compressions: dict[tuple[str, ...] | str, tuple[int, float]] = {}

        def ours(n_bytes: int, kind: type[trainers.Trainer]) -> list[str]:
            key = (n_bytes, kind.pattern or self.pattern, kind.sequence)
            if key not in references:
                references[key] = merges(self._first(n_bytes, folder), self.vocab_size, *key[1:], self.threads)
            return references[key]

        def compression(trained: Trained, pattern: str) -> tuple[int, float]:
            key = trained.model if trained.tokens is None else (pattern, *trained.tokens)
            if key not in compressions:
                compressions[key] = _compression(trained, text, pattern)
            return compressions[key]

        owned = {trained.n_bytes: trained.tokens for trained in given.get(self.owner, ())}
        for name, runs in cells.items():
            peer = name.split(" ")[0]
            kind = TRAINERS[peer]
            for run, trained in zip(runs, given.get(name, ()), strict=False):
                pattern = kind.pattern or self.pattern
                right = owned.get(trained.n_bytes) if kind is trainers.Fissile else None
                right = right or tuple(ours(trained.n_bytes, kind))
                n_ids, run["bytes per id"] = compression(trained, pattern)
                run["ids"] = trained.n_ids or n_ids
                reference = Trained(tuple(ours(trained.n_bytes, trainers.Fissile)), "", trained.n_bytes)
                _, wanted = compression(reference, self.pattern)
                notes = []
                if kind.pattern not in (None, canonical_pattern(self.pattern)):
                    notes.append(f"splits text as {kind.pattern}")
                if kind.sequence != "line":
                    notes.append("lines are not split by themselves")
                if kind.others is None and trained.tokens is not None:
                    run["results"] = min(len(right), len(trained.tokens))
                    run["wrong"] = sum(a != b for a, b in zip(right, trained.tokens, strict=False))
                else:
                    shared = "" if trained.tokens is None else f", {agreement(right, trained.tokens)}"
                    notes.append(f"others by design ({kind.others}){shared}")
                    if run["bytes per id"] < LEAST_COMPRESSION * wanted:
                        more = 100 * (wanted / run["bytes per id"] - 1)
                        run["apart"] = f"{more:.0f} % more ids for the text: not compared with"
                        notes.append(run["apart"])
                if given[name][0].tokens != trained.tokens:
                    notes.append("not the same in every run")
                if notes:
                    run["note"] = "; ".join(notes)
        return max((len(tokens or ()) for tokens in owned.values()), default=0)

    def describe(self) -> dict[str, Any]:
        """What the JSON of results says of it."""
        return {
            "work": "train",
            "tokenizer": {"name": self._pattern_name, "kind": "tokenizers", "ids": self.vocab_size},
            "corpus": self.corpus,
            "documents": 1,
            "bytes": self.n_bytes,
            "threads": self.threads,
            "series": self.series,
            "x": self.x,
        }


def merges(path: Path, vocab_size: int, pattern: str, sequence: Any, threads: int) -> Tokens:
    """What each of our merges makes, in hex."""
    from fissile import train

    trained = train([path], vocab_size, pattern, sequence=sequence, threads=threads)
    return [(left + right).hex() for left, right in trained.merges]


def agreement(right: Sequence[str], given: Sequence[str]) -> str:
    """How much two lists of tokens have in common, as far as the shorter one goes."""
    n = min(len(right), len(given))
    first = next((i for i in range(n) if right[i] != given[i]), None)
    if first is None:
        return f"yet the same {n} merges"
    return f"the same up to merge {first}, {100 * len(set(right[:n]) & set(given[:n])) / n:.1f} % of tokens shared"


def _compression(trained: Trained, text: bytes, pattern: str) -> tuple[int, float]:
    """How many ids there are, and bytes of the text per id by them."""
    if trained.tokens is None:
        tokenizer = Tokenizer.from_file(trained.model)
    else:
        alphabet = (bytes([byte]) for byte in range(256))
        tokens = dict.fromkeys([*alphabet, *map(bytes.fromhex, trained.tokens)])
        tokenizer = Tokenizer.from_ranks({token: rank for rank, token in enumerate(tokens)}, pattern, {})
    return tokenizer.n_vocab, len(text) / max(tokenizer.count(text, disallowed_special=()), 1)
