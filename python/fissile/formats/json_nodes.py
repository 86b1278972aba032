"""The nodes of a tokenizer.json around its model: normalizer, pre-tokenizer, post-processor and decoder.

What the core has switches for is read into those. Other nodes become steps in Python (fissile.pipeline). A node that is in
neither is named in a TokenizerFileError; nothing is guessed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

from fissile._core import CharsMap
from fissile.formats.json_reader import Json, Reader
from fissile.formats.patterns import DEEPSEEK, REGEXES, SUPERBPE
from fissile.pipeline import decoders, normalizers, pre_tokenizers
from fissile.pipeline.affixes import Affixes
from fissile.pipeline.byte_alphabet import byte_alphabet
from fissile.pipeline.character_sets import NUMERIC, PUNCTUATION, WHITE_SPACE, WORD, members
from fissile.pipeline.regexes import Matcher

__all__ = ["Decoding", "Normalizers", "decoder", "normalizer", "pre_tokenizer", "template"]

_METASPACE = "\u2581"
_BEHAVIORS = ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous")
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_MAX_IDS = 2**28


def _matcher(reader: Reader, node: Json, where: str) -> Matcher:
    kind, text = reader.pattern(node, where)
    try:
        return Matcher(text, "oniguruma" if kind == "Regex" else None)
    except ValueError as error:
        reader.fail(f"{where}.pattern.{kind}", str(error))


# --- normalizers ------------------------------------------------------------------------------------------------------


class Normalizers:
    """The normalizers of a file.

    Attributes:
        options: switches of the core.
        spaces_replaced: no space is left in a normalised text, only U+2581.
        steps: all of them but ByteLevel, for what is to be normalised in Python.
        to_bytes: the last is ByteLevel, which is left to the pre-tokenizers.
    """

    def __init__(
        self, options: Json, spaces_replaced: bool, steps: list[normalizers.Normalizer], to_bytes: bool = False
    ) -> None:
        self.options = options
        self.spaces_replaced = spaces_replaced
        self.steps = steps
        self.to_bytes = to_bytes

    def apply(self, text: str) -> str:
        """A text, normalised."""
        for step in self.steps:
            text = step.apply(text)
        return text

    def spelling(self, text: str) -> str:
        """The same, as the file's normalizers leave it: with ByteLevel in characters that stand for bytes."""
        text = self.apply(text)
        return "".join(byte_alphabet()[byte] for byte in text.encode()) if self.to_bytes else text


def _normalizer_steps(reader: Reader, node: Json, where: str) -> list[normalizers.Normalizer]:
    if node["type"] != "BertNormalizer":
        return [_normalizer_step(reader, node, where)]
    lower = reader.get(node, "lowercase", where, bool, True)
    strips = reader.get(node, "strip_accents", where, (bool, type(None)), None)
    return normalizers.bert(
        reader.get(node, "clean_text", where, bool, True),
        reader.get(node, "handle_chinese_chars", where, bool, True),
        lower if strips is None else strips,
        lower,
    )


def _normalizer_step(reader: Reader, node: Json, where: str) -> normalizers.Normalizer:
    kind = node["type"]
    if kind in _FORMS:
        return normalizers.normal_form(kind)
    if kind == "Precompiled":
        try:
            table = base64.b64decode(reader.get(node, "precompiled_charsmap", where, str), validate=True)
        except ValueError as error:
            reader.fail(f"{where}.precompiled_charsmap", f"is not base64: {error}")
        return normalizers.precompiled(CharsMap(table, reader.source).shortest)
    if kind == "Lowercase":
        return normalizers.lowercase()
    if kind == "StripAccents":
        return normalizers.strip_accents()
    if kind == "Nmt":
        return normalizers.nmt()
    if kind == "Strip":
        return normalizers.strip(
            reader.get(node, "strip_left", where, bool), reader.get(node, "strip_right", where, bool)
        )
    if kind == "Prepend":
        return normalizers.prepend(reader.get(node, "prepend", where, str))
    if kind == "Replace":
        return normalizers.replace(_matcher(reader, node, where), reader.get(node, "content", where, str))
    reader.unsupported(node, where)


def _replaces_spaces(reader: Reader, node: Json, where: str) -> bool:
    return (
        node["type"] == "Replace"
        and reader.pattern(node, where) == ("String", " ")
        and reader.get(node, "content", where, str) == _METASPACE
    )


def _makes_spaces(node: Json) -> bool:
    """Whether a text without spaces may hold some after this."""
    content = str(node.get("content", "")) + str(node.get("prepend", ""))
    return node["type"] in ("NFKC", "NFKD", "Nmt", "Precompiled") or " " in content


def normalizer(reader: Reader, node: Any, in_python: bool) -> Normalizers:
    """The normalizers of a file.

    Args:
        reader: for errors.
        node: root["normalizer"].
        in_python: leave nothing to the core's switches, which do not reach added tokens found in normalised text.
    """
    nodes = reader.steps(node, "normalizer", "normalizers")
    kinds = [step["type"] for step, _ in nodes]
    if "ByteLevel" in kinds[:-1]:
        reader.unsupported(*nodes[kinds.index("ByteLevel")], "in front of other normalizers is not supported")
    if "ByteLevel" in kinds:
        normal = normalizer(reader, {"type": "Sequence", "normalizers": [step for step, _ in nodes[:-1]]}, in_python)
        return Normalizers(normal.options, normal.spaces_replaced, normal.steps, to_bytes=True)
    steps = [made for step, where in nodes for made in _normalizer_steps(reader, step, where)]
    spaces_replaced = False
    for step, where in nodes:
        spaces_replaced = _replaces_spaces(reader, step, where) or (spaces_replaced and not _makes_spaces(step))
    if not steps:
        return Normalizers({}, False, steps)
    whole = normalizers.join(steps)
    if kinds == ["NFC"]:
        return Normalizers({"nfc": True, "normalize": whole}, False, steps)
    if not in_python and spaces_replaced:
        if kinds == ["Replace"]:
            return Normalizers({}, True, steps)
        if kinds == ["Prepend", "Replace"] and nodes[0][0]["prepend"] == _METASPACE:
            return Normalizers({"prefix_space": "always"}, True, steps)
    return Normalizers({"normalize": whole}, spaces_replaced, steps)


# --- pre-tokenizers ---------------------------------------------------------------------------------------------------


def _metaspace_fields(reader: Reader, node: Json, where: str) -> tuple[str, str, bool]:
    """Replacement, scheme, and whether spaces begin pieces."""
    replacement = reader.character(node, "replacement", where, _METASPACE)
    legacy = "always" if reader.get(node, "add_prefix_space", where, bool, True) else "never"
    scheme = reader.choice(node, "prepend_scheme", where, ("always", "first", "never"), legacy)
    return replacement, scheme, reader.get(node, "split", where, bool, True)


def _step(reader: Reader, node: Json, where: str) -> pre_tokenizers.Step:
    """A pre-tokenizer in Python."""
    kind = node["type"]
    if kind == "ByteLevel":
        gpt2 = Matcher(_GPT2, "oniguruma") if reader.get(node, "use_regex", where, bool, True) else None
        return pre_tokenizers.byte_level(reader.get(node, "add_prefix_space", where, bool, True), gpt2)
    if kind == "Split":
        behavior: Any = reader.choice(node, "behavior", where, _BEHAVIORS)
        invert = reader.get(node, "invert", where, bool, False)
        return pre_tokenizers.split(_matcher(reader, node, where), behavior, invert)
    if kind == "Digits":
        each = reader.get(node, "individual_digits", where, bool)
        return pre_tokenizers.separate(members(NUMERIC), "Isolated" if each else "Contiguous")
    if kind == "Punctuation":
        behavior = reader.choice(node, "behavior", where, _BEHAVIORS, "Isolated")
        return pre_tokenizers.separate(members(PUNCTUATION), behavior)
    if kind == "Whitespace":
        return pre_tokenizers.words(members(WORD), members(WHITE_SPACE))
    if kind == "WhitespaceSplit":
        return pre_tokenizers.separate(members(WHITE_SPACE), "Removed")
    if kind == "BertPreTokenizer":
        spaces = pre_tokenizers.separate(members(WHITE_SPACE), "Removed")
        punctuation = pre_tokenizers.separate(members(PUNCTUATION), "Isolated")
        return lambda pieces: punctuation(spaces(pieces))
    if kind == "CharDelimiterSplit":
        delimiter = reader.character(node, "delimiter", where)
        return pre_tokenizers.separate(members(f"{ord(delimiter):x}"), "Removed")
    if kind == "FixedLength":
        length = reader.get(node, "length", where, int)
        if length < 1:
            reader.fail(f"{where}.length", f"expected at least 1, found {length}")
        return pre_tokenizers.fixed_length(length)
    if kind == "Metaspace":
        return pre_tokenizers.metaspace(*_metaspace_fields(reader, node, where))
    reader.unsupported(node, where)


def _built_in(reader: Reader, nodes: list[tuple[Json, str]]) -> str | None:
    """The built-in pattern that some nodes amount to."""
    regexes = []
    for node, where in nodes:
        if node["type"] != "Split" or node.get("behavior") != "Isolated" or node.get("invert", False):
            return None
        kind, text = reader.pattern(node, where)
        if kind != "Regex":
            return None
        # Some files hold the line break itself where others write its escape.
        regexes.append(text.replace("\r", r"\r").replace("\n", r"\n"))
    if tuple(regexes) == DEEPSEEK:
        return "deepseek_v3"
    if len(regexes) != 1:
        return None
    return "superbpe" if regexes[0] == SUPERBPE else REGEXES.get(regexes[0])


def _isolates_numbers(reader: Reader, node: Json, where: str) -> bool:
    return node["type"] == "Digits" and bool(reader.get(node, "individual_digits", where, bool))


def pre_tokenizer(
    reader: Reader, node: Any, normal: Normalizers, whole_runs: bool, affixes: Affixes | None = None
) -> tuple[Json, str]:
    """Switches of the core for a file's pre-tokenizers, and the alphabet of its model.

    Args:
        reader: for errors.
        node: root["pre_tokenizer"].
        normal: the file's normalizers.
        whole_runs: unknown characters of a piece fuse, so that pieces must be those of the file.
        affixes: those of its model, if there are some.

    Returns:
        Options of _core.Encoder, and "bytes", "metaspace" or "chars".
    """
    nodes = reader.steps(node, "pre_tokenizer", "pretokenizers")
    if normal.to_bytes:
        nodes.insert(0, ({"type": "ByteLevel", "use_regex": False, "add_prefix_space": False}, "normalizer"))
    kinds = [step["type"] for step, _ in nodes]
    spaces_replaced = normal.spaces_replaced
    for i, (step, where) in enumerate(nodes):
        if step["type"] != "Metaspace" or _metaspace_fields(reader, step, where)[1] != "first":
            continue
        if i > 0 and (normal.steps or {"Metaspace", "ByteLevel"} & set(kinds[:i])):
            # Several pieces may come from the text's first character, and each would get the replacement.
            reader.unsupported(step, where, "of the first piece only, after what puts characters in, is not supported")
    if affixes is not None:
        steps = [*(_step(reader, step, where) for step, where in nodes), affixes.step]
        return {"pattern": "none", "split": pre_tokenizers.join(steps, in_byte_alphabet=False)}, "chars"
    if "ByteLevel" in kinds:
        return _with_bytes(reader, nodes, kinds.index("ByteLevel")), "bytes"
    if spaces_replaced and (not nodes or (kinds == ["Split"] and reader.pattern(*nodes[0]) == ("String", " "))):
        return {"pattern": "metaspace"}, "metaspace"  # no space is left for a Split at spaces to find
    if kinds == ["Metaspace"] and not spaces_replaced:
        replacement, scheme, splits = _metaspace_fields(reader, *nodes[0])
        if replacement == _METASPACE and not (splits and whole_runs):
            options: Json = {"pattern": "metaspace", "split_spaces": splits}
            if scheme != "never":
                options |= {"prefix_space": "unless_space", "prefix_first_segment_only": scheme == "first"}
            return options, "metaspace"
    if not nodes:
        return {"pattern": "metaspace"}, "chars"
    steps = [_step(reader, step, where) for step, where in nodes]
    return {"pattern": "none", "split": pre_tokenizers.join(steps, in_byte_alphabet=False)}, "chars"


def _with_bytes(reader: Reader, nodes: list[tuple[Json, str]], at: int) -> Json:
    """Switches for pre-tokenizers of which nodes[at] is ByteLevel."""
    byte_level, where = nodes[at]
    use_regex = reader.get(byte_level, "use_regex", where, bool, True)
    prefix = reader.get(byte_level, "add_prefix_space", where, bool, True)
    before, after = nodes[:at], nodes[at + 1 :]
    for node, place in after:
        if node["type"] in ("ByteLevel", "Metaspace"):
            reader.unsupported(node, place, "after ByteLevel is not supported: it would leave the alphabet of bytes")
    steps: list[pre_tokenizers.Step]
    if after:
        steps = [_step(reader, *item) for item in nodes]
        return {"pattern": "none", "split": pre_tokenizers.join(steps, in_byte_alphabet=True)}
    if not before:
        options = {"prefix_space": "unless_space"} if prefix else {}
        return options | {"pattern": "gpt2" if use_regex else "none"}
    # The core cuts what the last pattern is to cut, if it has it.
    pattern = "gpt2" if use_regex else "none"
    if use_regex and not prefix and _isolates_numbers(reader, *before[-1]):
        before, pattern = before[:-1], "starcoder"
    elif not use_regex and not prefix:
        for first in range(len(before)):
            found = _built_in(reader, before[first:])
            if found is not None:
                before, pattern = before[:first], found
                break
    if not before:
        return {"pattern": pattern}
    steps = [_step(reader, *item) for item in before]
    if prefix:
        steps.append(pre_tokenizers.prefix_spaces)
    return {"pattern": pattern, "split": pre_tokenizers.join(steps, in_byte_alphabet=False)}


# --- post-processors --------------------------------------------------------------------------------------------------


def _ids(reader: Reader, ids: list[Any], where: str) -> list[int]:
    if not all(isinstance(id, int) and not isinstance(id, bool) and 0 <= id < _MAX_IDS for id in ids):
        reader.fail(where, "expected ids")
    return ids


def template(reader: Reader, node: Any) -> tuple[list[int], list[int]]:
    """Ids that the post-processors put before and after a single text."""
    before: list[int] = []
    after: list[int] = []
    for step, where in reader.steps(node, "post_processor", "processors"):
        kind = step["type"]
        if kind == "ByteLevel":
            continue  # trims offsets only
        if before or after:
            reader.unsupported(step, where, "after another that adds tokens is not supported")
        if kind in ("RobertaProcessing", "BertProcessing"):
            ends = []
            for key in ("cls", "sep"):
                pair = reader.get(step, key, where, list)
                if len(pair) != 2:
                    reader.fail(f"{where}.{key}", "expected a token and its id")
                ends.append(_ids(reader, pair[1:], f"{where}.{key}"))
            before, after = ends
        elif kind == "TemplateProcessing":
            before, after = _single(reader, step, where)
        else:
            reader.unsupported(step, where)
    return before, after


def _single(reader: Reader, node: Json, where: str) -> tuple[list[int], list[int]]:
    special = reader.get(node, "special_tokens", where, dict)
    sides: list[list[int]] = [[]]
    for i, piece in enumerate(reader.get(node, "single", where, list)):
        place = f"{where}.single[{i}]"
        if not isinstance(piece, dict) or len(piece) != 1:
            reader.fail(place, "expected SpecialToken or Sequence")
        if "Sequence" in piece:
            sides.append([])
            continue
        name = reader.get(reader.get(piece, "SpecialToken", place, dict), "id", place, str)
        entry = reader.get(special, name, f"{where}.special_tokens", dict)
        ids = reader.get(entry, "ids", f"{where}.special_tokens.{name}", list)
        sides[-1] += _ids(reader, ids, f"{where}.special_tokens.{name}.ids")
    if len(sides) != 2:
        reader.fail(f"{where}.single", f"expected one Sequence, found {len(sides) - 1}")
    return sides[0], sides[1]


# --- decoders ---------------------------------------------------------------------------------------------------------


def _decoder_step(reader: Reader, node: Json, where: str) -> decoders.Decoder:
    kind = node["type"]
    if kind == "ByteLevel":
        return decoders.byte_level()
    if kind == "Metaspace":
        replacement, scheme, _ = _metaspace_fields(reader, node, where)
        return decoders.metaspace(replacement, scheme != "never")
    if kind == "Replace":
        return decoders.replace(_matcher(reader, node, where), reader.get(node, "content", where, str))
    if kind == "ByteFallback":
        return decoders.byte_fallback()
    if kind == "Fuse":
        return decoders.fuse()
    if kind == "Strip":
        numbers = [reader.get(node, key, where, int) for key in ("start", "stop")]
        if min(numbers) < 0:
            reader.fail(where, "Strip of a negative number of characters")
        return decoders.strip(reader.character(node, "content", where), *numbers)
    if kind == "BPEDecoder":
        return decoders.bpe(reader.get(node, "suffix", where, str, "</w>"))
    if kind == "WordPiece":
        return decoders.word_piece(reader.get(node, "prefix", where, str), reader.get(node, "cleanup", where, bool))
    reader.unsupported(node, where)


class Decoding(NamedTuple):
    """How ids become text.

    Attributes:
        leading_space: what the core does with a space in front.
        decode: the decoders in Python, where the core does not decode as they do.
        decode_malformed: the same, where the core does, but for bytes that are not UTF-8.
        text: what the core is to have for a token found beside the model, if that is not its content.
    """

    leading_space: str
    decode: Callable[[list[str]], str] | None
    decode_malformed: Callable[[list[str]], str] | None
    text: Callable[[str], bytes | None]


def decoder(reader: Reader, node: Any, alphabet: str, byte_fallback: bool, added: list[str]) -> Decoding:
    """The decoders of a file.

    Without decoders the text is what the tokens stand for (`tokenizers` puts a space between any two).

    Args:
        reader: for errors.
        node: root["decoder"].
        alphabet: of the model: "bytes", "metaspace", "chars", or "affixes".
        byte_fallback: the model has tokens of bytes.
        added: tokens found beside the model, as they come to the decoders.
    """
    nodes = reader.steps(node, "decoder", "decoders")
    decode = decoders.join([_decoder_step(reader, step, where) for step, where in nodes])
    kinds = [step["type"] for step, _ in nodes]
    leading = _native_leading_space(reader, nodes, kinds, alphabet)
    other_bytes = nodes and alphabet in ("metaspace", "chars") and byte_fallback != ("ByteFallback" in kinds)
    # Decoding leaves spaces in front that were spaces before it; the core knows only such.
    own_spaces = leading == "drop_in_first_token" and any(" " in text for text in added)
    if leading is None or other_bytes or own_spaces:
        return Decoding("keep", decode, None, lambda text: None)

    def text_of(text: str) -> bytes | None:
        byte = decoders.fallback_byte(text) if "ByteFallback" in kinds else None
        if byte is not None:
            return bytes([byte])
        if not nodes or alphabet == "chars":
            return None
        return decoders.alphabet_bytes(text) if alphabet == "bytes" else text.replace(_METASPACE, " ").encode()

    return Decoding(leading, None, decode if "ByteFallback" in kinds else None, text_of)


def _native_leading_space(reader: Reader, nodes: list[tuple[Json, str]], kinds: list[str], alphabet: str) -> str | None:
    if alphabet == "affixes":
        return None
    if alphabet == "bytes":
        return "keep" if kinds in ([], ["ByteLevel"]) else None
    if alphabet == "chars":
        return "keep" if set(kinds) <= {"ByteFallback", "Fuse"} else None
    leading = "keep"
    for i, (node, where) in enumerate(nodes):
        kind = node["type"]
        if kind == "Strip":
            if (node["content"], node["start"], node["stop"]) != (" ", 1, 0) or "Fuse" not in kinds[:i]:
                return None
            leading = "drop_one"
        elif kind == "Metaspace":
            replacement, scheme, _ = _metaspace_fields(reader, node, where)
            if replacement != _METASPACE or leading != "keep":
                return None
            leading = "drop_in_first_token" if scheme != "never" else "keep"
        elif kind == "Replace":
            if reader.pattern(node, where) != ("String", _METASPACE) or node["content"] != " ":
                return None
        elif kind not in ("ByteFallback", "Fuse"):
            return None
    # Spaces for U+2581 are the core's way in any case.
    return leading if not nodes or {"Metaspace", "Replace"} & set(kinds) else None
