"""Fissile's own file form (.fissile), which pickling uses too: all there is to a tokenizer, quick to load.

8 bytes   magic
4 bytes   version, little-endian like all numbers
4 bytes   CRC-32 of all that follows
8 bytes   size of the header
header    JSON: the kind of tokenizer, what its file says beside tokens and merges, and for each array its type, first
          byte and size
arrays    tokens, their roles, merges or orders (cpp/vocab/vocabulary_parts.hpp), each at a multiple of 8 bytes, which
          go to the core as they are; and the foreign file, compressed, to be written back
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fissile._core import Vocabulary
from fissile.errors import TokenizerFileError
from fissile.formats.signature import OWN_MAGIC
from fissile.formats.spec import TokenizerSpec

__all__ = ["from_bytes", "to_bytes"]

_VERSION = 1
_PREFIX = struct.Struct("<8sIIQ")
_CHECKED_FROM = 16  # what the checksum is of
_RULES = {"tiktoken": "ranks", "tokenizers": "merges", "sentencepiece": "scores"}
_FALLBACK = 4  # VocabularyParts::kFallback


def to_bytes(spec: TokenizerSpec) -> bytes:
    """A tokenizer as a file."""
    arrays = spec.vocabulary.parts(_RULES[spec.kind])
    header: dict[str, Any] = {"kind": spec.kind, "arrays": {}}
    if spec.kind == "tiktoken":
        header["rest"] = {"pattern": spec.pattern, "special_tokens": {t.content: t.id for t in spec.added_tokens}}
    elif spec.kind == "tokenizers":
        from fissile.formats import tokenizer_json_trees

        header["rest"] = spec.rest
        arrays["foreign"] = _compressed(tokenizer_json_trees.to_json(spec.payload()))
    else:
        header["rest"] = {key: value for key, value in spec.rest.items() if key != "model"}
        arrays["model"] = np.frombuffer(spec.rest["model"], np.uint8)
        arrays["foreign"] = _compressed(spec.payload())
    at = 0
    for name, array in arrays.items():
        header["arrays"][name] = [array.dtype.newbyteorder("<").str, at, array.nbytes]
        at += -(-array.nbytes // 8) * 8
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(_PREFIX.size + len(text)) % 8)
    blocks = [struct.pack("<Q", len(text)), text]
    for array in arrays.values():
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        blocks += [data, b"\0" * (-len(data) % 8)]
    body = b"".join(blocks)
    return struct.pack("<8sII", OWN_MAGIC, _VERSION, zlib.crc32(body)) + body


def _compressed(data: bytes) -> Any:
    return np.frombuffer(zlib.compress(data, 1), np.uint8)


def from_bytes(data: bytes, source: str) -> TokenizerSpec:
    """Such a file as a tokenizer.

    Raises:
        TokenizerFileError: the file is cut, changed, or of a later version.
    """
    if len(data) < _PREFIX.size:
        raise TokenizerFileError(f"{source}: ends after {len(data)} bytes, expected at least {_PREFIX.size}")
    _, version, checksum, n_header = _PREFIX.unpack_from(data)
    if version != _VERSION:
        raise TokenizerFileError(f"{source}: is of version {version}, expected {_VERSION}")
    if zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        raise TokenizerFileError(f"{source}: its checksum is not that of its contents: it was cut or changed")
    try:
        header = json.loads(data[_PREFIX.size : _PREFIX.size + n_header])
        arrays = {name: _array(data, _PREFIX.size + n_header, *place) for name, place in header.pop("arrays").items()}
        return _spec(header, arrays, source)
    except TokenizerFileError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        # The checksum fits, so that somebody wrote it like this.
        raise TokenizerFileError(f"{source}: its header is not that of a tokenizer: {error!r}") from None


def _array(data: bytes, begin: int, dtype: str, at: int, n_bytes: int) -> Any:
    kind = np.dtype(dtype)
    if kind.kind != "u" or at < 0 or n_bytes < 0:
        raise ValueError(f"an array of {dtype} at {at}")
    array = np.frombuffer(data, kind, n_bytes // kind.itemsize, begin + at)
    return array.astype(kind.newbyteorder("="), copy=False)


def _spec(header: dict[str, Any], arrays: dict[str, Any], source: str) -> TokenizerSpec:
    kind, rest = header["kind"], header["rest"]
    vocabulary = Vocabulary.from_parts(arrays, _RULES[kind], source)
    if kind == "tiktoken":
        from fissile.formats import tiktoken
        from fissile.formats.patterns import canonical_pattern

        specials = {str(text): int(id) for text, id in rest["special_tokens"].items()}
        return tiktoken.spec_of(vocabulary, canonical_pattern(rest["pattern"]), specials, source)
    foreign = _decompressed(arrays["foreign"], source)
    if kind == "tokenizers":
        from fissile.formats import tokenizer_json

        has_bytes = int((arrays["roles"] & _FALLBACK != 0).sum()) == 256
        return tokenizer_json.from_rest(rest, source, vocabulary, has_bytes, lambda: json.loads(foreign()))
    from fissile.formats import sentencepiece

    kinds = sentencepiece.Kinds(
        unknown=int(rest["unknown"]),
        control=[int(id) for id in rest["control"]],
        user_defined=[(str(text), int(id)) for text, id in rest["user_defined"]],
        bos=[int(id) for id in rest["bos"]],
        eos=[int(id) for id in rest["eos"]],
        has_usual_template=bool(rest["has_usual_template"]),
    )
    return sentencepiece.from_rest(arrays["model"].tobytes(), vocabulary, kinds, source, foreign)


def _decompressed(data: Any, source: str) -> Callable[[], bytes]:
    """The foreign file, when it is asked for."""

    def foreign() -> bytes:
        try:
            return zlib.decompress(data)
        except zlib.error as error:
            raise TokenizerFileError(f"{source}: the file that it was made from: {error}") from None

    return foreign
