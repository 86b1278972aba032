"""Files of ids, in the forms that other programs write: the documents that went in, streamed and by number."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.data import TokenStream, TokenTable, token_files
from fissile.data.token_files import TokenFile
from reference.texts import WORLD, library_text, small_ranks

EOD = 1000


@pytest.fixture(scope="module")
def tok() -> fissile.Tokenizer:
    return fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|end|>": EOD})


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_files, "CHUNK_TOKENS", 64)
    monkeypatch.setattr(token_files, "PIECE_TOKENS", 16)


def write_bin(path: Path, ids: list[int], dtype: str = "uint16", **more: Any) -> None:
    np.array(ids, f"<{np.dtype(dtype).str[1:]}").tofile(path)
    path.with_suffix(".json").write_text(json.dumps({"dtype": dtype, "n_tokens": len(ids), "eod": EOD, **more}))


def write_pair(stem: Path, documents: list[list[int]], dtype: Any = np.uint16) -> None:
    np.save(f"{stem}.ids.npy", np.array([id for d in documents for id in d], dtype))
    np.save(f"{stem}.offsets.npy", np.cumsum([0, *map(len, documents)]))


def read(file: TokenFile, first: int = 0) -> list[tuple[int, list[int], bool]]:
    return [
        (chunk.first + i, chunk.documents[i].tolist(), bool(chunk.ended[i]))
        for chunk in file.chunks(first)
        for i in range(len(chunk.documents))
    ]


@given(ids=st.lists(st.sampled_from([1, 2, EOD]), max_size=300) | st.lists(st.integers(0, 9), min_size=100))
@settings(max_examples=60)
def test_documents_of_a_bin(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    path = tmp_path_factory.mktemp("ids") / "a.bin"
    write_bin(path, ids)
    expected: list[tuple[int, list[int], bool]] = []
    body: list[int] = []
    for id in ids:
        if id == EOD:
            expected.append((len(expected), body, True))
            body = []
        else:
            body.append(id)
    if body:
        expected.append((len(expected), body, False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_files, "CHUNK_TOKENS", 32)
        file = TokenFile(str(path))
        for first in (0, 1, len(expected) // 2, len(expected), len(expected) + 1):
            assert read(file, first) == expected[first:]
        begins, ends, ended = file.bounds()
    assert [file.ids[a:b].tolist() for a, b in zip(begins, ends, strict=True)] == [body for _, body, _ in expected]
    assert ended.tolist() == [is_ended for *_, is_ended in expected]


@given(sizes=st.lists(st.sampled_from([0, 0, 1, 5, 100]), max_size=60))
@settings(max_examples=40)
def test_documents_of_a_pair(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    documents = [[i % 50] * size for i, size in enumerate(sizes)]
    write_pair(folder / "a", documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_files, "CHUNK_TOKENS", 16)
        file = TokenFile(str(folder / "a.ids.npy"))
        for first in (0, 1, len(sizes)):
            assert read(file, first) == [(i, d, False) for i, d in enumerate(documents)][first:]
    assert as_lists(TokenStream(folder, eod=EOD)) == [[*d, EOD] for d in documents]
    table = TokenTable(folder, eod=EOD)
    assert as_lists(table[i] for i in range(len(table))) == [[*d, EOD] for d in documents]


def as_lists(samples: Any) -> list[list[int]]:
    return [sample.tolist() for sample in samples]


def test_without_an_eod_documents_are_pieces(tmp_path: Path, small_chunks: None) -> None:
    ids = list(range(70))
    np.array(ids, np.uint16).tofile(tmp_path / "a.bin")
    expected = [ids[i : i + 16] for i in range(0, 70, 16)]
    assert as_lists(TokenStream(tmp_path, token_dtype="uint16")) == expected
    table = TokenTable(tmp_path, token_dtype="uint16")
    assert as_lists(table[i] for i in range(len(table))) == expected
    assert as_lists(TokenStream(tmp_path, token_dtype="uint16", pack=7)) == [ids[i : i + 7] for i in range(0, 70, 7)]


@pytest.mark.parametrize("magic, version, dtype, eod", [(20240520, 1, "<u2", 50256), (20240801, 7, "<u4", 128000)])
def test_files_of_llm_c(tmp_path: Path, magic: int, version: int, dtype: str, eod: int) -> None:
    ids = [eod, 1, 2, eod, 3]
    header = np.zeros(256, "<i4")
    header[:3] = magic, version, len(ids)
    (tmp_path / "a.bin").write_bytes(header.tobytes() + np.array(ids, dtype).tobytes())
    assert as_lists(TokenStream(tmp_path)) == [[eod], [1, 2, eod], [3]]
    assert as_lists(TokenStream(tmp_path, pack=5)) == [ids]  # nothing is added to a .bin
    (tmp_path / "a.bin").write_bytes(header.tobytes() + np.array(ids[1:], dtype).tobytes())
    with pytest.raises(ValueError, match=r"a\.bin: expected 5 ids of uint"):
        TokenStream(tmp_path)


@pytest.mark.parametrize("split", [None, "stochastok:0.4"])
@pytest.mark.parametrize("form", ["bin", "npy"])
@pytest.mark.parametrize("shuffle, shards", [(0, 1), (10, 1), (10, 3)])
def test_ids_give_what_their_text_gives(
    tok: fissile.Tokenizer, tmp_path: Path, split: Any, form: str, shuffle: int, shards: int
) -> None:
    source = library_text() + WORLD
    texts = [source[i : i + 300] for i in range(0, 20_000, 300)] + [""]
    (tmp_path / "text").mkdir()
    (tmp_path / "ids").mkdir()
    (tmp_path / "text" / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    canonical = tok.encode_batch(texts).tolist()
    if form == "bin":
        write_bin(tmp_path / "ids" / "a.bin", [id for d in canonical for id in [*d, EOD]])
    else:
        write_pair(tmp_path / "ids" / "a", canonical)
    for index in range(shards):
        streams = [
            TokenStream(tmp_path / kind, tok, split=split, eod=EOD, shuffle=shuffle, epochs=2, shard=(index, shards))
            for kind in ("text", "ids")
        ]
        assert as_lists(streams[0]) == as_lists(streams[1])
    tables = [TokenTable(tmp_path / kind, tok, split=split, eod=EOD, epoch=1) for kind in ("text", "ids")]
    assert as_lists(tables[0][i] for i in range(len(tables[0]))) == as_lists(tables[1][i] for i in range(len(texts)))


def test_blocks_run_across_files(tmp_path: Path) -> None:
    write_bin(tmp_path / "a.bin", [1, 2, EOD])
    write_bin(tmp_path / "b.bin", [], "uint32")
    write_bin(tmp_path / "c.bin", [70000, 4, EOD, 5, 6], "uint32")
    write_pair(tmp_path / "d", [[7], [8, 9]], np.uint32)
    flat = [1, 2, EOD, 70000, 4, EOD, 5, 6, 7, EOD, 8, 9, EOD]
    table = TokenTable(tmp_path, pack=3, eod=EOD)
    assert as_lists(table[i] for i in range(len(table))) == [flat[i : i + 3] for i in range(0, 12, 3)]
    assert len(pickle.dumps(table)) < 4000 and pickle.loads(pickle.dumps(table))[1].tolist() == flat[3:6]


def test_a_state_goes_on_in_ids(tmp_path: Path, small_chunks: None) -> None:
    rng = np.random.default_rng(1)
    for name in "abc":
        write_bin(tmp_path / f"{name}.bin", rng.choice([1, 2, 3, 4, EOD], 500).tolist())
    for pack in (None, 13):
        stream = TokenStream(tmp_path, pack=pack, shuffle=20, epochs=2)
        states, samples = [stream.state_dict()], []
        for sample in stream:
            samples.append(sample.tolist())
            states.append(stream.state_dict())
        for at in range(0, len(states), 7):
            stream.load_state_dict(states[at])
            assert as_lists(stream) == samples[at:]


def test_broken_files_are_named(tok: fissile.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"123")
    with pytest.raises(ValueError, match=r"a\.bin: expected a \.json beside it, or token_dtype="):
        TokenStream(path)
    with pytest.raises(ValueError, match=r"a\.bin: expected whole ids of uint16, found 3 bytes"):
        TokenStream(path, token_dtype="uint16")
    with pytest.raises(ValueError, match="expected ids of uint16 or uint32, not int64"):
        TokenStream(path, token_dtype="int64")
    for text in ("{", "[]", '{"dtype": "uint16"}', '{"dtype": "no", "n_tokens": 1}', '{"dtype": 1, "n_tokens": "1"}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ValueError, match=r"a\.json: expected"):
            TokenStream(path)
    write_bin(path, [1], eod=1 << 16)
    with pytest.raises(ValueError, match="the eod 65536 is no uint16"):
        TokenStream(path)
    write_bin(path, [1])
    with pytest.raises(ValueError, match=r"a\.bin: ids can be split by StochasTok alone"):
        TokenStream(path, tok, split="dropout:0.1")
    with pytest.raises(ValueError, match=r"a\.bin: splitting needs the tokenizer"):
        TokenStream(path, split="stochastok:0.1")
    np.save(tmp_path / "b.ids.npy", np.zeros(3, np.uint16))
    for offsets in ([0, 2], [1, 3], [0, 2, 1, 3]):
        np.save(tmp_path / "b.offsets.npy", np.array(offsets))
        with pytest.raises(ValueError, match=r"b\.offsets\.npy: expected offsets from 0 to 3, rising"):
            TokenStream(tmp_path / "b.ids.npy")
    np.save(tmp_path / "b.offsets.npy", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"b\.offsets\.npy: expected integers in one dimension"):
        TokenStream(tmp_path / "b.ids.npy")
    (tmp_path / "b.offsets.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match=r"b\.offsets\.npy: broken"):
        TokenStream(tmp_path / "b.ids.npy")
    with pytest.raises(FileNotFoundError):
        TokenStream(tmp_path / "c.bin")
