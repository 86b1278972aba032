"""Ids equal to tiktoken's: published vocabularies on real text, a small one on everything else."""

import functools
import pickle
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.tiktoken import PATTERNS
from reference.merge import by_ranks
from reference.pretokenize import known, pretokens
from reference.texts import WORLD, adversarial, library_text, shared, shared_corpora, small_ranks

PUBLISHED = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


@functools.cache
def pair(pattern: str) -> tuple[fissile.Tokenizer, "object"]:
    """The small vocabulary with one pattern, here and in tiktoken."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = small_ranks()
    theirs = tiktoken.Encoding(
        "small", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 5000}
    )
    return fissile.Tokenizer.from_ranks(ranks, pattern, {"<|endoftext|>": 5000}), theirs


@functools.cache
def published(name: str) -> tuple[fissile.Tokenizer, "object"]:
    """A shared vocabulary, here and in tiktoken."""
    tiktoken = pytest.importorskip("tiktoken")
    data = shared("vocab", f"{name}.tiktoken")
    if data is None:
        pytest.skip("no shared vocabularies")
    import base64

    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, data.splitlines())}
    pattern = PUBLISHED[name]
    theirs = tiktoken.Encoding(name, pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={})
    return fissile.Tokenizer.from_ranks(ranks, pattern), theirs


def documents(text: str) -> list[str]:
    return [text[i : i + 2000] for i in range(0, len(text), 2000)]


def assert_equal(ours: fissile.Tokenizer, theirs: "object", texts: list[str]) -> None:
    wanted = theirs.encode_ordinary_batch(texts)  # type: ignore[attr-defined]
    got = ours.encode_batch(texts, disallowed_special=()).tolist()
    wrong = [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]
    assert not wrong, f"{len(wrong)} texts differ, first {texts[wrong[0]][:100]!r}"


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("corpus", shared_corpora())
def test_shared_text(name: str, corpus: str) -> None:
    text = (shared("corpus", corpus) or b"").decode()
    # The whole corpus is for the benchmarks' check of ids; a slice from the front, the middle and the end here.
    part = 400_000
    middle = len(text) // 2
    assert_equal(*published(name), documents(text[:part] + text[middle : middle + part] + text[-part:]))


@pytest.mark.parametrize("name", PUBLISHED)
def test_hostile_text_with_published_vocabularies(name: str) -> None:
    assert_equal(*published(name), list(adversarial(60_000).values()))


@pytest.mark.parametrize("name", PUBLISHED)
def test_text_of_the_vocabularys_own_tokens(name: str) -> None:
    ours, theirs = published(name)
    rng = random.Random(3)
    texts = []
    for _ in range(1500):
        ids = rng.choices(range(ours.n_vocab), k=rng.randrange(1, 12))
        texts.append(ours.decode_bytes(ids).decode("utf-8", "ignore"))
    assert_equal(ours, theirs, texts)


@pytest.mark.parametrize("name", ["small", *PUBLISHED])
def test_long_pieces(name: str) -> None:
    # Longer than a lane, of letters, tokens, one thing again and again, and all of them in turn.
    ours, theirs = pair("gpt2") if name == "small" else published(name)
    rng = random.Random(5)
    texts = []
    for _ in range(400):
        size = rng.choice([62, 63, 80, 102, 103, 143, 500, 5000]) + rng.randrange(3)
        words = [word for id in rng.choices(range(256, 1000), k=40) if (word := ours.decode([id])).isalpha()]
        letters = rng.choices("etaoinshrdlu", k=40)
        repeated = "".join(rng.choices("ab=- ", k=rng.randrange(1, 12)))
        for parts in (words, letters, [repeated], [*words, *letters, repeated * 20, " " * 30]):
            texts.append("".join(rng.choices(parts, k=size))[:size])
    assert_equal(ours, theirs, texts)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_small_vocabulary_on_real_and_hostile_text(pattern: str) -> None:
    ours, theirs = pair(pattern)
    assert_equal(ours, theirs, [*documents(library_text()), WORLD * 5, *adversarial(5000).values()])


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=300)
@given(texts=st.lists(st.text(max_size=60) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=60), max_size=20))
def test_any_text(pattern: str, texts: list[str]) -> None:
    assert_equal(*pair(pattern), texts)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=50)
@given(text=st.text(st.sampled_from(sorted(set(known(WORLD)))), max_size=40))
def test_any_text_against_the_definition(pattern: str, text: str) -> None:
    ranks = small_ranks()
    wanted = [id for piece in pretokens(pattern, text) for id in by_ranks(piece.encode(), ranks)]
    assert pair(pattern)[0].encode(text, disallowed_special=()).tolist() == wanted


def test_special_tokens_are_handled_as_tiktoken_does() -> None:
    ours, theirs = pair("cl100k")
    text = "a<|endoftext|>b <|endoftext|"
    for arguments in (
        {},
        {"allowed_special": "all"},
        {"allowed_special": {"<|endoftext|>"}},
        {"disallowed_special": ()},
        {"allowed_special": set(), "disallowed_special": "all"},
        {"allowed_special": "all", "disallowed_special": {"<|endoftext|>"}},
        {"disallowed_special": {"<|other|>"}},
    ):
        try:
            wanted: object = theirs.encode(text, **arguments)  # type: ignore[attr-defined]
        except ValueError as error:
            wanted = str(error)
        try:
            got: object = ours.encode(text, **arguments).tolist()  # type: ignore[arg-type]
        except ValueError as error:
            got = str(error)
        assert got == wanted, arguments


@pytest.mark.parametrize("way", ["encode", "encode_batch", "count", "count_batch", "offsets", "encode_files"])
def test_disallowed_text_need_not_be_a_special_token(way: str, tmp_path: Path) -> None:
    """The leftmost that is there is an error, before any special token is taken."""
    ours, theirs = pair("cl100k")
    text = "a<|endoftext|>b hi there\nhit <|endoftext|"
    calls = {
        "encode_batch": lambda given: ours.encode_batch(["x", given[0]], **given[1]),
        "count_batch": lambda given: ours.count_batch(["x", given[0]], **given[1]),
        "encode_files": lambda given: ours.encode_files([tmp_path / "a"], **given[1]),
    }
    (tmp_path / "a").write_text(text, "utf-8", newline="")
    for arguments in (
        {"disallowed_special": {"hi"}},
        {"disallowed_special": ["there", "hi", "xyz"]},
        {"disallowed_special": ("hi there", "hi", "<|endoftext|>")},
        {"disallowed_special": {"re\nhi"}},
        {"disallowed_special": {"<|endoftext|>b"}, "allowed_special": "all"},
        {"disallowed_special": {"nothing", "HI"}},
        {"disallowed_special": {"é"}},
    ):
        try:
            theirs.encode(text, **arguments)  # type: ignore[attr-defined]
            wanted = None
        except ValueError as error:
            wanted = str(error)
        call = calls.get(way, lambda given: getattr(ours, way)(given[0], **given[1]))
        if wanted is None:
            call((text, arguments))
        else:
            with pytest.raises(ValueError) as caught:
                call((text, arguments))
            assert str(caught.value).endswith(wanted), arguments


def test_a_long_text_is_searched_across_its_divisions() -> None:
    ours, _ = pair("cl100k")
    lines = "word\n" * 300_000 + "word\nend"
    with pytest.raises(ValueError, match="end"):
        ours.encode_batch([lines], 4, disallowed_special={"word\nend"})


def test_special_token_arguments_of_wrong_types() -> None:
    ours, theirs = pair("cl100k")
    for arguments, kind, message in (
        ({"allowed_special": {5}}, TypeError, "allowed_special must hold texts of tokens, each a str, found 5"),
        ({"disallowed_special": [b"a"]}, TypeError, "disallowed_special must hold .* found b'a'"),
        ({"allowed_special": 5}, TypeError, "allowed_special must be 'all' or a collection of token texts, not int"),
        ({"allowed_special": "none"}, ValueError, "allowed_special must be 'all' or .*, not 'none'"),
        ({"allowed_special": {"\ud800"}}, ValueError, r"allowed_special holds '\\ud800', which has a lone surrogate"),
        ({"disallowed_special": {""}}, ValueError, "disallowed_special holds '', which is in every text"),
    ):
        for call in (ours.encode, ours.count, ours.offsets, lambda text, **given: ours.encode_batch([text], **given)):
            with pytest.raises(kind, match=message):
                call("a", **arguments)
    # What tiktoken has no value for, as its default is "all": the default.
    assert ours.encode("a", disallowed_special=None).tolist() == theirs.encode("a")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="disallowed special token"):
        ours.encode("<|endoftext|>", disallowed_special=None)


def test_unordered_ranks_merge_as_tiktoken_merges_them() -> None:
    """A token that only a later one leads to: "bc" has to come first for "abc", although its rank is larger."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([b]): b for b in range(256)} | {b"abc": 256, b"bc": 257, b"ab": 258, b"cab": 259, b"xyz": 260}
    theirs = tiktoken.Encoding("odd", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={})
    ours = fissile.Tokenizer.from_ranks(ranks, "gpt2")
    rng = random.Random(1)
    assert_equal(ours, theirs, ["".join(rng.choices("abcxyz ", k=rng.randrange(1, 200))) for _ in range(500)])
    assert [ours.token_bytes(id) for id in ours.unreachable_tokens.tolist()] == [b"xyz"]


@pytest.mark.parametrize("seed", range(30))
def test_random_ranks_merge_as_tiktoken_merges_them(seed: int) -> None:
    """Vocabularies of random strings over few letters: unreachable tokens, unordered ranks, long pieces."""
    tiktoken = pytest.importorskip("tiktoken")
    rng = random.Random(seed)
    ranks = {bytes([b]): b for b in range(256)}
    while len(ranks) < 256 + 60:
        ranks.setdefault(bytes(rng.choices(b"abc", k=rng.randrange(2, 6))), len(ranks))
    theirs = tiktoken.Encoding("random", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={})
    ours = fissile.Tokenizer.from_ranks(ranks, "gpt2")
    texts = ["".join(rng.choices("abc", k=rng.choice([3, 10, 30, 100, 300]))) for _ in range(100)]
    assert_equal(ours, theirs, [*texts, "".join(rng.choices("abc", k=20_000)), "ab" * 5000, "c" * 5000])


def test_tokens_that_only_a_whole_span_can_be() -> None:
    """No merge leads to "日" here, nor to "xyz": alone they are tokens, cut out of a longer span they are not."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([b]): b for b in range(256)} | {"日".encode(): 256, b"xyz": 257, "日本".encode(): 258}
    theirs = tiktoken.Encoding("odd", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={})
    ours = fissile.Tokenizer.from_ranks(ranks, "gpt2")
    texts = ["日", "a日", "日日", " 日", "日a", "日本", "a日本日", "xyz", "axyz", "日xyz日", "日" * 40, "日", "a日"]
    assert_equal(ours, theirs, texts)
    assert [ours.encode(text).tolist() for text in texts] == theirs.encode_ordinary_batch(texts)


def test_an_id_with_two_names() -> None:
    """Text becomes the id by either name. Of two special tokens the first is what it decodes to, as of o200k_harmony."""
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    special = {"<|endofprompt|>": 300, "<|reserved_300|>": 300, "<|ab|>": 256}
    ours = fissile.Tokenizer.from_ranks(ranks, "gpt2", special)
    for tokenizer in (ours, pickle.loads(pickle.dumps(ours))):
        assert tokenizer.special_tokens == special
        ids = tokenizer.encode("ab<|reserved_300|><|ab|><|endofprompt|>", allowed_special="all")
        assert ids.tolist() == [256, 300, 256, 300]
        assert tokenizer.decode(ids) == "ab<|endofprompt|>ab<|endofprompt|>"
        assert tokenizer.encode("ab<|ab|>", disallowed_special=()).tolist() == [256, 60, 124, 256, 124, 62]
    tiktoken = pytest.importorskip("tiktoken")
    theirs = tiktoken.Encoding("two", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens=special)
    assert theirs.encode("ab<|reserved_300|><|ab|><|endofprompt|>", allowed_special="all") == [256, 300, 256, 300]
    assert theirs.decode([256]) == "ab"
