"""Ids back to text: all forms of ids, all errors, streams."""

import codecs
import random

import numpy as np
import pytest

import fissile
from fissile import Ragged
from reference.texts import WORLD, small_ranks

TOKENIZER = fissile.Tokenizer.from_ranks(small_ranks() | {b"x" * 40: 1000}, "cl100k", {"<|endoftext|>": 2000})
IDS = TOKENIZER.encode(WORLD + "x" * 40).tolist()


def test_every_form_of_ids_decodes_alike() -> None:
    forms = [IDS, tuple(IDS), np.array(IDS, np.uint32), np.array(IDS, np.uint16), np.array(IDS, np.int64)]
    forms += [np.array(IDS, np.int32)[::1], np.repeat(np.array(IDS, np.uint32), 2)[::2], [np.int64(i) for i in IDS]]
    for form in forms:
        assert TOKENIZER.decode(form) == WORLD + "x" * 40
    assert TOKENIZER.decode([]) == "" and TOKENIZER.decode(np.array([], np.uint32)) == ""


def test_long_results_grow() -> None:
    ids = IDS * 3000
    assert TOKENIZER.decode_bytes(ids) == (WORLD + "x" * 40).encode() * 3000


@pytest.mark.parametrize("bad", [1999, 5000, -1, 2**31, 2**70])
def test_unknown_ids_are_named_with_their_place(bad: int) -> None:
    with pytest.raises(KeyError, match=r"ids\[1\]"):
        TOKENIZER.decode([0, bad])


def test_ids_of_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"ids\[1\] must be an int, not float"):
        TOKENIZER.decode([1, 2.0])
    with pytest.raises(TypeError, match="float64"):
        TOKENIZER.decode(np.array([1.0]))
    with pytest.raises(TypeError, match="one-dimensional"):
        TOKENIZER.decode(np.zeros((2, 2), np.uint32))


def test_bytes_that_are_not_utf8() -> None:
    ids = TOKENIZER.encode(b"a\xff\xe4\xb8")
    assert TOKENIZER.decode(ids) == "a\ufffd\ufffd"
    assert TOKENIZER.decode(ids, errors="ignore") == "a"
    with pytest.raises(UnicodeDecodeError):
        TOKENIZER.decode(ids, errors="strict")


def test_special_tokens_can_be_left_out() -> None:
    ids = [ord("a"), 2000, ord("b")]
    assert TOKENIZER.decode(ids) == "a<|endoftext|>b"
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "ab"


def test_batches() -> None:
    texts = [WORLD, "", "a"]
    batch = TOKENIZER.encode_batch(texts)
    assert TOKENIZER.decode_batch(batch) == texts
    assert TOKENIZER.decode_batch(batch.tolist()) == texts


def test_unknown_ids_in_batches_are_named_with_their_document() -> None:
    ids, offsets = np.array([1, 2, 99999], np.uint32), np.array([0, 1, 3])
    for batch in ([[1], [2, 99999]], Ragged(ids, offsets), [np.array([1]), (2, 99999)]):
        with pytest.raises(KeyError, match=r"batch\[1\]: ids\[1\] is 99999"):
            TOKENIZER.decode_batch(batch)
    with pytest.raises(KeyError, match=r"batch\[1\]: ids\[1\] is -1"):
        TOKENIZER.decode_batch(Ragged(np.array([1, 2, -1]), offsets))
    with pytest.raises(TypeError, match=r"batch\[1\]: ids\[0\] must be an int, not str"):
        TOKENIZER.decode_batch([[1], ["a"]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"batch\[0\]: ids must be a sequence or an array of ints, not one int"):
        TOKENIZER.decode_batch([1, 2])
    with pytest.raises(TypeError, match="batch must be a Ragged or sequences of ids, not int"):
        TOKENIZER.decode_batch(5)  # type: ignore[arg-type]


def test_streams_give_whole_characters_only() -> None:
    rng = random.Random(2)
    # Bytes one at a time, so that every character comes in parts.
    ids = list(WORLD.encode())
    for _ in range(20):
        stream = TOKENIZER.stream_decoder()
        parts, at = [], 0
        while at < len(ids):
            step = rng.randrange(1, 4)
            parts.append(stream.push(ids[at : at + step] if step > 1 else ids[at]))
            at += step
        assert "\ufffd" not in "".join(parts)
        assert "".join(parts) + stream.finish() == WORLD


def test_a_stream_ends_as_errors_say() -> None:
    stream = TOKENIZER.stream_decoder()
    assert stream.push([ord("a"), 0xE4]) == "a"
    assert stream.finish() == codecs.decode(b"\xe4", "utf-8", "replace")
    assert stream.push(ord("b")) == "b"


def test_a_list_that_an_item_changes_while_it_is_read() -> None:
    class Clearing:
        def __init__(self, ids: list[object]) -> None:
            self.ids = ids

        def __index__(self) -> int:
            self.ids.clear()
            return IDS[0]

    ids: list[object] = [IDS[0]] * 1000
    ids[500] = Clearing(ids)
    assert TOKENIZER.decode_bytes(ids) == TOKENIZER.decode_bytes([IDS[0]] * 1000)  # type: ignore[arg-type]
    assert ids == []


def test_an_error_handler_that_decodes_itself() -> None:
    def handler(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        return TOKENIZER.decode(IDS)[:1], error.end

    codecs.register_error("fissile-decodes", handler)
    ids = TOKENIZER.encode(b"begin \xff middle \xff end")
    assert TOKENIZER.decode(ids, errors="fissile-decodes") == f"begin {WORLD[0]} middle {WORLD[0]} end"


@pytest.mark.parametrize("n", [1, 2047, 2048, 300_000])
def test_lengths_around_which_the_way_changes(n: int) -> None:
    ids = np.resize(np.array(IDS, np.uint32), n)
    text = b"".join(TOKENIZER.token_bytes(id) for id in ids.tolist())
    assert TOKENIZER.decode_bytes(ids) == text
    assert TOKENIZER.decode(ids) == TOKENIZER.decode(ids.tolist()) == text.decode(errors="replace")
    assert TOKENIZER.decode(ids[:1]) == TOKENIZER.token_bytes(int(ids[0])).decode(errors="replace")
    with pytest.raises(KeyError, match=rf"ids\[{n}\]"):
        TOKENIZER.decode([*ids.tolist(), 1999])


def test_arguments_of_the_cores_decode() -> None:
    decode = fissile._core.Decoder.decode
    decoder = TOKENIZER._decoder
    assert decoder.decode(ids=IDS, errors="strict", skip_special_tokens=True) == WORLD + "x" * 40
    for wrong in [((), {}), ((IDS, "strict", True), {}), ((IDS,), {"ids": IDS}), ((IDS,), {"skip": True})]:
        with pytest.raises(TypeError, match=r"decode\(\)"):
            decoder.decode(*wrong[0], **wrong[1])
    with pytest.raises(TypeError, match="skip_special_tokens"):
        decoder.decode(IDS, skip_special_tokens="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="__init__"):
        decode(fissile._core.Decoder.__new__(fissile._core.Decoder), IDS)
