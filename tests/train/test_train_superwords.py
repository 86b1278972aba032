"""SuperBPE against its slow definitions, and its tokenizers against `tokenizers`."""

import gzip
import json
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import counting
from fissile.training_superwords import Superwords
from reference.superwords import by_spans, by_words, may_be_superword, words_of
from reference.texts import library_text
from reference.train import train as train_words

PROSE = (
    "By the way, I am a fan of the Milky Way. One of the most common of the many ways is: by the way of the sea.\n"
    "It is one of the best of the lot; this is the end of the day, and by the end of the week it is over.\n\n"
    'There are 1234 of the 99999 ways !!! in the end  of the  story... "As of the time of writing," he said.\n'
)
TEXT = PROSE * 3 + library_text(6_000)

words = st.sampled_from(["of", "the", "in", "a", "of the", "aa", "b", "1", "12", ",", ": ", "...", "\n", "  ", "é"])
texts = st.lists(st.lists(words, min_size=1, max_size=25).map(" ".join), min_size=1, max_size=4)


def documents(text: list[str]) -> list[bytes]:
    """What is read as texts; a list of str is a list of paths."""
    return [part.encode() for part in text]


def lines_of(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]


def stage_one(parts: list[str], n_merges: int) -> list[tuple[bytes, bytes]]:
    return train_words(words_of(parts, "gpt2"), 256 + n_merges)[:n_merges]


def check_line(text: list[str], at: int, size: int, alphabet: str = "bytes") -> None:
    lines = [line for part in text for line in lines_of(part)]
    base = 256 if alphabet == "bytes" else len(set("".join(text).encode()))
    kept = stage_one(lines, at - base)
    found = fissile.train(
        documents(text), size, "gpt2", sequence="line", superword_at=at, superword_unit="line", alphabet=alphabet
    )
    seen = range(256) if alphabet == "bytes" else sorted(set("".join(text).encode()))
    spans = words_of(lines, "superbpe")
    assert found.merges == by_spans(spans, kept[:-1], size, drop=True, alphabet=list(seen))


@pytest.mark.parametrize("alphabet", ["bytes", "seen"])
@pytest.mark.parametrize("keeps", [False, True])
def test_counts_of_the_first_stage_are_gone_in_the_second(
    alphabet: Any, keeps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take as much memory as the text, in the worst case."""
    counted: list[weakref.ref[Any]] = []
    were_there: list[bool] = []
    count, add = counting.count, Superwords.add

    def observed_count(*arguments: Any, **options: Any) -> Any:
        counts = count(*arguments, **options)
        counted.append(weakref.ref(counts._core))
        return counts

    def observed_add(*arguments: Any) -> Any:
        were_there.append(counted[0]() is not None)
        return add(*arguments)

    monkeypatch.setattr(counting, "count", observed_count)
    monkeypatch.setattr(Superwords, "add", observed_add)
    checkpoint = tmp_path / "checkpoint" if keeps else None
    fissile.train([TEXT.encode()], 320, "gpt2", superword_at=300, alphabet=alphabet, checkpoint=checkpoint)
    assert were_there == [False]


@given(texts, st.integers(258, 275), st.integers(1, 30))
@settings(max_examples=30)
def test_line_is_what_the_paper_does(text: list[str], at: int, more: int) -> None:
    if sum(len(word) - 1 for word in words_of([line for t in text for line in lines_of(t)], "gpt2")) > 20:
        check_line(text, at, at + more)


@pytest.mark.parametrize("alphabet", ["bytes", "seen"])
def test_line_on_real_text(alphabet: str) -> None:
    check_line([TEXT], 400, 520, alphabet)


@given(texts, st.integers(258, 275), st.integers(1, 30))
@settings(max_examples=30)
def test_document_keeps_all_inherited_merges(text: list[str], at: int, more: int) -> None:
    merges = stage_one(text, at - 256)
    found = fissile.train(documents(text), at + more, "gpt2", sequence="document", superword_at=at)
    expected = by_spans(words_of(text, "superbpe"), merges, at + more, drop=False, alphabet=range(256))
    assert found.merges == expected


@given(texts, st.integers(258, 290), st.integers(1, 30), st.integers(1, 3))
@settings(max_examples=40)
def test_counted_runs_give_what_the_text_itself_gives(text: list[str], at: int, more: int, threads: int) -> None:
    merges = stage_one(text, at - 256)
    size = at + more
    found = fissile.train(
        documents(text), size, "gpt2", sequence="document", superword_at=at, superword_unit="runs", threads=threads
    )
    assert found.merges == by_words(text, "gpt2", merges, size)


def test_superwords_of_runs_are_whole_words() -> None:
    lines = lines_of(TEXT)
    found = fissile.train([TEXT.encode()], 460, "gpt2", sequence="line", superword_at=400, superword_unit="runs")
    assert found.merges == by_words(lines, "gpt2", stage_one(lines, 144), 460)
    assert b" of the" in [left + right for left, right in found.merges]


def test_stage_two_goes_on_from_any_tokenizer() -> None:
    first = fissile.train([TEXT.encode()], 600, "gpt2", sequence="document")
    found = fissile.train([TEXT.encode()], 450, continue_from=first, sequence="document", superword_at=400)
    assert found.merges[:144] == first.merges[:144]
    assert found.merges == fissile.train([TEXT.encode()], 450, "gpt2", sequence="document", superword_at=400).merges


@pytest.mark.parametrize("unit", ["line", "document", "runs"])
def test_tokenizers_gives_the_same_ids(unit: str, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = fissile.train(
        [TEXT.encode()], 480, "gpt4", special_tokens=["<|end|>"], superword_at=450, superword_unit=unit
    )
    tokenizer.save(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in (TEXT, PROSE + "<|end|>", "naïve  of the\n\n\n12345 !!!/\n", ""):
        assert tokenizer.encode(text).tolist() == theirs.encode(text).ids
    assert all(may_be_superword(left + right) for left, right in tokenizer.merges[-100:])
    assert tokenizer.count(TEXT) < fissile.train([TEXT.encode()], 450, "gpt4").count(TEXT)


def test_report_goes_on_with_the_second_stage() -> None:
    tokenizer = fissile.train([TEXT.encode()], 480, "gpt2", sequence="document", superword_at=400)
    sizes = tokenizer.report.curve[:, 0].tolist()
    assert sizes == [400, 400, 480] or sizes == [400, 480]
    ids = tokenizer.encode(TEXT)
    assert tokenizer.report.curve[-1].tolist() == [480, len(TEXT.encode()) / len(ids)]
    assert tokenizer.report.unused.tolist() == sorted(set(range(480)) - set(ids.tolist()))
    assert tokenizer.report.n_merges == 224
    assert "superwords    from 400 ids on, within a document\n" in repr(tokenizer.report)
    whole = fissile.train([TEXT.encode()], 480, "gpt2", sequence="line", superword_at=400, superword_unit="runs")
    assert whole.report.curve[-1][1] > whole.report.curve[0][1]
    assert "superwords    from 400 ids on, within runs of whole words\n" in repr(whole.report)
    assert "superwords" not in repr(fissile.train([TEXT.encode()], 300, "gpt2").report)


def test_runs_of_words_report_progress(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE * 100_000)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": PROSE}).encode()))
    inputs = [tmp_path / "a.txt", tmp_path / "b.jsonl.gz"]
    calls: list[tuple[str, int, int | None]] = []
    # One thread: sixteen are done with the file before there is time for a second report.
    options: dict[str, Any] = {"superword_at": 300, "superword_unit": "runs", "threads": 1}
    fissile.train(inputs, 320, "gpt2", progress=lambda *call: calls.append(call), **options)
    told = [(done, total) for phase, done, total in calls if phase == "count runs of words"]
    size = sum(path.stat().st_size for path in inputs)
    assert {total for _, total in told} == {size}
    assert told == sorted(told)
    assert told[-1][0] == size
    assert any(0 < done < size // 2 for done, _ in told)  # while one file was being counted
    calls.clear()
    fissile.train([PROSE.encode()], 320, "gpt2", progress=lambda *call: calls.append(call), **options)
    told = [(done, total) for phase, done, total in calls if phase == "count runs of words"]
    assert told[-1] == (len(PROSE.encode()), None)


def test_filters_are_options() -> None:
    options: dict[str, Any] = {"sequence": "document", "superword_at": 400}
    free = fissile.train([PROSE.encode() * 3], 520, "gpt2", superword_words=None, superword_colon=True, **options)
    made = [left + right for left, right in free.merges]
    assert any(b": " in token for token in made)
    assert any(len(token.split()) > 4 for token in made)
    tight = fissile.train([TEXT.encode()], 520, "gpt2", superword_words=2, superword_newline_end=False, **options)
    late = [left + right for left, right in tight.merges[144:]]
    assert late
    assert not any(token.endswith(b"\n") or len(token.split()) > 2 for token in late)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"superword_at": 300}, "less than vocab_size"),
        ({"superword_at": 100}, "superword_at is 100"),
        ({"superword_at": 260, "superword_unit": "word"}, "superword_unit"),
        ({"superword_inputs": ["a"]}, "no use without superword_at"),
        ({"superword_at": 260, "superword_words": 0}, "superword_words"),
    ],
)
def test_wrong_arguments_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fissile.train([b"a b c"], 300, **options)


def test_a_second_reading_needs_something_to_read() -> None:
    with pytest.raises(ValueError, match="can be read once"):
        fissile.train(iter(["a b c"]), 300, superword_at=260)
    counts = fissile.count([b"a b c"], pattern="gpt2")
    with pytest.raises(ValueError, match="hold no superwords"):
        fissile.train(counts, 300, superword_at=260)
    with pytest.raises(ValueError, match="read from text"):
        fissile.train(counts, 300, superword_at=260, superword_unit="runs")
