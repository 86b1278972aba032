"""TokenStream and TokenTable: every document once, the ids of a literal reference, and going on from anywhere."""

import copy
import gzip
import json
import pickle
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.data import TokenStream, TokenTable
from reference.texts import WORLD, library_text, small_ranks

EOD = 1000
SPLITS: list[Any] = [None, "stochastok:0.3", "dropout:0.2"]


@pytest.fixture(scope="module")
def tok() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|end|>": EOD})


def some_texts(sizes: list[int], seed: int = 0) -> list[str]:
    """Texts of these sizes from here and there."""
    rng = random.Random(seed)
    source = library_text() + WORLD * 3
    return [source[at : at + size] for size in sizes for at in [rng.randrange(len(source) - 2000)]]


def write_jsonl(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")


def a_corpus(folder: Path, files: list[list[int]]) -> list[list[str]]:
    """A jsonl file of texts of these sizes for each list, and what is in them."""
    texts = [some_texts(sizes, i) for i, sizes in enumerate(files)]
    for i, of_file in enumerate(texts):
        write_jsonl(folder / f"{i:03}.jsonl", of_file)
    return texts


def literal(tok: fissile.Tokenizer, texts: list[list[str]], split: Any, epoch: int, seed: int = 5) -> list[list[int]]:
    """The ids of every document of an epoch, in the order of the files, one document at a time."""
    found = []
    for i, of_file in enumerate(texts):
        for j, text in enumerate(of_file):
            options: dict[str, Any] = {} if split is None else {"split": split, "seed": seed, "epoch": epoch}
            batch = tok.encode_batch([text], first_index=i * 2**32 + j, **options)
            found.append([*batch[0].tolist(), EOD])
    return found


def packed(ids: list[int], size: int, last: str) -> list[list[int]]:
    whole = len(ids) // size * size
    blocks = [ids[i : i + size] for i in range(0, whole, size)]
    if last == "pad" and whole < len(ids):
        blocks.append(ids[whole:] + [7] * (size - len(ids) + whole))
    return blocks


def as_lists(samples: Any) -> list[list[int]]:
    return [sample.tolist() for sample in samples]


# --- the samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("pack, last", [(None, "drop"), (1, "drop"), (50, "drop"), (50, "pad"), (10**6, "pad")])
def test_samples_are_those_of_the_reference(
    tok: fissile.Tokenizer, tmp_path: Path, split: Any, pack: int | None, last: Any
) -> None:
    texts = a_corpus(tmp_path, [[100, 0, 900, 3], [], [0], [50] * 300])
    stream = TokenStream(tmp_path, tok, split=split, seed=5, epoch=3, epochs=2, pack=pack, last=last, pad_id=7, eod=EOD)
    expected: list[list[int]] = []
    for epoch in (3, 4):
        documents = literal(tok, texts, split, epoch)
        flat = [id for document in documents for id in document]
        expected += documents if pack is None else packed(flat, pack, last)
    assert as_lists(stream) == expected
    assert as_lists(stream) == expected  # another pass
    assert all(sample.dtype == np.int64 and sample.flags.writeable for sample in stream)


def test_epochs_differ_and_repeat(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    a_corpus(tmp_path, [[400] * 30])
    stream = TokenStream(tmp_path, tok, split=fissile.StochasTok(0.3), seed=1)
    first = as_lists(stream)
    stream.set_epoch(1)
    second = as_lists(stream)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert tok.decode_batch(first) == tok.decode_batch(second)
    assert as_lists(TokenStream(tmp_path, tok, split="stochastok:0.3", seed=1, epoch=1)) == second


@given(
    files=st.lists(st.lists(st.sampled_from([0, 1, 40, 300]), max_size=40), min_size=1, max_size=6),
    shards=st.integers(1, 9),
    shuffle=st.sampled_from([0, 1, 3, 25, 1000]),
    split=st.sampled_from(SPLITS),
)
@settings(max_examples=60)
def test_shards_share_all_documents_once(
    tok: fissile.Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[int]],
    shards: int,
    shuffle: int,
    split: Any,
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    texts = a_corpus(folder, files)
    for epoch in (0, 1):
        stream = TokenStream(folder, tok, split=split, seed=5, epoch=epoch, shuffle=shuffle, eod=EOD)
        found = [sample for i in range(shards) for sample in as_lists(stream.sharded(i, shards))]
        assert Counter(map(tuple, found)) == Counter(map(tuple, literal(tok, texts, split, epoch)))


def test_packing_loses_nothing_over_shards(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    texts = a_corpus(tmp_path, [[100, 200, 300] * 20] * 3)
    stream = TokenStream(tmp_path, tok, pack=64, last="pad", pad_id=2000, eod=EOD, shuffle=10)
    found = Counter(id for i in range(5) for sample in as_lists(stream.sharded(i, 5)) for id in sample if id != 2000)
    assert found == Counter(id for document in literal(tok, texts, None, 0) for id in document)


def test_shuffle_moves_documents_within_its_buffer(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    texts = [[f"document {i}" for i in range(1000)]]
    write_jsonl(tmp_path / "a.jsonl", texts[0])
    order = {tuple(document): i for i, document in enumerate(literal(tok, texts, None, 0))}
    stream = TokenStream(tmp_path, tok, shuffle=100, eod=EOD)
    places = [order[tuple(sample)] for sample in as_lists(stream)]
    assert sorted(places) == list(range(1000)) != places
    assert all(sorted(places[i : i + 100]) == list(range(i, i + 100)) for i in range(0, 1000, 100))
    assert places[:100] != [place - 100 for place in places[100:200]]
    stream.set_epoch(1)
    assert places != [order[tuple(sample)] for sample in as_lists(stream)]


# --- going on ---------------------------------------------------------------------------------------------------------


@given(
    files=st.lists(st.lists(st.sampled_from([0, 1, 40, 300]), max_size=30), min_size=1, max_size=4),
    shard=st.sampled_from([(0, 1), (1, 2), (2, 5)]),
    shuffle=st.sampled_from([0, 1, 7, 1000]),
    split=st.sampled_from(SPLITS),
    pack=st.sampled_from([None, 1, 17, 400]),
    last=st.sampled_from(["drop", "pad"]),
)
@settings(max_examples=25)
def test_a_state_goes_on_at_the_next_sample(
    tok: fissile.Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[int]],
    shard: tuple[int, int],
    shuffle: int,
    split: Any,
    pack: int | None,
    last: Any,
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    a_corpus(folder, files)
    stream = TokenStream(
        folder, tok, split=split, shuffle=shuffle, pack=pack, last=last, eod=EOD, epochs=2, shard=shard
    )
    states = [stream.state_dict()]
    samples = []
    for sample in stream:
        samples.append(sample.tolist())
        states.append(stream.state_dict())
    states.append(stream.state_dict())
    chosen = range(len(states)) if len(states) < 60 else [*range(15), *range(15, len(states), len(states) // 40)]
    for at in chosen:
        stream.load_state_dict(json.loads(json.dumps(states[at])))
        assert stream.state_dict() == states[at]
        assert as_lists(stream) == samples[at:]


def test_states_of_a_resumed_pass_are_the_same(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    a_corpus(tmp_path, [[100] * 40, [30] * 200])
    stream = TokenStream(tmp_path, tok, shuffle=30, pack=64, eod=EOD, epochs=2)
    states = [stream.state_dict() for _ in stream]
    stream.load_state_dict(states[20])
    assert [stream.state_dict() for _ in stream] == states[21:]


def test_a_state_of_other_settings_is_refused(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    a_corpus(tmp_path, [[100] * 10])
    settings_of: dict[str, Any] = {"pack": 32, "shuffle": 5, "seed": 1, "split": "stochastok:0.1", "eod": EOD}
    state = TokenStream(tmp_path, tok, **settings_of).state_dict()
    for name, value in [("pack", 33), ("shuffle", 6), ("seed", 2), ("split", "stochastok:0.2"), ("eod", None)]:
        with pytest.raises(ValueError, match=f"another {name}: expected"):
            TokenStream(tmp_path, tok, **{**settings_of, name: value}).load_state_dict(state)
    with pytest.raises(ValueError, match="another shard: expected '0 of 2', found '0 of 1'"):
        TokenStream(tmp_path, tok, **settings_of, shard=(0, 2)).load_state_dict(state)
    other = fissile.Tokenizer.from_ranks(small_ranks(900), "cl100k", {"<|end|>": EOD})
    with pytest.raises(ValueError, match="another tokenizer"):
        TokenStream(tmp_path, other, **settings_of).load_state_dict(state)
    write_jsonl(tmp_path / "more.jsonl", ["x"])
    with pytest.raises(ValueError, match="another files: expected '2 files"):
        TokenStream(tmp_path, tok, **settings_of).load_state_dict(state)
    with pytest.raises(ValueError, match="expected a state of version 1, found None"):
        TokenStream(tmp_path, tok, **settings_of).load_state_dict({})


def test_streams_pickle(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    a_corpus(tmp_path, [[100] * 10])
    stream = TokenStream(tmp_path, tok, split="dropout:0.1", shuffle=4)
    next(iter(stream))
    assert as_lists(pickle.loads(pickle.dumps(stream))) == as_lists(copy.copy(stream)) == as_lists(stream)


# --- what it reads ----------------------------------------------------------------------------------------------------


def test_text_files_and_packed_ones(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    lines = ["one", "", "three – 日本", "four"]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps({"body": "five"}).encode()))
    divided = TokenStream(tmp_path, tok, separator="\n", field="body", split="stochastok:0.5", seed=5)
    expected = tok.encode_files(tmp_path / "a.txt", separator="\n", split="stochastok:0.5", seed=5).tolist()
    assert as_lists(divided)[:-1] == expected
    whole = TokenStream(tmp_path, tok, field="body")
    assert tok.decode_batch(list(whole)) == ["\n".join(lines) + "\n", "five"]


def test_parquet(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    texts = some_texts([100] * 20)
    parquet.write_table(pyarrow.table({"body": texts}), tmp_path / "a.parquet")
    assert tok.decode_batch(list(TokenStream(tmp_path, tok, column="body"))) == texts


def test_errors_name_the_place(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", ["fine", "bad <|end|> here"])
    with pytest.raises(ValueError, match=r"a\.jsonl: line 2: .*<\|end\|>"):
        list(TokenStream(tmp_path, tok))
    assert EOD in list(TokenStream(tmp_path, tok, allowed_special="all"))[1]
    with pytest.raises(ValueError, match="text needs a tokenizer"):
        TokenStream(tmp_path)
    with pytest.raises(ValueError, match="no special token"):
        TokenStream(tmp_path, tok, eod="<|no|>")
    with pytest.raises(TypeError, match="no argument 'sufle'"):
        TokenStream(tmp_path, tok, sufle=3)
    with pytest.raises(FileNotFoundError):
        TokenStream(tmp_path / "none.jsonl", tok)
    bad: list[dict[str, Any]] = [{"pack": 0}, {"last": "x"}, {"epochs": 0}, {"shuffle": -1}, {"shard": (2, 2)}]
    for options in [*bad, {"seed": -1}, {"epoch": -1}, {"split": "no:1"}, {"separator": ""}]:
        with pytest.raises(ValueError):
            TokenStream(tmp_path, tok, **options)


# --- by number --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_a_table_has_the_documents_of_the_stream(tok: fissile.Tokenizer, tmp_path: Path, split: Any) -> None:
    texts = a_corpus(tmp_path, [[100, 0, 900, 3], [], [0], [50] * 300])
    table = TokenTable(tmp_path, tok, split=split, seed=5, eod=EOD)
    for epoch in (0, 2):
        table.set_epoch(epoch)
        assert as_lists(table[i] for i in range(len(table))) == literal(tok, texts, split, epoch)
    order = [5, 3, -1, 5]
    assert as_lists(table.__getitems__(order)) == as_lists(table[i] for i in order)
    with pytest.raises(IndexError):
        table[len(table)]
    assert pickle.loads(pickle.dumps(table))[7].tolist() == table[7].tolist()


@pytest.mark.parametrize("pack, stride", [(1, None), (64, None), (65, 64), (7, 3), (10**6, None)])
def test_a_table_of_blocks(tok: fissile.Tokenizer, tmp_path: Path, pack: int, stride: int | None) -> None:
    texts = a_corpus(tmp_path, [[100, 0, 900, 3], [], [0], [50] * 30])
    table = TokenTable(tmp_path, tok, pack=pack, stride=stride, eod=EOD)
    flat = [id for document in literal(tok, texts, None, 0) for id in document]
    step = stride or pack
    expected = [flat[i : i + pack] for i in range(0, len(flat), step) if i + pack <= len(flat)]
    assert as_lists(table[i] for i in range(len(table))) == expected
    with pytest.raises(ValueError, match="use TokenStream"):
        TokenTable(tmp_path, tok, pack=pack, split="stochastok:0.1")
