"""BPE-dropout: exact laws, the same ids as the plain definitions from the same draws, and the libraries that own the laws."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from reference.merge import by_ranks
from reference.stochastic import LAWS, Merges, Words, dropout_law, drops, fits
from reference.texts import WORLD, adversarial, library_text, shared, small_ranks

BYTES = {bytes([b]): b for b in range(256)}
# (word, tokens in order of rank, p, {outcome: probability under each law})
F = Fraction
TOYS: dict[str, tuple[list[str], Fraction, dict[str, list[Fraction]]]] = {
    "abcd": (
        ["ab", "cd", "abcd"],
        F(1, 2),
        {
            "abcd": [F(3, 16), F(3, 16), F(1, 8), F(3, 16)],
            "ab|cd": [F(3, 16), F(3, 16), F(1, 8), F(3, 16)],
            "a|b|cd": [F(1, 8), F(1, 8), F(1, 4), F(1, 8)],
            "ab|c|d": [F(1, 4)] * 4,
            "a|b|c|d": [F(1, 4)] * 4,
        },
    ),
    "abab": (
        ["ab", "abab"],
        F(1, 2),
        {
            "abab": [F(3, 16), F(3, 16), F(1, 8), F(1, 4)],
            "ab|ab": [F(3, 16), F(3, 16), F(1, 8), F(1, 4)],
            "a|b|ab": [F(1, 8), F(1, 8), F(1, 4), F(1, 8)],
            "ab|a|b": [F(1, 4), F(1, 4), F(1, 4), F(1, 8)],
            "a|b|a|b": [F(1, 4)] * 4,
        },
    ),
    "aaaa": (
        ["aa", "aaaa"],
        F(1, 2),
        {
            "aaaa": [F(5, 32), F(21, 128), F(1, 8), F(7, 32)],
            "aa|aa": [F(5, 32), F(21, 128), F(1, 8), F(7, 32)],
            "a|a|aa": [F(1, 16), F(3, 64), F(1, 8), F(1, 16)],
            "a|aa|a": [F(1, 4)] * 4,
            "aa|a|a": [F(1, 4), F(1, 4), F(1, 4), F(1, 8)],
            "a|a|a|a": [F(1, 8)] * 4,
        },
    ),
    "hello": (
        ["ll", "he", "hell", "hello", "lo", "el"],
        F(1, 10),
        {  # rounded to five places
            "hello": [F("0.72171"), F("0.96709"), F("0.6561"), F("0.72171")],
            "hell|o": [F("0.08019"), F("0.00722"), F("0.0729"), F("0.08019")],
            "he|ll|o": [F("0.0891"), F("0.00483"), F("0.081"), F("0.0891")],
            "h|e|ll|o": [F("0.09"), F("0.00259"), F("0.09"), F("0.09")],
        },
    ),
}


def merges_of(ranks: dict[bytes, int], listed: bool) -> Merges:
    """The pairs that merge: all that spell a token, or the one that canonical merging of its bytes ends with."""
    if not listed:
        return {(t[:i], t[i:]): r for t, r in ranks.items() for i in range(1, len(t)) if {t[:i], t[i:]} <= ranks.keys()}
    names = {rank: token for token, rank in ranks.items()}
    merges: Merges = {}
    for token, rank in ranks.items():
        smaller = {t: r for t, r in ranks.items() if r < rank or len(t) == 1}
        parts = [names[id] for id in by_ranks(token, smaller)] if len(token) > 1 else []
        if len(parts) == 2:
            merges[parts[0], parts[1]] = rank
    return merges


def toy(word: str) -> tuple[fissile.Tokenizer, dict[bytes, int]]:
    ranks = BYTES | {token.encode(): 256 + i for i, token in enumerate(TOYS[word][0])}
    return fissile.Tokenizer.from_ranks(ranks, "none"), ranks


@pytest.mark.parametrize("word", TOYS)
def test_reference_has_the_published_law(word: str) -> None:
    _, p, table = TOYS[word]
    merges = merges_of(toy(word)[1], listed=False)
    for column, law in enumerate(LAWS):
        exact = dropout_law(law, word.encode(), merges, p)
        assert sum(exact.values()) == 1
        for outcome, chances in table.items():
            found = exact[tuple(part.encode() for part in outcome.split("|"))]
            wanted = chances[column]
            assert found == wanted if word != "hello" else abs(found - wanted) < F(1, 100_000) * F(51, 100), (
                law,
                outcome,
            )


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("word", TOYS)
def test_every_outcome_has_its_probability(word: str, law: fissile.stochastic.Law) -> None:
    tokenizer, ranks = toy(word)
    p = TOYS[word][1]
    drawn = tokenizer.encode_batch([word] * 40_000, split=fissile.BPEDropout(float(p), law), seed=1).tolist()
    counts = Counter(tuple(map(tokenizer.token_bytes, ids)) for ids in drawn)
    laws = {name: dropout_law(name, word.encode(), merges_of(ranks, listed=False), p) for name in LAWS}
    assert fits(counts, laws[law])
    # ... and not that of another law, where it has another.
    assert not any(fits(counts, other) for other in laws.values() if other != laws[law])


def test_any_pair_and_listed_pairs_are_two_relations() -> None:
    ranks = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258, b"abcd": 259, b"cd": 260}
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "none")
    laws = {}
    for relation in ("listed", "any"):
        sampler = fissile.BPEDropout(0.3, merges=relation)  # type: ignore[arg-type]
        drawn = tokenizer.encode_batch(["abcd"] * 40_000, split=sampler, seed=2).tolist()
        law = dropout_law("paper", b"abcd", merges_of(ranks, relation == "listed"), F(3, 10))
        assert fits(Counter(tuple(map(tokenizer.token_bytes, ids)) for ids in drawn), law)
        laws[relation] = law
    assert laws["listed"] != laws["any"]
    assert fissile.BPEDropout(0.3)._ready(tokenizer) is not None  # ranks mean "any"
    by_default = tokenizer.encode_batch(["abcd"] * 99, split=fissile.BPEDropout(0.3), seed=2)
    assert by_default == tokenizer.encode_batch(["abcd"] * 99, split=fissile.BPEDropout(0.3, merges="any"), seed=2)


@pytest.fixture(scope="module")
def trained() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), "none")


@settings(max_examples=60)
@given(
    text=st.text(st.sampled_from("aeinrst e"), max_size=70) | st.text(max_size=20),
    p=st.floats(0.01, 0.99),
    law=st.sampled_from(sorted(LAWS)),
    seed=st.integers(0, 2**64 - 1),
)
def test_ids_are_those_of_the_reference(
    trained: fissile.Tokenizer, text: str, p: float, law: fissile.stochastic.Law, seed: int
) -> None:
    """One word (no pattern): short and long ones, whose code differs."""
    ranks = small_ranks()
    draw = drops(p, Words(seed, 0, 0, Words.DROPS), Words(seed, 0, 0, Words.LATER_DROPS))
    taken = []

    def draw_and_note() -> bool:
        taken.append(draw())
        return taken[-1]

    parts = LAWS[law]([bytes([b]) for b in text.encode()], merges_of_small(), draw_and_note)
    canonical = trained.encode(text).tolist()
    wanted = [ranks[part] for part in parts] if any(taken) else canonical
    assert trained.encode(text, split=fissile.BPEDropout(p, law), seed=seed).tolist() == wanted


def merges_of_small(kept: list[Merges] = []) -> Merges:  # noqa: B006
    if not kept:
        kept.append(merges_of(small_ranks(), listed=False))
    return kept[0]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_remembering_changes_no_ids(law: str, p: float) -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k")
    texts = [library_text(100_000), WORLD * 20, *adversarial(3000).values()]
    sampler = fissile.BPEDropout(p, law)  # type: ignore[arg-type]
    wanted = tokenizer.encode_batch(texts, split=sampler, seed=3)
    model = tokenizer._split_model
    plain = model.bpe_dropout(p, law=law, merges="any", remembers=False)
    ids, offsets, _ = tokenizer._encode_batch(texts, splitting=(plain, 3, 0, 0, False))
    assert wanted == fissile.Ragged(ids, offsets)


def test_p_0_is_canonical_and_p_1_is_bytes() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2", {"<|end|>": 1000})
    text = library_text(5000) + "<|end|>" + WORLD
    ids = tokenizer.encode(text, split=fissile.BPEDropout(0.0), allowed_special="all", seed=1)
    assert np.array_equal(ids, tokenizer.encode(text, allowed_special="all"))
    ids = tokenizer.encode(text, split=fissile.BPEDropout(1.0), allowed_special="all", seed=1)
    before, after = text.encode().split(b"<|end|>")
    assert ids.tolist() == [*before, 1000, *after]
    tiny = tokenizer.encode(text, split=fissile.BPEDropout(1e-300), allowed_special="all", seed=1)
    assert np.array_equal(tiny, tokenizer.encode(text, allowed_special="all"))


def test_a_span_that_is_a_token_counts_as_merged() -> None:
    """Under ignore_merges, also where no merge makes it."""
    vocab = {chr(c): i for i, c in enumerate(_byte_alphabet())} | {"ab": 256, "abcd": 257}
    model = {"type": "BPE", "vocab": vocab, "merges": ["a b"], "ignore_merges": True}
    node = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tree = {"version": "1.0", "added_tokens": [], "model": model, "pre_tokenizer": node, "decoder": node}
    tokenizer = fissile.Tokenizer(_spec(json.dumps(tree).encode()))
    drawn = tokenizer.encode_batch(["abcd"] * 20_000, split=fissile.BPEDropout(0.25), seed=1).tolist()
    a, b, c, d = (vocab[letter] for letter in "abcd")
    # One draw, for a·b: not dropped, the span is its token.
    assert fits(Counter(map(tuple, drawn)), {(257,): 0.75, (a, b, c, d): 0.25})


def _byte_alphabet() -> list[int]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return printable + [256 + i for i in range(256 - len(printable))]


def _spec(data: bytes) -> "fissile.tokenizer.TokenizerSpec":  # type: ignore[name-defined]
    from fissile.formats import tokenizer_json

    return tokenizer_json.from_json(data, "toy.json")


def test_a_vocabulary_without_all_bytes_is_refused() -> None:
    tokenizer = fissile.Tokenizer.from_ranks({b"a": 0, b"b": 1, b"ab": 2}, "none")
    for sampler in (fissile.BPEDropout(0.1), fissile.UniformSplit(0.1), "characters"):
        with pytest.raises(ValueError, match="has a token for every byte; this one has none for byte 0"):
            tokenizer.encode("ab", split=sampler)
    assert len(tokenizer.encode_batch(["ab"], split=fissile.StochasTok(1.0))[0]) == 2


def test_wrong_arguments_are_named() -> None:
    for p in (-0.1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="p must be from 0 to 1, not"):
            fissile.BPEDropout(p)
    with pytest.raises(ValueError, match="law must be one of 'paper', 'tokenizers'"):
        fissile.BPEDropout(0.1, "kudo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="merges must be 'listed', 'any' or None"):
        fissile.BPEDropout(0.1, merges="all")  # type: ignore[arg-type]


def test_tokenizers_samples_the_law_named_after_it() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    names = ["h", "e", "l", "o", *TOYS["hello"][0]]
    pairs = [("l", "l"), ("h", "e"), ("he", "ll"), ("hell", "o"), ("l", "o"), ("e", "l")]
    model = tokenizers.models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=pairs, dropout=0.1)
    peer = tokenizers.Tokenizer(model)
    counts = Counter(tuple(token.encode() for token in peer.encode("hello").tokens) for _ in range(30_000))
    law = dropout_law("tokenizers", b"hello", merges_of(toy("hello")[1], listed=False), F(1, 10))
    assert fits(counts, law)


@pytest.mark.parametrize("word", ["abab", "aaaa", "abcd"])
def test_subword_nmt_samples_the_law_named_after_it(word: str) -> None:
    apply_bpe = pytest.importorskip("subword_nmt.apply_bpe")
    merges = merges_of(toy(word)[1], listed=False)
    # The end of a word is a symbol of its own there ("version 0.1"), which no merge here takes.
    codes = {(left.decode(), right.decode()): rank for (left, right), rank in merges.items()}
    apply_bpe.random.seed(5)
    counts = Counter(
        tuple(part.encode() for part in apply_bpe.encode(word, codes, {}, None, "", (0, 1), {}, dropout=0.5))
        for _ in range(30_000)
    )
    assert fits(counts, dropout_law("subword-nmt", word.encode(), merges, F(1, 2)))


# Output length over canonical length, 300 kB of English prose.
RATIOS = {
    ("qwen3.json", "paper"): [1.120, 1.240, 1.749, 2.349],
    ("qwen3.json", "tokenizers"): [1.055, 1.118, 1.473, 2.052],
    ("qwen3.json", "sentencepiece"): [1.220, 1.423, 2.134, 2.781],
    ("cl100k_base.tiktoken", "paper"): [1.056, 1.122, 1.482, 2.057],
    ("cl100k_base.tiktoken", "tokenizers"): [1.018, 1.042, 1.246, 1.726],
    ("cl100k_base.tiktoken", "sentencepiece"): [1.096, 1.202, 1.741, 2.446],
}


@pytest.mark.parametrize(("name", "law"), RATIOS)
def test_real_text_grows_as_measured(name: str, law: fissile.stochastic.Law, tmp_path: Path) -> None:
    data, prose = shared("vocab", name), shared("corpus", "en_prose.txt")
    if data is None or prose is None:
        pytest.skip("shared/ is not here")
    (tmp_path / name).write_bytes(data)
    tokenizer = fissile.Tokenizer.from_file(tmp_path / name)
    canonical = tokenizer.encode(prose[:300_000])
    for p, wanted in zip((0.05, 0.1, 0.3, 0.5), RATIOS[name, law], strict=True):
        drawn = [tokenizer.encode(prose[:300_000], split=fissile.BPEDropout(p, law), seed=seed) for seed in range(3)]
        ratio = sum(map(len, drawn)) / 3 / len(canonical)
        assert abs(ratio / wanted - 1) < 0.005
        assert tokenizer.decode_bytes(drawn[0]) == prose[:300_000]


@pytest.mark.parametrize("law", LAWS)
def test_a_giant_word_is_not_quadratic(law: fissile.stochastic.Law) -> None:
    runs = [b"a" * (1 << k) for k in range(1, 6)]
    ranks = {token: rank for rank, token in enumerate(dict.fromkeys([*small_ranks(), *runs]))}
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "none")
    for text in ("a" * 200_000, "ab" * 50_000, library_text(100_000)):
        ids = tokenizer.encode(text, split=fissile.BPEDropout(0.2, law), seed=1)
        assert tokenizer.decode(ids) == text
