"""Regular expressions that are not built in: cuts and ids of `tiktoken` (fancy-regex) and `tokenizers` (Oniguruma)."""

import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.patterns import PATTERNS, REGEXES
from fissile.pipeline.pre_tokenizers import Pieces, split
from fissile.pipeline.regexes import Matcher, translate
from reference.texts import WORLD, adversarial, library_text, small_ranks

pytest.importorskip("regex")

TEXTS = [
    WORLD,
    *WORLD.splitlines(keepends=True),
    *[
        "",
        " ",
        "\n",
        "a\nb\n",
        "a\r\n\n b  \n",
        "ab12 34567",
        "xx\n\nyy",
        "ſs'S ẞß Kk İiıI",
        "a²b½ \u200d x①",
        "\u0295ʔ",
    ],
    "newer: \u1c89\U0001cc00\U00010940 assigned",
    *(text[:300] for text in adversarial(400).values()),
]
# Of real tokenizers, and each part of the syntax by itself.
PUBLISHED = [
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|\s?\p{L}+|\s?\p{N}{1,2}+|\s?[^\s\p{L}\p{N}]++|\s+$|\s",
    r"[\p{Han}]+|[^[\p{Han}&&\S]\s]+|\s+",
    r"(?m)^.+$|\n",
]
ATOMS = [
    *["a", "b", " ", r"\s", r"\S", r"\w", r"\W", r"\d", r"\h", r"\H", r"\p{L}", r"\pN", r"\p{Lu}", r"\P{L}", r"\p{^L}"],
    *[
        r"[^\s\p{L}]",
        "[a-z]",
        "[^a-z]",
        "[a-z&&[^b]]",
        r"[\w&&\P{L}]",
        "[[a-c][x-z]]",
        "[a-z--[b]]",
        r"[^\W\d]",
        "[]a]",
    ],
    *[
        "(?i:s)",
        "(?i:[a-k])",
        "(?i:'s|'t|'re)",
        "(?-i:a)",
        ".",
        "(?m:.)",
        "(?s:.)",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\z",
        r"\A",
        r"\Z",
    ],
    *["(?=a)", "(?!b)", "(?<=a)", "(?<! )", "(ab|a)", "(?:x|)", "(?>a+)", "(?#note)", r"\R", r"\n", r"[\r\n]"],
    *[r"\x41", r"\x{61}", "[[:alpha:]]", "[[:punct:]]", "[[:^digit:]]", "[[:space:]x]", r"\p{Han}", "日", "[一-龥]"],
]
QUANTIFIERS = [
    *[""] * 6,
    "+",
    "*",
    "?",
    "{1,3}",
    "{2}",
    "{2,}",
    "{,2}",
    "++",
    "*+",
    "?+",
    "{1,3}+",
    "+?",
    "*?",
    "{2}?",
    "{1,2}?",
]


def random_pattern(rng: random.Random) -> str:
    branches = range(rng.randrange(1, 4))
    return "|".join(
        "".join(rng.choice(ATOMS) + rng.choice(QUANTIFIERS) for _ in range(rng.randrange(1, 4))) for _ in branches
    )


def supported(pattern: str, dialect: "object") -> bool:
    try:
        Matcher(pattern, dialect)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def assert_as_oniguruma(pattern: str, source: str, texts: list[str]) -> None:
    """Matches of `pattern` as Oniguruma finds them are those of `source`, in every behaviour."""
    tokenizers = pytest.importorskip("tokenizers")
    behaviors = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    for i, text in enumerate(texts):
        behavior, invert = behaviors[i % 5], i % 3 == 0
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in behavior).lstrip("_")
        theirs = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), snake, invert)
        try:
            wanted = [piece for piece, _ in theirs.pre_tokenize_str(text)]
        except BaseException as error:  # a panic, where Oniguruma gives up after so many steps
            assert "retry-limit" in str(error) or "stack limit" in str(error), error
            continue
        ours = split(Matcher(source, "oniguruma"), behavior, invert)(Pieces.whole(text, True, False))  # type: ignore[arg-type]
        got = [ours.text[a:b] for a, b in zip(ours.begins, ours.ends, strict=True)]
        assert got == wanted, (source, behavior, invert, text[:60])


def assert_as_tiktoken(pattern: str, texts: list[str]) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = small_ranks()
    theirs = tiktoken.Encoding("custom", pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|end|>": 3000})
    ours = fissile.Tokenizer.from_ranks(ranks, pattern, {"<|end|>": 3000})
    for text in texts:
        try:
            wanted = theirs.encode(text + "<|end|>" + text, allowed_special="all")
        except BaseException as error:  # a panic, where fancy-regex gives up after so many steps
            assert "Backtrack" in str(error), error
            continue
        assert ours.encode(text + "<|end|>" + text, allowed_special="all").tolist() == wanted, (pattern, text[:60])


@pytest.mark.parametrize("pattern", PUBLISHED)
def test_published_patterns(pattern: str) -> None:
    assert_as_tiktoken(pattern, [*TEXTS, library_text(20_000)])
    assert_as_oniguruma(pattern, pattern, [*TEXTS, library_text(20_000)])


@pytest.mark.parametrize("seed", range(120))
def test_random_patterns(seed: int) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tiktoken = pytest.importorskip("tiktoken")
    pattern = random_pattern(random.Random(seed))
    if supported(pattern, "oniguruma"):
        try:
            tokenizers.Regex(pattern)
        except Exception:
            pass  # no expression to the owner
        else:
            assert_as_oniguruma(pattern, pattern, TEXTS)
    # tiktoken panics at a match of nothing.
    if supported(pattern, "rust") and all(
        (s[:, 0] < s[:, 1]).all() for s in map(Matcher(pattern, "rust").spans, TEXTS)
    ):
        try:
            tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=small_ranks(), special_tokens={})
        except ValueError:
            return
        assert_as_tiktoken(pattern, TEXTS)
        # What a file is given for Oniguruma means the same there.
        written = translate(pattern, "rust", target="oniguruma")
        for text in TEXTS:
            ours = Matcher(pattern, "rust").spans(text)
            assert Matcher(written, "oniguruma").spans(text).tolist() == ours.tolist(), (pattern, written, text[:60])


@settings(max_examples=100)
@given(st.lists(st.text(max_size=40) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=40), max_size=10))
def test_any_text(texts: list[str]) -> None:
    for pattern in PUBLISHED:
        assert_as_tiktoken(pattern, texts)
        assert_as_oniguruma(pattern, pattern, texts)


def test_published_regexes_take_the_scanner() -> None:
    for regex, name in {**{regex: name for name, regex in PATTERNS.items()}, **REGEXES}.items():
        assert fissile.Tokenizer.from_ranks(small_ranks(), regex)._spec.encoder == {"pattern": name}


def test_all_verbs(tmp_path: Path) -> None:
    pattern = PUBLISHED[1]
    ours = fissile.Tokenizer.from_ranks(small_ranks(), pattern, {"<|end|>": 3000})
    texts = [*TEXTS, library_text(30_000)]
    ids = [ours.encode(text).tolist() for text in texts]
    for threads in (1, 3):
        assert ours.encode_batch(texts, threads).tolist() == ids
        assert ours.count_batch(texts, threads).tolist() == list(map(len, ids))
    assert [ours.count(text) for text in texts] == list(map(len, ids))
    (tmp_path / "text").write_text(texts[-1], "utf-8", newline="")
    assert ours.encode_files(tmp_path / "text").tolist() == [ids[-1]]
    for text in TEXTS:
        for (begin, end), id in zip(ours.offsets(text, "byte").tolist(), ours.encode(text).tolist(), strict=True):
            assert text.encode()[begin:end] == ours.token_bytes(id)
    bad = b"ab\xff\xfe c"
    assert ours.decode_bytes(ours.encode(bad)) == bad
    assert pickle.loads(pickle.dumps(ours)) == ours
    ours.save(tmp_path / "t.json")
    again = fissile.Tokenizer.from_file(tmp_path / "t.json")
    assert [again.encode(text).tolist() for text in texts] == ids
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "t.json"))
    assert [theirs.encode(text, add_special_tokens=False).ids for text in texts] == ids


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("nope", "pattern 'nope' is not built in; expected one of"),
        ("a(b", "a group without an end at character 3"),
        ("a)b", "a closing parenthesis too many at character 1"),
        ("[a", "a set without an end"),
        ("*a", "nothing to repeat at character 1"),
        (r"\K", r"has \\K at character"),
        (r"(?i:\p{Lu})", "the property 'Lu' under"),
        ("(?<!a)(?|b)", "a group of a kind that is not supported"),
        ("a{3,1}", "a repetition that ends before it begins"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fissile.Tokenizer.from_ranks(small_ranks(), pattern)


def test_without_the_regex_package() -> None:
    code = (
        "import sys; sys.modules['regex'] = None\n"
        "import fissile\n"
        "ranks = {bytes([b]): b for b in range(256)}\n"
        "fissile.Tokenizer.from_ranks(ranks, 'cl100k')\n"
        "try:\n    fissile.Tokenizer.from_ranks(ranks, r'\\S+|\\s+')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'fissile[regex]'" in done.stdout
