"""Decoders of tokenizer.json that the core does not have: each takes the strings of tokens, and returns others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fissile.pipeline.byte_alphabet import byte_alphabet
from fissile.pipeline.regexes import Matcher

__all__ = [
    "Decoder",
    "alphabet_bytes",
    "bpe",
    "byte_fallback",
    "byte_level",
    "fallback_byte",
    "fuse",
    "join",
    "metaspace",
    "replace",
    "strip",
    "word_piece",
]

Decoder = Callable[[list[str]], list[str]]


_BYTE_OF = {character: byte for byte, character in enumerate(byte_alphabet())}


def alphabet_bytes(token: str) -> bytes:
    """The bytes that the characters of a token stand for; its own, if one is not of the byte-level alphabet."""
    return bytes(map(_BYTE_OF.__getitem__, token)) if all(c in _BYTE_OF for c in token) else token.encode()


def byte_level() -> Decoder:
    """ByteLevel: the bytes that characters of the alphabet stand for."""
    return lambda tokens: [b"".join(map(alphabet_bytes, tokens)).decode("utf-8", "replace")]


def metaspace(replacement: str, drops_first: bool) -> Decoder:
    """Metaspace: spaces for the replacement; with `drops_first` none in the first token."""

    def decode(tokens: list[str]) -> list[str]:
        return [t.replace(replacement, "" if drops_first and i == 0 else " ") for i, t in enumerate(tokens)]

    return decode


def replace(matcher: Matcher, content: str) -> Decoder:
    """Replace: some text for every match in a token."""
    from fissile.pipeline.normalizers import replace as replace_in_text

    apply = replace_in_text(matcher, content).apply
    return lambda tokens: [apply(token) for token in tokens]


_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def fallback_byte(token: str) -> int | None:
    """NN of <0xNN>."""
    byte = _BYTE.fullmatch(token)
    return int(byte[1], 16) if byte else None


def byte_fallback() -> Decoder:
    """ByteFallback: what runs of <0xNN> spell, or a U+FFFD for each byte of a run that is not UTF-8."""

    def decode(tokens: list[str]) -> list[str]:
        decoded: list[str] = []
        run: list[int] = []

        def flush() -> None:
            if run:
                try:
                    decoded.append(bytes(run).decode())
                except UnicodeDecodeError:
                    decoded.extend("\ufffd" * len(run))
                run.clear()

        for token in tokens:
            byte = fallback_byte(token)
            if byte is not None:
                run.append(byte)
            else:
                flush()
                decoded.append(token)
        flush()
        return decoded

    return decode


def fuse() -> Decoder:
    """Fuse: all tokens as one."""
    return lambda tokens: ["".join(tokens)]


def strip(content: str, start: int, stop: int) -> Decoder:
    """Strip: up to so many of a character less on either side of each token."""

    def stripped(token: str) -> str:
        begin = min(start, len(token) - len(token.lstrip(content)))
        token = token[begin:]
        return token[: len(token) - min(stop, len(token) - len(token.rstrip(content)))]

    return lambda tokens: [stripped(token) for token in tokens]


def bpe(suffix: str) -> Decoder:
    """BPEDecoder: a space for the suffix of words, and none for that of the last."""

    def decode(tokens: list[str]) -> list[str]:
        last = len(tokens) - 1
        return [token.replace(suffix, "" if i == last else " ") for i, token in enumerate(tokens)]

    return decode


_CLEANED = [(" " + mark, mark) for mark in (".", "?", "!", ",")] + [
    (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
]  # fmt: skip


def word_piece(prefix: str, cleanup: bool) -> Decoder:
    """WordPiece: a space between words, the prefix of their later parts dropped; tidied up in English if asked."""

    def joined(i: int, token: str) -> str:
        if i > 0:
            token = token.replace(prefix, "", 1) if token.startswith(prefix) else " " + token
        if cleanup:
            for old, new in _CLEANED:
                token = token.replace(old, new)
        return token

    return lambda tokens: [joined(i, token) for i, token in enumerate(tokens)]


def join(steps: Sequence[Decoder]) -> Callable[[list[str]], str]:
    """The steps in order: strings of tokens -> text."""

    def decode(tokens: list[str]) -> str:
        for step in steps:
            tokens = step(tokens)
        return "".join(tokens)

    return decode
