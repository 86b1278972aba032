"""Which kind of tokenizer a file holds, told by how it begins: so that only that kind's reader is imported."""

from __future__ import annotations

from typing import Literal

__all__ = ["OWN_MAGIC", "Kind", "kind_of"]

Kind = Literal["own", "tokenizers", "tekken", "tiktoken", "sentencepiece"]

OWN_MAGIC = b"\x89FISSILE"


def kind_of(data: bytes) -> Kind | None:
    """The kind of a file with these contents; None for what begins like none."""
    if data.startswith(OWN_MAGIC):
        return "own"
    if data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{":
        # A tekken.json begins with its "config".
        return "tekken" if b'"default_num_special_tokens"' in data[:8192] else "tokenizers"
    # Base64, a space, digits.
    line = data[: data.find(b"\n") + 1 or None].rstrip(b"\r\n").split(b" ")
    if len(line) == 2 and line[1].isdigit() and len(line[0]) % 4 == 0 and line[0]:
        return "tiktoken"
    # Its first piece: a message of at most 127 bytes with a string.
    if len(data) > 4 and data[0] == 0x0A and data[1] >= 2 and data[2] == 0x0A:
        return "sentencepiece"
    return None
