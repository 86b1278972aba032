"""Generated strings by the hundred thousand and whole texts, with the ids of the library that owns the vocabulary.

By default a share of them, so that the file takes seconds. `pytest --exhaustive tests/parity/test_exhaustive.py` takes
all: 100,000 strings for every pattern and vocabulary, and each shared text from the first byte to the last.

What generated strings compare are the pairs of bytes of `pair_ranks`, where a cut in the wrong place shows, and the
published vocabularies. A failure prints the shortest text that still differs.
"""

import base64
import functools
import io
import itertools
import random
from collections.abc import Callable, Iterator

import pytest

import fissile
from fissile import _core
from fissile.formats.patterns import SPELLINGS
from fissile.formats.sentencepiece import from_model
from fissile.formats.tiktoken import PATTERNS as TIKTOKEN_PATTERNS
from fissile.formats.tokenizer_json import from_json
from reference.generated import byte_strings, strings
from reference.pretokenize import DEEPSEEK, PATTERNS, REGEXES, known, pretokens
from reference.texts import WORLD, library_text, shared, shared_corpora

Ids = list[list[int]]
BATCH = 2500  # strings in memory and in one call
SHARE = 2500  # and without --exhaustive
PUBLISHED_RANKS = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}
PUBLISHED_JSON = ("qwen3", "deepseek_v3", "llama2")
testing = _core._testing


class Owner:
    """A vocabulary, here and in the library that owns it."""

    def __init__(self, ours: fissile.Tokenizer, theirs: Callable[[list[str]], Ids]) -> None:
        self.ours, self.theirs = ours, theirs

    def differs(self, texts: list[str]) -> list[int]:
        got = self.ours.encode_batch(texts, disallowed_special=()).tolist()
        return [i for i, (a, b) in enumerate(zip(got, self.theirs(texts), strict=True)) if a != b]

    def check(self, texts: list[str]) -> None:
        wrong = self.differs(texts)
        if wrong:
            text = shortest(texts[wrong[0]], lambda part: bool(self.differs([part])))
            got = self.ours.encode(text, disallowed_special=()).tolist()
            pytest.fail(f"{len(wrong)} of {len(texts)} differ; {text!r}: {got}, theirs {self.theirs([text])[0]}")


def shortest(text: str, fails: Callable[[str], bool]) -> str:
    """The text without what can be left out while it still fails."""
    size = len(text)
    while size:
        for start in range(0, len(text), size):
            part = text[:start] + text[start + size :]
            if part and fails(part):
                text = part
                break
        else:
            size //= 2
    return text


@pytest.fixture(scope="session")
def n_strings(pytestconfig: pytest.Config) -> int:
    return 100_000 if pytestconfig.getoption("--exhaustive") else SHARE


def batches(seed: int, n: int) -> Iterator[list[str]]:
    return (generated(seed, start) for start in range(0, n, BATCH))


@functools.lru_cache(maxsize=48)  # one hundred thousand strings, for the next vocabulary
def generated(seed: int, start: int) -> list[str]:
    return strings(seed << 32 | start, BATCH)


# --- owners ---------------------------------------------------------------------------------------------------------


@functools.cache
def pair_ranks() -> dict[bytes, int]:
    """Every byte and every pair of bytes, in no order: what is cut in the wrong place pairs otherwise."""
    pairs = [bytes(pair) for pair in itertools.product(range(256), repeat=2)]
    random.Random(2).shuffle(pairs)
    return {token: rank for rank, token in enumerate([*(bytes([b]) for b in range(256)), *pairs])}


def of_tiktoken(ranks: dict[bytes, int], pattern: str) -> Owner:
    tiktoken = pytest.importorskip("tiktoken")
    expression = TIKTOKEN_PATTERNS[pattern]
    theirs = tiktoken.Encoding("exhaustive", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    return Owner(
        fissile.Tokenizer.from_ranks(ranks, pattern), functools.partial(theirs.encode_ordinary_batch, num_threads=2)
    )


def of_tokenizers(data: bytes) -> Owner:
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_str(data.decode())

    def encode(texts: list[str]) -> Ids:
        return [encoding.ids for encoding in theirs.encode_batch_fast(texts, add_special_tokens=False)]

    return Owner(fissile.Tokenizer(from_json(data, "exhaustive")), encode)


@functools.cache
def tiktoken_pairs(pattern: str) -> Owner:
    return of_tiktoken(pair_ranks(), pattern)


@functools.cache
def tokenizers_pairs(pattern: str) -> Owner:
    """The same vocabulary as a tokenizer.json, written by `tokenizers`."""
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers import Regex, models, normalizers, pre_tokenizers

    chars = byte_level_characters()
    text = {"".join(chars[byte] for byte in token): rank for token, rank in pair_ranks().items()}
    theirs = tokenizers.Tokenizer(models.BPE(text, [(pair[0], pair[1]) for pair in text if len(pair) == 2]))
    if pattern == "starcoder":
        splits = [pre_tokenizers.Digits(individual_digits=True)]
    else:
        expressions = DEEPSEEK if pattern == "deepseek_v3" else ({**REGEXES, **SPELLINGS}[pattern],)
        splits = [pre_tokenizers.Split(Regex(expression), "isolated") for expression in expressions]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "starcoder")
    theirs.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    if pattern == "qwen2":
        theirs.normalizer = normalizers.NFC()
    return of_tokenizers(theirs.to_str().encode())


def byte_level_characters() -> list[str]:
    """GPT-2's character of each byte: printable ones stand for themselves, the others for what follows U+00FF."""
    themselves = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (chr(c) for c in itertools.count(0x100))
    return [chr(byte) if byte in themselves else next(others) for byte in range(256)]


@functools.cache
def published(name: str) -> Owner:
    data = shared("vocab", f"{name}.tiktoken" if name in PUBLISHED_RANKS else f"{name}.json")
    if data is None:
        pytest.skip("no shared vocabularies")
    if name not in PUBLISHED_RANKS:
        return of_tokenizers(data)
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, data.splitlines())}
    return of_tiktoken(ranks, PUBLISHED_RANKS[name])


@functools.cache
def of_sentencepiece() -> Owner:
    """A model with byte fallback, trained here on what text there is."""
    sentencepiece = pytest.importorskip("sentencepiece")
    samples = [(shared("corpus", name) or b"").decode()[:200_000] for name in shared_corpora()]
    lines = [line for text in (*samples, library_text(), WORLD * 5) for line in text.splitlines() if len(line) < 1000]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=4000 if samples else 900,
        character_coverage=0.999,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return Owner(fissile.Tokenizer(from_model(model.getvalue(), "exhaustive")), theirs.encode)


# --- generated strings ----------------------------------------------------------------------------------------------


def cuts(pattern: str, data: bytes, isa: str) -> list[int]:
    return testing.scan(pattern, data, isa).tolist()


def defined_cuts(pattern: str, text: str) -> list[int]:
    sizes = (len(piece.encode("utf-8", "surrogateescape")) for piece in pretokens(pattern, text))
    return list(itertools.accumulate(sizes))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_strings_are_cut_as_defined(pattern: str, n_strings: int) -> None:
    for batch in batches(0, n_strings):
        for text in map(known, batch):
            assert cuts(pattern, text.encode(), "scalar") == defined_cuts(pattern, text), text


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bytes_are_cut_as_defined_and_by_every_isa_alike(pattern: str, n_strings: int) -> None:
    """A byte that is not UTF-8 is a character of its own, neither letter nor digit nor space."""
    isas = [isa for isa in testing.isas() if isa != "scalar"]
    for start in range(0, n_strings, BATCH):
        for data in byte_strings(start, BATCH):
            wanted = cuts(pattern, data, "scalar")
            assert all(cuts(pattern, data, isa) == wanted for isa in isas), data
            text = data.decode("utf-8", "surrogateescape")
            if len(known(text)) == len(text.encode("utf-8", "ignore").decode()):  # every character that is one
                assert wanted == defined_cuts(pattern, text), data


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bytes_have_the_ids_of_their_pretokens(pattern: str, n_strings: int) -> None:
    """tiktoken merges any bytes when they are one pretoken; and what comes out decodes to what went in."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = pair_ranks()
    piece = tiktoken.Encoding("bytes", pat_str="x", mergeable_ranks=ranks, special_tokens={})._encode_single_piece
    ours = fissile.Tokenizer.from_ranks(ranks, pattern)
    for start in range(0, n_strings // 5, BATCH):
        data = byte_strings(start + 1, BATCH)
        batch = ours.encode_batch(data)
        assert [ours.decode_bytes(ids) for ids in batch] == data
        for text, ids in zip(data, batch.tolist(), strict=True):
            bounds = itertools.pairwise([0, *cuts(pattern, text, "scalar")])
            assert ids == [id for a, b in bounds for id in piece(text[a:b])], text


@pytest.mark.parametrize("pattern", TIKTOKEN_PATTERNS)
def test_strings_have_the_ids_of_tiktoken(pattern: str, n_strings: int) -> None:
    for batch in batches(0, n_strings):
        tiktoken_pairs(pattern).check(batch)


@pytest.mark.parametrize("pattern", [*TIKTOKEN_PATTERNS, "starcoder", "deepseek_v3", "superbpe"])
def test_strings_have_the_ids_of_tokenizers(pattern: str, n_strings: int) -> None:
    for batch in batches(0, n_strings):
        tokenizers_pairs(pattern).check(batch)


@pytest.mark.parametrize("name", [*PUBLISHED_RANKS, *PUBLISHED_JSON])
def test_strings_with_published_vocabularies(name: str, n_strings: int) -> None:
    for batch in batches(1, n_strings):
        published(name).check(batch)


def test_strings_have_the_ids_of_sentencepiece(n_strings: int) -> None:
    for batch in batches(2, n_strings):
        of_sentencepiece().check(batch)


# --- whole texts ----------------------------------------------------------------------------------------------------


def documents(name: str, whole: bool) -> Iterator[list[str]]:
    """A shared text in documents of 2,000 characters, some hundred at a time."""
    text = (shared("corpus", name) or b"").decode()
    if not whole:
        text = text[len(text) // 3 :][:100_000]
    parts = [text[i : i + 2000] for i in range(0, len(text), 2000)]
    return (parts[i : i + 500] for i in range(0, len(parts), 500))


@pytest.mark.parametrize("name", [*PUBLISHED_RANKS, *PUBLISHED_JSON])
@pytest.mark.parametrize("corpus", shared_corpora())
def test_texts_with_published_vocabularies(name: str, corpus: str, pytestconfig: pytest.Config) -> None:
    for batch in documents(corpus, pytestconfig.getoption("--exhaustive")):
        published(name).check(batch)


@pytest.mark.parametrize("corpus", shared_corpora())
def test_texts_have_the_ids_of_sentencepiece(corpus: str, pytestconfig: pytest.Config) -> None:
    for batch in documents(corpus, pytestconfig.getoption("--exhaustive")):
        of_sentencepiece().check(batch)
