"""Every encoder on PyPI that the benchmark knows, each by its fastest documented calls.

A peer is loaded with the path of a vocabulary and offers `batch` (a list of texts to ids in its most compact form),
`lists` (to lists of Python ints), `one` (a single text) and `decode`; `flat` turns a result of `batch` or `lists` into one
array of ids and one of offsets. Packages are imported when a peer is loaded, in a process of its own.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Texts = list[str]
Flat = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]  # ids uint32 (n,), offsets int64 (documents + 1,)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


def ranks_of(path: str) -> dict[bytes, int]:
    with open(path, "rb") as file:
        return {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, file)}


class Peer:
    """One encoder with one vocabulary, DIR/NAME.tiktoken or DIR/NAME.json, on some threads."""

    package: str  # of PyPI
    module: str  # what it is imported as
    slow = False  # a tenth of the fast ones' speed: measured on the first tenth of a corpus

    def __init__(self, directory: str, name: str, threads: int) -> None:
        self.threads = threads
        self.ranks = f"{directory}/{name}.tiktoken"
        self.json = f"{directory}/{name}.json"
        self.name = name
        self.load(importlib.import_module(self.module))

    one: Callable[[str], Any]
    decode: Callable[[Any], Any]

    def load(self, module: Any) -> None:
        raise NotImplementedError

    def batch(self, texts: Texts) -> Any:
        return self.lists(texts)

    def lists(self, texts: Texts) -> Any:
        raise NotImplementedError

    def flat(self, result: Any) -> Flat:
        sizes = [len(ids) for ids in result]
        ids = (id for one in result for id in one)
        return np.fromiter(ids, np.uint32, count=sum(sizes)), ends(sizes)

    def only(self, *names: str) -> None:
        if self.name not in names:
            raise NotImplementedError(f"does not offer {self.name}")

    def with_json(self) -> str:
        """Path of the vocabulary's tokenizer.json; of a rank file there may be one beside it."""
        if not os.path.exists(self.json):
            raise NotImplementedError(f"reads a tokenizer.json only, and there is no {os.path.basename(self.json)}")
        return self.json

    def common_json(self) -> str:
        """The tokenizer.json with the regex that cl100k's usually has: llama3's, which cuts rare white space differently.

        Two peers have a fast scanner for it, and a slow one or none for the regex of OpenAI.
        """
        with open(self.with_json(), encoding="utf-8") as file:
            data = file.read()
        if self.name != "cl100k_base":
            return data
        own = json.loads(data)["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        return data.replace(json.dumps(own), json.dumps(LLAMA3))


def ends(sizes: Any) -> np.ndarray[Any, Any]:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


class Fissile(Peer):
    package = module = "fissile"

    def load(self, module: Any) -> None:
        if os.path.exists(self.ranks):
            self.e = module.Tokenizer.from_tiktoken(self.ranks, PATTERNS[self.name], {})
        else:
            self.e = module.Tokenizer.from_file(self.json)
        self.one, self.decode = self.e.encode, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads).tolist()

    def flat(self, result: Any) -> Flat:
        return (result.ids, result.offsets) if hasattr(result, "offsets") else super().flat(result)


class Gigatoken(Peer):
    package = module = "gigatoken"

    def load(self, module: Any) -> None:
        ranks = os.path.exists(self.ranks)
        self.e = module.Tokenizer.from_tiktoken(self.ranks) if ranks else module.Tokenizer(self.json)
        self.one, self.decode = self.e.encode, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, parallel=self.threads > 1)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch_list(texts, parallel=self.threads > 1)

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        import awkward

        sizes = awkward.to_numpy(awkward.num(result))
        return awkward.to_numpy(awkward.flatten(result)).astype(np.uint32), ends(sizes)


class Fastokens(Peer):
    package = module = "fastokens"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json_str(self.common_json())
        self.one, self.decode = (lambda text: self.e.encode_ordinary(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False, True)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False, True)]

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.frombuffer(result[0], np.uint32), np.frombuffer(result[1], np.uint64).astype(np.int64)


class Snaptokens(Fastokens):
    package = module = "snaptokens"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json_str(self.common_json())
        self.one, self.decode = (lambda text: self.e.encode(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts)]


class Quicktok(Peer):
    package, module = "quicktok-v1", "quicktok"

    def load(self, module: Any) -> None:
        self.only("cl100k_base", "o200k_base", "qwen3")
        self.e = module.get_encoding(self.name)
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads, False)

    def lists(self, texts: Texts) -> Any:
        return [self.e.encode_ordinary(text) for text in texts]

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.asarray(result[0], np.uint32), np.asarray(result[1], np.int64)


class Toktok(Quicktok):
    package, module = "toktok-rs", "toktok"

    def load(self, module: Any) -> None:
        self.only("cl100k_base", "o200k_base")
        self.e = module._encoding(self.name)  # its public calls count and truncate only
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_to_numpy(texts, self.threads, False)


class Splintr(Fastokens):
    package, module = "splintr-rs", "splintr"

    def load(self, module: Any) -> None:
        # OpenAI's vocabularies are compiled in; from a file, its batch calls always add what the template adds.
        built_in = self.name in ("cl100k_base", "o200k_base")
        self.e = module.Tokenizer.from_pretrained(self.name) if built_in else module.from_json(self.with_json())
        self.one, self.decode = self.e.encode_ordinary, self.e.decode
        self.added = len(self.e.encode(""))

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts)

    def flat(self, result: Any) -> Flat:
        ids, offsets = super().flat(result)
        if not self.added:
            return ids, offsets
        kept = np.ones(len(ids), bool)
        kept[offsets[:-1]] = False
        return ids[kept], offsets - np.arange(len(offsets))


class Tokie(Peer):
    package = module = "tokie"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json(self.with_json())
        self.one, self.decode = (lambda text: self.e.encode(text, add_special_tokens=False).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False)]

    def flat(self, result: Any) -> Flat:
        return super().flat(result) if isinstance(result, list) else (result[0], ends(result[1]))


class Tuetoken(Peer):
    package = module = "tuetoken"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer(self.with_json())
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_to_buffer(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_batch(texts, self.threads)

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.asarray(result["data"], np.uint32), np.asarray(result["offsets"], np.int64)


class Tiktoken(Peer):
    package = module = "tiktoken"
    slow = True

    def load(self, module: Any) -> None:
        self.only(*PATTERNS)
        from fissile.formats.tiktoken import PATTERNS as REGEXES

        regex = REGEXES[PATTERNS[self.name]]
        ranks = ranks_of(self.ranks)
        self.e = module.Encoding(self.name, pat_str=regex, mergeable_ranks=ranks, special_tokens={})
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_batch(texts, num_threads=self.threads)


class Tokenizers(Peer):
    package = module = "tokenizers"
    slow = True

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_file(self.with_json())
        self.one = lambda text: self.e.encode(text, add_special_tokens=False).ids
        self.decode = lambda ids: self.e.decode(ids, skip_special_tokens=False)

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_fast(texts, add_special_tokens=False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.batch(texts)]

    def flat(self, result: Any) -> Flat:
        return super().flat([getattr(one, "ids", one) for one in result])


PEERS: dict[str, type[Peer]] = {
    kind.__name__.lower(): kind
    for kind in (
        Fissile,
        Gigatoken,
        Fastokens,
        Snaptokens,
        Quicktok,
        Toktok,
        Splintr,
        Tokie,
        Tuetoken,
        Tiktoken,
        Tokenizers,
    )
}
PACKAGES = [kind.package for kind in PEERS.values()]
