"""Question sets: every answer is right and the only right one, parts do not overlap, answers are found in the ids."""

from collections import Counter

import numpy as np
import pytest

import fissile
from fissile.language_game import KINDS, TASKS, Question, character_tasks, language_game, tokenize
from reference.texts import library_text, small_ranks

WORDS = sorted(
    set(library_text().split()) & {w for w in library_text().split() if w.isascii() and w.isalpha() and w.islower()}
)


def argument_of(question: Question) -> str:
    return question.text.split("'")[1]


def is_right(question: Question, option: str) -> bool:
    lengths = [len(word) for word in question.options]
    match question.kind:
        case "most":
            counts = [word.count(argument_of(question)) for word in question.options]
            return option.count(argument_of(question)) == max(counts)
        case "contains":
            return argument_of(question) in option
        case "starts":
            return option.startswith(argument_of(question))
        case "ends":
            return option.endswith(argument_of(question))
        case "longest":
            return len(option) == max(lengths)
        case _:
            return len(option) == min(lengths)


def test_each_question_has_one_right_option() -> None:
    game = language_game(WORDS, {"train": 600, "valid": 60}, seed=3)
    assert {part: len(questions) for part, questions in game.items()} == {"train": 600, "valid": 60}
    for questions in game.values():
        counts = Counter(question.kind for question in questions)
        assert set(counts) == set(KINDS)
        assert max(counts.values()) - min(counts.values()) <= 1
        for question in questions:
            assert [option for option in question.options if is_right(question, option)] == [question.word]
            assert question.answer == " " + question.word
            assert len(set(question.options)) == 4
            assert all(option in question.text for option in question.options)
    places = Counter(question.options.index(question.word) for question in game["train"])
    assert min(places.values()) > 100


def test_parts_share_no_word() -> None:
    game = language_game(
        WORDS, {"train": 300, "valid": 100, "test": 100}, seed=1, shares={"train": 2, "valid": 1, "test": 1}
    )
    words = {part: {option for q in questions for option in q.options} for part, questions in game.items()}
    assert words["train"].isdisjoint(words["valid"] | words["test"])
    assert words["valid"].isdisjoint(words["test"])


def test_a_set_is_named_by_its_seed() -> None:
    assert language_game(WORDS, 50, seed=1) == language_game(list(reversed(WORDS)), 50, seed=1)
    assert language_game(WORDS, 50, seed=1) != language_game(WORDS, 50, seed=2)
    assert character_tasks(WORDS, 50, seed=1) == character_tasks(WORDS, 50, seed=1)
    assert character_tasks(WORDS, 50, seed=1) != character_tasks(WORDS, 50, seed=2)


def test_tasks_have_right_answers() -> None:
    questions = character_tasks(WORDS, 600, seed=1)
    assert set(Counter(question.kind for question in questions).values()) == {200}
    assert {q.kind for q in questions} == set(TASKS)
    for question in questions:
        answer = question.answer.removeprefix(" ")
        if question.kind == "count":
            assert int(answer) == question.word.count(argument_of(question))
        elif question.kind == "first_position":
            assert question.word[int(answer) - 1] == argument_of(question)
            assert argument_of(question) not in question.word[: int(answer) - 1]
        else:
            assert answer == question.word[int(question.text.split("position ")[1].split()[0]) - 1]
    assert " 0" in {question.answer for question in questions}


@pytest.mark.parametrize("split", [None, fissile.StochasTok(0.5)])
def test_answers_are_found_in_the_ids(split: fissile.stochastic.Split) -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2", {"<|end|>": 1000})
    questions = language_game(WORDS, 40, seed=1)["train"] + character_tasks(WORDS, 20, seed=1)
    set_ = tokenize(questions, tokenizer, end=1000, split=split, seed=2)
    mask = set_.answer_mask()
    for i, question in enumerate(questions):
        ids, begin = set_.ids[i], set_.answer_begins[i]
        assert tokenizer.decode(ids[:begin]) == question.text
        assert tokenizer.decode(ids[begin:]) == question.answer + "<|end|>"
        assert np.array_equal(ids[begin:-1], tokenizer.encode(question.answer))
        assert mask[set_.ids.offsets[i] : set_.ids.offsets[i + 1]].sum() == len(ids) - begin
        assert set_.kinds[i] == question.kind
    assert len(tokenize([], tokenizer).ids) == 0


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="the 3 words of 'train' are too few for questions of kind 'longest'"):
        language_game(["a", "b", "c"], 1, seed=1, kinds=["longest"])
    with pytest.raises(ValueError, match="kinds must be among"):
        language_game(WORDS, 1, seed=1, kinds=["rhymes"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="tasks must be among"):
        character_tasks(WORDS, 1, seed=1, tasks=["rhymes"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="shares must be given for train"):
        language_game(WORDS, 1, seed=1, shares={"valid": 1.0})
    with pytest.raises(ValueError, match="no word made of letters"):
        character_tasks(["1"], 1, seed=1)
