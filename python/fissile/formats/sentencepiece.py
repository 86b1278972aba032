"""SentencePiece models (.model) of type BPE.

The file is a protocol buffer (sentencepiece_model.proto); the few fields that matter are read straight from its wire
format. Text is normalised by the core (cpp/text/charsmap.cpp). What a model asks for that the core does not do is named in
a TokenizerFileError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from fissile._core import SentencePieceNormalizer, Vocabulary
from fissile.errors import TokenizerFileError
from fissile.formats.spec import FLAG_NORMALIZED, AddedToken, TokenizerSpec

__all__ = ["Kinds", "as_field", "as_varint", "from_model", "from_rest"]

_METASPACE = "\u2581"
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
_MODEL_TYPES = {1: "UNIGRAM", 2: "BPE", 3: "WORD", 4: "CHAR"}


class Kinds(NamedTuple):
    """Ids of pieces that are not like most."""

    unknown: int
    control: list[int]
    user_defined: list[tuple[str, int]]
    bos: list[int]  # of <s>, where that is put in front of a text if special tokens are to be added
    eos: list[int]  # of </s>, where that is put behind it
    has_usual_template: bool  # <s> in front if there is one, as Llama's tokenizers add it


class _Broken(ValueError):
    """The bytes are no protocol buffer."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise _Broken(f"ends inside a number at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise _Broken(f"has a number of more than ten bytes at byte {at}")


def as_varint(value: int) -> bytes:
    """A number as protocol buffers have it."""
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def as_field(number: int, data: bytes) -> bytes:
    """A field of text, bytes or a message."""
    return as_varint(number << 3 | 2) + as_varint(len(data)) + data


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a message's fields: int, float, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > len(data):
                raise _Broken(f"ends inside field {number} at byte {at}")
            value = struct.unpack("<d" if wire == 1 else "<f", data[at : at + size])[0]
            at += size
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise _Broken(f"ends inside field {number}, which has {size} bytes, at byte {at}")
            value = data[at : at + size]
            at += size
        else:
            raise _Broken(f"has field {number} of unknown wire type {wire} at byte {at}")
        yield number, value


def _message(data: bytes, source: str) -> dict[int, Any]:
    if not isinstance(data, bytes):
        raise _Broken(f"{source} is no message")
    return dict(_fields(data))


def _bytes(message: dict[int, Any], number: int, name: str) -> bytes:
    value = message.get(number, b"")
    if not isinstance(value, bytes):
        raise _Broken(f"has no string in {name}")
    return value


def from_model(data: bytes, source: str, add_bos: bool | None = None, add_eos: bool | None = None) -> TokenizerSpec:
    """A .model file as a tokenizer.

    Args:
        data: the file.
        source: its name.
        add_bos: whether add_special_tokens puts the bos piece in front. None: if there is one.
        add_eos: whether it puts the eos piece behind. None: no.

    Raises:
        TokenizerFileError: the file is broken, of another type than BPE, needs what is not supported, or has no such piece.
    """
    try:
        return _read(data, source, add_bos, bool(add_eos))
    except _Broken as error:
        raise TokenizerFileError(f"{source}: a SentencePiece model that {error}") from None
    except UnicodeDecodeError:
        raise TokenizerFileError(f"{source}: a piece is not UTF-8") from None


def _read(data: bytes, source: str, add_bos: bool | None, add_eos: bool) -> TokenizerSpec:
    def refuse(what: str) -> NoReturn:
        raise TokenizerFileError(f"{source}: {what}")

    pieces: list[bytes] = []
    scores: list[float] = []
    types: list[int] = []
    trainer: dict[int, Any] = {}
    rest = b""
    for number, value in _fields(data):
        if number == 1:
            piece = _message(value, "a piece")
            text, score, kind = piece.get(1, b""), piece.get(2, 0.0), piece.get(3, _NORMAL)
            if not isinstance(text, bytes) or not isinstance(score, float) or not isinstance(kind, int):
                raise _Broken(f"has a piece {len(pieces)} of wrong types")
            text.decode()
            pieces.append(text)
            scores.append(score)
            types.append(min(kind, 255))
            continue
        if number == 2:
            trainer = _message(value, "trainer_spec")
        if isinstance(value, bytes):
            rest += as_field(number, value)
    if not pieces:
        refuse("no pieces, expected a SentencePiece model")
    model_type = trainer.get(3, 1)
    if model_type != 2:
        refuse(f"a model of type {_MODEL_TYPES.get(model_type, model_type)}, expected BPE")
    unknown = [id for id, kind in enumerate(types) if kind == _UNKNOWN]
    if len(unknown) != 1:
        refuse(f"{len(unknown)} pieces of type UNKNOWN, expected one")
    vocabulary = Vocabulary.from_scores(
        pieces,
        np.array(scores, np.float32),
        np.array(types, np.uint8),
        byte_fallback=bool(trainer.get(35, 0)),
        unk_id=unknown[0],
        source=source,
    )

    def control(name: str, number: int, usual: bytes) -> list[int]:
        piece = _bytes(trainer, number, f"trainer_spec.{name}_piece") or usual
        return [id for id, text in enumerate(pieces) if text == piece and types[id] == _CONTROL][:1]

    bos, eos = control("bos", 46, b"<s>"), control("eos", 47, b"</s>")
    for name, asked, ids in (("bos", add_bos, bos), ("eos", add_eos, eos)):
        if asked and not ids:
            refuse(f"no piece for add_{name}=True")
    kinds = Kinds(
        unknown=unknown[0],
        control=[id for id, kind in enumerate(types) if kind == _CONTROL],
        user_defined=[(text.decode(), id) for id, text in enumerate(pieces) if types[id] == _USER_DEFINED],
        bos=[] if add_bos is False else bos,
        eos=eos if add_eos else [],
        has_usual_template=not add_eos and (add_bos is not False or not bos),
    )
    return _spec_of(rest, vocabulary, kinds, source, lambda: data)


def from_rest(
    rest: bytes, vocabulary: Vocabulary, kinds: Kinds, source: str, payload: Callable[[], bytes]
) -> TokenizerSpec:
    """A tokenizer from a model without its pieces, and the vocabulary that was made of those; for own.py."""
    try:
        return _spec_of(rest, vocabulary, kinds, source, payload)
    except _Broken as error:
        raise TokenizerFileError(f"{source}: a SentencePiece model that {error}") from None


def _spec_of(
    rest: bytes, vocabulary: Vocabulary, kinds: Kinds, source: str, payload: Callable[[], bytes]
) -> TokenizerSpec:
    def refuse(what: str) -> NoReturn:
        raise TokenizerFileError(f"{source}: {what}")

    messages = dict(_fields(rest))
    trainer, normalizer, denormalizer = (
        _message(messages.get(number, b""), name)
        for number, name in ((2, "trainer_spec"), (3, "normalizer_spec"), (5, "denormalizer_spec"))
    )
    if not normalizer.get(5, 1):
        refuse("normalizer_spec.escape_whitespaces = false is not supported")
    if denormalizer.get(2):
        refuse("denormalizer_spec with a table of characters is not supported")
    dummy_prefix = bool(normalizer.get(3, 1))
    remove_extra = bool(normalizer.get(4, 1))
    encoder: dict[str, Any] = {"pattern": "metaspace", "template_before": kinds.bos, "template_after": kinds.eos}
    as_suffix = bool(trainer.get(24, 0))
    table = _bytes(normalizer, 2, "normalizer_spec.precompiled_charsmap")
    if (
        not table
        and not remove_extra
        and not as_suffix
        and not any(_METASPACE in text for text, _ in kinds.user_defined)
    ):
        encoder |= {"prefix_space": "always" if dummy_prefix else "never", "prefix_first_segment_only": True}
        flags = 0
    else:
        encoder["normalize"] = SentencePieceNormalizer(
            table,
            [text.encode() for text, _ in kinds.user_defined],
            add_dummy_prefix=dummy_prefix,
            remove_extra_whitespaces=remove_extra,
            whitespace_as_suffix=as_suffix,
            source=source,
        )
        flags = FLAG_NORMALIZED
    leading_space = "drop_in_empty_text" if remove_extra else "drop_in_first_piece" if dummy_prefix else "keep"
    token_texts = dict.fromkeys(kinds.control, b"")
    token_texts[kinds.unknown] = (
        _bytes(trainer, 44, "trainer_spec.unk_surface") if 44 in trainer else " \u2047 ".encode()
    )
    return TokenizerSpec(
        kind="sentencepiece",
        source=source,
        vocabulary=vocabulary,
        pattern="metaspace",
        encoder=encoder,
        # The core takes U+2581 for a space, and the normalizer leaves spaces only. SentencePiece never finds a piece that is
        # spelt with a space itself: normalised text has none.
        added_tokens=[
            AddedToken(text, id, flags, text.replace(_METASPACE, " "))
            for text, id in kinds.user_defined
            if " " not in text
        ],
        leading_space=leading_space,
        token_texts=token_texts,
        payload=payload,
        rest={"model": rest, **kinds._asdict()},
    )
