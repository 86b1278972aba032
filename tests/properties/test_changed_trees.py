"""Any change of a tokenizer.json's structure gives a tokenizer or a TokenizerFileError, and nothing else."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile.formats.tokenizer_json import from_json
from reference.texts import WORLD

BYTES = json.loads(
    fissile.Tokenizer.from_ranks(
        {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257, b" a": 258}, "llama3", {"<s>": 259}
    )._as_json()
)
CHARACTERS: dict[str, Any] = {
    "added_tokens": [{"id": 0, "content": "<unk>", "special": True, "normalized": False}],
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "NFKC"},
            {"type": "Strip", "strip_left": True, "strip_right": False},
            {"type": "Replace", "pattern": {"String": "x"}, "content": "y"},
            {"type": "Prepend", "prepend": "\u2581"},
        ],
    },
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "Split", "pattern": {"String": "a"}, "behavior": "MergedWithNext", "invert": False},
            {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        ],
    },
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    },
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    },
    "model": {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": False,
        "vocab": {"<unk>": 0, "\u2581": 1, "a": 2, "b": 3, "ab": 4, "\u2581ab": 5},
        "merges": [["a", "b"], ["\u2581", "ab"]],
    },
}
KINDS = [
    *["NFC", "Lowercase", "Nmt", "StripAccents", "ByteLevel", "Metaspace", "Punctuation", "Whitespace", "FixedLength"],
    *[
        "Fuse",
        "BPEDecoder",
        "WordPiece",
        "BertProcessing",
        "RobertaProcessing",
        "CharDelimiterSplit",
        "Sequence",
        "BPE",
    ],
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300) | st.sampled_from([2**31, 2**32, 10**30]),
    st.floats(),
    st.text(max_size=3)
    | st.sampled_from(["", "\ud800", "(", "[", "a{", "\u2581", " ", "Removed", "first", "<unk>", *KINDS]),
    st.builds(list),
    st.builds(dict),
    st.lists(st.integers(0, 5) | st.sampled_from(["a", "b"]), max_size=3),
    st.sampled_from([{"type": kind} for kind in KINDS]),
    st.sampled_from([{"Regex": "a+"}, {"Regex": "(a"}, {"String": ""}, {"String": "b"}]),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all parts of a tree, but few of a large list or object."""
    found = [path]
    if isinstance(node, dict):
        found += [p for key in list(node)[:8] for p in places(node[key], (*path, key))]
    elif isinstance(node, list):
        found += [p for i in range(min(len(node), 4)) for p in places(node[i], (*path, i))]
    return found


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    root = copy.deepcopy(draw(st.sampled_from([BYTES, CHARACTERS])))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in places(root) if p]))
        node: Any = root
        for key in path[:-1]:
            node = node[key]
        how = draw(st.sampled_from(["set", "set", "delete", "copy", "rename"]))
        if how == "set":
            node[path[-1]] = copy.deepcopy(draw(VALUES))
        elif how == "delete":
            del node[path[-1]]
        elif how == "rename" and isinstance(node, dict):
            node[draw(st.text(max_size=4))] = node.pop(path[-1])
        else:
            other: Any = root
            for key in draw(st.sampled_from(places(root))):
                other = other[key]
            node[path[-1]] = copy.deepcopy(other)
    return root


def test_unknown_tokens_for_a_space_in_front() -> None:
    root = copy.deepcopy(CHARACTERS) | {"pre_tokenizer": {"type": "ByteLevel"}, "normalizer": None}
    for fuse in (True, False):
        root["model"]["fuse_unk"] = fuse
        tokenizer = fissile.Tokenizer(from_json(json.dumps(root).encode(), "tree"))
        for text in (WORLD[:200], "z", "ab z ab", "zz"):
            assert len(tokenizer.offsets(text)) == len(tokenizer.encode(text))


def test_what_would_leave_the_alphabet_of_bytes_is_refused() -> None:
    for kind in ("Metaspace", "ByteLevel"):
        nodes = {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": kind}]}
        with pytest.raises(fissile.TokenizerFileError, match=rf"pretokenizers\[1\]: {kind} after ByteLevel"):
            from_json(json.dumps(BYTES | {"pre_tokenizer": nodes}).encode(), "tree")


@settings(max_examples=400)
@given(changed())
def test_changed_trees(root: dict[str, Any]) -> None:
    try:
        tokenizer = fissile.Tokenizer(from_json(json.dumps(root).encode(), "changed"))
    except fissile.TokenizerFileError as error:
        assert str(error).startswith("changed: ")
        return
    except ImportError as error:  # without the regex package
        assert "fissile[regex]" in str(error)
        return
    for text in (WORLD[:200], "", "ab ab", "x\ud7ff"):
        ids = tokenizer.encode(text, add_special_tokens=True)
        tokenizer.offsets(text)
        assert tokenizer.count(text, add_special_tokens=True) == len(ids)
