"""One tokenizer in the forms that peers read: ranks, tokenizer.json, SentencePiece model, or the name of a published one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fissile.benchmark.sentencepiece_model import model_of
from fissile.formats import tiktoken
from fissile.formats.patterns import PATTERNS, is_built_in
from fissile.tokenizer import Tokenizer

__all__ = ["GPT2_USUAL", "OWNERS", "TokenizerFiles"]

GPT2_USUAL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
"""How a tokenizer.json usually says that text is split as by GPT-2."""

OWNERS = {"tiktoken": "tiktoken", "tokenizers": "tokenizers", "sentencepiece": "sentencepiece"}
"""By kind of tokenizer, the peer whose ids are right by definition."""

# Names under which packages have vocabularies built in, by the SHA-256 of their tokens as a rank file.
_PUBLISHED = {
    **{encoding.sha256: name for name, encoding in tiktoken.ENCODINGS.items() if encoding.sha256},
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186": "qwen3",
}


@dataclass(frozen=True)
class TokenizerFiles:
    """One tokenizer in the forms that peers read.

    Attributes:
        name: what tables call it.
        kind: whose it is: "tiktoken", "tokenizers" or "sentencepiece".
        pattern: how text is split, as Fissile names it: a built-in pattern, or an expression.
        regex: the same as one expression as tiktoken spells it; None: there is none.
        published: name under which packages have these tokens built in.
        original: path of the file in a form that its owner or Fissile reads.
        ranks: path of a rank file with the same merges.
        json: path of a tokenizer.json with the same ids on every text.
        usual_json: path of one spelt as such tokenizers usually are; see _usual.
        model: path of a SentencePiece model with the same ids; of a tokenizer.json see sentencepiece_model.py.
        n_vocab: largest id plus one.
    """

    name: str
    kind: Literal["tiktoken", "tokenizers", "sentencepiece"]
    pattern: str
    regex: str | None
    published: str | None
    original: str
    ranks: str | None
    json: str | None
    usual_json: str | None
    model: str | None
    n_vocab: int

    @staticmethod
    def of(tokenizer: Tokenizer, folder: Path) -> TokenizerFiles:
        """A tokenizer's forms, written to a folder.

        Special tokens of ranks are left out, as they are no part of what encode_ordinary and its like do.
        """
        spec = tokenizer._spec
        stem = Path(spec.source).name.removesuffix(".json").removesuffix(".tiktoken").removesuffix(".model")
        if stem == "tokenizer":
            stem = Path(spec.source).resolve().parent.name
        regex = PATTERNS.get(spec.pattern)
        if regex is None and spec.kind == "tiktoken" and not is_built_in(spec.pattern):
            regex = spec.pattern
        published, n_vocab = _published(tokenizer), tokenizer.n_vocab
        files = TokenizerFiles(stem, spec.kind, spec.pattern, regex, published, "", None, None, None, None, n_vocab)
        folder.mkdir(parents=True, exist_ok=True)
        if spec.kind == "sentencepiece":
            model = str(folder / f"{stem}.model")
            tokenizer.save(model)
            return replace(files, original=model, model=model)
        json_path = folder / f"{stem}.json"
        if spec.kind == "tokenizers":
            tokenizer.save(json_path)
            ranks = _equal_ranks(tokenizer) if regex else None
            ranks_path = None
            if ranks is not None:
                ranks_path = str(folder / f"{stem}.tiktoken")
                Path(ranks_path).write_bytes(tiktoken.write_ranks(ranks))
            model_path = None
            if (made := model_of(json.loads(json_path.read_bytes()))) is not None:
                model_path = str(folder / f"{stem}.model")
                Path(model_path).write_bytes(made)
            path = str(json_path)
            return replace(files, original=path, json=path, usual_json=path, ranks=ranks_path, model=model_path)
        rank_file = folder / f"{stem}.tiktoken"
        rank_file.write_bytes(tiktoken.write_ranks(tokenizer._ranks()))
        plain = Tokenizer.from_tiktoken(rank_file, spec.pattern, {})
        files = replace(files, original=str(rank_file), ranks=str(rank_file))
        try:
            plain.save(json_path)
        except ValueError:  # an expression that a tokenizer.json cannot hold
            return files
        return replace(files, json=str(json_path), usual_json=_usual(json_path, spec.pattern))

    def cut(self, n: int) -> TokenizerFiles:
        """The tokenizer of the first n ranks, beside this one; its name stays, so that rows belong together.

        Raises:
            ValueError: it has no ranks.
        """
        if self.ranks is None:
            raise ValueError(f"{self.name} has no ranks to be cut")
        lines = Path(self.ranks).read_bytes().splitlines(keepends=True)[:n]
        folder = Path(self.ranks).parent / str(n)
        folder.mkdir()
        path = folder / Path(self.ranks).name
        path.write_bytes(b"".join(lines))
        return TokenizerFiles.of(Tokenizer.from_tiktoken(path, self.pattern, {}), folder / "forms")


def _usual(path: Path, pattern: str) -> str:
    """The tokenizer.json at `path` as one of this pattern is usually spelt, beside it.

    Half of the peers have a fast scanner for that spelling, and a slow one or none for the exact one. GPT-2's means the
    same; cl100k's usual regex, which is llama3's, cuts rare white space differently.
    """
    tree = json.loads(path.read_bytes())
    if pattern == "gpt2":
        tree["pre_tokenizer"] = GPT2_USUAL
    elif pattern == "cl100k":
        tree["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = PATTERNS["llama3"]
    else:
        return str(path)
    usual = path.with_suffix(".usual.json")
    usual.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")
    return str(usual)


def _published(tokenizer: Tokenizer) -> str | None:
    if tokenizer._spec.kind == "sentencepiece":
        return None
    digest = hashlib.sha256(tiktoken.write_ranks(tokenizer._ranks())).hexdigest()
    name = _PUBLISHED.get(digest)
    patterns = {name: encoding.pattern for name, encoding in tiktoken.ENCODINGS.items()} | {"qwen3": "qwen2"}
    return name if name and patterns[name] == tokenizer._spec.pattern else None


def _equal_ranks(tokenizer: Tokenizer) -> dict[bytes, int] | None:
    """A tokenizer.json's tokens as ranks, where merging by rank is what its own merges do."""
    if tokenizer._spec.payload().get("normalizer"):
        return None
    ranks = tokenizer._ranks()
    try:
        same = Tokenizer.from_ranks(ranks, tokenizer._spec.pattern, {}).merges == tokenizer.merges
    except ValueError:  # holes among the ids
        return None
    return ranks if same else None
