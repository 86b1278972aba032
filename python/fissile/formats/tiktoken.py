"""Rank files of tiktoken (.tiktoken), and the encodings OpenAI publishes with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fissile._core import Vocabulary
from fissile.arguments import instance, whole
from fissile.errors import TokenizerFileError
from fissile.formats.patterns import NAMES, PATTERNS, canonical_pattern, is_built_in
from fissile.formats.spec import FLAG_SPECIAL, AddedToken, TokenizerSpec

__all__ = ["ENCODINGS", "PATTERNS", "from_rank_file", "from_ranks", "write_ranks"]

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
}
_HARMONY_RESERVED = (200000, 200001, 200004, 200009, 200010, 200011, *range(200013, 201088))


class _Encoding:
    """A published encoding. (No named tuple, which takes 0.1 ms to make, of the 25 that a load takes.)"""

    __slots__ = ("_reserved", "_special_tokens", "n_ranks", "pattern", "sha256")

    def __init__(
        self,
        pattern: str,
        n_ranks: int,
        special_tokens: dict[str, int],
        sha256: str | None,  # of the published rank file
        reserved: Sequence[int] = (),  # ids of further special tokens, which are named by them
    ) -> None:
        self.pattern = pattern
        self.n_ranks = n_ranks
        self.sha256 = sha256
        self._special_tokens = special_tokens
        self._reserved = reserved

    @property
    def special_tokens(self) -> dict[str, int]:
        """Text to id."""
        return self._special_tokens | {f"<|reserved_{id}|>": id for id in self._reserved}


# Patterns, special tokens and checksums as in tiktoken 0.14, tiktoken_ext/openai_public.py.
ENCODINGS = {
    "gpt2": _Encoding("gpt2", 50256, {"<|endoftext|>": 50256}, None),
    "r50k_base": _Encoding(
        "gpt2", 50256, {"<|endoftext|>": 50256}, "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
    "p50k_base": _Encoding(
        "gpt2", 50280, {"<|endoftext|>": 50256}, "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "p50k_edit": _Encoding(
        "gpt2",
        50280,
        {"<|endoftext|>": 50256, "<|fim_prefix|>": 50281, "<|fim_middle|>": 50282, "<|fim_suffix|>": 50283},
        None,
    ),
    "cl100k_base": _Encoding(
        "cl100k",
        100256,
        {"<|endoftext|>": 100257, **_FIM, "<|endofprompt|>": 100276},
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": _Encoding(
        "o200k",
        199998,
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "o200k_harmony": _Encoding(
        "o200k", 199998, {"<|endoftext|>": 199999, "<|endofprompt|>": 200018, **_HARMONY}, None, _HARMONY_RESERVED
    ),
}


def encoder_options(pattern: str) -> dict[str, Any]:
    """How _core.Encoder is told of a canonical pattern."""
    if is_built_in(pattern):
        return {"pattern": pattern}
    from fissile.pipeline.pre_tokenizers import join, matches_only
    from fissile.pipeline.regexes import Matcher

    return {"pattern": "none", "split": join([matches_only(Matcher(pattern, "rust"))], in_byte_alphabet=False)}


def spec_of(vocabulary: Vocabulary, pattern: str, special_tokens: Mapping[str, int], source: str) -> TokenizerSpec:
    """A vocabulary of ranks as a tokenizer; `pattern` is canonical."""
    specials = sorted(special_tokens.items(), key=lambda item: item[1])
    return TokenizerSpec(
        kind="tiktoken",
        source=source,
        vocabulary=vocabulary,
        pattern=pattern,
        encoder=encoder_options(pattern),
        added_tokens=[AddedToken(text, id, FLAG_SPECIAL) for text, id in specials],
    )


def from_rank_file(
    data: bytes, source: str, pattern: str | None = None, special_tokens: Mapping[str, int] | None = None
) -> TokenizerSpec:
    """A rank file as a tokenizer.

    Args:
        data: the file's contents.
        source: its name, for messages.
        pattern: name of a pattern or of an OpenAI encoding, of which the file must have all ranks, or a regular expression.
            "gpt2", which is both, is the encoding if it has as many. None: the file must be published.
        special_tokens: text to id. None: those of the encoding that `pattern` names or the file is, else none.
    """
    if pattern is not None:
        instance("pattern", pattern, str, "a str or None")
    if special_tokens is not None:
        special_tokens = _checked(special_tokens)
    name, encoding = pattern, ENCODINGS.get(pattern or "")
    if pattern is None:
        import hashlib

        digest = hashlib.sha256(data).hexdigest()
        encoding = next((e for e in ENCODINGS.values() if e.sha256 == digest), None)
        if encoding is None:
            raise TokenizerFileError(
                f"{source}: a rank file does not say how text is split into pretokens; pass pattern= "
                f"(one of {sorted(NAMES)}) and special_tokens= to Tokenizer.from_tiktoken, or --pattern on the command line"
            )
        n_ranks, pattern = encoding.n_ranks, encoding.pattern
    else:
        n_ranks = data.count(b" ") if encoding else 0  # one a line
    if encoding and n_ranks != encoding.n_ranks and is_built_in(pattern):
        encoding = None
    given = special_tokens is not None
    if special_tokens is None:
        special_tokens = encoding.special_tokens if encoding else {}
    pattern = canonical_pattern(pattern)
    decoded = _first_of_each_id(special_tokens)
    if given:  # those of a published encoding are none of its ranks
        decoded = _without(decoded, _ranks_among(data, set(decoded.values())))
    vocabulary = Vocabulary.from_rank_file(data, decoded, source)
    if encoding and n_ranks != encoding.n_ranks:
        raise TokenizerFileError(
            f"{source}: {n_ranks} ranks, expected the {encoding.n_ranks} of {name}; pattern={pattern!r} splits text alike "
            "for ranks of one's own"
        )
    return spec_of(vocabulary, pattern, special_tokens, source)


def from_ranks(
    ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int] | None, source: str = "ranks"
) -> TokenizerSpec:
    """A dict of ranks as a tokenizer."""
    instance("ranks", ranks, Mapping, "a dict of bytes to rank")
    instance("pattern", pattern, str, "a str")
    specials = {} if special_tokens is None else _checked(special_tokens)
    decoded = _first_of_each_id(specials)
    own = _without(decoded, set(decoded.values()).intersection(ranks.values()))
    return spec_of(Vocabulary.from_ranks(dict(ranks), own, source), canonical_pattern(pattern), specials, source)


def _checked(special_tokens: Mapping[str, int]) -> dict[str, int]:
    """An argument special_tokens."""
    instance("special_tokens", special_tokens, Mapping, "a dict of text to id")
    for token, id in special_tokens.items():
        if not isinstance(token, str):
            raise TypeError(f"special_tokens must hold texts, each a str, found {token!r}")
        whole(f"special_tokens[{token!r}]", id, 0)
    return dict(special_tokens)


def _without(special_tokens: dict[str, int], of_ranks: set[int]) -> dict[str, int]:
    """Special tokens without those that have the id of another token: text becomes the id of a special token also where a
    token of the ranks has it; the id then decodes to the latter, as in tiktoken."""
    return {token: id for token, id in special_tokens.items() if id not in of_ranks}


def _ranks_among(data: bytes, ids: set[int]) -> set[int]:
    """Which ids some line of a rank file has."""
    if len(ids) <= 16:  # mostly none or few
        return {id for id in ids if re.search(rb" %d\r?(?:\n|\Z)" % id, data)}
    return ids & {int(rank) for rank in re.findall(rb" (\d{1,10})\r?(?:\n|\Z)", data)}


def _first_of_each_id(special_tokens: Mapping[str, int]) -> dict[str, int]:
    """Special tokens without those whose id one before has: <|reserved_200018|> of o200k_harmony is also <|endofprompt|>,
    and that is what it decodes to. (tiktoken leaves it to the order of its hash table, which comes out the same there.)"""
    first = {id: token for token, id in reversed(dict(special_tokens).items())}
    return {token: id for id, token in first.items()}


def write_ranks(ranks: Mapping[bytes, int]) -> bytes:
    """The rank file of these tokens."""
    from base64 import b64encode

    lines = (b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda item: item[1]))
    return b"".join(lines)
