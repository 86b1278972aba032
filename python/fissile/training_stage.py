"""One run of the merge loop over a corpus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fissile import _core
from fissile.numpy_later import np, npt
from fissile.training_checkpoint import StageCheckpoint
from fissile.training_draft import ALPHABET, Draft
from fissile.training_report import Phase

if TYPE_CHECKING:
    from fissile._core import TrainedStage
    from fissile.counting import PretokenCounts

__all__ = [
    "Clock",
    "Corpus",
    "Options",
    "Progress",
    "corpus_of",
    "merge",
    "most_frequent",
    "not_occurring",
]

Progress = Callable[[str, int, int | None], object]


class Corpus(NamedTuple):
    """Counted sequences: of bytes (pretokens) or of ids.

    Attributes:
        items: (total,) uint8 or uint32, one sequence after another.
        ends: (n,) uint64, where each ends.
        counts: (n,) uint64.
    """

    items: npt.NDArray[Any]
    ends: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.uint64]

    def of_bytes(self, alphabet: set[int]) -> Corpus:
        """The pretokens without all other bytes; what stood on both sides of one is next to each other."""
        is_kept = np.isin(np.arange(256), list(alphabet))[self.items]
        if is_kept.all():
            return self
        n_before = np.concatenate([[0], np.cumsum(is_kept, dtype=np.uint64)]).astype(np.uint64)
        return Corpus(self.items[is_kept], n_before[self.ends], self.counts)


def most_frequent(corpus: Corpus, always: set[int], n: int) -> set[int]:
    """The n most frequent bytes of counted pretokens, those of `always` among them."""
    n_of = [0] * 256
    step = 1 << 20  # pretokens at a time, as their bytes have eight bytes of weight each
    begin = 0
    for first in range(0, len(corpus.ends), step):
        ends = corpus.ends[first : first + step]
        lengths = np.diff(ends, prepend=np.uint64(begin)).astype(np.int64)
        items = corpus.items[begin : int(ends[-1])]
        weights = np.repeat(corpus.counts[first : first + step], lengths)
        for byte, count in enumerate(np.bincount(items, weights, 256).tolist()):
            n_of[byte] += int(count)
        begin = int(ends[-1])
    order = sorted(ALPHABET, key=lambda byte: (byte not in always, -n_of[byte]))
    return {byte for byte in order[:n] if n_of[byte] or byte in always}


def corpus_of(counted: Corpus | PretokenCounts) -> Corpus:
    """What is trained on as arrays, which keep counted pretokens in memory."""
    return counted if isinstance(counted, Corpus) else Corpus(*counted.arrays())


def _items(corpus: Corpus | PretokenCounts) -> tuple[Any, ...]:
    """For _core.train_merges."""
    return corpus if isinstance(corpus, Corpus) else (corpus._core,)


@dataclass
class Options:
    """Arguments of the merge loop."""

    vocab_size: int
    min_frequency: int
    max_token_length: int | None
    length_in_chars: bool
    strict_length: bool
    threads: int
    progress: Progress | None
    # Of the superword stage.
    max_words: int | None = None
    colon_space: bool = True
    newline_end: bool = True

    def identity(self) -> str:
        """What the merges depend on beside the corpus. The size only says where to stop."""
        rules = (self.max_token_length, self.length_in_chars, self.strict_length)
        return f"{self.min_frequency} {rules} {(self.max_words, self.colon_space, self.newline_end)}"

    def keywords(self) -> dict[str, Any]:
        """For _core.train_merges."""
        return {
            "vocab_size": self.vocab_size,
            "min_frequency": self.min_frequency,
            "max_token_length": self.max_token_length,
            "length_in_chars": self.length_in_chars,
            "strict_length": self.strict_length,
            "threads": self.threads,
            "progress": self.progress,
            "max_words": self.max_words,
            "colon_space": self.colon_space,
            "newline_end": self.newline_end,
        }


class Clock:
    """Phases and how long they took."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []

    @dataclass
    class Running:
        """A phase that has not ended; `amount` is set by what runs in it."""

        amount: int = 0

    @contextmanager
    def phase(self, name: str, unit: str) -> Iterator[Running]:
        """Times what runs in its block."""
        running = self.Running()
        begin = time.perf_counter()
        yield running
        self.phases.append(Phase(name, time.perf_counter() - begin, running.amount, unit))


def merge(
    draft: Draft, corpus: Corpus | PretokenCounts, options: Options, saved: StageCheckpoint | None
) -> TrainedStage:
    """Extends the draft by merges up to options.vocab_size."""
    n_tokens = len(draft.tokens)
    resumed = None if saved is None else saved.load()
    if saved is not None and resumed is not None:
        # A smaller vocabulary than the stopped training's ends where its last id is made.
        last = np.flatnonzero(resumed.merges[:, 2] == options.vocab_size - 1)[:1]
        resumed = resumed.first(int(last[0]) + 1 if len(last) else len(resumed.merges))
        draft.extend(resumed.merges.tobytes())
        if not draft.replays():  # such merges cannot be applied by encoding: start again
            draft.take_back(len(resumed.merges))
            saved.restart()
            resumed = None
    if resumed is not None and not len(resumed.merges):
        resumed = None
    are_ids = isinstance(corpus, Corpus) and corpus.items.dtype == np.uint32
    stage = _core.train_merges(
        *_items(corpus),
        tokens=draft.tokens,
        byte_ids=draft.byte_ids,
        encode_with=draft.vocabulary() if draft.n_merges and not are_ids else None,
        join_with=resumed.merges if resumed is not None and are_ids else None,
        checkpoint=None if saved is None else saved.write,
        checkpoint_seconds=0.0 if saved is None else saved.seconds,
        **options.keywords(),
    )
    draft.extend(stage.packed_merges, stage.tokens)
    if saved is not None and stage.n_merges:
        saved.write(stage.merges, stage.counts, stage.joined)
    if resumed is not None:
        stage.put_before(n_tokens, *resumed)
    return stage


def not_occurring(draft: Draft, corpus: Corpus | PretokenCounts, options: Options) -> list[int]:
    """Places of the draft's merges whose pair does not occur in a corpus."""
    nothing = _core.train_merges(
        *_items(corpus),
        tokens=draft.tokens,
        byte_ids=draft.byte_ids,
        encode_with=draft.vocabulary() if draft.n_merges else None,
        vocab_size=0,
        progress=options.progress,
    )
    return nothing.unneeded(draft.packed, draft.n_merges)
