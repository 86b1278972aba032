"""Every encoder on PyPI that the benchmark knows, each by its fastest documented calls.

A peer is loaded with the path of a vocabulary and offers `batch` (a list of texts to ids in its most compact form),
`lists` (to lists of Python ints), `one` (a single text) and `decode`; `ids` turns a result of `batch` into lists.
Packages are imported when a peer is loaded, in a process of its own.
"""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Texts = list[str]
PATTERNS = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


def ranks_of(path: str) -> dict[bytes, int]:
    with open(path, "rb") as file:
        return {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, file)}


class Peer:
    """One encoder with one vocabulary, DIR/NAME.tiktoken or DIR/NAME.json, on some threads."""

    def __init__(self, directory: str, name: str, threads: int) -> None:
        self.threads = threads
        self.ranks = f"{directory}/{name}.tiktoken"
        self.json = f"{directory}/{name}.json"
        self.name = name
        self.load()

    one: Callable[[str], Any]
    decode: Callable[[Any], Any]

    def load(self) -> None:
        raise NotImplementedError

    def batch(self, texts: Texts) -> Any:
        return self.lists(texts)

    def lists(self, texts: Texts) -> Any:
        raise NotImplementedError

    def ids(self, result: Any) -> list[list[int]]:
        return result  # type: ignore[no-any-return]

    def only(self, *names: str) -> None:
        if self.name not in names:
            raise NotImplementedError(f"does not offer {self.name}")


def cut(ids: Any, offsets: Any) -> list[list[int]]:
    flat, bounds = np.asarray(ids).tolist(), np.asarray(offsets).tolist()
    return [flat[a:b] for a, b in itertools.pairwise(bounds)]


class Fissile(Peer):
    def load(self) -> None:
        import fissile

        if os.path.exists(self.ranks):
            self.e = fissile.Tokenizer.from_tiktoken(self.ranks, PATTERNS[self.name], {})
        else:
            self.e = fissile.Tokenizer.from_file(self.json)
        self.one, self.decode = self.e.encode, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads).tolist()

    def ids(self, result: Any) -> list[list[int]]:
        return result.tolist() if hasattr(result, "offsets") else result  # type: ignore[no-any-return]


class Tiktoken(Peer):
    def load(self) -> None:
        import tiktoken

        from fissile.formats.tiktoken import PATTERNS as REGEXES

        self.only(*PATTERNS)
        regex = REGEXES[PATTERNS[self.name]]
        self.e = tiktoken.Encoding(self.name, pat_str=regex, mergeable_ranks=ranks_of(self.ranks), special_tokens={})
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_batch(texts, num_threads=self.threads)


class Tokenizers(Peer):
    def load(self) -> None:
        import tokenizers

        self.e = tokenizers.Tokenizer.from_file(self.json)
        self.one = lambda text: self.e.encode(text, add_special_tokens=False).ids
        self.decode = lambda ids: self.e.decode(ids, skip_special_tokens=False)

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_fast(texts, add_special_tokens=False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.batch(texts)]

    def ids(self, result: Any) -> list[list[int]]:
        return [encoding if isinstance(encoding, list) else encoding.ids for encoding in result]


class Gigatoken(Peer):
    def load(self) -> None:
        import gigatoken

        ranks = os.path.exists(self.ranks)
        self.e = gigatoken.Tokenizer.from_tiktoken(self.ranks) if ranks else gigatoken.Tokenizer(self.json)
        self.one, self.decode = self.e.encode, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, parallel=self.threads > 1)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch_list(texts, parallel=self.threads > 1)

    def ids(self, result: Any) -> list[list[int]]:
        return result if isinstance(result, list) else result.to_list()


class Fastokens(Peer):
    def load(self) -> None:
        import fastokens

        self.e = fastokens.Tokenizer.from_file(self.json)
        self.one, self.decode = (lambda text: self.e.encode_ordinary(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False, True)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False, True)]

    def ids(self, result: Any) -> list[list[int]]:
        if isinstance(result, list):
            return result
        return cut(np.frombuffer(result[0], np.uint32), np.frombuffer(result[1], np.uint64))


class Snaptokens(Fastokens):
    def load(self) -> None:
        import snaptokens

        self.e = snaptokens.Tokenizer.from_file(self.json)
        self.one, self.decode = (lambda text: self.e.encode(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts)]


class Quicktok(Peer):
    def load(self) -> None:
        import quicktok

        self.only("cl100k_base", "o200k_base", "qwen3")
        self.e = quicktok.get_encoding(self.name)
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads, False)

    def lists(self, texts: Texts) -> Any:
        return [self.e.encode_ordinary(text) for text in texts]

    def ids(self, result: Any) -> list[list[int]]:
        return cut(*result) if isinstance(result, tuple) else result


class Toktok(Quicktok):
    def load(self) -> None:
        import toktok

        self.only("cl100k_base", "o200k_base")
        self.e = toktok._encoding(self.name)
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_to_numpy(texts, self.threads, False)


class Splintr(Fastokens):
    def load(self) -> None:
        import splintr

        self.only("cl100k_base", "o200k_base", "qwen3", "deepseek_v3")
        self.e = splintr.Tokenizer.from_pretrained(self.name)
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts)


class Tokie(Peer):
    def load(self) -> None:
        import tokie

        self.e = tokie.Tokenizer.from_json(self.json)
        self.one, self.decode = (lambda text: self.e.encode(text, add_special_tokens=False).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False)]

    def ids(self, result: Any) -> list[list[int]]:
        return result if isinstance(result, list) else cut(result[0], np.cumsum([0, *np.asarray(result[1]).tolist()]))


class Tuetoken(Peer):
    def load(self) -> None:
        from tuetoken import Tokenizer

        self.e = Tokenizer(self.json)
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_to_buffer(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_batch(texts, self.threads)

    def ids(self, result: Any) -> list[list[int]]:
        return cut(result["data"], result["offsets"]) if isinstance(result, dict) else result


PEERS: dict[str, type[Peer]] = {
    "fissile": Fissile,
    "gigatoken": Gigatoken,
    "fastokens": Fastokens,
    "snaptokens": Snaptokens,
    "quicktok": Quicktok,
    "toktok": Toktok,
    "splintr": Splintr,
    "tokie": Tokie,
    "tuetoken": Tuetoken,
    "tiktoken": Tiktoken,
    "tokenizers": Tokenizers,
}
