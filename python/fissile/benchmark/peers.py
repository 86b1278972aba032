"""Every encoder of PyPI that the benchmark knows, each by its fastest documented calls.

Packages are imported when a peer is loaded, in a process of its own.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fissile.benchmark.peer import Flat, NotOffered, Peer, Texts, ends
from fissile.formats.tiktoken import ENCODINGS

__all__ = ["PEERS"]


def _by_length(as_list: Callable[[str], Any], as_bytes: Callable[[str], Any]) -> Callable[[str], Any]:
    """A single text by the faster of two calls: for a few ids a list costs less than an array around a buffer."""
    return lambda text: as_list(text) if len(text) < 100 else np.frombuffer(as_bytes(text), np.uint32)


class Fissile(Peer):
    """This package."""

    package = module = "fissile"

    def load(self, module: Any) -> None:
        files = self.files
        if files.kind == "tiktoken":
            self.e = module.Tokenizer.from_tiktoken(files.ranks, files.pattern, {})
        else:
            self.e = module.Tokenizer.from_file(files.original)
        self.one, self.decode = self.e.encode, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads).tolist()

    def count(self, texts: Texts) -> Any:
        return self.e.count_batch(texts, self.threads)

    def split(self, texts: Texts) -> Any:
        try:
            return self.e.encode_batch(texts, self.threads, split="dropout:0.1", seed=1)
        except ValueError as error:
            raise NotOffered(str(error)) from None

    def flat(self, result: Any) -> Flat:
        return (result.ids, result.offsets) if hasattr(result, "offsets") else super().flat(result)


class Gigatoken(Peer):
    """gigatoken: rank files by name, tokenizer.json, SentencePiece models."""

    package = module = "gigatoken"

    def load(self, module: Any) -> None:
        files = self.files
        if files.kind == "sentencepiece":
            self.e = module.Tokenizer.from_sentencepiece(files.model)
        elif files.kind == "tiktoken" and files.published in ("r50k_base", "cl100k_base", "o200k_base"):
            scheme = {"r50k_base": "r50k", "cl100k_base": "cl100k", "o200k_base": "o200k"}[files.published]
            self.e = module.Tokenizer.from_tiktoken(files.ranks, pretokenizer=scheme)
        else:
            self.e = module.Tokenizer(self.json())
        self.one = self.e.encode
        self.decode = lambda ids: self.e.decode(ids).decode(errors="replace")

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, parallel=self.threads > 1)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch_list(texts, parallel=self.threads > 1)

    def count(self, texts: Texts) -> Any:
        import awkward

        return awkward.to_numpy(awkward.num(self.batch(texts)))

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        import awkward

        sizes = awkward.to_numpy(awkward.num(result))
        return awkward.to_numpy(awkward.flatten(result)).astype(np.uint32), ends(sizes)


class Fastokens(Peer):
    """fastokens: tokenizer.json."""

    package = module = "fastokens"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json_str(Path(self.json()).read_text(encoding="utf-8"))
        self.one, self.decode = (lambda text: self.e.encode_ordinary(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False, True)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False, True)]

    def count(self, texts: Texts) -> Any:
        return np.diff(self.flat(self.batch(texts))[1])

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.frombuffer(result[0], np.uint32), np.frombuffer(result[1], np.uint64).astype(np.int64)


class Snaptokens(Fastokens):
    """snaptokens: tokenizer.json."""

    package = module = "snaptokens"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json_str(Path(self.json()).read_text(encoding="utf-8"))
        self.one, self.decode = (lambda text: self.e.encode(text).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts)]


class Quicktok(Peer):
    """quicktok-v1: vocabularies that are built in."""

    package, module = "quicktok-v1", "quicktok"

    def load(self, module: Any) -> None:
        self.e = module.get_encoding(self.published("cl100k_base", "o200k_base", "qwen3"))
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.threads, False)

    def lists(self, texts: Texts) -> Any:
        return [self.e.encode_ordinary(text) for text in texts]

    def count(self, texts: Texts) -> Any:
        if self.threads > 1:
            return np.diff(self.batch(texts)[1])  # what its count_batch does
        return [self.e.count(text) for text in texts]

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.asarray(result[0], np.uint32), np.asarray(result[1], np.int64)


class Toktok(Quicktok):
    """toktok-rs: vocabularies that are built in."""

    package, module = "toktok-rs", "toktok"

    def load(self, module: Any) -> None:
        # Its public calls count and truncate only.
        self.e = module._encoding(self.published("cl100k_base", "o200k_base"))
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_to_numpy(texts, self.threads, False)

    def count(self, texts: Texts) -> Any:
        return self.e.count_batch(texts, self.threads)


class Splintr(Fastokens):
    """splintr-rs: OpenAI's vocabularies are compiled in, others from tokenizer.json."""

    package, module = "splintr-rs", "splintr"

    def load(self, module: Any) -> None:
        built_in = self.files.published in ("cl100k_base", "o200k_base")
        make = module.Tokenizer.from_pretrained if built_in else module.from_json
        self.e = make(self.files.published if built_in else self.json())
        self.one, self.decode = self.e.encode_ordinary, self.e.decode
        self.added = len(self.e.encode(""))  # from a file, its batch calls always add what the template adds
        if not self.added:
            self.one = _by_length(self.e.encode_ordinary, self.e.encode_flat)

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
    """tokie: tokenizer.json."""

    package = module = "tokie"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer.from_json(self.json())
        self.one, self.decode = (lambda text: self.e.encode(text, add_special_tokens=False).ids), self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_flat(texts, False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.e.encode_batch(texts, False)]

    def count(self, texts: Texts) -> Any:
        return self.e.count_tokens_batch(texts)

    def flat(self, result: Any) -> Flat:
        return super().flat(result) if isinstance(result, list) else (result[0], ends(result[1]))


class Tuetoken(Peer):
    """tuetoken: tokenizer.json."""

    package = module = "tuetoken"

    def load(self, module: Any) -> None:
        self.e = module.Tokenizer(self.json())
        self.one = _by_length(self.e.encode_ordinary, self.e.encode_to_bytes)

    def decode(self, ids: Any) -> str:
        return str(self.e.decode_array(ids) if isinstance(ids, np.ndarray) else self.e.decode(ids))

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_to_buffer(texts, self.threads)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_ordinary_batch(texts, self.threads)

    def count(self, texts: Texts) -> Any:
        return self.e.count_tokens_batch(texts)

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return np.asarray(result["data"], np.uint32), np.asarray(result["offsets"], np.int64)


class BpeOpenai(Peer):
    """bpe-openai: OpenAI's vocabularies, which are built in."""

    package, module = "bpe-openai", "bpe_openai"

    def load(self, module: Any) -> None:
        self.e = module.get_encoding(self.published("cl100k_base", "o200k_base"))  # others it downloads
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def lists(self, texts: Texts) -> Any:
        if self.threads > 1:
            return self.e.encode_ordinary_batch(texts, num_threads=self.threads)
        return [self.e.encode_ordinary(text) for text in texts]


class RsBpe(Peer):
    """rs-bpe: OpenAI's vocabularies, which are built in."""

    package, module = "rs-bpe", "rs_bpe"

    def load(self, module: Any) -> None:
        self.e = getattr(module.openai, self.published("cl100k_base", "o200k_base"))()
        self.one, self.decode = self.e.encode, self.e.decode

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts)[0] if self.threads == 1 else self.e.encode_batch_parallel(texts, None)[0]

    def count(self, texts: Texts) -> Any:
        return [self.e.count(text) for text in texts]


class Iree(Peer):
    """iree-tokenizer: tokenizer.json, and rank files by name; one thread."""

    package, module = "iree-tokenizer", "iree.tokenizer"

    def load(self, module: Any) -> None:
        if self.files.kind == "tiktoken" and self.files.published in ENCODINGS:
            self.e = module.Tokenizer.from_tiktoken(self.files.ranks, self.files.published)
        else:
            self.e = module.Tokenizer.from_file(self.json())
        self.one, self.decode = self.e.encode_to_array, self.e.decode

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_to_array(texts)

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts)

    def count(self, texts: Texts) -> Any:
        return self.batch(texts)[1]

    def flat(self, result: Any) -> Flat:
        if isinstance(result, list):
            return super().flat(result)
        return result[0].astype(np.uint32), ends(result[1])


class Kitoken(Peer):
    """kitoken: tokenizer.json, SentencePiece models, and rank files whose pattern it knows by name."""

    package = module = "kitoken"

    def load(self, module: Any) -> None:
        files = self.files
        if files.kind == "sentencepiece":
            self.e = module.Kitoken.from_sentencepiece_file(files.model)
        elif files.kind == "tiktoken" and files.published:
            self.e = module.Kitoken.from_tiktoken_file(files.ranks)
        else:
            self.e = module.Kitoken.from_tokenizers_file(self.json())
        self.one = self.e.encode
        self.decode = lambda ids: self.e.decode(ids).decode(errors="replace")

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_all(texts)


class Wordchipper(Peer):
    """wordchipper: OpenAI's vocabularies, from a folder to which it downloads what is missing."""

    package = module = "wordchipper"

    def load(self, module: Any) -> None:
        name = self.published("r50k_base", "p50k_base", "cl100k_base", "o200k_base")
        # The file it would download, put where it looks first: offline it goes on with an empty vocabulary.
        cache = Path(self.ranks()).parent / "wordchipper"
        path = cache / "openai" / name / f"{name}.tiktoken"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.ranks(), path)
        os.environ["WORDCHIPPER_CACHE_DIR"] = str(cache)
        options = module.TokenizerOptions.default()
        options.set_parallel(self.threads > 1)
        self.e = module.Tokenizer.from_pretrained(name, options)
        nothing = module.SpecialFilter.include_none()
        self.one, self.decode = (lambda text: self.e.encode(text, nothing)), self.e.decode
        self.nothing = nothing

    def lists(self, texts: Texts) -> Any:
        return self.e.encode_batch(texts, self.nothing)


class Tiktoken(Peer):
    """tiktoken: ranks and an expression."""

    package = module = "tiktoken"

    def load(self, module: Any) -> None:
        if self.files.regex is None:
            raise NotOffered("needs one expression that splits text")
        # As tiktoken.load does, which would keep a copy of the file for ever.
        with open(self.ranks(), "rb") as file:
            ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, file)}
        self.e = module.Encoding("bench", pat_str=self.files.regex, mergeable_ranks=ranks, special_tokens={})
        self.one, self.decode = self.e.encode_ordinary, self.e.decode

    def lists(self, texts: Texts) -> Any:
        if self.threads > 1:
            return self.e.encode_ordinary_batch(texts, num_threads=self.threads)
        return [self.e.encode_ordinary(text) for text in texts]


class Tokenizers(Peer):
    """tokenizers: tokenizer.json."""

    package = module = "tokenizers"

    def load(self, module: Any) -> None:
        if self.files.json is None:
            raise NotOffered("reads tokenizer.json, and this tokenizer has no such form")
        self.e = module.Tokenizer.from_file(self.files.json)
        self.one = lambda text: self.e.encode(text, add_special_tokens=False).ids
        self.decode = lambda ids: self.e.decode(ids, skip_special_tokens=False)

    def batch(self, texts: Texts) -> Any:
        return self.e.encode_batch_fast(texts, add_special_tokens=False)

    def lists(self, texts: Texts) -> Any:
        return [encoding.ids for encoding in self.batch(texts)]

    def count(self, texts: Texts) -> Any:
        return [len(encoding) for encoding in self.batch(texts)]

    def split(self, texts: Texts) -> Any:
        if self.e.model.dropout is None:
            self.e.model.dropout = 0.1
        return self.batch(texts)

    def flat(self, result: Any) -> Flat:
        return super().flat([getattr(one, "ids", one) for one in result])


class Sentencepiece(Peer):
    """sentencepiece: its own models."""

    package = module = "sentencepiece"

    def load(self, module: Any) -> None:
        if self.files.model is None:
            raise NotOffered("reads SentencePiece models, and this tokenizer is none")
        self.e = module.SentencePieceProcessor(model_file=self.files.model)
        self.one, self.decode = self.e.encode, self.e.decode

    def lists(self, texts: Texts) -> Any:
        return self.e.encode(texts, num_threads=self.threads)

    def split(self, texts: Texts) -> Any:
        return self.e.encode(texts, num_threads=self.threads, enable_sampling=True, alpha=0.1)


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
        BpeOpenai,
        RsBpe,
        Iree,
        Kitoken,
        Wordchipper,
        Tiktoken,
        Tokenizers,
        Sentencepiece,
    )
}
