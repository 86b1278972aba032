"""The trees of tokenizer.json files that are written: byte-level models, trained or made from ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fissile.formats.json_reader import Json
from fissile.formats.patterns import DEEPSEEK, SPELLINGS, SUPERBPE, is_built_in
from fissile.formats.spec import (
    FLAG_LSTRIP,
    FLAG_NORMALIZED,
    FLAG_RSTRIP,
    FLAG_SINGLE_WORD,
    FLAG_SPECIAL,
    AddedToken,
)
from fissile.pipeline.byte_alphabet import byte_alphabet

if TYPE_CHECKING:
    from fissile._core import Vocabulary

__all__ = [
    "ADDED_TOKEN_FLAGS",
    "added_nodes",
    "bpe_tree",
    "from_ranks",
    "pre_tokenizer_tree",
    "rest_of",
    "to_json",
    "tree_from_ranks",
]

ADDED_TOKEN_FLAGS = {
    "special": FLAG_SPECIAL,
    "lstrip": FLAG_LSTRIP,
    "rstrip": FLAG_RSTRIP,
    "single_word": FLAG_SINGLE_WORD,
    "normalized": FLAG_NORMALIZED,
}


def rest_of(root: Json) -> Json:
    """A tree without tokens and merges."""
    return root | {"model": {key: value for key, value in root["model"].items() if key not in ("vocab", "merges")}}


def pre_tokenizer_tree(pattern: str) -> Json:
    """The pre_tokenizer of a byte-level tokenizer.json that splits text by a pattern.

    Raises:
        ValueError: it is an expression that `tokenizers` cannot match in the same way.
    """
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    if pattern == "starcoder":
        return {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level | {"use_regex": True}],
        }
    if not is_built_in(pattern):
        from fissile.pipeline.regexes import translate

        # tiktoken drops what no match covers.
        regex = translate(pattern, "rust", target="oniguruma")
        split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Removed", "invert": True}
        return {"type": "Sequence", "pretokenizers": [split, byte_level]}
    regexes = {"none": (), "deepseek_v3": DEEPSEEK, "superbpe": (SUPERBPE,)}.get(pattern) or (
        (SPELLINGS[pattern],) if pattern in SPELLINGS else ()
    )
    splits = [{"type": "Split", "pattern": {"Regex": r}, "behavior": "Isolated", "invert": False} for r in regexes]
    return {"type": "Sequence", "pretokenizers": [*splits, byte_level]}


def tree_from_ranks(vocabulary: Vocabulary, pattern: str, added_tokens: list[AddedToken]) -> Json:
    """The tokenizer.json of a rank file: merges in rank order, and whole pretokens looked up first, as tiktoken does.

    `tokenizers` keeps the id of an added token only if its text is in the model, or if it is the next one; so special tokens
    behind a hole are put into the model. Whole pretokens are then looked up only if some token needs it, so that text which
    spells a special token stays text where it is asked to be.
    """
    chars = byte_alphabet()
    special_ids = set(vocabulary.special_tokens().values())
    text = {
        id: "".join(chars[byte] for byte in vocabulary.token_bytes(id))
        for id in range(vocabulary.n_vocab)
        if id not in special_ids and vocabulary.has_token(id)
    }
    merges = [[text[left], text[right]] for left, right, _ in vocabulary.merges().tolist()]
    vocab = {string: id for id, string in text.items()}
    are_next = [token.id for token in added_tokens] == list(range(len(vocab), len(vocab) + len(added_tokens)))
    if not are_next:
        vocab |= {token.content: token.id for token in added_tokens if token.content not in vocab}
    looks_up = are_next or len(vocabulary.unreachable()) > 0
    return bpe_tree(vocab, merges, pattern, added_tokens, ignore_merges=looks_up)


def from_ranks(vocabulary: Vocabulary, pattern: str, added_tokens: list[AddedToken]) -> bytes:
    """The same as a file that `tokenizers` gives the same ids by. Of special tokens with one id it has the first; a warning
    names the others.

    Raises:
        ValueError: a special token has the id or the spelling of a token of the ranks.
    """
    first = {token.id: token for token in reversed(added_tokens)}
    left_out = [token for token in added_tokens if token is not first[token.id]]
    if left_out:
        import warnings

        named = ", ".join(f"{token.content!r} ({token.id}, {first[token.id].content!r})" for token in left_out)
        warnings.warn(f"a tokenizer.json has one special token an id, and is written without {named}", stacklevel=4)
    tree = tree_from_ranks(vocabulary, pattern, [first[id] for id in sorted(first)])
    vocab, special_ids = tree["model"]["vocab"], set(vocabulary.special_tokens().values())
    for token in first.values():
        if token.id not in special_ids or vocab.get(token.content, token.id) != token.id:
            raise ValueError(
                f"a token of the ranks has the id or the spelling of the special token {token.content!r} ({token.id}), which "
                "a tokenizer.json cannot say"
            )
    return to_json(tree)


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
        "added_tokens": added_nodes(added_tokens),
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer_tree(pattern),
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


def added_nodes(added_tokens: list[AddedToken]) -> list[Json]:
    """The added_tokens of a tokenizer.json."""
    return [
        {"id": t.id, "content": t.content} | {name: bool(t.flags & flag) for name, flag in ADDED_TOKEN_FLAGS.items()}
        for t in added_tokens
    ]


def to_json(tree: Mapping[str, Any]) -> bytes:
    """The file of a tree."""
    import json

    return json.dumps(tree, ensure_ascii=False, indent=2).encode()
