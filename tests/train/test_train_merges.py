"""The merge loop against counting all pairs anew before every merge, and against `tokenizers`."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import _core
from fissile.formats.patterns import SPELLINGS
from reference.pretokenize import REGEXES, pretokens
from reference.texts import WORLD, library_text, shared, shared_corpora
from reference.train import ALPHABET, train

Merges = list[tuple[bytes, bytes]]


def arrays(words: Mapping[bytes, int]) -> tuple[Any, Any, Any]:
    ends = np.cumsum([len(word) for word in words], dtype=np.uint64)
    return np.frombuffer(b"".join(words), np.uint8), ends, np.array(list(words.values()), np.uint64)


def merges_of(words: Mapping[bytes, int], vocab_size: int, special: Sequence[bytes] = (), **options: Any) -> Merges:
    tokens = [*special, *(bytes([byte]) for byte in ALPHABET)]
    byte_ids = np.zeros(256, np.uint32)
    byte_ids[ALPHABET] = np.arange(len(special), len(tokens), dtype=np.uint32)
    trained = _core.train_merges(*arrays(words), tokens=tokens, byte_ids=byte_ids, vocab_size=vocab_size, **options)
    assert len(trained.counts) == len(trained.joined) == len(trained.merges)
    for left, right, made in trained.merges.tolist():
        if made == len(tokens):
            tokens.append(tokens[left] + tokens[right])
        assert tokens[made] == tokens[left] + tokens[right]
    return [(tokens[left], tokens[right]) for left, right, _ in trained.merges.tolist()]


def words_of(text: str, pattern: str, lines: bool = False) -> Counter[bytes]:
    words: Counter[bytes] = Counter()
    for part in text.splitlines(keepends=True) if lines else [text]:
        words.update(word.encode() for word in pretokens(pattern, part))
    return words


# Options under which the same work is done in other portions.
WAYS: list[dict[str, Any]] = [
    {},
    {"threads": 2, "thread_share": 1},
    {"threads": 3, "thread_share": 2, "first_threshold": 20},
    {"first_threshold": 1000},
]

few_letters = st.sampled_from([b"a", b"ab", b"abc", b" ab"]).flatmap(
    lambda letters: st.dictionaries(
        st.lists(st.sampled_from([letters[i : i + 1] for i in range(len(letters))]), min_size=1, max_size=40).map(
            b"".join
        ),
        st.integers(1, 9),
        min_size=1,
        max_size=12,
    )
)


@given(few_letters, st.integers(257, 330), st.integers(0, 5), st.sampled_from(WAYS))
@settings(max_examples=150)
def test_merges_are_those_of_the_definition(
    words: dict[bytes, int], vocab_size: int, min_frequency: int, way: dict[str, Any]
) -> None:
    expected = train(words, vocab_size, min_frequency=min_frequency)
    assert merges_of(words, vocab_size, min_frequency=min_frequency, **way) == expected


@given(st.dictionaries(st.binary(min_size=1, max_size=12), st.integers(1, 4), max_size=20), st.sampled_from(WAYS))
@settings(max_examples=40)
def test_any_bytes_train(words: dict[bytes, int], way: dict[str, Any]) -> None:
    assert merges_of(words, 280, [b"<s>", b""], **way) == train(words, 280, [b"<s>", b""])


@given(few_letters, st.sampled_from([1, 700, 5000]), st.sampled_from(WAYS))
@settings(max_examples=80)
def test_pairs_of_many_ids_and_of_large_counts(words: dict[bytes, int], times: int, way: dict[str, Any]) -> None:
    special = [b"ab", b"bb", *[b""] * 1000]  # with so many ids pairs are counted in another way; two are made again
    words = {word: count * times for word, count in words.items()}
    assert merges_of(words, 1320, special, **way) == train(words, 1320, special)


@given(few_letters, st.integers(1, 6), st.sampled_from(WAYS))
@settings(max_examples=60)
def test_tokens_are_no_longer_than_asked(words: dict[bytes, int], longest: int, way: dict[str, Any]) -> None:
    expected = train(words, 300, allows=lambda left, right: len(left + right) <= longest)
    assert merges_of(words, 300, max_token_length=longest, **way) == expected


def test_length_in_characters_counts_those_that_begin_in_a_token() -> None:
    words = {"日本語日本語".encode(): 5, b"abcabc": 3}

    def characters(token: bytes) -> int:
        return sum(byte & 0xC0 != 0x80 for byte in token)

    expected = train(words, 300, allows=lambda left, right: characters(left + right) <= 2)
    assert merges_of(words, 300, max_token_length=2, length_in_chars=True) == expected
    assert max(characters(left + right) for left, right in expected) == 2


@given(few_letters, st.sampled_from(WAYS))
@settings(max_examples=60)
def test_superword_rules_forbid_what_they_say(words: dict[bytes, int], way: dict[str, Any]) -> None:
    spelt = {word.replace(b"b", b": ").replace(b"c", b"\n"): count for word, count in words.items()}

    def allows(left: bytes, right: bytes) -> bool:
        token = left + right
        return b": " not in token and len([w for w in token.split(b" ") if w]) <= 2 and not token.endswith(b"\n")

    found = merges_of(spelt, 300, max_words=2, colon_space=False, newline_end=False, **way)
    assert found == train(spelt, 300, allows=allows)


def test_one_pretoken_of_a_million_letters() -> None:
    assert merges_of({b"a" * 1_000_000: 1}, 300)[:3] == [(b"a", b"a"), (b"aa", b"aa"), (b"aaaa", b"aaaa")]
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 101, 1_000_000, dtype=np.uint8).tobytes()
    assert merges_of({letters: 1}, 500) == merges_of({letters: 1}, 500, threads=2, thread_share=1000)


def test_counts_go_beyond_32_bits() -> None:
    words = {b"ab": 3 << 31, b"cd": 1 << 62, b"bc": 7}
    trained = merges_of(words, 300)
    assert trained == [(b"c", b"d"), (b"a", b"b"), (b"b", b"c")]


def test_a_string_that_is_a_token_already_keeps_its_id() -> None:
    words = {b"xab": 5, b"abc": 3}
    # The special token b"ab" is what merging a and b makes: the vocabulary does not grow.
    assert merges_of(words, 258, [b"ab"]) == train(words, 258, [b"ab"]) == [(b"a", b"b"), (b"x", b"ab")]


@given(few_letters, st.sampled_from(WAYS))
@settings(max_examples=80)
def test_pairs_of_a_token_made_twice_are_counted_anew(words: dict[bytes, int], way: dict[str, Any]) -> None:
    special = [b"aa", b"ab", b"ba", b"aab", b"aba", b"abab"]
    assert merges_of(words, 290, special, **way) == train(words, 290, special)


def test_nothing_to_merge() -> None:
    assert merges_of({}, 300) == []
    assert merges_of({b"a": 5, b"b": 2}, 300) == []
    assert merges_of({b"ab": 5}, 256) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ends": np.array([3, 2], np.uint64)}, "below"),
        ({"ends": np.array([1, 2], np.uint64)}, "4 items"),
        ({"ends": np.array([4], np.uint64)}, "as many"),
        ({"byte_ids": np.zeros(255, np.uint32)}, "256"),
        ({"byte_ids": np.full(256, 7, np.uint32)}, "lacks"),
        ({"byte_ids": np.full(256, 0xFFFFFFFF, np.uint32)}, "not in the alphabet"),
        ({"vocab_size": 1 << 40}, "vocab_size"),
    ],
)
def test_arguments_that_do_not_fit_are_errors(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "items": np.frombuffer(b"abcd", np.uint8),
        "ends": np.array([2, 4], np.uint64),
        "counts": np.array([1, 1], np.uint64),
        "tokens": [b"a"],
        "byte_ids": np.zeros(256, np.uint32),
        "vocab_size": 300,
    }
    with pytest.raises(ValueError, match=message):
        _core.train_merges(**(arguments | change))


def test_progress_is_told_and_its_exceptions_stop_training() -> None:
    told: list[tuple[str, int, int]] = []
    words = words_of(library_text(), "gpt2")
    merges_of(words, 2000, progress=lambda *args: told.append(args))
    assert told[-1] == ("train", 2000, 2000)

    def stop(phase: str, done: int, total: int) -> None:
        raise KeyError(phase)

    with pytest.raises(KeyError):
        merges_of(words, 2000, progress=stop)


def test_training_lets_other_threads_run() -> None:
    ticks = 0
    stopped = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stopped.is_set():
            ticks += 1
            time.sleep(0.0001)

    thread = threading.Thread(target=tick)
    thread.start()
    words = words_of(library_text(), "gpt2")
    for _ in range(5):
        before = ticks
        merges_of(words, 5000)
    stopped.set()
    thread.join()
    assert ticks > before


# --- against `tokenizers` ---------------------------------------------------------------------------------------------

CHARS = {byte: chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))}
CHARS |= {byte: chr(256 + i) for i, byte in enumerate(byte for byte in range(256) if byte not in CHARS)}
BYTES = {char: byte for byte, char in CHARS.items()}


def hf_merges(texts: Sequence[str], expression: str, vocab_size: int, **options: Any) -> Merges:
    """What BpeTrainer makes of texts split by a regular expression."""
    tokenizers = pytest.importorskip("tokenizers")
    pre = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre.Sequence([pre.Split(tokenizers.Regex(expression), "isolated"), byte_level])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False, **options
    )
    tokenizer.train_from_iterator(texts, trainer)
    listed = json.loads(tokenizer.to_str())["model"]["merges"]
    pairs = (merge if isinstance(merge, list) else merge.split(" ") for merge in listed)
    return [(bytes(BYTES[c] for c in left), bytes(BYTES[c] for c in right)) for left, right in pairs]


# `tokenizers` spells patterns for its own engine, Oniguruma.
ONIGURUMA = {name: SPELLINGS.get(name, expression) for name, expression in REGEXES.items()}


@pytest.mark.parametrize("pattern", sorted(ONIGURUMA))
@pytest.mark.parametrize(("vocab_size", "min_frequency"), [(300, 0), (2000, 2), (6000, 5)])
def test_merges_equal_those_of_tokenizers(pattern: str, vocab_size: int, min_frequency: int) -> None:
    text = library_text(120_000) + WORLD * 3
    special = ["<|end|>", "<pad>"]
    expected = hf_merges([text], ONIGURUMA[pattern], vocab_size, min_frequency=min_frequency, special_tokens=special)
    words = words_of(text, pattern)
    found = merges_of(words, vocab_size, [s.encode() for s in special], min_frequency=min_frequency, threads=2)
    assert found == expected


@pytest.mark.parametrize("name", shared_corpora() or [pytest.param("", marks=pytest.mark.skip("no shared texts"))])
def test_merges_equal_those_of_tokenizers_on_shared_texts(name: str) -> None:
    data = shared("corpus", name)
    assert data is not None
    text = data[:400_000].decode(errors="ignore")
    lines = [line for line in regex.split(r"(?<=\n)", text) if line]
    words: Counter[bytes] = Counter()
    for line in lines:
        words.update(word.encode() for word in pretokens("gpt2", line))
    expected = hf_merges(lines, ONIGURUMA["gpt2"], 8000)
    for way in WAYS:
        assert merges_of(words, 8000, **way) == expected


@given(
    st.lists(st.text("ab c", min_size=1, max_size=60), min_size=1, max_size=5),
    st.integers(257, 320),
    st.integers(1, 5),
    st.sampled_from(WAYS),
)
@settings(max_examples=60)
def test_ties_are_those_of_tokenizers(
    texts: list[str], vocab_size: int, min_frequency: int, way: dict[str, Any]
) -> None:
    expected = hf_merges(texts, ONIGURUMA["gpt2"], vocab_size, min_frequency=min_frequency)
    words: Counter[bytes] = Counter()
    for text in texts:
        words.update(word.encode() for word in pretokens("gpt2", text))
    assert merges_of(words, vocab_size, min_frequency=min_frequency, **way) == expected


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_strict_length_is_that_of_tokenizers(length: int) -> None:
    text = library_text(30_000)
    expected = hf_merges([text], ONIGURUMA["gpt2"], 1500, max_token_length=length)
    assert merges_of(words_of(text, "gpt2"), 1500, max_token_length=length, strict_length=True) == expected


def test_a_stage_that_goes_on_from_merges_reports_both() -> None:
    """As one run does, whose merges these are: occurrences, curve, longest and unused tokens."""
    words = words_of(library_text(), "gpt2")
    tokens = [bytes([byte]) for byte in ALPHABET]
    byte_ids = [ALPHABET.index(byte) for byte in range(256)]
    whole = _core.train_merges(*arrays(words), tokens=tokens, byte_ids=byte_ids, vocab_size=700)
    every = tokens + whole.tokens
    told = {"left_out": [5], "n_bytes": 1_000_000, "n_longest": 7}
    expected = whole.report(every, **told)
    lengths = [0 if id == 5 else len(token) for id, token in enumerate(every)]
    assert expected.longest == sorted(range(700), key=lambda id: (-lengths[id], id))[:7]
    occurrences = np.zeros(700, np.int64)
    occurrences[:256] = whole.initial
    sizes = {256: int(occurrences.sum())}
    for (left, right, made), joined in zip(whole.merges.tolist(), whole.joined.tolist(), strict=True):
        for id, change in ((made, joined), (left, -joined), (right, -joined)):
            occurrences[id] += change
        sizes[made + 1] = int(occurrences.sum())
    assert np.array_equal(expected.occurrences, occurrences)
    assert expected.unused == [id for id in range(700) if occurrences[id] == 0 and lengths[id]]
    assert expected.curve == [(size, 1_000_000 / sizes[size]) for size in (512, 700)]
    for n in (0, 1, 300):
        vocabulary = _core.Vocabulary.from_tokens(every[: 256 + n], whole.merges[:n].tobytes(), [], source="first")
        rest = _core.train_merges(
            *arrays(words), tokens=every[: 256 + n], byte_ids=byte_ids, encode_with=vocabulary, vocab_size=700
        )
        rest.put_before(256, whole.merges[:n], whole.counts[:n], whole.joined[:n])
        assert rest.packed_merges == whole.packed_merges == whole.merges.tobytes()
        report = rest.report(every, **told)
        assert (report.curve, report.longest, report.unused) == (expected.curve, expected.longest, expected.unused)
        assert np.array_equal(report.occurrences, occurrences)
    with pytest.raises(ValueError, match="no token"):
        whole.report(tokens, **told)
    with pytest.raises(ValueError, match="no token"):
        whole.unneeded(np.full((1, 3), 0xFFFFFFFF, np.uint32), 1)
    with pytest.raises(ValueError, match="as many"):
        whole.put_before(256, whole.merges[:2], whole.counts[:2], whole.joined[:1])
    with pytest.raises(ValueError, match=r"shape \(n, 3\)"):
        _core.Vocabulary.from_tokens(every, b"12345678", [], source="half a merge")
    with pytest.raises(TypeError, match="uint32"):
        _core.Vocabulary.from_tokens(every, whole.merges.astype(np.float32), [], source="floats")


def test_counted_pretokens_are_trained_on_as_their_arrays_are() -> None:
    counts = fissile.count(iter([library_text()]), "gpt2")
    options: dict[str, Any] = {"tokens": [bytes([byte]) for byte in range(256)], "byte_ids": list(range(256))}
    theirs = _core.train_merges(*counts.arrays(), vocab_size=600, **options)
    ours = _core.train_merges(counts._core, vocab_size=600, **options)
    assert ours.packed_merges == theirs.packed_merges
    lengths = np.diff(counts.arrays()[1], prepend=np.uint64(0))
    longest = max(counts, key=lambda entry: len(entry[0]))[0]
    n_bytes = int((lengths * counts.arrays()[2]).sum())
    assert counts._core.sums() == (counts.total, n_bytes, len(longest), longest[:40])
    with pytest.raises(ValueError, match="counted pretokens"):
        _core.train_merges(counts._core, counts.arrays()[1], vocab_size=600, **options)
    with pytest.raises(TypeError, match="ends and counts"):
        _core.train_merges(counts.arrays()[0], vocab_size=600, **options)


@pytest.mark.parametrize("letters", [4, 250])
def test_threads_that_count_shares_of_a_long_text_agree(letters: int) -> None:
    rng = np.random.default_rng(letters)
    text = (rng.integers(0, letters, 700_000) * rng.integers(0, 2, 700_000)).astype(np.uint8)
    corpus = text, np.array([300_000, 300_001, len(text)], np.uint64), np.array([3, 2, 1], np.uint64)
    options: dict[str, Any] = {"tokens": [bytes([byte]) for byte in range(256)], "byte_ids": list(range(256))}
    one = _core.train_merges(*corpus, vocab_size=300, threads=1, **options)
    three = _core.train_merges(*corpus, vocab_size=300, threads=3, **options)
    assert three.packed_merges == one.packed_merges
    assert np.array_equal(three.counts, one.counts)
    left, right, _ = one.merges[0].tolist()
    weights = np.repeat([3, 1], [300_000, 400_000])
    found = (text[:-1] == left) & (text[1:] == right)
    found[299_999:300_001] = False  # across the sequences' ends
    assert one.counts[0] == weights[:-1][found].sum()
