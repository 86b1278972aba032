"""Small tokenizers of every way that a token can differ from the text it stands for."""

import functools
import json
from typing import Any

import fissile
from fissile.formats.tokenizer_json import from_json

TEXTS = [
    "",
    " ",
    "  two  spaces ",
    "Hello wörld 東京, Ａ ﬁ\r\n\tnaïve é e\u0301 \u0301",
    "<|end|>a <|end|> b<|end|>",
    "a < b && \"c\" > 'd' </script><script>x=1</script><!-- & &amp; &#0; ]]>",
    "nul\0 esc\x1b[31m bell\x07 rlo\u202eabc\u202c lri\u2066x\u2069 zw\u200b\u200d nb\xa0 bom\ufeff \u2028 \x85",
    "שלום עולם 123 abc مَرحبا हिन्दी ไทย 👩‍👩‍👧‍👦🇩🇪 \U000e0041 \ue000 \ufdd0",
]


@functools.cache
def over_bytes() -> fissile.Tokenizer:
    """Tokens are the text's bytes."""
    texts = iter([" ".join(TEXTS) * 4, "the text of the tokens " * 9])  # not a list: that would be paths
    return fissile.train(texts, 400, "gpt2", special_tokens=["<|end|>"])


def _over_characters(normalizer: dict[str, Any]) -> fissile.Tokenizer:
    """As SentencePiece's vocabularies: characters with ▁ for a space, and bytes for those it does not have."""
    symbols = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdehilnortwx", "東", "京"]
    merges = [
        ("▁", "▁"),
        ("▁", "t"),
        ("l", "o"),
        ("▁t", "w"),
        ("東", "京"),
        ("e", "l"),
        ("▁", "a"),
        ("f", "i"),
        ("▁", "w"),
    ]
    symbols += ["f", "i"] if "i" not in symbols else ["f"]
    symbols += ["".join(merge) for merge in merges]
    root = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": len(symbols),
                "content": "<|end|>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": normalizer,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {symbol: id for id, symbol in enumerate(symbols)},
            "merges": [list(merge) for merge in merges],
        },
    }
    return fissile.Tokenizer(from_json(json.dumps(root).encode(), "characters.json"))


_TO_METASPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


@functools.cache
def with_space_in_front() -> fissile.Tokenizer:
    """Puts a space in front of a text."""
    return _over_characters({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, _TO_METASPACE]})


@functools.cache
def rewriting() -> fissile.Tokenizer:
    """Makes Ａ to a and ﬁ to fi."""
    return _over_characters(
        {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, _TO_METASPACE]}
    )


TOKENIZERS = {"over bytes": over_bytes, "space in front": with_space_in_front, "rewriting": rewriting}
