"""Ragged: views, padding, packing, Arrow."""

import gc
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fissile
from fissile import Ragged
from reference.texts import small_ranks

lists = st.lists(st.lists(st.integers(0, 1000), max_size=9), max_size=9)


def ragged(documents: list[list[int]]) -> Ragged:
    ids = np.array([id for document in documents for id in document], np.uint32)
    return Ragged(ids, np.cumsum([0, *map(len, documents)]).astype(np.int64))


@given(lists)
def test_documents_are_views(documents: list[list[int]]) -> None:
    r = ragged(documents)
    assert len(r) == len(documents) and r.tolist() == documents
    assert [d.tolist() for d in r] == documents
    assert r[1:].tolist() == documents[1:] and r[::-1].tolist() == documents[::-1]
    assert pickle.loads(pickle.dumps(r)) == r
    assert Ragged.concatenate([r, r]).tolist() == documents * 2
    for d in r:
        assert len(d) == 0 or np.shares_memory(d, r.ids)


def test_indices_outside_are_errors() -> None:
    with pytest.raises(IndexError):
        ragged([[1]])[1]
    assert ragged([[1], [2]])[-1].tolist() == [2]


def test_lists_come_from_the_tokenizer_alike() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2")
    batch = tokenizer.encode_batch(["Hello world", "", "日本"] * 5)
    assert batch.tolist() == Ragged(batch.ids, batch.offsets).tolist()
    assert batch[1:].tolist() == batch.tolist()[1:]


@given(
    lists,
    st.integers(0, 10) | st.none(),
    st.integers(1, 4),
    st.sampled_from(["left", "right"]),
    st.sampled_from(["left", "right"]),
)
def test_padding(documents: list[list[int]], length: "int | None", multiple: int, side: str, truncation: str) -> None:
    limit = max(map(len, documents), default=0) if length is None else length
    width = -(-limit // multiple) * multiple
    rows, masks = [], []
    for document in documents:
        kept = document[:limit] if truncation == "right" else document[len(document) - min(limit, len(document)) :]
        fill = [7] * (width - len(kept))
        rows.append(kept + fill if side == "right" else fill + kept)
        masks.append(
            [True] * len(kept) + [False] * len(fill) if side == "right" else [False] * len(fill) + [True] * len(kept)
        )
    padded = ragged(documents).pad(7, length=length, multiple_of=multiple, side=side, truncation_side=truncation)
    assert padded.ids.tolist() == rows and padded.mask.tolist() == masks
    assert padded.ids.shape == (len(documents), width)


@given(lists, st.integers(1, 7), st.sampled_from([None, 9999]), st.sampled_from(["drop", "pad"]))
def test_packing(documents: list[list[int]], size: int, separator: "int | None", last: str) -> None:
    stream, starts = [], []
    for document in documents:
        starts.append(len(stream))
        stream += document + ([] if separator is None else [separator])
    if last == "pad":
        stream += [3] * (-len(stream) % size)
    packed = ragged(documents).pack(size, separator=separator, last=last, pad_id=3)
    assert packed.blocks.tolist() == [stream[i : i + size] for i in range(0, len(stream) - size + 1, size)]
    assert packed.starts.tolist() == starts


def test_arguments_that_make_no_sense() -> None:
    r = ragged([[1]])
    for call in (
        lambda: r.pad(0, side="up"),  # type: ignore[arg-type]
        lambda: r.pad(0, multiple_of=0),
        lambda: r.pad(0, length=-1),
        lambda: r.pack(0),
        lambda: r.pack(2, last="keep"),  # type: ignore[arg-type]
        lambda: Ragged(np.array([70000], np.uint32), np.array([0, 1])).astype(np.uint16),
    ):
        with pytest.raises(ValueError):
            call()


def test_arrow_shares_the_memory_and_lets_go_of_it() -> None:
    r = ragged([[1, 2], [], [3]])
    schema, array = r.__arrow_c_array__()
    del schema, array, r
    gc.collect()
    pyarrow = pytest.importorskip("pyarrow")
    r = ragged([[1, 2], [], [3]])
    taken = pyarrow.array(r)
    address = r.ids.ctypes.data
    assert taken.values.buffers()[1].address == address
    del r
    gc.collect()
    assert taken.to_pylist() == [[1, 2], [], [3]]
    taken.validate(full=True)


def test_lists_leave_the_garbage_collector_as_it_was() -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k")
    batch = tokenizer.encode_batch(["ab", "c"] * 1000)
    assert gc.isenabled()
    batch.tolist()
    assert gc.isenabled()
    gc.disable()
    try:
        assert batch.tolist()[:2] == [tokenizer.encode("ab").tolist(), tokenizer.encode("c").tolist()]
        assert not gc.isenabled()
    finally:
        gc.enable()
