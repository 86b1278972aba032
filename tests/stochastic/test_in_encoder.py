"""split= in every encoding call: repeatable, whatever the threads, cuts, instruction set and process."""

import hashlib
import multiprocessing
import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import _core
from reference.texts import WORLD, adversarial, library_text, shared, small_ranks

SAMPLERS: dict[str, fissile.stochastic.Split] = {
    "stochastok": fissile.StochasTok(0.3),
    "paper": fissile.BPEDropout(0.2),
    "tokenizers": fissile.BPEDropout(0.2, "tokenizers"),
    "sentencepiece": fissile.BPEDropout(0.2, "sentencepiece", "listed"),
    "subword-nmt": fissile.BPEDropout(0.2, "subword-nmt"),
    "uniform": fissile.UniformSplit(0.3),
    "uniform by length": fissile.UniformSplit(0.3, "canonical"),
    "characters": "characters",
}
TEXTS = [library_text(40_000)[i : i + 900] for i in range(0, 40_000, 900)] + ["", WORLD, *adversarial(500).values()]


@cache
def tokenizer() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|end|>": 1000, "<|x|>": 1001})


def digest(batch: fissile.Ragged) -> str:
    return hashlib.sha256(batch.ids.tobytes() + batch.offsets.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_way_gives_the_same_ids(name: str, tmp_path: Path) -> None:
    tok, split = tokenizer(), SAMPLERS[name]
    whole = tok.encode_batch(TEXTS, threads=1, split=split, seed=7, epoch=3, first_index=100)
    assert tok.encode_batch(TEXTS * 30, threads=3, split=split, seed=7, epoch=3, first_index=100)[: len(TEXTS)] == whole
    for cut in (1, 17):
        parts = [
            tok.encode_batch(TEXTS[i : i + cut], split=split, seed=7, epoch=3, first_index=100 + i)
            for i in range(0, len(TEXTS), cut)
        ]
        assert fissile.Ragged.concatenate(parts) == whole
    one = tok.encode(TEXTS[5], split=split, seed=7, epoch=3, first_index=105)
    assert np.array_equal(one, whole[5])
    paths = [tmp_path / str(i) for i in range(len(TEXTS))]
    for path, text in zip(paths, TEXTS, strict=True):
        path.write_bytes(text.encode())
    assert tok.encode_files(paths, threads=2, split=split, seed=7, epoch=3, first_index=100) == whole
    if name != "characters":
        assert tok.encode_batch(TEXTS, split=split, seed=8, epoch=3, first_index=100) != whole
        assert tok.encode_batch(TEXTS, split=split, seed=7, epoch=4, first_index=100) != whole
        assert tok.encode_batch(TEXTS, split=split, seed=7, epoch=3, first_index=101) != whole
        assert tok.encode_batch(TEXTS, split=split) != tok.encode_batch(TEXTS, split=split)


def test_stochastok_of_ids_is_that_of_the_encoder() -> None:
    tok = tokenizer()
    for split in (fissile.StochasTok(0.1), fissile.StochasTok(0.9, max_expansions=5, deny=(300, 301))):
        options = {"seed": 7, "epoch": 3, "first_index": 100}
        encoded = tok.encode_batch(TEXTS, split=split, **options)  # type: ignore[call-overload]
        batch = tok.encode_batch(TEXTS)
        after = fissile.stochastok(
            batch,
            tok,
            split.p,
            max_expansions=split.max_expansions,
            deny=split.deny,
            **options,  # type: ignore[call-overload]
        )
        assert after == encoded


# Ids of TEXTS[:3] + [WORLD] with seed 42, as digests. A change of these is a breaking change: CHANGELOG says so.
VECTORS: dict[str, str] = {
    "stochastok": "b621c9e85123c07e",
    "paper": "354a3d55dbd97d17",
    "tokenizers": "1ec828af9ac0289f",
    "sentencepiece": "30ec5cfd6233967f",
    "subword-nmt": "354a3d55dbd97d17",
    "uniform": "7f708ca31c1b707c",
    "uniform by length": "535a3fcfeee380e9",
    "characters": "aa160c778bb3aae3",
}
FIRST: dict[str, list[int]] = {
    "stochastok": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 274, 103],
    "paper": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 311, 372],
    "tokenizers": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 311, 372],
    "sentencepiece": [83, 286, 99, 104, 97, 115, 116, 105, 99, 373, 116, 311],
    "subword-nmt": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 311, 372],
    "uniform": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 311, 372],
    "uniform by length": [83, 286, 99, 104, 97, 283, 105, 99, 373, 116, 311, 372],
    "characters": [83, 116, 111, 99, 104, 97, 115, 116, 105, 99, 32, 115],
}
VECTOR_TEXTS = [
    "Stochastic splitting spells the same words in other tokens.",
    "It's a strawberry, naïve café: 日本語のテキスト 12345 <|end|> x += 1;\n\treturn None\n",
    "The quick brown fox jumps over the lazy dog. " * 20,
]


def vector_ranks() -> dict[bytes, int]:
    """A vocabulary that no Python version changes."""
    words = [
        "the",
        "there",
        "other",
        "words",
        "split",
        "ing",
        "tion",
        "in",
        "er",
        "on",
        "token",
        "same",
        "spell",
        "brown",
        "fox",
        "jump",
        "over",
        "lazy",
        "dog",
        "and",
        "re",
        "st",
    ]
    parts = [w[:i] for w in words for i in range(2, len(w) + 1)] + [
        " " + w[:i] for w in words for i in range(1, len(w) + 1)
    ]
    tokens = sorted(dict.fromkeys(p.encode() for p in parts), key=lambda t: (len(t), t))
    return {bytes([b]): b for b in range(256)} | {token: 256 + i for i, token in enumerate(tokens)}


@pytest.mark.parametrize("name", SAMPLERS)
def test_ids_are_the_documented_ones(name: str) -> None:
    tok = fissile.Tokenizer.from_ranks(vector_ranks(), "gpt2", {"<|end|>": len(vector_ranks())})
    batch = tok.encode_batch(
        VECTOR_TEXTS, split=SAMPLERS[name], seed=42, epoch=1, first_index=10, allowed_special="all"
    )
    assert (digest(batch), batch[0][:12].tolist()) == (VECTORS[name], FIRST[name])


# Ids of a text whose words have each pair of tokens several times: paper and subword-nmt differ in those alone.
LAW_TEXT = "Singing, ringing, bringing: the bananas in the inning; there, other, another tattoo. Onionon insisting stststst ininininin"
LAW_VECTORS: dict[tuple[fissile.stochastic.Law, fissile.stochastic.Merges], str] = {
    ("paper", "any"): "00e19d622ce19db8",
    ("tokenizers", "any"): "5d1c04bbe9f647b7",
    ("sentencepiece", "any"): "4a295e82bf892225",
    ("subword-nmt", "any"): "68c2c88420f3f08c",
    ("paper", "listed"): "4764bb42b0c47b5c",
    ("tokenizers", "listed"): "2d450dbf08acbda0",
    ("sentencepiece", "listed"): "8f9835ac0ff27757",
    ("subword-nmt", "listed"): "fa2958f3cf614cfa",
}


def test_no_law_has_the_ids_of_another() -> None:
    tok = fissile.Tokenizer.from_ranks(vector_ranks(), "gpt2", {"<|end|>": len(vector_ranks())})
    found = {
        (law, merges): digest(
            tok.encode_batch(
                [LAW_TEXT * 3], split=fissile.BPEDropout(0.3, law, merges), seed=42, epoch=1, first_index=10
            )
        )
        for law, merges in LAW_VECTORS
    }
    assert found == LAW_VECTORS
    assert len(set(found.values())) == len(LAW_VECTORS)


@pytest.mark.parametrize("isa", _core._testing.isas())  # type: ignore[attr-defined]
def test_instruction_sets_agree(isa: str) -> None:
    here = Path(__file__)
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}; import importlib.util as u; s = u.spec_from_file_location('t', {str(here)!r}); "
        "t = u.module_from_spec(s); s.loader.exec_module(t); "
        "print(*[t.digest(t.tokenizer().encode_batch(t.TEXTS, split=x, seed=1)) for x in t.SAMPLERS.values()])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"FISSILE_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = [digest(tokenizer().encode_batch(TEXTS, split=split, seed=1)) for split in SAMPLERS.values()]
    assert result.stdout.split() == wanted


def _digests(tok: fissile.Tokenizer) -> list[str]:
    return [digest(tok.encode_batch(TEXTS[:10], split=split, seed=1)) for split in SAMPLERS.values()]


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_worker_processes_agree(method: str) -> None:
    wanted = _digests(tokenizer())
    if method == "spawn":  # a new interpreter, and the tokenizer pickled to it
        program = (
            "import pickle, sys; sys.path[:0] = pickle.load(sys.stdin.buffer); tok, samplers, texts = pickle.load(sys.stdin.buffer); "
            "import hashlib; b = [tok.encode_batch(texts, split=s, seed=1) for s in samplers]; "
            "print(*[hashlib.sha256(x.ids.tobytes() + x.offsets.tobytes()).hexdigest()[:16] for x in b])"
        )
        import pickle

        sent = pickle.dumps(sys.path) + pickle.dumps((tokenizer(), list(SAMPLERS.values()), TEXTS[:10]))
        result = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True)
        assert result.stdout.decode().split() == wanted
        return
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, " ".join(_digests(tokenizer())).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read().split() == wanted
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("name", SAMPLERS)
@settings(max_examples=25)
@given(
    texts=st.lists(
        st.binary(max_size=60) | st.text(max_size=40).map(str.encode) | st.just(b"the <|end|>s"), max_size=6
    ),
    seed=st.integers(0, 2**64 - 1),
)
def test_bytes_never_change_and_special_tokens_stay(name: str, texts: list[bytes], seed: int) -> None:
    tok = tokenizer()
    canonical = tok.encode_batch(texts, allowed_special="all")
    split, parents = tok.encode_batch(
        texts, split=SAMPLERS[name], seed=seed, allowed_special="all", return_parents=True
    )
    assert [tok.decode_bytes(ids) for ids in split] == texts
    assert (split.ids == 1000).sum() == (canonical.ids == 1000).sum()
    assert (canonical.ids[parents][split.ids == 1000] == 1000).all()
    # A token's parent holds its first byte.
    sizes = [len(tok.token_bytes(id)) for id in canonical.ids.tolist()]
    starts = np.cumsum([0, *sizes])
    begin = 0
    for id, parent in zip(split.ids.tolist(), parents.tolist(), strict=True):
        assert starts[parent] <= begin < starts[parent + 1]
        begin += len(tok.token_bytes(id))


VOCABULARIES = [
    "gpt2.tiktoken",
    "cl100k_base.tiktoken",
    "o200k_base.tiktoken",
    "qwen3.json",
    "deepseek_v3.json",
    "llama2.json",
]


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_published_vocabularies_decode_to_the_same(vocabulary: str, tmp_path: Path) -> None:
    data = shared("vocab", vocabulary)
    if data is None:
        pytest.skip("shared/vocab is not here")
    (tmp_path / vocabulary).write_bytes(data)
    tok = fissile.Tokenizer.from_file(tmp_path / vocabulary)
    texts = [library_text(20_000), WORLD, *adversarial(400).values()]
    rng = np.random.default_rng(1)
    documents = [text.encode() for text in texts] + [rng.integers(0, 256, 300).astype(np.uint8).tobytes()]
    canonical = tok.encode_batch(documents, disallowed_special=())
    wanted = [tok.decode_bytes(ids) for ids in canonical]
    for split in SAMPLERS.values():
        drawn, parents = tok.encode_batch(documents, split=split, seed=1, disallowed_special=(), return_parents=True)
        assert [tok.decode_bytes(ids) for ids in drawn] == wanted
        assert len(parents) == len(drawn.ids)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_way_gives_the_same_parents(name: str, tmp_path: Path) -> None:
    tok, split = tokenizer(), SAMPLERS[name]
    texts = [*TEXTS[:8], "", WORLD]
    ids, parents = tok.encode_batch(texts, split=split, seed=7, first_index=100, return_parents=True)
    assert parents.dtype == np.int64
    canonical = tok.encode_batch(texts)
    for i, text in enumerate(texts):
        one, its_parents = tok.encode(text, split=split, seed=7, first_index=100 + i, return_parents=True)
        assert np.array_equal(one, ids[i])
        assert its_parents.dtype == np.int64
        assert np.array_equal(its_parents + canonical.offsets[i], parents[ids.offsets[i] : ids.offsets[i + 1]])
    for i, text in enumerate(texts):
        (tmp_path / str(i)).write_bytes(text.encode())
    paths = [tmp_path / str(i) for i in range(len(texts))]
    of_files, their_parents = tok.encode_files(paths, split=split, seed=7, first_index=100, return_parents=True)
    assert of_files == ids
    assert np.array_equal(their_parents, parents)
    small, their_parents = tok.encode_files(
        paths, separator="\n", dtype=np.uint16, split=split, seed=7, return_parents=True
    )
    assert small.ids.dtype == np.uint16
    lines = [line for text in texts for line in text.split("\n")]
    wanted, line_parents = tok.encode_batch(lines, split=split, seed=7, return_parents=True)
    assert small == wanted
    assert np.array_equal(their_parents, line_parents)


def test_template_tokens_are_not_split() -> None:
    tok = tokenizer()
    for split in SAMPLERS.values():
        assert tok.encode_batch(["a"], split=split, add_special_tokens=True, seed=1)[0][-1] == ord("a")


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    tok, split = tokenizer(), fissile.StochasTok(0.1)
    for name, limit in (("seed", 2**64), ("epoch", 2**32), ("first_index", 2**56)):
        for value in (-1, limit):
            with pytest.raises(ValueError, match=f"{name} must be from 0 to {limit - 1}, not {value}"):
                tok.encode("a", split=split, **{name: value})
            with pytest.raises(ValueError, match=f"{name} must be from 0 to {limit - 1}, not {value}"):
                tok.encode_batch(["a"], split=split, **{name: value})  # type: ignore[call-overload]
        with pytest.raises(TypeError, match=f"{name} must be an int, not float"):
            tok.encode_batch(["a"], split=split, **{name: 1.5})  # type: ignore[call-overload]
    encode_ways = (
        partial(tok.encode, "a"),
        partial(tok.encode_batch, ["a"]),
        partial(tok.encode_files, [tmp_path / "a"]),
    )
    (tmp_path / "a").write_text("a")
    for encode in encode_ways:
        with pytest.raises(ValueError, match="return_parents=True needs a split"):
            encode(split=None, return_parents=True)
        with pytest.raises(ValueError, match="return_parents=True needs a split"):
            encode(return_parents=True)
        with pytest.raises(TypeError, match="return_parents must be True or False, not str"):
            encode(split=split, return_parents="yes")
        assert not isinstance(encode(return_parents=False), tuple)
        assert not isinstance(encode(split=split, return_parents=False), tuple)
    for encode in encode_ways[1:]:
        with pytest.raises(ValueError, match="return_parents=True cannot go with eod"):
            encode(split=split, return_parents=True, eod=1000)
    with pytest.raises(TypeError, match="unexpected keyword argument 'return_parents'"):
        tok.count("a", return_parents=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'split'"):
        tok.count("a", split=split)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="disallowed special token"):
        tok.encode("<|end|>", split=split)
    # Without a sampler the names of draws mean nothing, so that a caller need not take them out.
    assert tok.encode("ab", split=None, seed=3, epoch=1, first_index=2).tolist() == tok.encode("ab").tolist()


def test_a_schedule_of_p_keeps_few_samplers() -> None:
    tok = tokenizer()
    for step in range(100):
        tok.encode_batch(["hello there"], split=fissile.BPEDropout(step / 100), seed=step)
    assert len(tok._splitters) <= 16
