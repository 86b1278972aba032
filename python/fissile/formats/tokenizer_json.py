"""tokenizer.json, the format of Hugging Face `tokenizers`: BPE models over bytes or characters.

The model and the added tokens are read here, the nodes around them in json_nodes.py. A file's truncation and padding are
not part of its ids and are not applied: Ragged.pad does both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from fissile._core import ModelStrings, Vocabulary
from fissile.errors import TokenizerFileError
from fissile.formats import json_nodes
from fissile.formats.json_reader import Json, Reader
from fissile.formats.spec import (
    FLAG_LSTRIP,
    FLAG_NORMALIZED,
    FLAG_RSTRIP,
    FLAG_SINGLE_WORD,
    FLAG_SPECIAL,
    AddedToken,
    TokenizerSpec,
)
from fissile.formats.tokenizer_json_trees import ADDED_TOKEN_FLAGS, added_nodes, rest_of
from fissile.pipeline.affixes import Affixes
from fissile.pipeline.byte_alphabet import byte_alphabet

__all__ = ["from_json", "from_rest"]

_FALLBACK = [f"<0x{byte:02X}>" for byte in range(256)]
_SYMBOLS = "symbols"  # in Fissile's own form: those of a model with affixes, which otherwise come from its vocabulary


def _added_tokens(reader: Reader, root: Json) -> list[AddedToken]:
    tokens: dict[str, AddedToken] = {}
    for i, item in enumerate(reader.get(root, "added_tokens", "", list, [])):
        where = f"added_tokens[{i}]"
        if not isinstance(item, dict):
            reader.fail(where, f"expected an object, found {type(item).__name__}")
        content = reader.get(item, "content", where, str)
        id = reader.get(item, "id", where, int)
        if not content:
            reader.fail(f"{where}.content", "is empty")
        if not 0 <= id < 2**28:
            reader.fail(f"{where}.id", f"expected from 0 to {2**28 - 1}, found {id}")
        flags = sum(flag for name, flag in ADDED_TOKEN_FLAGS.items() if reader.get(item, name, where, bool, False))
        if tokens.setdefault(content, AddedToken(content, id, flags)).flags != flags:
            reader.fail(where, f"{content!r} is there already, with other properties")
    return list(tokens.values())


def _numbered(added: list[AddedToken], strings: ModelStrings, source: str) -> list[AddedToken]:
    """Added tokens with the ids that `tokenizers` gives them, which may be others than the file has for them."""
    ids = strings.ids_of_added([token.content for token in added], source)
    return [token._replace(id=id) for token, id in zip(added, ids, strict=True)]


def _model(reader: Reader, root: Json) -> Json:
    model: Json = reader.get(root, "model", "", dict)
    kind = reader.get(model, "type", "model", str, "BPE")
    if kind != "BPE":
        reader.fail("model.type", f"expected BPE, found {kind!r}")
    if reader.get(model, "dropout", "model", (int, float, type(None)), None):
        reader.fail(
            "model.dropout", "gives random ids; load the file with null there, and encode with split=BPEDropout(p)"
        )
    return model


class _NeedsTree(Exception):
    """The model is not spelt as it is in the file, so its tokens are needed as Python objects."""


def _affixes(reader: Reader, root: Json, model: Json, tokens: Json | ModelStrings | None) -> Affixes | None:
    """How a model is spelt of which the core does not know the symbols; see fissile.pipeline.affixes.

    Args:
        reader: of the file.
        root: all of it.
        model: its model.
        tokens: those of the model; None: the model is known already.
    """
    keys = ("continuing_subword_prefix", "end_of_word_suffix")
    prefix, suffix = (reader.get(model, key, "model", (str, type(None)), None) or "" for key in keys)
    drops_unknown = model.get("unk_token") is None
    nodes = reader.steps(root.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers")
    nodes += reader.steps(root.get("normalizer"), "normalizer", "normalizers")
    over_bytes = any(node["type"] == "ByteLevel" for node, _ in nodes)
    if tokens is None:
        if _SYMBOLS not in model:
            return None
        symbols = reader.get(model, _SYMBOLS, "model", list)
        return Affixes(prefix, suffix, [str(token) for token in symbols], over_bytes, drops_unknown)
    fallback = 0
    if reader.get(model, "byte_fallback", "model", bool, False):
        fallback = sum(token in tokens for token in _FALLBACK)
    if not prefix and not suffix:
        complete = fallback == 256 or (over_bytes and all(char in tokens for char in byte_alphabet()))
        if complete or not drops_unknown:
            return None
        why = "without unk_token and without a token for every byte"
    else:
        why = f"with {' or '.join(keys)}"
    if isinstance(tokens, ModelStrings):
        raise _NeedsTree
    if fallback:
        reader.fail("model.byte_fallback", f"is not supported {why}")
    if reader.get(model, "ignore_merges", "model", bool, False):
        reader.fail("model.ignore_merges", f"is not supported {why}")
    return Affixes(prefix, suffix, tokens, over_bytes, drops_unknown)


def _spelt(reader: Reader, affixes: Affixes, vocab: Json, merges: list[Any]) -> tuple[Json, list[tuple[str, str]]]:
    """Tokens and merges of a model with affixes, for the core."""
    pairs: list[tuple[str, str]] = []
    for i, merge in enumerate(merges):
        pair = tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) if isinstance(merge, list) else ()
        if len(pair) != 2 or not all(isinstance(part, str) and part for part in pair):
            reader.fail(f"merges[{i}]", f"expected two tokens, found {merge!r}")
        pairs.append(pair)
    try:
        "".join(vocab).encode()
        return affixes.spell(vocab, pairs)
    except UnicodeEncodeError:
        reader.fail("model.vocab", "a token holds a lone surrogate")
    except ValueError as error:
        reader.fail("model", str(error))


def _parse(data: bytes, source: str) -> Json:
    try:
        root = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TokenizerFileError(f"{source}: byte {error.start}: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise TokenizerFileError(f"{source}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise TokenizerFileError(f"{source}: JSON is nested too deeply for a tokenizer") from None
    except ValueError as error:  # an int of more digits than Python converts
        raise TokenizerFileError(f"{source}: {error}") from None
    if not isinstance(root, dict):
        raise TokenizerFileError(f"{source}: expected a JSON object, found {type(root).__name__}")
    return root


def from_json(data: bytes, source: str) -> TokenizerSpec:
    """A tokenizer.json as a tokenizer; TokenizerFileError names the place of what cannot be used."""
    reader = Reader(source)
    try:
        strings = ModelStrings.read(data)
        if strings is not None and (rest := _well_formed(strings.rest)) is not None:
            with suppress(_NeedsTree):
                return _read(reader, rest, taken=strings, payload=lambda: _parse(data, source))
        return _read(reader, _parse(data, source))
    except RecursionError:
        raise TokenizerFileError(f"{source}: nodes are nested too deeply for a tokenizer") from None


def _well_formed(rest: bytes) -> Json | None:
    """What is beside the strings; None: it is not well-formed, of which the whole file says where."""
    try:
        return _parse(rest, "rest")
    except TokenizerFileError:
        return None


def from_rest(
    rest: Json, source: str, vocabulary: Vocabulary, has_bytes: bool, payload: Callable[[], Json]
) -> TokenizerSpec:
    """A tokenizer from a tree without tokens and merges, and the vocabulary that was made of those; for own.py.

    Args:
        rest: the tree.
        source: name of the file.
        vocabulary: its model.
        has_bytes: the model has a token for every byte to fall back on.
        payload: gives the whole tree.
    """
    return _read(Reader(source), rest, known=_Known(vocabulary, has_bytes), payload=payload)


class _Known(NamedTuple):
    vocabulary: Vocabulary
    has_bytes: bool


def _read(
    reader: Reader,
    root: Json,
    *,
    known: _Known | None = None,
    taken: ModelStrings | None = None,
    payload: Callable[[], Json] | None = None,
) -> TokenizerSpec:
    """A tree as a tokenizer.

    Args:
        reader: of its file.
        root: the tree.
        known: what was made of tokens and merges, which the tree has not.
        taken: or the strings of tokens and merges, of which the tree has none either.
        payload: gives the whole tree; None: it is whole.
    """
    model = _model(reader, root)
    added = _added_tokens(reader, root)
    vocab = {} if known else reader.get(model, "vocab", "model", dict)
    merges = [] if known else reader.get(model, "merges", "model", list)
    tokens = None if known else vocab if taken is None else taken
    if added and known is None:
        added = _numbered(added, ModelStrings(vocab, [], reader.source) if taken is None else taken, reader.source)
    byte_fallback = reader.get(model, "byte_fallback", "model", bool, False)
    fuse_unk = reader.get(model, "fuse_unk", "model", bool, False)
    has_bytes = byte_fallback and (known.has_bytes if known else all(token in (tokens or ()) for token in _FALLBACK))
    unk = reader.get(model, "unk_token", "model", (str, type(None)), None)

    in_normalized = [t.content for t in added if t.flags & FLAG_NORMALIZED]
    kinds = [node["type"] for node, _ in reader.steps(root.get("normalizer"), "normalizer", "normalizers")]
    in_python = any("Prepend" in kinds or " " in text or "\u2581" in text for text in in_normalized)
    affixes = _affixes(reader, root, model, tokens)
    normalizers = json_nodes.normalizer(reader, root.get("normalizer"), in_python or affixes is not None)
    options, alphabet = json_nodes.pre_tokenizer(
        reader,
        root.get("pre_tokenizer"),
        normalizers,
        whole_runs=unk is not None and fuse_unk and not has_bytes,
        affixes=affixes,
    )
    if "prefix_space" in normalizers.options and (alphabet != "metaspace" or "prefix_space" in options):
        normalizers = json_nodes.normalizer(reader, root.get("normalizer"), in_python=True)
    if normalizers.spaces_replaced and alphabet != "metaspace" and "normalize" not in normalizers.options:
        normalizers = json_nodes.normalizer(reader, root.get("normalizer"), in_python=True)
    options = normalizers.options | options
    added = [_as_normalized(reader, token, normalizers) for token in added]
    if affixes is not None and known is None:
        if unk is not None and unk not in vocab:
            reader.fail("model.unk_token", f"{unk!r} is not in model.vocab")
        vocab, merges = _spelt(reader, affixes, vocab, merges)
        unk = affixes.spelling(unk) if unk is not None else None
    vocabulary = (
        known.vocabulary
        if known
        else Vocabulary.from_merges(
            ModelStrings(vocab, merges, reader.source) if taken is None else taken,
            [(_model_content(t, alphabet), t.id, bool(t.flags & FLAG_SPECIAL)) for t in added],
            alphabet=alphabet,
            ignore_merges=reader.get(model, "ignore_merges", "model", bool, False),
            byte_fallback=byte_fallback,
            unk_token=unk,
            fuse_unk=fuse_unk,
            source=reader.source,
        )
    )
    options["template_before"], options["template_after"] = json_nodes.template(reader, root.get("post_processor"))
    strings = {token.id: _string_of(token, normalizers) for token in added}
    names = {token.content for token in added if token.flags & FLAG_SPECIAL}
    skipped = [id for id, string in strings.items() if string in names]
    special = [token.id for token in added if token.flags & FLAG_SPECIAL]
    decoding = json_nodes.decoder(
        reader, root.get("decoder"), "affixes" if affixes else alphabet, byte_fallback, list(strings.values())
    )
    rest = rest_of(root) | {"added_tokens": added_nodes(added)}
    if affixes is not None:
        rest["model"][_SYMBOLS] = affixes.symbols
    return TokenizerSpec(
        kind="tokenizers",
        source=reader.source,
        vocabulary=vocabulary,
        pattern=options["pattern"] if "split" not in options else "of the file",
        encoder=options,
        added_tokens=sorted(added, key=lambda token: token.id),
        added_strings=strings,
        skipped=None if sorted(skipped) == sorted(special) else skipped,
        leading_space=decoding.leading_space,
        token_texts={id: text for id, string in strings.items() if (text := decoding.text(string)) is not None},
        decode_tokens=decoding.decode,
        decode_malformed=decoding.decode_malformed,
        affixes=affixes,
        payload=payload or (lambda: root),
        rest=rest,
    )


def _model_content(token: AddedToken, alphabet: str) -> str:
    """The content of an added token for the core, which spells the model's tokens with spaces for U+2581: Gemma's runs of
    U+2581 are both."""
    return (
        token.content if alphabet != "metaspace" or token.flags & FLAG_SPECIAL else token.content.replace("\u2581", " ")
    )


def _string_of(token: AddedToken, normalizers: json_nodes.Normalizers) -> str:
    """What `tokenizers` hands to its decoders for an added token: one of normalised text is that itself."""
    if not token.flags & FLAG_NORMALIZED:
        return token.content
    return normalizers.spelling(token.content)


def _as_normalized(reader: Reader, token: AddedToken, normalizers: json_nodes.Normalizers) -> AddedToken:
    """The token with what it is looked for as in normalised text."""
    if not token.flags & FLAG_NORMALIZED:
        return token
    if normalizers.to_bytes and token.flags & (FLAG_LSTRIP | FLAG_RSTRIP | FLAG_SINGLE_WORD):
        reader.fail(
            "added_tokens",
            f"{token.content!r} with lstrip, rstrip or single_word is not supported after a ByteLevel normalizer",
        )
    if "normalize" not in normalizers.options:
        return token
    normalized = normalizers.apply(token.content)
    if not normalized:
        reader.fail("added_tokens", f"nothing is left of {token.content!r} when it is normalised")
    return token._replace(normalized=normalized)
