"""SuperBPE (arXiv 2503.13423): a second stage of training whose tokens may bridge spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any

from fissile import _core
from fissile.training_checkpoint import Checkpoint
from fissile.training_draft import Draft
from fissile.training_report import TrainingReport
from fissile.training_stage import Clock, Corpus, Options, corpus_of, merge, not_occurring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fissile._core import TrainedStage
    from fissile.counting import PretokenCounts, Reported
    from fissile.data.readers import Source, Text

__all__ = ["Superwords"]

_PATTERN = "superbpe"
_NO_TEXT = "the corpus of the superwords is empty: the inputs hold no text"


@dataclass
class Superwords:
    """The second stage.

    Attributes:
        at: ids of the first stage.
        unit: "document", "line" or "runs".
        inputs: what is read.
        max_words: most words in a superword, or None.
        colon_space: whether one may hold ": ".
        newline_end: whether one may end with a newline.
    """

    at: int
    unit: str
    inputs: Any
    max_words: int | None
    colon_space: bool
    newline_end: bool

    def within(self) -> str:
        """What superwords do not cross."""
        return "within runs of whole words" if self.unit == "runs" else f"within a {self.unit}"

    def check(self, vocab_size: int, counting: dict[str, Any]) -> None:
        """ValueError, or OSError for a missing file, for what can be seen to be wrong before the first stage."""
        from fissile.counting import PretokenCounts, split_inputs

        if self.at >= vocab_size:
            raise ValueError(f"superword_at is {self.at}, expected less than vocab_size, which is {vocab_size}")
        if isinstance(self.inputs, Iterator):
            raise ValueError(
                "superwords need a second reading, and an iterator can be read once: pass superword_inputs"
            )
        if isinstance(self.inputs, PretokenCounts):
            if self.unit == "runs":
                raise ValueError("runs of words are read from text, not from counts: pass it as superword_inputs")
            if self.inputs.pattern != _PATTERN:
                raise ValueError(
                    f"counts made with the pattern {self.inputs.pattern!r} hold no superwords: pass the text as "
                    f"superword_inputs, or counts made with {_PATTERN!r}"
                )
            if self.inputs.sequence != self.unit:
                raise ValueError(f"superword_unit is {self.unit!r}, but the counts are within a {self.inputs.sequence}")
            is_empty = len(self.inputs) == 0
        else:
            sources, texts, _ = split_inputs(self.inputs, counting.get("weights"))
            is_empty = bool(sources) and all(source.n_bytes == 0 for source, _ in sources)
            if isinstance(texts, Sized):
                is_empty = len(texts) == 0
        if is_empty:
            raise ValueError(_NO_TEXT)

    def add(
        self,
        draft: Draft,
        pattern: str,
        sequence: str,
        options: Options,
        counting: dict[str, Any],
        clock: Clock,
        report: TrainingReport,
        checkpoint: Checkpoint | None,
    ) -> tuple[Draft, TrainedStage, int]:
        """The draft of the first stage with superwords after it, what was done, and the bytes it was done on."""
        if self.unit == "line":
            draft.take_back(1)  # the reference counts a header line as a merge
        options = replace(options, max_words=self.max_words, colon_space=self.colon_space, newline_end=self.newline_end)
        corpus: Corpus | PretokenCounts
        with clock.phase("superword units", "bytes") as phase:
            if self.unit == "runs":
                corpus, phase.amount = self._runs(draft, pattern, sequence, options, counting)
            else:
                counts = self._spans(options, counting)
                corpus, phase.amount = counts, counts.n_bytes
        n_bytes = phase.amount
        if n_bytes == 0:
            raise ValueError(_NO_TEXT)
        if self.unit == "line":
            dropped = not_occurring(draft, corpus, options)
            report.not_occurring += draft.parts(dropped)
            draft = draft.without(dropped)
        saved = None
        if checkpoint is not None:
            saved = checkpoint.stage("superwords", self.unit, corpus_of(corpus), draft, options.identity())
        with clock.phase("superwords", "merges") as phase:
            stage = merge(draft, corpus, options, saved)
            phase.amount = stage.n_merges
        return draft, stage, n_bytes

    def _spans(self, options: Options, counting: dict[str, Any]) -> PretokenCounts:
        """What the pattern leaves whole, counted."""
        from fissile.counting import PretokenCounts, count

        if isinstance(self.inputs, PretokenCounts):
            return self.inputs
        arguments = counting | {"sequence": self.unit}
        return count(self.inputs, pattern=_PATTERN, threads=options.threads, progress=options.progress, **arguments)

    def _runs(
        self, draft: Draft, pattern: str, sequence: str, options: Options, counting: dict[str, Any]
    ) -> tuple[Corpus, int]:
        """Runs of whole one-token pretokens, counted, and the bytes read."""
        counter = _core.RunCounter(
            draft.vocabulary(), pattern=pattern, by_line=sequence == "line", threads=options.threads
        )
        from fissile.counting import Reported, split_inputs

        sources, texts, _ = split_inputs(self.inputs, counting.get("weights"))
        reported = Reported(options.progress, "count runs of words", sources, texts)
        n_bytes = 0
        for batch, weight, is_file in _documents(sources, texts, counting, reported):
            documents = [text.encode() if isinstance(text, str) else text for text in batch]
            # Of a file that is read by and by its reader tells; one that is mapped, or texts, are here at once.
            counter.add(documents, weight, None if is_file or options.progress is None else reported)
            size = sum(map(len, documents))
            n_bytes += size
            if not is_file:
                reported.end_of(size)
        reported.end(n_bytes)
        return Corpus(*counter.take()), n_bytes


def _documents(
    sources: list[tuple[Source, int]], texts: Iterable[Text] | None, counting: dict[str, Any], reported: Reported
) -> Iterator[tuple[list[Text], int, bool]]:
    """The documents of the inputs in batches, as fissile.count reads them, the weight of each batch, and whether what has
    been read is reported here."""
    from fissile.data import readers

    if texts is not None:
        yield from ((list(batch.texts), 1, False) for batch in readers.batches_of(texts))
    reading = {name: counting[name] for name in ("field", "column") if name in counting}
    for source, weight in sources:
        if source.is_plain_text and source.n_bytes:
            with open(source.path, "rb") as file:
                # Closed by its last view, as an error may end this generator while there is one.
                text = mmap(file.fileno(), 0, access=ACCESS_READ)
            yield [memoryview(text)], weight, False
            del text
        else:
            options = readers.Options(**reading, on_read=reported)
            yield from ((list(batch.texts), weight, True) for batch in readers.batches(source, options))
            reported.end_of(source.n_bytes or 0)
