"""Counting and training with regular expressions that are not built in, against `regex` line by line and `tokenizers`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import PretokenCounts
from fissile.counting import count_to_file, merge_files
from reference.pretokenize import known
from reference.texts import WORLD, library_text

# Digits two at a time, as nanochat has them; one that drops what is no word; runs of anything but digits.
TWO_DIGITS = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
EXPRESSIONS = [TWO_DIGITS, r" ?\p{L}+|\n+", r"\D+|\d", r"a*"]
TEXT = known(library_text(20_000) + WORLD)


def reference(texts: list[str], expression: str, sequence: str) -> dict[bytes, int]:
    counts: Counter[bytes] = Counter()
    for text in texts:
        parts = regex.findall(r"[^\n]*\n|[^\n]+", text) if sequence == "line" else [text]
        for part in parts:
            counts.update(found.group().encode() for found in regex.finditer(expression, part) if found.group())
    return dict(counts)


@pytest.mark.parametrize("sequence", ["line", "document"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counts_are_the_matches(expression: str, sequence: str, tmp_path: Path) -> None:
    expected = reference([TEXT], expression, sequence)
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"text": TEXT}) + "\n")
    for inputs in (path, iter([TEXT]), [TEXT.encode()], rows):
        for threads in (1, 3):
            found = fissile.count(inputs, expression, sequence=sequence, threads=threads)  # type: ignore[arg-type]
            assert dict(found) == expected
            if not isinstance(inputs, Path):
                break
    assert found.pattern == expression


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ab1 \n'é漢\u00a0", max_size=30), max_size=4), st.sampled_from(EXPRESSIONS))
def test_any_text(texts: list[str], expression: str) -> None:
    for sequence in ("line", "document"):
        found = fissile.count(iter(texts), expression, sequence=sequence)  # type: ignore[arg-type]
        assert dict(found) == reference(texts, expression, sequence)


def test_special_tokens_weights_and_a_small_budget(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "<|end|>" + TEXT)
    one = fissile.count(path, TWO_DIGITS, special_tokens=["<|end|>"])
    assert dict(one) == {pretoken: 2 * n for pretoken, n in fissile.count(iter([TEXT]), TWO_DIGITS)}
    assert fissile.count({path: 3}, TWO_DIGITS, special_tokens=["<|end|>"], memory_bytes=1).total == 3 * one.total


def test_bytes_that_are_no_text_count_as_they_are() -> None:
    assert dict(fissile.count([b"a\xff\xfe1\n\xe2\x82"], r"\D+|\d")) == {
        b"a\xff\xfe": 1,
        b"1": 1,
        b"\n": 1,
        b"\xe2\x82": 1,
    }


def test_files_of_counts(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    whole = fissile.count([path, path], TWO_DIGITS)
    for name in ("a", "b"):
        count_to_file(tmp_path / name, path, TWO_DIGITS)
    merge_files([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert PretokenCounts.load(tmp_path / "both") == whole
    assert fissile.train(whole, 400).merges == fissile.train([path, path], 400, TWO_DIGITS).merges
    with pytest.raises(ValueError, match="counts were made with"):
        fissile.train(whole, 400, "gpt2")
    assert PretokenCounts.from_counts(dict(whole), TWO_DIGITS).pattern == TWO_DIGITS


def test_published_expressions_take_the_core() -> None:
    from fissile.formats.patterns import PATTERNS

    assert fissile.count(iter([TEXT]), PATTERNS["o200k"]).pattern == "o200k"


@pytest.mark.parametrize("expression", EXPRESSIONS[:3])
def test_merges_and_ids_are_those_of_tokenizers(expression: str, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    pre = tokenizers.pre_tokenizers
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    # Oniguruma has no possessive quantifiers after a range; none of these has one.
    split = pre.Split(tokenizers.Regex(expression), "removed", invert=True)
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False, special_tokens=["<|end|>"]
    )
    theirs.train([str(path)], trainer)
    ours = fissile.train([path], 500, expression, special_tokens=["<|end|>"])
    merges = json.loads(theirs.to_str())["model"]["merges"]
    saved = tmp_path / "tokenizer.json"
    ours.save(saved)
    assert json.loads(saved.read_text())["model"]["merges"] == merges
    loaded = tokenizers.Tokenizer.from_file(str(saved))
    again = fissile.Tokenizer.from_file(saved)
    for text in (TEXT[:3000], "it's 12345 <|end|>\n\n é1"):
        assert ours.encode(text).tolist() == theirs.encode(text).ids == loaded.encode(text).ids
        assert again.encode(text).tolist() == ours.encode(text).tolist()


def test_the_other_ways_out_and_further(tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    from tiktoken.load import load_tiktoken_bpe

    tokenizer = fissile.train([TEXT.encode()], 400, TWO_DIGITS, seed_tokens=[" tokenizer"])
    tokenizer.save(tmp_path / "t.tiktoken")
    ranks = load_tiktoken_bpe(str(tmp_path / "t.tiktoken"))
    theirs = tiktoken.Encoding("t", pat_str=TWO_DIGITS, mergeable_ranks=ranks, special_tokens={})
    assert theirs.encode_ordinary(TEXT) == tokenizer.encode(TEXT).tolist()
    assert tokenizer.cut(300).merges == tokenizer.merges[:44]
    more = fissile.train([TEXT.encode()], 500, continue_from=tokenizer)
    assert more.merges[: len(tokenizer.merges)] == tokenizer.merges
    assert more.n_vocab == 500
    superwords = fissile.train([TEXT.encode()], 500, TWO_DIGITS, superword_at=400)
    assert superwords.merges[:100] == fissile.train([TEXT.encode()], 400, TWO_DIGITS).merges[:100]


def test_a_tokenizer_that_training_cannot_go_on_from_is_refused_before_counting(tmp_path: Path) -> None:
    fissile.train([TEXT.encode()], 300, TWO_DIGITS).save(tmp_path / "expression.json")
    nfc = json.loads((tmp_path / "expression.json").read_text())
    nfc["normalizer"] = {"type": "NFC"}
    nfc["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    (tmp_path / "nfc.json").write_text(json.dumps(nfc))
    for name, message in (("expression", "splits text as its file says"), ("nfc", "changes text before it splits it")):
        base = fissile.Tokenizer.from_file(tmp_path / f"{name}.json")
        with pytest.raises(ValueError, match=message):
            fissile.train(tmp_path / "not there", 400, continue_from=base)


def test_errors() -> None:
    with pytest.raises(ValueError, match="a group without an end"):
        fissile.count(iter(["a"]), r"(a")
    with pytest.raises(ValueError, match="'gtp2' is not built in"):
        fissile.count(iter(["a"]), "gtp2")
    with pytest.raises(ValueError, match="'runs' needs a first stage with a pattern that is built in"):
        fissile.train([b"a b"], 300, r"\w+|\W+", superword_at=270, superword_unit="runs")
    with pytest.raises(ValueError, match="is split by pattern"):
        fissile.train([b"a1 b"], 300, r"\D+|\d", seed_tokens=["a1"])


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_it_can_be_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text((WORLD + "\n") * 400_000)  # a minute of work
    program = (
        # A process started in the background ignores SIGINT, and Python then leaves it so.
        "import fissile, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def shown(phase, done, total):\n"
        "    if done: print('begun', flush=True)\n"
        f"fissile.count({str(path)!r}, r'\\D+|\\d', progress=shown)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors
