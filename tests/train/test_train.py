"""fissile.train: every option, the tokenizer that comes out, and the report."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import fissile
from reference.pretokenize import PATTERNS
from reference.superwords import words_of
from reference.texts import WORLD, library_text
from reference.train import train as definition

TEXT = library_text(20_000) + WORLD
MORE = library_text(60_000)[30_000:]


def trained(size: int = 400, text: str = TEXT, **options: Any) -> fissile.TrainedTokenizer:
    return fissile.train([text.encode()], size, options.pop("pattern", "gpt2"), sequence="document", **options)


@pytest.fixture(scope="module")
def small() -> fissile.TrainedTokenizer:
    return trained(special_tokens=["<|end|>", "<pad>"])


def test_merges_are_those_of_the_definition(small: fissile.TrainedTokenizer) -> None:
    assert small.merges == definition(words_of([TEXT], "gpt2"), 400, [b"<|end|>", b"<pad>"])
    assert small.special_tokens == {"<|end|>": 0, "<pad>": 1}
    assert small.n_vocab == 400


def test_gpt4_is_the_pattern_unless_another_is_named() -> None:
    assert fissile.train([TEXT.encode()], 350).merges == fissile.train([TEXT.encode()], 350, "cl100k").merges


def test_counts_train_what_their_text_does(small: fissile.TrainedTokenizer) -> None:
    counts = fissile.count([TEXT.encode()], pattern="gpt2", sequence="document")
    assert fissile.train(counts, 400, special_tokens=["<|end|>", "<pad>"]).merges == small.merges


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(small: fissile.TrainedTokenizer, threads: int) -> None:
    assert trained(special_tokens=["<|end|>", "<pad>"], threads=threads) == small


def test_saved_tokenizer_is_the_same(small: fissile.TrainedTokenizer, tmp_path: Path) -> None:
    small.save(tmp_path / "tokenizer.json")
    loaded = fissile.Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert loaded == small
    text = TEXT + "<|end|>" + MORE
    assert loaded.encode(text).tolist() == small.encode(text).tolist()
    assert small.decode(small.encode(text)) == text
    assert pickle.loads(pickle.dumps(small)) == small == copy.deepcopy(small)


def test_model_is_the_one_that_its_file_gives(tmp_path: Path) -> None:
    # Spelt in the byte-level alphabet but not as they are, outside of it, and like the name of a reserved id.
    special = ["<|end|>", "é", "<|two words|>", "<|reserved_5|>", "▁"]
    tokenizer = trained(special_tokens=special, reserved=3, pad_to=64)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    ours, theirs = (t._vocabulary.parts("merges") for t in (tokenizer, fissile.Tokenizer.from_file(path)))
    for name, array in ours.items():
        assert array.tolist() == theirs[name].tolist(), name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_tokenizers_loads_it_and_gives_the_same_ids(pattern: str, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = trained(pattern=pattern, special_tokens=["<|end|>"], matched_tokens=["def "], reserved=2, pad_to=64)
    tokenizer.save(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in (TEXT, WORLD, "<|end|> def x: <|reserved_2|>", "naïve"):
        assert tokenizer.encode(text).tolist() == theirs.encode(text).ids
    assert theirs.get_vocab_size() == tokenizer.n_vocab


def test_ranks_are_those_of_tiktoken(small: fissile.TrainedTokenizer, tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    from tiktoken.load import load_tiktoken_bpe

    from fissile.formats.tiktoken import PATTERNS

    tokenizer = trained(special_tokens=["<|end|>"], reserved=2, pad_to="power_of_two")
    tokenizer.save(tmp_path / "t.tiktoken")
    ranks = load_tiktoken_bpe(str(tmp_path / "t.tiktoken"))
    theirs = tiktoken.Encoding("t", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={"<|end|>": 0})
    for text in (TEXT, MORE, WORLD):
        assert theirs.encode_ordinary(text) == tokenizer.encode(text).tolist()


def test_cut_is_training_with_a_smaller_vocabulary(small: fissile.TrainedTokenizer) -> None:
    cut = small.cut(300)
    assert cut == trained(300, special_tokens=["<|end|>", "<pad>"])
    assert cut.n_vocab == 300
    assert small.cut(400) == small
    assert small.cut(258).merges == []
    for size in (257, 401):
        with pytest.raises(ValueError, match=f"vocab_size is {size}"):
            small.cut(size)


# --- options ----------------------------------------------------------------------------------------------------------


def test_seed_tokens_are_made_first_by_merges() -> None:
    tokenizer = trained(seed_tokens=[" tokenizer", b"argparse", " token"])
    made = [left + right for left, right in tokenizer.merges]
    assert made.index(b" tokenizer") < made.index(b"argparse")
    assert made[:2] == [b" t", b" to"]
    for seed in (" tokenizer", "argparse", " token"):
        assert tokenizer.encode(seed).tolist() == [tokenizer.token_id(seed)]
    n_seeds = made.index(b"argparse") + 1
    words = words_of([TEXT], "gpt2")
    assert sum(words.values()) == tokenizer.report.n_pretokens
    assert len(set(made)) == len(made) == 400 - 256
    assert n_seeds < 20
    assert all(len(pair) == 2 for pair in tokenizer.report.not_occurring)
    assert (b" tokenize", b"r") in tokenizer.report.not_occurring


@pytest.mark.parametrize(("seed", "message"), [("two words", "split by pattern"), ("", "empty")])
def test_seed_tokens_must_be_possible(seed: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained(seed_tokens=[seed])


def test_matched_tokens_are_found_before_text_is_split() -> None:
    tokenizer = trained(special_tokens=["<s>"], matched_tokens=["import argparse"])
    assert tokenizer.encode("import argparse").tolist() == [1]
    assert tokenizer.special_tokens == {"<s>": 0}


def test_reserved_ids_and_padding_are_no_texts() -> None:
    tokenizer = trained(special_tokens=["<s>"], reserved=5, pad_to=128)
    assert tokenizer.n_vocab == 512
    unused = tokenizer.unreachable_tokens.tolist()
    assert unused == [*range(1, 6), *range(400, 512)]
    assert not set(tokenizer.encode("".join(map(tokenizer.decode, [[id] for id in unused])))) & set(unused)
    assert len(tokenizer.merges) == 400 - 6 - 256
    assert trained(pad_to="power_of_two").n_vocab == 512
    assert trained(512, pad_to="power_of_two").n_vocab == 512


@pytest.mark.parametrize("longest", [2, 3, 4])
def test_character_level_vocabularies(longest: int) -> None:
    tokenizer = trained(600, max_token_length=longest)
    tokens = [left + right for left, right in tokenizer.merges]
    assert max(map(len, tokens)) == longest
    strict = trained(600, max_token_length=longest + 1, hf_compatible=True)
    assert strict.merges == tokenizer.merges
    by_chars = trained(600, max_token_length=longest, length_unit="chars")
    assert max(len(token.decode(errors="ignore")) for token in (a + b for a, b in by_chars.merges)) == longest


def test_alphabet_as_seen_has_no_other_bytes() -> None:
    tokenizer = fissile.train([b"abc abd abc"], 30, "gpt2", alphabet="seen")
    assert tokenizer.n_vocab < 30
    assert {tokenizer.token_bytes(id) for id in range(5)} == {b"a", b"b", b"c", b"d", b" "}


def test_min_frequency_ends_training() -> None:
    tokenizer = trained(5000, min_frequency=20)
    assert tokenizer.n_vocab < 5000
    assert tokenizer.report.last_count >= 20


def test_continuing_keeps_ids_and_merges(small: fissile.TrainedTokenizer) -> None:
    longer = trained(450, text=MORE, continue_from=small, pattern=None)
    assert longer.merges[: len(small.merges)] == small.merges
    assert longer.n_vocab == 450
    assert longer.special_tokens == small.special_tokens
    same = trained(450, continue_from=small.cut(330), pattern=None)
    assert same.merges == trained(450, special_tokens=["<|end|>", "<pad>"]).merges


def test_inherited_merges_that_do_not_occur_are_reported() -> None:
    first = fissile.train([b"xyxyxy zzz"] * 3, 262, "gpt2")
    second = fissile.train([b"zzz zzz ab ab"], 265, continue_from=first)
    made = {left + right for left, right in second.report.not_occurring}
    assert b"xy" in made
    assert b"zz" not in made


def test_continuing_from_a_rank_file() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"th": 256, b"the": 257, b"he": 258}
    first = fissile.Tokenizer.from_ranks(ranks, pattern="gpt2", special_tokens={"<|e|>": 259})
    longer = fissile.train([TEXT.encode()], 300, continue_from=first, special_tokens=["<|new|>"])
    assert longer.special_tokens == {"<|e|>": 259, "<|new|>": 260}
    assert longer.token_id(b"the") == 257
    assert longer.merges[:2] == [(b"t", b"h"), (b"th", b"e")]


# --- the report -------------------------------------------------------------------------------------------------------


def test_report_says_what_happened(small: fissile.TrainedTokenizer) -> None:
    report = small.report
    ids = small.encode(TEXT)
    assert report.n_bytes == len(TEXT.encode())
    assert (report.n_merges, report.vocab_size, report.pattern, report.sequence) == (142, 400, "gpt2", "document")
    assert report.n_pretokens == sum(words_of([TEXT], "gpt2").values())
    assert report.curve[-1].tolist() == [400, report.n_bytes / len(ids)]
    used = set(ids.tolist())
    assert report.unused.tolist() == [id for id in range(2, 400) if id not in used]
    assert report.longest[0] == max((small.token_bytes(id) for id in range(2, 400)), key=len)
    text = repr(report)
    assert "400 ids, 142 merges" in text
    assert "merging" in text


def test_report_measures_held_out_texts() -> None:
    tokenizer = trained(600, held_out={"more": MORE, "world": WORLD.encode()})
    for name, text in (("more", MORE), ("world", WORLD)):
        curve = tokenizer.report.held_out[name]
        assert curve[:, 0].tolist() == [512, 600]
        assert curve[-1, 1] == len(text.encode()) / tokenizer.count(text)
        assert curve[0, 1] == len(text.encode()) / tokenizer.cut(512).count(text)
    assert "(more)" in repr(tokenizer.report)
    assert "held-out text" in trained(300, held_out=MORE).report.held_out


def test_report_plots(small: fissile.TrainedTokenizer) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = small.report.plot()
    assert axes.get_xlabel() == "vocabulary size"
    assert small.report.plot(axes) is axes


def test_report_warns_of_what_is_no_text() -> None:
    report = fissile.train([b"a" * 1_100_000], 270, "gpt2").report
    assert "1,100,000 bytes" in report.warnings[0]
    assert "warning" in repr(report)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 255}, "255, but special tokens, alphabet"),
        ({"vocab_size": 0}, "vocab_size must be from 1 to"),
        ({"pattern": "nonsense"}, "nonsense"),
        ({"special_tokens": ["a", "a"]}, "given twice"),
        ({"special_tokens": [""]}, "empty"),
        ({"max_token_length": 0}, "max_token_length"),
        ({"length_unit": "words"}, "length_unit"),
        ({"hf_compatible": True, "length_unit": "chars"}, "hf_compatible"),
        ({"alphabet": "latin"}, "alphabet"),
        ({"pad_to": 0}, "pad_to"),
        ({"reserved": -1}, "reserved"),
        ({"threads": 0}, "threads"),
        ({"min_frequency": -1}, "min_frequency"),
    ],
)
def test_wrong_arguments_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fissile.train([b"some text"], **({"vocab_size": 300} | options))


def test_an_empty_corpus_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        fissile.train([b""], 300)


def test_counts_of_another_pattern_are_an_error(small: fissile.TrainedTokenizer) -> None:
    counts = fissile.count([TEXT.encode()], pattern="gpt2")
    with pytest.raises(ValueError, match=r"'cl100k'.*'gpt2'"):
        fissile.train(counts, 400, "gpt4")
    with pytest.raises(ValueError, match=r"'llama3'.*'gpt2'"):
        fissile.train([TEXT.encode()], 400, "llama3", continue_from=small)
    with pytest.raises(ValueError, match="sequence"):
        fissile.train(counts, 400, sequence="line")


def test_what_comes_first_does_not_go_with_continuing(small: fissile.TrainedTokenizer) -> None:
    for name, value in {"reserved": 1, "seed_tokens": ["a"], "matched_tokens": ["b"]}.items():
        with pytest.raises(ValueError, match=name):
            fissile.train([TEXT.encode()], 500, continue_from=small, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"special_tokens": "abc"}, TypeError, "special_tokens must be a collection of texts, not one str"),
        ({"special_tokens": [b"x"]}, TypeError, "special_tokens must hold texts, each a str, found b'x'"),
        ({"special_tokens": ["a", "a"]}, ValueError, "'a' is given twice"),
        ({"matched_tokens": "abc"}, TypeError, "matched_tokens must be a collection of texts"),
        ({"special_tokens": ["a"], "matched_tokens": ["a"]}, ValueError, "'a' is given twice"),
        ({"seed_tokens": "the"}, TypeError, "seed_tokens must be a list"),
        ({"seed_tokens": b"the"}, TypeError, "seed_tokens must be a list"),
        ({"seed_tokens": [1]}, TypeError, r"seed_tokens\[0\] must be str or bytes, not int"),
        ({"seed_tokens": ["a", ""]}, ValueError, r"seed_tokens\[1\]"),
        ({"seed_tokens": ["two words"]}, ValueError, "split by pattern"),
        ({"seed_tokens": ["two words"], "alphabet": "seen"}, ValueError, "split by pattern"),
        ({"held_out": ["a", "b"]}, TypeError, "held_out must be str, bytes"),
        ({"held_out": 3}, TypeError, "held_out must be str, bytes"),
        ({"held_out": {"a": 3}}, TypeError, r"held_out\['a'\] must be str, bytes"),
        ({"vocab_size": 100}, ValueError, "vocab_size is 100"),
        ({"vocab_size": 20, "special_tokens": ["a"], "reserved": 20, "alphabet": "seen"}, ValueError, "take 21 ids"),
        ({"superword_at": 100}, ValueError, "superword_at is 100"),
        ({"pattern": ""}, ValueError, "pattern is empty"),
        ({"checkpoint": "no such directory/state"}, FileNotFoundError, "no such directory"),
        ({"checkpoint": "."}, IsADirectoryError, "found a directory"),
        ({"superword_at": 260, "superword_inputs": []}, ValueError, "superwords is empty"),
        ({"superword_at": 260, "superword_inputs": ["no such file"]}, FileNotFoundError, "no such file"),
        ({"superword_at": 260, "superword_inputs": "EMPTY"}, ValueError, "superwords is empty"),
        ({"limit_alphabet": 9}, ValueError, "limit_alphabet is of use with alphabet='seen'"),
        ({"limit_alphabet": 0, "alphabet": "seen"}, ValueError, "limit_alphabet"),
        ({"limit_alphabet": 2, "alphabet": "seen", "seed_tokens": ["abc"]}, ValueError, "have 3 different bytes"),
        ({"superword_unit": "runs"}, ValueError, "superword_unit is of no use without superword_at"),
        ({"superword_words": None}, ValueError, "superword_words is of no use"),
        ({"superword_colon": True}, ValueError, "superword_colon is of no use"),
        ({"superword_newline_end": False}, ValueError, "superword_newline_end is of no use"),
    ],
)
def test_mistakes_are_found_before_counting(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **others: object) -> None:
        raise AssertionError("counted in vain")

    monkeypatch.chdir(tmp_path)
    Path("EMPTY").touch()
    monkeypatch.setattr("fissile.counting.count", never)
    with pytest.raises(error, match=message):
        fissile.train([b"some text"], **({"vocab_size": 300} | options))


def test_superwords_of_no_text_are_an_error() -> None:
    with pytest.raises(ValueError, match="superwords is empty"):
        fissile.train([b"some text"], 300, superword_at=260, superword_inputs=[b"", b""])


def test_size_of_what_is_gone_on_from_is_named_as_it_was_given(small: fissile.TrainedTokenizer) -> None:
    with pytest.raises(ValueError, match=r"superword_at is 410, expected from 258 \(no merges\) to 400"):
        fissile.train([TEXT.encode()], 500, continue_from=small, superword_at=410)


def test_a_limit_of_the_alphabet_keeps_the_most_frequent_bytes() -> None:
    text = b"aaaa bbb aab cc d aaaa"
    tokenizer = fissile.train([text], 30, "gpt2", alphabet="seen", limit_alphabet=3)
    assert {tokenizer.token_bytes(id) for id in range(3)} == {b"a", b"b", b" "}
    assert tokenizer.decode_bytes(tokenizer.encode(text)) == b"aaaa bbb aab   aaaa"
    seeded = fissile.train([text], 30, "gpt2", alphabet="seen", limit_alphabet=3, seed_tokens=["xa"])
    assert {seeded.token_bytes(id) for id in range(3)} == {b"a", b"x", b" "}
    whole = fissile.train([text], 30, "gpt2", alphabet="seen")
    assert fissile.train([text], 30, "gpt2", alphabet="seen", limit_alphabet=6) == whole
    longer = fissile.train([text], 12, "gpt2", alphabet="seen", limit_alphabet=3, superword_at=8)
    assert longer.n_vocab <= 12


def test_seed_tokens_are_of_the_alphabet_that_is_seen() -> None:
    tokenizer = fissile.train([b"abc abd abc"], 30, "gpt2", alphabet="seen", seed_tokens=["xyz"])
    assert tokenizer.encode("xyz").tolist() == [tokenizer.token_id(b"xyz")]
    assert tokenizer.token_bytes(0) == b"a"


def test_sizes_are_ints() -> None:
    with pytest.raises(TypeError, match="vocab_size"):
        fissile.train([TEXT.encode()], 300.0)  # type: ignore[arg-type]


def test_report_warns_of_a_vocabulary_that_stayed_small() -> None:
    report = fissile.train([b"ab ab"], 300, "gpt2").report
    assert report.warnings == ["258 ids, fewer than the 300 asked for: no pair is left that may merge"]
    assert fissile.train([b"ab ab"], 258, "gpt2", pad_to=300).report.warnings == []
