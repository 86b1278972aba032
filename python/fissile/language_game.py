"""Questions about the letters of words, to see what a model knows of its tokens' insides.

`language_game` makes the six kinds of LangGame (Sims et al. 2025, arXiv 2506.01687, section 4): which of four words has
most of a letter, contains, starts with or ends with some letters, is the longest, the shortest. `character_tasks` makes
tasks like those of CharBench (Uzan and Pinter 2025): how often a letter occurs, where it is first, which letter stands at
a place.

Unlike the published sets, a set is named by its seed; the words of its parts ("train", "valid", ...) do not overlap, so
neither do its questions; and options are shuffled, not rotated.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from fissile.ragged import Ragged

if TYPE_CHECKING:
    from fissile.stochastic import Split
    from fissile.tokenizer import Special, Tokenizer

__all__ = ["KINDS", "TASKS", "Question", "TokenizedQuestions", "character_tasks", "language_game", "tokenize"]

Kind = Literal["most", "contains", "starts", "ends", "longest", "shortest"]
KINDS: tuple[Kind, ...] = ("most", "contains", "starts", "ends", "longest", "shortest")
Task = Literal["count", "first_position", "letter_at"]
TASKS: tuple[Task, ...] = ("count", "first_position", "letter_at")

_Name = TypeVar("_Name", bound=str)

N_OPTIONS = 4
# Wordings that mean the same, one drawn for each question.
_WORDINGS: dict[Kind, tuple[str, ...]] = {
    "most": ("Which word has the most letter '{0}'s?", "Which word contains the letter '{0}' most often?"),
    "contains": ("Which word contains '{0}'?", "Which word has '{0}' in it?", "Which word includes '{0}'?"),
    "starts": ("Which word starts with '{0}'?", "Which word begins with '{0}'?"),
    "ends": ("Which word ends with '{0}'?", "Which word finishes with '{0}'?"),
    "longest": ("Which word is the longest?", "Which word has the most letters?"),
    "shortest": ("Which word is the shortest?", "Which word has the fewest letters?"),
}
_TASK_WORDINGS: dict[Task, str] = {
    "count": "How many times does the letter '{0}' occur in '{1}'?",
    "first_position": "At which position is the first '{0}' in '{1}'?",
    "letter_at": "Which letter is at position {0} of '{1}'?",
}


@dataclass(frozen=True)
class Question:
    """A question and its answer.

    Attributes:
        kind: one of KINDS or TASKS.
        text: the question, with its options if it has any.
        answer: " " and the answer: what a model is to say behind `text`.
        options: the words to choose from, in the order that `text` gives them; () for a task.
        word: the word that the question is about: the right option.
    """

    kind: str
    text: str
    answer: str
    options: tuple[str, ...]
    word: str


def language_game(
    words: Sequence[str],
    n: int | Mapping[str, int],
    seed: int,
    kinds: Sequence[Kind] = KINDS,
    shares: Mapping[str, float] | None = None,
) -> dict[str, list[Question]]:
    """Questions with four options, the kinds in equal shares and in random order.

    Args:
        words: the words to ask about; those that are not made of letters alone are left out.
        n: questions in each part, such as {"train": 1_000_000, "valid": 1_000}; a number means {"train": n}.
        seed: names the set: equal arguments give equal questions, on every machine.
        kinds: which kinds to make.
        shares: share of the words that each part gets; None: equal to the shares of n, but a tenth at least. Right
            answers and other options of a part are its own words only.

    Returns:
        The questions of each part.

    Raises:
        TypeError: an argument is of another type; it is named.
        ValueError: a part has too few words for a kind, which is named; or an argument asks for nothing that can be made.

    >>> game = language_game(["banana", "kiwi", "fig", "pear", "grapefruit", "plum", "clementine"], 2, seed=1)
    >>> [question.text.count(",") for question in game["train"]]
    [3, 3]
    """
    parts = (
        {part: _count(f"n[{part!r}]", size) for part, size in n.items()}
        if isinstance(n, Mapping)
        else {"train": _count("n", n)}
    )
    kinds = _chosen("kinds", kinds, KINDS)
    seed = _integer("seed", seed)
    letters = _made_of_letters(words)
    random.Random(f"{seed} words").shuffle(letters)
    game: dict[str, list[Question]] = {}
    for part, own in _divided(letters, parts, shares).items():
        maker = _Maker(own, random.Random(f"{seed} {part}"), part)
        order = [kinds[i % len(kinds)] for i in range(parts[part])]
        maker.rng.shuffle(order)
        game[part] = [maker.question(kind) for kind in order]
    return game


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    return int(value)


def _count(name: str, value: object) -> int:
    if (n := _integer(name, value)) < 0:
        raise ValueError(f"{name} must not be negative, found {n}")
    return n


def _chosen(name: str, chosen: Iterable[_Name], known: Sequence[_Name]) -> tuple[_Name, ...]:
    """Kinds or tasks that were asked for."""
    if isinstance(chosen, str):
        raise TypeError(f"{name} must be a sequence of names, such as [{chosen!r}], not a str")
    names = tuple(chosen)
    for one in names:
        if one not in known:
            raise ValueError(f"{name} must be among {', '.join(known)}, not {one!r}")
    if not names:
        raise ValueError(f"{name} is empty, expected some of {', '.join(known)}")
    return names


def _made_of_letters(words: Iterable[str]) -> list[str]:
    """The words to ask about."""
    if isinstance(words, str):
        raise TypeError("words must be a sequence of words, not a str")
    found = set()
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(f"words[{i}] must be a str, not {type(word).__name__}")
        if word.isalpha():
            found.add(word.lower())
    return sorted(found)


def _divided(words: list[str], parts: Mapping[str, int], shares: Mapping[str, float] | None) -> dict[str, list[str]]:
    """The words of each part."""
    if shares is None:
        total = sum(parts.values()) or 1
        shares = {part: max(n / total, 0.1) for part, n in parts.items()}
    if set(shares) != set(parts):
        raise ValueError(f"shares must be given for {', '.join(parts)}, not for {', '.join(shares)}")
    for part, share in shares.items():
        if not 0 <= share < math.inf:  # false for nan
            raise ValueError(f"shares[{part!r}] must be a number of at least 0, not {share}")
    total_share = sum(shares.values())
    if parts and total_share == 0:
        raise ValueError("shares are all 0: no part gets any words")
    divided: dict[str, list[str]] = {}
    begin = summed = 0.0
    for part in parts:
        summed += shares[part]
        end = summed / total_share * len(words)
        divided[part] = words[round(begin) : round(end)]
        begin = end
    return divided


class _Maker:
    """Draws questions from the words of one part."""

    def __init__(self, words: list[str], rng: random.Random, part: str) -> None:
        self.words, self.rng, self.part = words, rng, part

    def question(self, kind: Kind) -> Question:
        for _ in range(1000):
            drawn = self._draw(kind)
            if drawn is not None:
                argument, right, wrong = drawn
                options = [right, *self.rng.sample(wrong, N_OPTIONS - 1)]
                self.rng.shuffle(options)
                asked = self.rng.choice(_WORDINGS[kind]).format(argument)
                listed = "[" + ", ".join(options) + "]"
                text = f"{asked} {listed}" if self.rng.random() < 0.5 else f"{listed} {asked}"
                return Question(kind, text + " Answer:", " " + right, tuple(options), right)
        raise ValueError(f"the {len(self.words)} words of {self.part!r} are too few for questions of kind {kind!r}")

    def _draw(self, kind: Kind) -> tuple[str, str, list[str]] | None:
        """What is asked for, a word it is true of, and at least three that it is not true of."""
        if not self.words:
            return None
        right = self.rng.choice(self.words)
        argument = ""
        if kind == "most":
            argument = self.rng.choice(right)
            if right.count(argument) < 2:
                return None
            wrong = [w for w in self.words if w.count(argument) <= 1]
        elif kind == "longest":
            if len(right) < 7:
                return None
            wrong = [w for w in self.words if len(w) <= 4]
        elif kind == "shortest":
            if len(right) > 3:
                return None
            wrong = [w for w in self.words if len(w) >= 6]
        else:
            size = self.rng.randint(1, min(3, len(right)))
            at = self.rng.randint(0, len(right) - size)
            if kind == "contains":
                argument = right[at : at + size]
                wrong = [w for w in self.words if argument not in w]
            elif kind == "starts":
                argument = right[:size]
                wrong = [w for w in self.words if not w.startswith(argument)]
            else:
                argument = right[-size:]
                wrong = [w for w in self.words if not w.endswith(argument)]
        return (argument, right, wrong) if len(wrong) >= N_OPTIONS - 1 else None


def character_tasks(words: Sequence[str], n: int, seed: int, tasks: Sequence[Task] = TASKS) -> list[Question]:
    """Counting and finding letters: n questions, the tasks in equal shares and in random order.

    Positions count from 1. One letter in five that "count" asks for is drawn from the letters of all words, so that " 0"
    is an answer too.

    Args:
        words: the words to ask about; those that are not made of letters alone are left out.
        n: number of questions.
        seed: names the set.
        tasks: which tasks to make.

    Raises:
        TypeError: an argument is of another type; it is named.
        ValueError: there is no word to ask about, or no such task.

    >>> question = character_tasks(["banana"], 1, seed=1, tasks=["first_position"])[0]
    >>> question.text, question.answer  # doctest: +ELLIPSIS
    ("At which position is the first '...' in 'banana'? Answer:", ' ...')
    """
    n, seed = _count("n", n), _integer("seed", seed)
    tasks = _chosen("tasks", tasks, TASKS)
    letters = _made_of_letters(words)
    if not letters and n > 0:
        raise ValueError("there is no word made of letters to ask about")
    alphabet = sorted(set("".join(letters)))
    rng = random.Random(f"{seed} tasks")
    order = [tasks[i % len(tasks)] for i in range(n)]
    rng.shuffle(order)
    questions = []
    for task in order:
        word = rng.choice(letters)
        if task == "count":
            argument = rng.choice(word) if rng.random() < 0.8 else rng.choice(alphabet)
            answer = str(word.count(argument))
        elif task == "first_position":
            argument = rng.choice(word)
            answer = str(word.index(argument) + 1)
        else:
            at = rng.randrange(len(word))
            argument, answer = str(at + 1), word[at]
        text = _TASK_WORDINGS[task].format(argument, word) + " Answer:"
        questions.append(Question(task, text, " " + answer, (), word))
    return questions


@dataclass(frozen=True)
class TokenizedQuestions:
    """Questions as ids, and where their answers are.

    Attributes:
        ids: a Ragged with one document a question: the question, then the answer.
        answer_begins: (n,) int64: the place of the first token of each answer in its document; all behind it are the
            answer's and what ends it, so a loss counts ids[i][answer_begins[i]:].
        kinds: the kind of each question.
        parents: (total,) int64: for each of ids.ids, where in the ids of the same questions without `split` stands the
            token that holds its first byte; without a split the numbers from 0.
    """

    ids: Ragged
    answer_begins: npt.NDArray[np.int64]
    kinds: tuple[str, ...]
    parents: npt.NDArray[np.int64]

    def answer_mask(self) -> npt.NDArray[np.bool_]:
        """(total,): True for the tokens of answers, in the order of ids.ids."""
        places = np.arange(len(self.ids.ids)) - np.repeat(self.ids.offsets[:-1], self.ids.lengths)
        mask: npt.NDArray[np.bool_] = places >= np.repeat(self.answer_begins, self.ids.lengths)
        return mask


def tokenize(
    questions: Sequence[Question],
    tokenizer: Tokenizer,
    *,
    end: int | None = None,
    add_special_tokens: bool = False,
    threads: int | None = None,
    dtype: npt.DTypeLike = np.uint32,
    allowed_special: Special = None,
    disallowed_special: Special = None,
    split: Split = None,
    seed: int | None = None,
    first_index: int = 0,
    epoch: int = 0,
) -> TokenizedQuestions:
    """Each question and its answer as one document. The border between the two is always a border of tokens.

    Args:
        questions: what to encode.
        tokenizer: what encodes.
        end: an id put behind every answer, such as that of "<|endoftext|>", or None.
        add_special_tokens: put the file's template around each document: its first tokens in front of the question, its
            last ones behind the answer, before `end`.
        split: as of Tokenizer.encode_batch, like the other arguments. It changes questions and leaves answers, which are
            what is measured, canonical.

    Raises:
        TypeError: questions[i] is no Question.
        ValueError: `end` is no id of the vocabulary; or as Tokenizer.encode_batch.
    """
    for i, question in enumerate(questions):
        if not isinstance(question, Question):
            raise TypeError(f"questions[{i}] must be a Question, not {type(question).__name__}")
    closing: list[int] = []
    if end is not None:
        closing = [_integer("end", end)]
        if not 0 <= closing[0] < tokenizer.n_vocab or not tokenizer._vocabulary.has_token(closing[0]):
            raise ValueError(f"end must be the id of a token, not {closing[0]}")
    texts = [question.text for question in questions]
    how: dict[str, Any] = {
        "threads": threads,
        "dtype": dtype,
        "allowed_special": allowed_special,
        "disallowed_special": disallowed_special,
    }
    asked = tokenizer.encode_batch(texts, add_special_tokens=add_special_tokens, **how)
    drawn, parents = asked, np.arange(len(asked.ids))
    if split is not None:
        how_drawn = how | {"split": split, "seed": seed, "first_index": first_index, "epoch": epoch}
        drawn, parents = tokenizer.encode_batch(
            texts, add_special_tokens=add_special_tokens, return_parents=True, **how_drawn
        )
    # An answer is encoded in its place: by itself a vocabulary that puts spaces in front of texts would give it another.
    answered = tokenizer.encode_batch([question.text + question.answer for question in questions], **how)

    template = tokenizer._spec.encoder if add_special_tokens else {}
    n_before, after = len(template.get("template_before", ())), list(template.get("template_after", ()))
    ending = np.array(after + closing, dtype)
    documents, origins = [np.empty(0, dtype)], [np.empty(0, np.int64)]
    begins, sizes = np.zeros((2, len(questions)), np.int64)
    place = 0  # where the document begins in the ids without a split
    for i, question in enumerate(questions):
        n_asked = len(asked[i]) - len(after)
        plain = asked[i][n_before:n_asked]
        answer = answered[i][len(plain) :]
        if not np.array_equal(answered[i][: len(plain)], plain):  # a token would cross the border
            answer = tokenizer.encode_batch([question.answer], **how)[0]
        own = parents[drawn.offsets[i] : drawn.offsets[i + 1]] - asked.offsets[i]
        begins[i] = np.searchsorted(own, n_asked)
        n_rest = len(answer) + len(ending)
        documents += [drawn[i][: begins[i]], answer, ending]
        origins += [place + own[: begins[i]], place + n_asked + np.arange(n_rest)]
        place += n_asked + n_rest
        sizes[i] = begins[i] + n_rest
    return TokenizedQuestions(
        Ragged(np.concatenate(documents), np.append(0, np.cumsum(sizes)), tokenizer._to_lists),
        begins,
        tuple(question.kind for question in questions),
        np.concatenate(origins),
    )
