"""Rank files of tiktoken (.tiktoken), and the encodings OpenAI publishes with them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fissile._core import Vocabulary
from fissile.errors import TokenizerFileError
from fissile.formats.spec import FLAG_SPECIAL, AddedToken, TokenizerSpec

__all__ = ["ENCODINGS", "PATTERNS", "from_rank_file", "from_ranks", "looks_like", "write_ranks"]

_FIM = {"<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260}
_HARMONY = {
    "<|startoftext|>": 199998,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
    **{f"<|reserved_{i}|>": i for i in (200000, 200001, 200004, 200009, 200010, 200011, *range(200013, 201088))},
}


class _Encoding(NamedTuple):
    pattern: str
    special_tokens: dict[str, int]
    sha256: str | None  # of the published rank file


# Patterns, special tokens and checksums as in tiktoken 0.14, tiktoken_ext/openai_public.py.
ENCODINGS = {
    "gpt2": _Encoding("gpt2", {"<|endoftext|>": 50256}, None),
    "r50k_base": _Encoding(
        "gpt2", {"<|endoftext|>": 50256}, "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
    "p50k_base": _Encoding(
        "gpt2", {"<|endoftext|>": 50256}, "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "p50k_edit": _Encoding(
        "gpt2",
        {"<|endoftext|>": 50256, "<|fim_prefix|>": 50281, "<|fim_middle|>": 50282, "<|fim_suffix|>": 50283},
        None,
    ),
    "cl100k_base": _Encoding(
        "cl100k",
        {"<|endoftext|>": 100257, **_FIM, "<|endofprompt|>": 100276},
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": _Encoding(
        "o200k",
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "o200k_harmony": _Encoding("o200k", {"<|endoftext|>": 199999, "<|endofprompt|>": 200018, **_HARMONY}, None),
}

# Regular expression of each built-in pattern, as tiktoken spells it.
PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": "|".join(
        [
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        ]
    ),
}

_ALIASES = {
    "r50k": "gpt2", "r50k_base": "gpt2", "p50k": "gpt2", "p50k_base": "gpt2", "p50k_edit": "gpt2", "gpt-2": "gpt2",
    "cl100k_base": "cl100k", "gpt4": "cl100k", "gpt-4": "cl100k", "llama-3": "llama3", "qwen2.5": "qwen2", "qwen3": "qwen2",
    "o200k_base": "o200k", "o200k_harmony": "o200k", "gpt4o": "o200k", "gpt-4o": "o200k", "gpt-oss": "o200k", "llama4": "o200k",
    "deepseek": "deepseek_v3", "deepseek_r1": "deepseek_v3",
}  # fmt: skip
_NATIVE = {*PATTERNS, "deepseek_v3", "superbpe", "none"}


def canonical_pattern(pattern: str) -> str:
    """The built-in pattern that a name, an alias or a published regular expression means; ValueError for others."""
    name = _ALIASES.get(pattern, pattern)
    if name in _NATIVE:
        return name
    for known, regex in PATTERNS.items():
        if pattern == regex:
            return known
    raise ValueError(
        f"pattern {pattern!r} is not built in; expected one of {sorted(_NATIVE)}, an alias, or one of their regular expressions"
    )


def looks_like(data: bytes) -> bool:
    """Whether a file begins as a rank file does: base64, a space, digits."""
    first = data.split(b"\n", 1)[0].rstrip(b"\r").split(b" ")
    return len(first) == 2 and first[1].isdigit() and len(first[0]) % 4 == 0 and bool(first[0])


def _spec(vocabulary: Vocabulary, pattern: str, special_tokens: Mapping[str, int], source: str) -> TokenizerSpec:
    specials = sorted(special_tokens.items(), key=lambda item: item[1])
    return TokenizerSpec(
        kind="tiktoken",
        source=source,
        vocabulary=vocabulary,
        encoder={"pattern": pattern},
        added_tokens=[AddedToken(text, id, FLAG_SPECIAL) for text, id in specials],
        payload={"pattern": pattern, "special_tokens": dict(specials)},
    )


def from_rank_file(
    path: str | os.PathLike[str], pattern: str | None, special_tokens: Mapping[str, int] | None
) -> TokenizerSpec:
    """A rank file as a tokenizer.

    Args:
        path: the file.
        pattern: name of a pattern or of an OpenAI encoding. None: the file must be a published one.
        special_tokens: text to id. None: those of the encoding that `pattern` names or the file is, else none.
    """
    source = str(path)
    data = Path(path).read_bytes()
    encoding = ENCODINGS.get(pattern or "")
    if pattern is None:
        digest = hashlib.sha256(data).hexdigest()
        encoding = next((e for e in ENCODINGS.values() if e.sha256 == digest), None)
        if encoding is None:
            raise TokenizerFileError(
                f"{source}: a rank file does not say how text is split into pretokens; pass pattern= "
                f"(one of {sorted(_NATIVE)}) and special_tokens= to Tokenizer.from_tiktoken"
            )
        pattern = encoding.pattern
    if special_tokens is None:
        special_tokens = encoding.special_tokens if encoding else {}
    name = canonical_pattern(pattern)
    return _spec(Vocabulary.from_rank_file(data, dict(special_tokens), source), name, special_tokens, source)


def from_ranks(
    ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int] | None, source: str = "ranks"
) -> TokenizerSpec:
    """A dict of ranks as a tokenizer."""
    specials = dict(special_tokens or {})
    return _spec(Vocabulary.from_ranks(dict(ranks), specials, source), canonical_pattern(pattern), specials, source)


def write_ranks(ranks: Mapping[bytes, int]) -> bytes:
    """The rank file of these tokens."""
    lines = (
        base64.b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda item: item[1])
    )
    return b"".join(lines)
