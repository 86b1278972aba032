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


def test_what_is_no_ids_with_offsets() -> None:
    ids = np.arange(3, dtype=np.uint32)
    with pytest.raises(TypeError, match="ids must be a numpy array of integers, not list"):
        Ragged([1, 2, 3], [0, 1, 3])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="offsets must be a numpy array of integers, not list"):
        Ragged(ids, [0, 1, 3])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"offsets must be integers in one dimension, found float64 of shape \(2,\)"):
        Ragged(ids, np.array([0.0, 3.0]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ids must be integers in one dimension, found uint32 of shape \(1, 3\)"):
        Ragged(ids[None], np.array([0, 3]))
    for offsets, place in (
        ([0, 9], r"offsets\[1\] is 9, expected from 0 to 3"),
        ([-1, 3], r"offsets\[0\] is -1, expected from 0 to 3"),
        ([0, 2, 1], r"offsets\[2\] is 1, expected from 2 to 3"),
        ([0, 2**63 - 1], r"offsets\[1\] is 9223372036854775807"),
        ([], "at least one entry"),
    ):
        with pytest.raises(ValueError, match=place):
            Ragged(ids, np.array(offsets, np.int64))
    assert Ragged(ids, np.array([1, 2], np.uint16)).offsets.dtype == np.int64


def test_ids_outside_the_documents_belong_to_none() -> None:
    r = Ragged(np.arange(9, dtype=np.uint32), np.array([2, 4, 7]))
    assert r.tolist() == [[2, 3], [4, 5, 6]]
    assert Ragged.concatenate([r, r]).tolist() == r.tolist() * 2
    assert r.pack(2).blocks.tolist() == [[2, 3], [4, 5]] and r.pack(2).starts.tolist() == [0, 2]
    assert r.pack(3, separator=7).blocks.tolist() == [[2, 3, 7], [4, 5, 6]]
    assert r.pad(0).ids.tolist() == [[2, 3, 0], [4, 5, 6]]


def test_arrow_reads_nothing_outside_the_ids() -> None:
    """Nor where an array was written to since the Ragged was made."""
    r = ragged([[1, 2], [3]])
    r.offsets[2] = 1000
    with pytest.raises(ValueError, match=r"offsets\[2\] is 1000, expected from 2 to 3"):
        r.__arrow_c_array__()
    with pytest.raises(TypeError, match="ids must be a contiguous array of uint16 or uint32, found int64"):
        ragged([[1, 2], [3]]).astype(np.int64).__arrow_c_array__()
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2")
    for documents in (r, fissile.Ragged._made(r.ids, r.offsets, tokenizer._decoder.to_lists)):
        with pytest.raises(ValueError, match=r"offsets\[2\]"):
            tokenizer.decode_batch(documents)
    with pytest.raises(ValueError, match=r"offsets\[2\]"):
        documents.tolist()


def test_ids_that_are_put_in_fit_the_type() -> None:
    r = ragged([[1], [2, 3]])
    for call, argument in (
        (lambda: r.pad(-1), "pad_id must be from 0 to 4294967295, not -1"),
        (lambda: r.astype(np.uint16).pad(1 << 16), "pad_id must be from 0 to 65535, not 65536"),
        (lambda: r.pack(4, separator=-1), "separator must be from 0 to 4294967295, not -1"),
        (lambda: r.pack(4, last="pad", pad_id=-1), "pad_id must be"),
        (lambda: r.astype(np.int64).pad(-100).ids.tolist() and r.astype(np.int64).astype(np.int8).pad(-200), "pad_id"),
        (lambda: Ragged(np.array([-1]), np.array([0, 1])).astype(np.uint32), "id -1 does not fit uint32"),
        (lambda: r.astype(np.float32), "dtype must be an integer type, not float32"),
    ):
        with pytest.raises(ValueError, match=argument):
            call()
    for call, argument in (
        (lambda: r.pad("x"), "pad_id must be an int, not str"),
        (lambda: r.pad(1.7), "pad_id must be an int, not float"),
        (lambda: r.pad(0, length=1.5), "length must be an int, not float"),
        (lambda: r.pad(0, multiple_of="8"), "multiple_of must be an int, not str"),
        (lambda: r.pack(4, separator=1.5), "separator must be an int, not float"),
        (lambda: r.pack(4.0), "block_size must be an int, not float"),
        (lambda: Ragged.concatenate([r, [1]]), r"parts\[1\] must be a Ragged, not list"),
        (lambda: r.astype("nope"), "dtype must be an integer type of numpy, not 'nope'"),
    ):
        with pytest.raises(TypeError, match=argument):
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
