"""Question sets: every answer is right and the only right one, parts do not overlap, answers are found in the ids."""

import json
from collections import Counter
from pathlib import Path

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


QUESTIONS = language_game(WORDS, 30, seed=4)["train"] + character_tasks(WORDS, 30, seed=4)


def in_template(tmp_path: Path) -> fissile.Tokenizer:
    """A tokenizer that puts <s> before a text and </s> behind it."""
    path = tmp_path / "tokenizer.json"
    fissile.train([library_text(40_000).encode()], 600, special_tokens=["<s>", "</s>", "<|end|>"]).save(path)
    tree = json.loads(path.read_text())
    ids = {token["content"]: token["id"] for token in tree["added_tokens"]}
    tree["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "</s>", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("<s>", "</s>")},
    }
    path.write_text(json.dumps(tree))
    return fissile.Tokenizer.from_file(path)


@pytest.mark.parametrize("split", [None, fissile.StochasTok(0.5), fissile.BPEDropout(0.3), "characters"])
def test_a_template_goes_around_question_and_answer(split: fissile.stochastic.Split, tmp_path: Path) -> None:
    tokenizer = in_template(tmp_path)
    end = tokenizer.special_tokens["<|end|>"]
    set_ = tokenize(QUESTIONS, tokenizer, add_special_tokens=True, end=end, split=split, seed=2)
    for i, question in enumerate(QUESTIONS):
        ids, begin = set_.ids[i], set_.answer_begins[i]
        assert tokenizer.decode(ids[:begin]) == "<s>" + question.text
        assert tokenizer.decode(ids[begin:]) == question.answer + "</s><|end|>"
    # The question is what encoding gives it, the token behind a text aside.
    asked = tokenizer.encode_batch([q.text for q in QUESTIONS], split=split, seed=2, add_special_tokens=True)
    assert all(np.array_equal(set_.ids[i][: set_.answer_begins[i]], asked[i][:-1]) for i in range(len(QUESTIONS)))


@pytest.mark.parametrize("add_special_tokens", [False, True])
def test_parents_are_places_in_the_canonical_ids(add_special_tokens: bool, tmp_path: Path) -> None:
    tokenizer = in_template(tmp_path)
    options = {"end": tokenizer.special_tokens["<|end|>"], "add_special_tokens": add_special_tokens}
    plain = tokenize(QUESTIONS, tokenizer, **options)
    assert np.array_equal(plain.parents, np.arange(len(plain.ids.ids)))
    split = tokenize(QUESTIONS, tokenizer, split=fissile.StochasTok(0.5), seed=3, **options)
    assert split.parents.dtype == np.int64
    assert len(split.ids.ids) > len(plain.ids.ids)
    for parent, id in enumerate(plain.ids.ids.tolist()):
        family = split.ids.ids[split.parents == parent]
        assert tokenizer.decode_bytes(family) == tokenizer.token_bytes(id)
    assert np.array_equal(split.ids.ids[split.answer_mask()], plain.ids.ids[plain.answer_mask()])
    assert np.array_equal(plain.answer_mask()[split.parents], split.answer_mask())


def test_an_answer_has_the_ids_it_has_behind_its_question(tmp_path: Path) -> None:
    """Of a vocabulary that puts a space in front of every text, an answer by itself would get two."""
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
    letters = sorted(set("".join(q.text + q.answer for q in QUESTIONS)) - {" "})
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", "<|end|>", *byte_tokens, "\u2581", *letters])}
    metaspace = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        ],
    }
    tree = {
        "added_tokens": [],
        "normalizer": metaspace,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": [],
            "byte_fallback": True,
            "unk_token": "<unk>",
            "fuse_unk": True,
        },
    }
    (tmp_path / "prefixed.json").write_text(json.dumps(tree))
    tokenizer = fissile.Tokenizer.from_file(tmp_path / "prefixed.json")
    assert tokenizer.encode(" a").tolist() == [vocab["\u2581"], vocab["\u2581"], vocab["a"]]
    set_ = tokenize(QUESTIONS, tokenizer)
    for i, question in enumerate(QUESTIONS):
        assert tokenizer.decode(set_.ids[i]) == question.text + question.answer
        assert len(set_.ids[i]) - set_.answer_begins[i] == len(question.answer)


def test_a_token_never_crosses_the_border() -> None:
    """Though here the text of both has one that would."""
    ranks = {bytes([b]): b for b in range(256)} | {b": ": 256}
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "none")
    set_ = tokenize(QUESTIONS, tokenizer, split=fissile.StochasTok(0.5), seed=1)
    for i, question in enumerate(QUESTIONS):
        assert tokenizer.decode(set_.ids[i][set_.answer_begins[i] :]) == question.answer


def test_ids_have_the_type_asked_for() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2", {"<|end|>": 1000})
    small = tokenize(QUESTIONS, tokenizer, dtype=np.uint16, end=1000)
    assert small.ids.ids.dtype == np.uint16
    assert small.ids == tokenize(QUESTIONS, tokenizer, end=1000).ids
    assert tokenize([], tokenizer, dtype=np.uint16).ids.ids.dtype == np.uint16
    with pytest.raises(ValueError, match="dtype uint8 holds ids up to 255"):
        tokenize(QUESTIONS, tokenizer, dtype=np.uint8)


def test_numpy_numbers_are_numbers() -> None:
    assert language_game(WORDS, np.int64(5), seed=np.int64(1)) == language_game(WORDS, 5, seed=1)  # type: ignore[arg-type]
    assert language_game(WORDS, {"train": np.int32(5)}, seed=1) == language_game(WORDS, 5, seed=1)  # type: ignore[dict-item]
    assert character_tasks(WORDS, np.int64(5), seed=1) == character_tasks(WORDS, 5, seed=1)  # type: ignore[arg-type]
    assert language_game((w for w in WORDS), 5, 1, (k for k in KINDS)) == language_game(WORDS, 5, 1)  # type: ignore[arg-type]


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
    for make in (language_game, character_tasks):
        for kind, n, message in (
            (ValueError, -1, "n must not be negative, found -1"),
            (TypeError, 5.5, "n must be an integer, not float"),
            (TypeError, None, "n must be an integer, not NoneType"),
            (TypeError, True, "n must be an integer, not bool"),
        ):
            with pytest.raises(kind, match=message):
                make(WORDS, n, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="seed must be an integer, not NoneType"):
            make(WORDS, 1, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="words must be a sequence of words, not a str"):
            make("abc", 1, 1)
        with pytest.raises(TypeError, match=r"words\[1\] must be a str, not int"):
            make(["a", 1], 1, 1)  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"n\['valid'\] must not be negative, found -2"):
        language_game(WORDS, {"train": 1, "valid": -2}, 1)
    with pytest.raises(ValueError, match="kinds is empty, expected some of most, contains"):
        language_game(WORDS, 1, 1, kinds=[])
    with pytest.raises(ValueError, match="tasks is empty, expected some of count"):
        character_tasks(WORDS, 1, 1, tasks=[])
    with pytest.raises(TypeError, match=r"kinds must be a sequence of names, such as \['most'\], not a str"):
        language_game(WORDS, 1, 1, kinds="most")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shares are all 0"):
        language_game(WORDS, {"train": 1, "valid": 1}, 1, shares={"train": 0, "valid": 0})
    for share in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"shares\['valid'\] must be a number of at least 0"):
            language_game(WORDS, {"train": 1, "valid": 1}, 1, shares={"train": 2, "valid": share})


def test_what_makes_no_sense_in_a_set_is_refused() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2", {"<|end|>": 1002})
    for end in (-1, 1000, 1003, 10**6):  # 1000 and 1001 are no token's
        with pytest.raises(ValueError, match=f"end must be the id of a token, not {end}"):
            tokenize(QUESTIONS, tokenizer, end=end)
    with pytest.raises(TypeError, match="end must be an integer, not str"):
        tokenize(QUESTIONS, tokenizer, end="<|end|>")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"questions\[1\] must be a Question, not str"):
        tokenize([QUESTIONS[0], "x"], tokenizer)  # type: ignore[list-item]
    for option in ("eod", "return_parents"):  # `end` and TokenizedQuestions.parents
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
            tokenize(QUESTIONS, tokenizer, **{option: 1000})  # type: ignore[arg-type]
