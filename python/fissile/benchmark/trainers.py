"""Every trainer of PyPI that the benchmark knows, each by its fastest documented calls; and the process that runs one.

    python trainers.py TASK RESULT

reads a Task and writes {"train s": seconds of the call alone, "tokens": ..., "ids": ...}. It is run as a file and imports nothing but
Python's own library and the package it measures: its memory and its whole time are the package's.

Trainers that read files are given the file, others its lines with their endings, which is what the former make of a file
(gigatoken takes it whole). What else differs by design is said by each kind, and printed beside its results.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["TRAINERS", "Task", "Tokens", "Trainer"]

Tokens = list[str]
"""What each merge makes, in hex, in the order of the merges."""


@dataclass(frozen=True)
class Task:
    """What to train on what.

    Attributes:
        trainer: of TRAINERS.
        corpus: path of a text in UTF-8.
        vocab_size: ids in all.
        pattern: how text is split, as Fissile names it.
        regex: the same as one expression; None: there is none.
        pre_tokenizer: the same as that part of a tokenizer.json.
        model: where a trainer that has no merges to show writes its model, without the suffix.
        threads: cores.
    """

    trainer: str
    corpus: str
    vocab_size: int
    pattern: str
    regex: str | None
    pre_tokenizer: dict[str, Any] | None
    model: str
    threads: int

    def save(self, path: Path) -> None:
        """Writes it for another process."""
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    def lines(self) -> Iterator[str]:
        """Of the corpus, with their endings."""
        with open(self.corpus, encoding="utf-8", newline="\n") as file:
            yield from file


class Trainer:
    """One trainer.

    Attributes:
        package: name on PyPI.
        module: what is imported.
        pattern: the only one it has; None: any.
        sequence: what it splits by itself, lines or the whole text.
        ours: whether it is a way to train with this package beside the first one.
        others: why its merges are others than those of `tokenizers` on the same pretokens; None: they are the same.
    """

    package: str
    module: str
    pattern: str | None = None
    sequence: Literal["line", "document"] = "line"
    ours = False
    others: str | None = None

    @classmethod
    def installed(cls) -> bool:
        """Whether the package can be imported."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def why_not(cls, task: Task) -> str | None:
        """Why it cannot do this; None: it can."""
        return None

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        """The work that is measured; gives what `tokens` reads."""
        raise NotImplementedError

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        """What its merges make; None: it wrote a model instead."""
        raise NotImplementedError

    @staticmethod
    def n_ids(trained: Any) -> int | None:
        """How many ids there are; None: one for each byte and each merge."""
        return None


class Fissile(Trainer):
    """This package."""

    package = module = "fissile"

    @staticmethod
    def train(module: Any, task: Task, **superwords: Any) -> Any:
        return module.train(
            [Path(task.corpus)], task.vocab_size, task.pattern, sequence="line", threads=task.threads, **superwords
        )

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        return [(left + right).hex() for left, right in trained.merges]


class SuperwordsDocument(Fissile):
    """SuperBPE, half of the ids made in the first stage: what it costs beside ordinary training, not a peer of it."""

    ours = True
    others = "superwords"

    @staticmethod
    def train(module: Any, task: Task, **superwords: Any) -> Any:
        unit = superwords or {"superword_unit": "document"}
        return Fissile.train(module, task, superword_at=task.vocab_size // 2, **unit)


class SuperwordsRuns(SuperwordsDocument):
    """The same on runs of pretokens."""

    @staticmethod
    def train(module: Any, task: Task, **superwords: Any) -> Any:
        return SuperwordsDocument.train(module, task, superword_unit="runs")


class Gigabpe(Trainer):
    """gigabpe: the merges of `tokenizers`; its alphabet is the bytes of the text, which leaves room for more merges."""

    package = module = "gigabpe"
    pattern = "gpt2"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        options = {"special_tokens": [], "pretokenizer": "bytelevel", "threads": task.threads}
        return module.train_bpe([task.corpus], task.vocab_size, **options)

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        return _from_characters(trained[1])

    @staticmethod
    def n_ids(trained: Any) -> int | None:
        return len(trained[0])


class Gigatoken(Trainer):
    """gigatoken: ties as `tokenizers` breaks them, where it is asked to; a file is one document."""

    package = module = "gigatoken"
    pattern = "gpt2"
    sequence = "document"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        source = module.TextFileSource([task.corpus])
        return module.train_bpe(source, vocab_size=task.vocab_size, special_tokens=[], tie_breaking="huggingface")[1]

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        return [(left + right).hex() for left, right in trained]


class Tokenizers(Trainer):
    """tokenizers: whose merges are right by definition."""

    package = module = "tokenizers"

    @classmethod
    def why_not(cls, task: Task) -> str | None:
        return None if task.pre_tokenizer else "this way to split text has no form in a tokenizer.json"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        from tokenizers import models, pre_tokenizers, trainers

        empty = {"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": task.pre_tokenizer}
        tokenizer = module.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = module.Tokenizer.from_str(json.dumps(empty)).pre_tokenizer
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train(
            [task.corpus],
            trainers.BpeTrainer(
                vocab_size=task.vocab_size, initial_alphabet=alphabet, show_progress=False, special_tokens=[]
            ),
        )
        return tokenizer

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        merges = json.loads(trained.to_str())["model"]["merges"]
        return _from_characters(merge if isinstance(merge, list) else merge.split(" ") for merge in merges)


class _OfRegex(Trainer):
    """What rustbpe and bpeasy have in common."""

    @classmethod
    def why_not(cls, task: Task) -> str | None:
        return None if task.regex else "needs one expression that splits text"

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        """Of (token, rank)."""
        ranked = sorted(trained, key=lambda item: item[1])
        return [bytes(token).hex() for token, _ in ranked if len(token) > 1]


class Rustbpe(_OfRegex):
    """rustbpe: an expression of any kind."""

    package = module = "rustbpe"
    others = "equal counts in another order"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        tokenizer = module.Tokenizer()
        tokenizer.train_from_iterator(task.lines(), vocab_size=task.vocab_size, pattern=task.regex)
        return tokenizer.get_mergeable_ranks()


class Bpeasy(_OfRegex):
    """bpeasy: an expression of any kind."""

    package = module = "bpeasy"
    others = "equal counts in another order"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        return module.train_bpe(task.lines(), task.regex, 10**6, task.vocab_size).items()


class Sentencepiece(Trainer):
    """sentencepiece: BPE of characters, with bytes for rare ones; lines are not normalized, as by the others."""

    package = module = "sentencepiece"
    others = "characters, words between spaces, digits and punctuation within them"

    @staticmethod
    def train(module: Any, task: Task) -> Any:
        module.SentencePieceTrainer.train(
            input=task.corpus,
            model_prefix=task.model,
            model_type="bpe",
            vocab_size=task.vocab_size,
            hard_vocab_limit=False,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            max_sentence_length=1 << 30,  # bytes; longer lines would be left out
            num_threads=task.threads,
            minloglevel=2,
        )

    @staticmethod
    def tokens(trained: Any) -> Tokens | None:
        return None


TRAINERS: dict[str, type[Trainer]] = {
    "fissile": Fissile,
    "gigabpe": Gigabpe,
    "gigatoken": Gigatoken,
    "tokenizers": Tokenizers,
    "rustbpe": Rustbpe,
    "bpeasy": Bpeasy,
    "sentencepiece": Sentencepiece,
    "superwords_document": SuperwordsDocument,
    "superwords_runs": SuperwordsRuns,
}


def _from_characters(merges: Iterable[Iterable[str]]) -> Tokens:
    """Merges in the characters that ByteLevel writes bytes with."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in keep)
    table = {chr(byte): byte for byte in keep} | {chr(256 + i): byte for i, byte in enumerate(others)}
    return [bytes(table[char] for part in merge for char in part).hex() for merge in merges]


def main(task_path: str, result_path: str) -> None:
    """Does the task of a file."""
    task = Task(**json.loads(Path(task_path).read_text(encoding="utf-8")))
    kind = TRAINERS[task.trainer]
    module = importlib.import_module(kind.module)
    started = time.perf_counter()
    trained = kind.train(module, task)
    seconds = time.perf_counter() - started
    result = {"train s": seconds, "tokens": kind.tokens(trained), "ids": kind.n_ids(trained)}
    Path(result_path).write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # what is left to free is no part of training


if __name__ == "__main__":
    main(*sys.argv[1:])
