"""Stochastic splitting: other spellings of a text in tokens of the same vocabulary, drawn at random and repeatably.

A sampler is a value for `split=` of Tokenizer.encode, encode_batch and encode_files. docs/stochastic.md says what each
draws and how; what is drawn for a document depends on (seed, epoch, index of the document) and on nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from fissile.arguments import UINT64_MAX, flag, instance, whole
from fissile.numpy_later import np, npt
from fissile.ragged import Ragged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fissile import _core
    from fissile.tokenizer import Tokenizer

__all__ = ["BPEDropout", "Split", "StochasTok", "Stochastic", "UniformSplit", "parse_split", "stochastok"]

Law = Literal["paper", "tokenizers", "sentencepiece", "subword-nmt"]
Merges = Literal["listed", "any"]
LAWS = ("paper", "tokenizers", "sentencepiece", "subword-nmt")

MAX_DOCUMENTS = 1 << 56  # as kMaxDocuments in cpp/encode/splitter.hpp


def _check_chance(p: float) -> None:
    if isinstance(p, bool) or not isinstance(p, (int, float, np.integer, np.floating)):
        raise TypeError(f"p must be a number, not {type(p).__name__}")
    if not 0.0 <= p <= 1.0:  # false for nan
        raise ValueError(f"p must be from 0 to 1, not {p}")


@dataclass(frozen=True)
class StochasTok:
    """Split tokens into two again and again: Sims et al. 2025 (arXiv 2506.01687), where p is 0.1.

    Of a document of n ids, floor(n * p) times, a token is drawn from the sequence as it is then and replaced by a pair of
    tokens that spell it, each pair as likely; a token that no pair spells spends the try.

    Attributes:
        p: tries a token, 0 to 1.
        max_expansions: most tokens split in a document; None: no limit.
        deny: ids never split. Special and added tokens never are.

    Raises:
        ValueError: p is not from 0 to 1, max_expansions is negative, or (when used) deny holds an id that no vocabulary
            has.
    """

    p: float
    max_expansions: int | None = None
    deny: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_chance(self.p)
        if self.max_expansions is not None:
            whole("max_expansions", self.max_expansions, 0)
        instance("deny", self.deny, Iterable, "a sequence of ids")
        object.__setattr__(self, "deny", tuple(whole("an id in deny", id, 0, (1 << 32) - 1) for id in self.deny))

    def _ready(self, tokenizer: Tokenizer) -> _core.StochasTokSplitter:
        return tokenizer._split_model.stochastok(self.p, max_expansions=self.max_expansions, deny=self.deny)


@dataclass(frozen=True)
class BPEDropout:
    """Leave merges out at random: Provilkov et al. 2020 (arXiv 1910.13267).

    Attributes:
        p: chance that a merge is left out each time it comes up, 0 (canonical ids) to 1 (bytes, or characters).
        law: what "comes up" means. "paper": at each step every possible merge is dropped with probability p, and the best
            of the others is done; when none is left the word is done. "tokenizers", "sentencepiece" and "subword-nmt" are
            the laws of those libraries, which differ (docs/stochastic.md).
        merges: "listed": the merges that the file lists; "any": any two tokens that spell a token. None: what the file
            means, "any" for ranks and SentencePiece models and "listed" for a tokenizer.json.

    Raises:
        ValueError: p is not from 0 to 1, or there is no such law; when used, the vocabulary does not have all bytes.
    """

    p: float
    law: Law = "paper"
    merges: Merges | None = None

    def __post_init__(self) -> None:
        _check_chance(self.p)
        if self.law not in LAWS:
            raise ValueError(f"law must be one of {', '.join(map(repr, LAWS))}, not {self.law!r}")
        if self.merges not in ("listed", "any", None):
            raise ValueError(f"merges must be 'listed', 'any' or None, not {self.merges!r}")

    def _ready(self, tokenizer: Tokenizer) -> _core.Splitter:
        merges = self.merges or ("listed" if tokenizer._spec.kind == "tokenizers" else "any")
        return tokenizer._split_model.bpe_dropout(self.p, law=self.law, merges=merges)


@dataclass(frozen=True)
class UniformSplit:
    """Spell words in tokens uniformly at random: Cognetta et al. 2024 (arXiv 2408.11443).

    With probability p a word's ids are replaced by a sequence drawn from all sequences of tokens that spell its bytes,
    each as likely. Such a sequence is about three times as long as the canonical one.

    Attributes:
        p: chance of a word (pretoken) to be drawn anew, 0 to 1.
        length: None: sequences of any length. "canonical": only those with as many tokens as the canonical ids, which
            keeps the cost of a batch constant. A number of tokens: only those with so many. A word that no sequence of
            the length spells, or of more than 1,000 bytes with a length asked for, keeps its canonical ids.

    Raises:
        ValueError: p is not from 0 to 1, or length is none of these; when used, the vocabulary does not have all bytes.
    """

    p: float
    length: int | Literal["canonical"] | None = None

    def __post_init__(self) -> None:
        _check_chance(self.p)
        if isinstance(self.length, str):
            if self.length != "canonical":
                raise ValueError(f"length must be 'canonical', a number of tokens or None, not {self.length!r}")
        elif self.length is not None:
            whole("length", self.length, 1, (1 << 31) - 1)

    def _ready(self, tokenizer: Tokenizer) -> _core.Splitter:
        # As kAnyLength and kCanonicalLength in cpp/stochastic/uniform_split.hpp.
        length = 0 if self.length is None else -1 if self.length == "canonical" else self.length
        return tokenizer._split_model.uniform_split(self.p, length=length)


Sampler = StochasTok | BPEDropout | UniformSplit
#: What `split=` takes: a sampler, its short form in text ("stochastok:0.1", "dropout:0.1", "uniform:0.1"),
#: "characters" (a token for each character, and bytes where there is none), or None.
Split = Sampler | str | None
_BY_NAME: dict[str, type[Sampler]] = {"stochastok": StochasTok, "dropout": BPEDropout, "uniform": UniformSplit}


def parse_split(text: str) -> Sampler | Literal["characters"]:
    """What a split written as text means: NAME:P, or "characters", which stays as it is.

    Raises:
        ValueError: there is no such sampler, or P is missing, no number, or not from 0 to 1.

    >>> parse_split("stochastok:0.1")
    StochasTok(p=0.1, max_expansions=None, deny=())
    """
    if text == "characters":
        return "characters"
    name, colon, p = text.partition(":")
    expected = "expected stochastok:P, dropout:P, uniform:P or characters, with P from 0 to 1"
    if name not in _BY_NAME:
        raise ValueError(f"split {text!r}: there is no sampler {name!r}; {expected}")
    if not colon:
        raise ValueError(f"split {text!r} does not say how much to split; expected such as {name}:0.1")
    try:
        return _BY_NAME[name](float(p))
    except ValueError:
        raise ValueError(f"split {text!r}: P is {p!r}; {expected}") from None


def prepare(split: Sampler | str, tokenizer: Tokenizer) -> _core.Splitter:
    """The sampler, ready for a tokenizer's vocabulary."""
    sampler = parse_split(split) if isinstance(split, str) else split
    if sampler == "characters":
        return tokenizer._split_model.character_split()
    if not isinstance(sampler, Sampler):
        raise TypeError(f"split must be a sampler, such as fissile.StochasTok(0.1), not {type(split).__name__}")
    return sampler._ready(tokenizer)


def draw_key(seed: int | None, epoch: int, first_index: int) -> tuple[int, int, int]:
    """(seed, epoch, first_index), checked; a seed of None becomes one that nobody chose."""
    return (
        int.from_bytes(os.urandom(8), "little") if seed is None else whole("seed", seed, 0, UINT64_MAX),
        whole("epoch", epoch, 0, (1 << 32) - 1),
        whole("first_index", first_index, 0, MAX_DOCUMENTS - 1),
    )


class Stochastic(NamedTuple):
    """What stochastok(..., return_parents=True) gives."""

    ids: npt.NDArray[np.uint32] | Ragged
    parents: npt.NDArray[np.int64]  #: of each id, the place in the input of the id it came from


@overload
def stochastok(
    ids: Ragged,
    tok: Tokenizer,
    p: float | npt.ArrayLike,
    seed: int | None = None,
    offsets: None = None,
    *,
    epoch: int = 0,
    first_index: int = 0,
    max_expansions: int | None = None,
    deny: Sequence[int] = (),
    threads: int | None = 1,
    return_parents: Literal[False] = False,
) -> Ragged: ...
@overload
def stochastok(
    ids: npt.ArrayLike,
    tok: Tokenizer,
    p: float,
    seed: int | None = None,
    offsets: None = None,
    *,
    epoch: int = 0,
    first_index: int = 0,
    max_expansions: int | None = None,
    deny: Sequence[int] = (),
    threads: int | None = 1,
    return_parents: Literal[False] = False,
) -> npt.NDArray[np.uint32]: ...
@overload
def stochastok(
    ids: npt.ArrayLike,
    tok: Tokenizer,
    p: float | npt.ArrayLike,
    seed: int | None = None,
    *,
    offsets: npt.ArrayLike,
    epoch: int = 0,
    first_index: int = 0,
    max_expansions: int | None = None,
    deny: Sequence[int] = (),
    threads: int | None = 1,
    return_parents: Literal[False] = False,
) -> Ragged: ...
@overload
def stochastok(
    ids: npt.ArrayLike | Ragged,
    tok: Tokenizer,
    p: float | npt.ArrayLike,
    seed: int | None = None,
    offsets: npt.ArrayLike | None = None,
    *,
    epoch: int = 0,
    first_index: int = 0,
    max_expansions: int | None = None,
    deny: Sequence[int] = (),
    threads: int | None = 1,
    return_parents: Literal[True],
) -> Stochastic: ...
def stochastok(
    ids: npt.ArrayLike | Ragged,
    tok: Tokenizer,
    p: float | npt.ArrayLike,
    seed: int | None = None,
    offsets: npt.ArrayLike | None = None,
    *,
    epoch: int = 0,
    first_index: int = 0,
    max_expansions: int | None = None,
    deny: Sequence[int] = (),
    threads: int | None = 1,
    return_parents: bool = False,
) -> npt.NDArray[np.uint32] | Ragged | Stochastic:
    """Apply StochasTok to ids that are there already, whichever tokenizer of this vocabulary made them.

    Document i gives the ids that encoding with split=StochasTok(p) gives it for the same seed, epoch and first_index.

    Args:
        ids: one document, (n,) of any integer type; with `offsets` several, one after the other; or a Ragged.
        tok: a tokenizer with the vocabulary of the ids.
        p: as of StochasTok; for several documents also one a document, (n_docs,).
        seed: as of Tokenizer.encode_batch, like epoch and first_index.
        offsets: (n_docs + 1,): document i is ids[offsets[i]:offsets[i + 1]].
        max_expansions: as of StochasTok, a document.
        deny: as of StochasTok.
        threads: worker threads, None for one a CPU; the ids do not depend on it.
        return_parents: also return the place in `ids` that each id came from.

    Returns:
        ids (m,) uint32 for one document, else a Ragged; with return_parents a pair with parents (m,) int64.

    Raises:
        ValueError: an id is outside the vocabulary (its place is named), p is not from 0 to 1, offsets do not fit.
    """
    from fissile.tokenizer import Tokenizer

    instance("tok", tok, Tokenizer, "a Tokenizer")
    return_parents = flag("return_parents", return_parents)
    key = draw_key(seed, epoch, first_index)
    to_lists = None
    if isinstance(ids, Ragged):
        if offsets is not None:
            raise TypeError("a Ragged brings its own offsets")
        flat, offsets, to_lists = _as_ids(ids.ids), ids.offsets, ids._to_lists
    else:
        flat = _as_ids(ids)
    bounds = np.array([0, len(flat)], np.int64) if offsets is None else _as_offsets(offsets)
    try:
        chances = np.asarray(p, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"p must be a number or one a document, not {type(p).__name__}") from None
    if chances.ndim > 1 or (chances.ndim == 1 and len(chances) != len(bounds) - 1):
        raise ValueError(f"p must be a number or one a document, ({len(bounds) - 1},), not of shape {chances.shape}")
    splitter = StochasTok(0.0, max_expansions, deny)._ready(tok)  # type: ignore[arg-type]
    split, split_offsets, parents = splitter.split_ids(
        flat,
        bounds,
        p=np.ascontiguousarray(np.broadcast_to(chances, (len(bounds) - 1,))),
        seed=key[0],
        epoch=key[1],
        first_index=key[2],
        return_parents=return_parents,
        threads=(os.cpu_count() or 1) if threads is None else whole("threads", threads, 1, 4096),
    )
    result = split if offsets is None else Ragged(split, split_offsets, to_lists)
    return Stochastic(result, parents) if return_parents else result


def _as_ids(ids: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    array = np.asarray(ids)
    if array.size == 0:
        array = array.astype(np.uint32)
    if array.ndim != 1 or array.dtype.kind not in "ui":
        raise TypeError(f"ids must be integers in one dimension, not {array.dtype} of shape {array.shape}")
    if array.dtype != np.uint32:
        if array.dtype.itemsize > 4 or array.dtype.kind == "i":
            outside = np.flatnonzero((array < 0) | (array > 0xFFFFFFFF))
            if len(outside):
                raise ValueError(f"ids[{outside[0]}] is {array[outside[0]]}, which is no id")
        array = array.astype(np.uint32)
    return np.ascontiguousarray(array)


def _as_offsets(offsets: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array: npt.NDArray[Any] = np.asarray(offsets)
    if array.ndim != 1 or array.dtype.kind not in "ui":
        raise TypeError(f"offsets must be integers in one dimension, not {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array, np.int64)
