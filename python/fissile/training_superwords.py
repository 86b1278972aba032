"""SuperBPE (arXiv 2503.13423): a second stage of training whose tokens may bridge spaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any

from fissile import _core
from fissile.training_draft import Draft
from fissile.training_report import TrainingReport
from fissile.training_stage import Clock, Corpus, Options, Stage, corpus_of, merge, not_occurring

if TYPE_CHECKING:
    from fissile.counting import PretokenCounts
    from fissile.data.readers import Text

__all__ = ["Superwords"]

_PATTERN = "superbpe"


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

    def check(self, vocab_size: int) -> None:
        """ValueError for what can be seen to be wrong before the first stage."""
        from fissile.counting import PretokenCounts

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

    def add(
        self,
        draft: Draft,
        pattern: str,
        sequence: str,
        options: Options,
        counting: dict[str, Any],
        clock: Clock,
        report: TrainingReport,
    ) -> tuple[Draft, Stage, int]:
        """The draft of the first stage with superwords after it, what was done, and the bytes it was done on."""
        if self.unit == "line":
            draft.take_back(1)  # the reference counts a header line as a merge
        options = replace(options, max_words=self.max_words, colon_space=self.colon_space, newline_end=self.newline_end)
        with clock.phase("superword units", "bytes") as phase:
            if self.unit == "runs":
                corpus, phase.amount = self._runs(draft, pattern, sequence, options, counting)
            else:
                counts = self._spans(options, counting)
                corpus, phase.amount = corpus_of(counts), counts.n_bytes
        n_bytes = phase.amount
        if self.unit == "line":
            dropped = not_occurring(draft, corpus, options)
            report.not_occurring += [
                (draft.tokens[left], draft.tokens[right]) for left, right, _ in draft.merges[dropped].tolist()
            ]
            draft = draft.without(dropped)
        with clock.phase("superwords", "merges") as phase:
            stage = merge(draft, corpus, options, None)
            phase.amount = len(stage.joined)
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
        n_bytes = 0
        for batch, weight in _documents(self.inputs, counting):
            documents = [text.encode() if isinstance(text, str) else text for text in batch]
            counter.add(documents, weight)
            n_bytes += sum(map(len, documents))
            if options.progress is not None:
                options.progress("count runs of words", n_bytes, None)
        return Corpus(*counter.take()), n_bytes


def _documents(inputs: Any, counting: dict[str, Any]) -> Iterator[tuple[list[Text], int]]:
    """The documents of the inputs in batches, as fissile.count reads them, and the weight of each batch."""
    from fissile.counting import split_inputs
    from fissile.data import readers

    sources, texts, _ = split_inputs(inputs, counting.get("weights"))
    if texts is not None:
        yield from ((list(batch.texts), 1) for batch in readers.batches_of(texts))
    reading = {name: counting[name] for name in ("field", "column") if name in counting}
    for source, weight in sources:
        if source.is_plain_text and source.n_bytes:
            with open(source.path, "rb") as file:
                # Closed by its last view, as an error may end this generator while there is one.
                text = mmap(file.fileno(), 0, access=ACCESS_READ)
            yield [memoryview(text)], weight
            del text
        else:
            yield from ((list(batch.texts), weight) for batch in readers.batches(source, readers.Options(**reading)))
