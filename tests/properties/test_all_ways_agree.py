"""Whatever the vocabulary, the text and the threads: one text has one list of ids, and it decodes to the text."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from reference.merge import by_ranks
from reference.texts import WORLD, small_ranks


@functools.cache
def tokenizers() -> dict[str, fissile.Tokenizer]:
    """Vocabularies unlike each other: bytes only, a trained one, long tokens, tokens that no merge reaches."""
    bytes_only = {bytes([b]): b for b in range(256)}
    long_tokens = bytes_only | {b"ab" * (1 << k): 256 + k for k in range(8)}
    unreached = bytes_only | {b"abc": 256, b"bc": 257, b"  ": 258, b"xyz": 259, "日".encode(): 260}
    ranks = {"bytes only": bytes_only, "trained": small_ranks(), "long tokens": long_tokens, "unreached": unreached}
    return {name: fissile.Tokenizer.from_ranks(table, "cl100k") for name, table in ranks.items()}


documents = st.lists(
    st.binary(max_size=80)
    | st.text(max_size=60).map(str.encode)
    | st.text(st.sampled_from("abcxyz日 \n"), max_size=200).map(str.encode)
    | st.text(st.sampled_from(sorted(set(WORLD))), max_size=60).map(str.encode),
    max_size=12,
)


@pytest.mark.parametrize("name", tokenizers())
@settings(max_examples=60)
@given(texts=documents, threads=st.integers(1, 4))
def test_every_way_gives_the_same_ids(name: str, texts: list[bytes], threads: int) -> None:
    tokenizer = tokenizers()[name]
    wanted = [tokenizer.encode(text).tolist() for text in texts]
    batch = tokenizer.encode_batch(texts, threads)
    assert batch.tolist() == wanted
    assert [tokenizer.count(text) for text in texts] == [len(ids) for ids in wanted]
    assert tokenizer.count_batch(texts, threads).tolist() == [len(ids) for ids in wanted]
    assert [tokenizer.decode_bytes(ids) for ids in batch] == texts
    assert tokenizer.decode_batch(batch) == [text.decode("utf-8", "replace") for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(i) for i in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text)
        assert tokenizer.encode_files(paths, threads=threads) == batch


@pytest.mark.parametrize("name", tokenizers())
@given(text=st.binary(max_size=300))
def test_ids_stay_the_same_when_asked_again(name: str, text: bytes) -> None:
    """The first time a piece is merged, then it is remembered."""
    tokenizer = tokenizers()[name]
    first = tokenizer.encode(text)
    assert np.array_equal(tokenizer.encode(text), first)
    assert np.array_equal(tokenizer.encode(bytearray(text)), first)


@pytest.mark.parametrize("name", tokenizers())
@given(piece=st.text(st.sampled_from("abcxyz日"), min_size=1, max_size=60))
def test_one_word_merges_as_defined(name: str, piece: str) -> None:
    tokenizer = tokenizers()[name]
    ranks = {tokenizer.token_bytes(id): id for id in range(tokenizer.n_vocab)}
    assert tokenizer.encode(piece).tolist() == by_ranks(piece.encode(), ranks)


@pytest.mark.parametrize("name", tokenizers())
@given(data=st.data(), text=st.text(max_size=60))
def test_streams_say_what_decoding_says(name: str, data: st.DataObject, text: str) -> None:
    tokenizer = tokenizers()[name]
    ids = tokenizer.encode(text).tolist()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=6)))
    stream = tokenizer.stream_decoder()
    parts = [stream.push(ids[a:b]) for a, b in zip([0, *cuts], [*cuts, len(ids)], strict=True)]
    assert "".join(parts) + stream.finish() == text
