"""tokenizer.json, the format of Hugging Face `tokenizers`: BPE models over bytes or characters.

The tree of normalizer, pre-tokenizer, post-processor and decoder nodes is read into the few switches that the core
has. A node that means something else is named in a TokenizerFileError; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from fissile._core import Vocabulary
from fissile.errors import TokenizerFileError
from fissile.formats.spec import (
    FLAG_LSTRIP,
    FLAG_NORMALIZED,
    FLAG_RSTRIP,
    FLAG_SINGLE_WORD,
    FLAG_SPECIAL,
    AddedToken,
    TokenizerSpec,
)
from fissile.formats.tiktoken import PATTERNS

__all__ = ["bpe_tree", "from_json", "looks_like", "to_json", "tree_from_ranks"]

Json = dict[str, Any]
_METASPACE = "\u2581"
_FLAGS = {
    "special": FLAG_SPECIAL,
    "lstrip": FLAG_LSTRIP,
    "rstrip": FLAG_RSTRIP,
    "single_word": FLAG_SINGLE_WORD,
    "normalized": FLAG_NORMALIZED,
}

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# The built-in patterns for Oniguruma, the engine of `tokenizers`. To it {1,3}+ is a repetition of groups, not possessive,
# and $ an end of line, so cl100k is spelt without them; the file's own spelling of such a regex means something else.
_SPELLINGS = PATTERNS | {
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]|\s+(?!\S)|\s"
}
# These and other published spellings.
_REGEXES = {
    **{regex: name for name, regex in _SPELLINGS.items()},
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": "llama3",
    _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "llama3",
}
_DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_SUPERBPE = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)"


def looks_like(data: bytes) -> bool:
    """Whether a file begins as a JSON object does."""
    return data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{"


class _Reader:
    """Typed access to parts of the file; errors name the place."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, where: str, problem: str) -> NoReturn:
        raise TokenizerFileError(f"{self.source}: {where}: {problem}")

    def get(self, parent: Json, key: str, where: str, types: type | tuple[type, ...], default: Any = ...) -> Any:
        place = f"{where}.{key}" if where else key
        value = parent.get(key, default)
        if value is ...:
            self.fail(place, "is missing")
        if value is default and key not in parent:
            return value
        kinds = types if isinstance(types, tuple) else (types,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            expected = " or ".join("null" if t is type(None) else t.__name__ for t in kinds)
            self.fail(place, f"expected {expected}, found {type(value).__name__}")
        return value

    def steps(self, node: Json | None, where: str, members: str) -> list[tuple[Json, str]]:
        """The nodes of a tree of Sequences in order, each with its place."""
        if node is None:
            return []
        if not isinstance(node, dict):
            self.fail(where, f"expected an object or null, found {type(node).__name__}")
        if self.get(node, "type", where, str) != "Sequence":
            return [(node, where)]
        found = []
        for i, member in enumerate(self.get(node, members, where, list)):
            found += self.steps(member, f"{where}.{members}[{i}]", members)
        return found

    def unsupported(self, node: Json, where: str, why: str = "") -> NoReturn:
        self.fail(where, f"{node.get('type')} {why or 'is not supported here'}")


def _pattern(reader: _Reader, node: Json, where: str) -> tuple[str, str]:
    """("Regex" | "String", text) of a Split or Replace."""
    pattern = reader.get(node, "pattern", where, dict)
    if len(pattern) != 1 or next(iter(pattern)) not in ("Regex", "String"):
        reader.fail(f"{where}.pattern", "expected one of Regex and String")
    kind = next(iter(pattern))
    return kind, reader.get(pattern, kind, f"{where}.pattern", str)


def _normalizer(reader: _Reader, node: Json | None, options: Json) -> bool:
    """Sets nfc and prefix_space; whether spaces become U+2581."""
    spaces_replaced = False
    steps = reader.steps(node, "normalizer", "normalizers")
    for i, (step, where) in enumerate(steps):
        kind = step["type"]
        if kind == "NFC" and len(steps) == 1:
            options["nfc"] = True
        elif kind == "Prepend" and i == 0 and len(steps) == 2 and step.get("prepend") == _METASPACE:
            options["prefix_space"] = "always"
        elif kind == "Replace" and i == len(steps) - 1 and not options.get("nfc"):
            if _pattern(reader, step, where) != ("String", " ") or step.get("content") != _METASPACE:
                reader.unsupported(step, where, "other than of ' ' by U+2581 is not supported")
            spaces_replaced = True
        else:
            reader.unsupported(step, where)
    if options.get("prefix_space") and not spaces_replaced:
        reader.fail("normalizer", "Prepend is supported in front of Replace only")
    return spaces_replaced


def _metaspace(reader: _Reader, node: Json, where: str, options: Json) -> None:
    """Sets prefix_space and split_spaces as a Metaspace node asks."""
    if reader.get(node, "replacement", where, str, _METASPACE) != _METASPACE:
        reader.unsupported(node, where, "with another replacement than U+2581 is not supported")
    legacy = "always" if reader.get(node, "add_prefix_space", where, bool, True) else "never"
    scheme = reader.get(node, "prepend_scheme", where, str, legacy)
    if scheme not in ("always", "first", "never"):
        reader.fail(f"{where}.prepend_scheme", f"expected always, first or never, found {scheme!r}")
    if scheme != "never":
        options["prefix_space"] = "unless_space"
        options["prefix_first_segment_only"] = scheme == "first"
    options["split_spaces"] = reader.get(node, "split", where, bool, True)


def _pre_tokenizer(reader: _Reader, node: Json | None, spaces_replaced: bool, options: Json) -> str:
    """Sets pattern and the like; the alphabet of the model, "bytes" or "chars"."""
    steps = reader.steps(node, "pre_tokenizer", "pretokenizers")
    kinds = [step["type"] for step, _ in steps]
    if kinds[-1:] == ["ByteLevel"]:
        if spaces_replaced:
            reader.fail("pre_tokenizer", "ByteLevel after a Replace of spaces is not supported")
        byte_level, where = steps.pop()
        splits = []
        for step, place in steps:
            if step["type"] != "Split" or step.get("behavior") != "Isolated" or step.get("invert", False):
                reader.unsupported(step, place)
            regex_or_string, text = _pattern(reader, step, place)
            # Some files hold the line break itself where others write its escape.
            splits.append((regex_or_string, text.replace("\r", r"\r").replace("\n", r"\n")))
        use_regex = reader.get(byte_level, "use_regex", where, bool, True)
        prefix = reader.get(byte_level, "add_prefix_space", where, bool, True)
        if splits and (use_regex or prefix):
            reader.unsupported(
                byte_level, where, "after Split is supported without use_regex and add_prefix_space only"
            )
        if prefix:
            options["prefix_space"] = "unless_space"
        if not splits:
            options["pattern"] = "gpt2" if use_regex else "none"
        elif tuple(text for _, text in splits) == _DEEPSEEK and all(kind == "Regex" for kind, _ in splits):
            options["pattern"] = "deepseek_v3"
        elif len(splits) == 1 and splits[0] == ("Regex", _SUPERBPE):
            options["pattern"] = "superbpe"
        elif len(splits) == 1 and splits[0][0] == "Regex" and splits[0][1] in _REGEXES:
            options["pattern"] = _REGEXES[splits[0][1]]
        else:
            reader.fail("pre_tokenizer", f"this Split is none of the built-in patterns: {splits[0][1]!r}")
        return "bytes"
    options["pattern"] = "metaspace"
    if kinds == ["Metaspace"] and not spaces_replaced:
        _metaspace(reader, *steps[0], options)
    elif spaces_replaced and (not steps or (kinds == ["Split"] and _pattern(reader, *steps[0]) == ("String", " "))):
        pass  # no space is left for a Split at spaces to find
    elif steps:
        reader.unsupported(*steps[-1])
    else:
        reader.fail("pre_tokenizer", "expected ByteLevel, Metaspace, or a normalizer that replaces spaces; found none")
    return "chars"


def _added_tokens(reader: _Reader, root: Json) -> list[AddedToken]:
    tokens = []
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
        flags = sum(flag for name, flag in _FLAGS.items() if reader.get(item, name, where, bool, False))
        tokens.append(AddedToken(content, id, flags))
    return tokens


def _template(reader: _Reader, root: Json) -> tuple[list[int], list[int]]:
    """Ids that the single-text template puts before and after a text."""
    before: list[int] = []
    after: list[int] = []
    for node, where in reader.steps(root.get("post_processor"), "post_processor", "processors"):
        kind = node["type"]
        if kind == "ByteLevel":
            continue  # trims offsets only
        if kind != "TemplateProcessing":
            reader.unsupported(node, where)
        special = reader.get(node, "special_tokens", where, dict)
        target = before
        for i, piece in enumerate(reader.get(node, "single", where, list)):
            place = f"{where}.single[{i}]"
            if not isinstance(piece, dict) or len(piece) != 1:
                reader.fail(place, "expected SpecialToken or Sequence")
            if "Sequence" in piece:
                target = after
                continue
            name = reader.get(reader.get(piece, "SpecialToken", place, dict), "id", place, str)
            entry = reader.get(special, name, f"{where}.special_tokens", dict)
            ids = reader.get(entry, "ids", f"{where}.special_tokens.{name}", list)
            if not all(isinstance(id, int) and 0 <= id < 2**28 for id in ids):
                reader.fail(f"{where}.special_tokens.{name}.ids", "expected ids")
            target += ids
    return before, after


def _leading_space(reader: _Reader, root: Json, alphabet: str) -> str:
    """Checks that decoding is what the core does; what it does with a space in front."""
    steps = reader.steps(root.get("decoder"), "decoder", "decoders")
    if alphabet == "bytes":
        for step, where in steps:
            if step["type"] != "ByteLevel":
                reader.unsupported(step, where)
        return "keep"
    leading = "keep"
    for step, where in steps:
        kind = step["type"]
        if kind == "Strip":
            if step.get("content") != " " or step.get("start") != 1 or step.get("stop") != 0:
                reader.unsupported(step, where, "other than of one ' ' in front is not supported")
            leading = "drop_one"
        elif kind == "Metaspace":
            legacy = "always" if reader.get(step, "add_prefix_space", where, bool, True) else "never"
            if reader.get(step, "prepend_scheme", where, str, legacy) != "never":
                leading = "drop_in_first_token"
        elif kind == "Replace":
            if _pattern(reader, step, where) != ("String", _METASPACE) or step.get("content") != " ":
                reader.unsupported(step, where, "other than of U+2581 by ' ' is not supported")
        elif kind not in ("ByteFallback", "Fuse"):
            reader.unsupported(step, where)
    return leading


def _model(reader: _Reader, root: Json) -> Json:
    model: Json = reader.get(root, "model", "", dict)
    kind = reader.get(model, "type", "model", str, "BPE")
    if kind != "BPE":
        reader.fail("model.type", f"expected BPE, found {kind!r}")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if reader.get(model, key, "model", (str, type(None)), None):
            reader.fail(f"model.{key}", "is not supported")
    if reader.get(model, "dropout", "model", (int, float, type(None)), None):
        reader.fail("model.dropout", "is not supported; ids of such a tokenizer are random")
    return model


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
    root = _parse(data, source)
    reader = _Reader(source)
    try:
        return _read(reader, root)
    except RecursionError:
        raise TokenizerFileError(f"{source}: nodes are nested too deeply for a tokenizer") from None


def _read(reader: _Reader, root: Json) -> TokenizerSpec:
    model = _model(reader, root)
    options: Json = {}
    spaces_replaced = _normalizer(reader, root.get("normalizer"), options)
    alphabet = _pre_tokenizer(reader, root.get("pre_tokenizer"), spaces_replaced, options)
    added = _added_tokens(reader, root)
    if options.get("prefix_space") == "always" and any(t.flags & FLAG_NORMALIZED for t in added):
        reader.fail("added_tokens", "a normalized token under a Prepend normalizer is not supported")
    vocab = reader.get(model, "vocab", "model", dict)
    merges = reader.get(model, "merges", "model", list)
    byte_fallback = reader.get(model, "byte_fallback", "model", bool, False)
    fuse_unk = reader.get(model, "fuse_unk", "model", bool, False)
    has_bytes = byte_fallback and all(f"<0x{byte:02X}>" in vocab for byte in range(256))
    unk = reader.get(model, "unk_token", "model", (str, type(None)), None)
    if options.get("split_spaces") and unk is not None and fuse_unk and not has_bytes:
        reader.fail("model.fuse_unk", "with a Metaspace that splits is supported with a token for every byte only")
    vocabulary = Vocabulary.from_merges(
        vocab,
        merges,
        [(t.content, t.id, bool(t.flags & FLAG_SPECIAL)) for t in added],
        alphabet=alphabet,
        ignore_merges=reader.get(model, "ignore_merges", "model", bool, False),
        byte_fallback=byte_fallback,
        unk_token=unk,
        fuse_unk=fuse_unk,
        source=reader.source,
    )
    options["template_before"], options["template_after"] = _template(reader, root)
    return TokenizerSpec(
        kind="tokenizers",
        source=reader.source,
        vocabulary=vocabulary,
        encoder=options,
        added_tokens=sorted(added, key=lambda token: token.id),
        leading_space=_leading_space(reader, root, alphabet),
        payload=root,
    )


# --- writing ----------------------------------------------------------------------------------------------------------


def byte_chars() -> list[str]:
    """Character of each byte in the byte-level alphabet of GPT-2."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _pre_tokenizer_tree(pattern: str) -> Json:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    regexes = {"none": (), "deepseek_v3": _DEEPSEEK, "superbpe": (_SUPERBPE,)}.get(pattern) or (
        (_SPELLINGS[pattern],) if pattern in _SPELLINGS else ()
    )
    splits = [{"type": "Split", "pattern": {"Regex": r}, "behavior": "Isolated", "invert": False} for r in regexes]
    return {"type": "Sequence", "pretokenizers": [*splits, byte_level]}


def tree_from_ranks(vocabulary: Vocabulary, pattern: str, added_tokens: list[AddedToken]) -> Json:
    """The tokenizer.json of a rank file: merges in rank order, and whole pretokens looked up first, as tiktoken does."""
    chars = byte_chars()
    added_ids = {token.id for token in added_tokens}
    text = {
        id: "".join(chars[byte] for byte in vocabulary.token_bytes(id))
        for id in range(vocabulary.n_vocab)
        if id not in added_ids and vocabulary.has_token(id)
    }
    merges = [[text[left], text[right]] for left, right, _ in vocabulary.merges().tolist()]
    return bpe_tree({string: id for id, string in text.items()}, merges, pattern, added_tokens, ignore_merges=True)


def bpe_tree(
    vocab: dict[str, int],
    merges: Sequence[Sequence[str]],
    pattern: str,
    added_tokens: list[AddedToken],
    *,
    ignore_merges: bool,
) -> Json:
    """The tokenizer.json of a byte-level model whose tokens are spelt in the byte-level alphabet."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": t.id, "content": t.content} | {name: bool(t.flags & flag) for name, flag in _FLAGS.items()}
            for t in added_tokens
        ],
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer_tree(pattern),
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": ignore_merges,
            "vocab": vocab,
            "merges": merges,
        },
    }


def to_json(tree: Mapping[str, Any]) -> bytes:
    """The file of a tree."""
    return json.dumps(tree, ensure_ascii=False, indent=2).encode()
