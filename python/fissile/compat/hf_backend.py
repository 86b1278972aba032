"""The fissile.Tokenizer of a tokenizers.Tokenizer, kept up to date with it.

A tokenizer of `transformers` holds a tokenizers.Tokenizer and changes it as it goes: tokens are added, a template is
replaced, a pre-tokenizer is told to put a space in front. `backend_of` gives the fissile.Tokenizer that has the same ids
*now*. It is made from the JSON form when first needed (a second for 150,000 tokens), and made again after a change.

A change must not be missed, nor looked for at a price. The nodes around the model are compared by their JSON in every
call, which takes microseconds. Added tokens may be many hundreds, so the methods that add them note on the object that
they ran, and the tokens are compared after that. What cannot be noticed is a model exchanged for another of as many
tokens on the backend itself; see Backend.forget.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from fissile.compat.hf_offsets import OffsetRules, offset_rules
from fissile.errors import TokenizerFileError
from fissile.formats.spec import FLAG_SPECIAL, TokenizerSpec
from fissile.formats.tokenizer_json import from_json
from fissile.tokenizer import Tokenizer

try:
    import tokenizers
except ImportError:
    raise ImportError("fissile.compat.transformers needs transformers: pip install 'fissile[transformers]'") from None

if tuple(map(int, tokenizers.__version__.split(".")[:2])) < (0, 23):  # its objects cannot be referred to weakly
    raise ImportError(
        f"fissile.compat.transformers needs tokenizers 0.23 or later, found {tokenizers.__version__}: "
        "pip install 'fissile[transformers]'"
    )

__all__ = ["Backend", "Layout", "Piece", "Snapshot", "backend_of"]

_NODES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_MODEL_FLAGS = ("dropout", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges")
_CHANGERS = ("add_tokens", "add_special_tokens", "train", "train_from_iterator")


class Piece(NamedTuple):
    """A part of what a post-processor makes: one of the texts, or a special token.

    Attributes:
        sequence: 0 for the first text, 1 for the second, -1 for a special token.
        id: of the special token.
        type_id: what token_type_ids holds for all of it.
    """

    sequence: int
    id: int
    type_id: int


class Layout(NamedTuple):
    """What a post-processor puts around one text or two."""

    pieces: tuple[Piece, ...]

    @property
    def n_special(self) -> int:
        """Number of special tokens."""
        return sum(piece.sequence < 0 for piece in self.pieces)

    @property
    def n_before(self) -> int:
        """Number of special tokens in front of the first text."""
        return [piece.sequence for piece in self.pieces].index(0)

    @property
    def one_type(self) -> int | None:
        """The type id that everything has, if there is but one."""
        kinds = {piece.type_id for piece in self.pieces}
        return kinds.pop() if len(kinds) == 1 else None


def _probe(post_processor: Any, pair: bool, with_special: bool) -> Layout | None:
    """What a post-processor makes of one-token texts; None if that is not each text once."""
    model = tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a")
    probe = tokenizers.Tokenizer(model)
    if post_processor is not None:
        probe.post_processor = post_processor
    encoding = probe.encode("a", "b" if pair else None, add_special_tokens=with_special)
    pieces = tuple(
        Piece(-1 if text is None else text, id, type_id)
        for text, id, type_id in zip(encoding.sequence_ids, encoding.ids, encoding.type_ids, strict=True)
    )
    found = sorted(piece.sequence for piece in pieces if piece.sequence >= 0)
    return Layout(pieces) if found == ([0, 1] if pair else [0]) else None


class Snapshot:
    """What Fissile makes of a tokenizers.Tokenizer as it is at one moment.

    Attributes:
        tokenizer: the one with the same ids; None if Fissile refuses.
        refusal: why it does; else empty.
        all_special: all added tokens are special ones.
        decodes: it decodes added tokens as the owner does, of which some come back normalised.
    """

    _spec: TokenizerSpec

    def __init__(self, owner: tokenizers.Tokenizer, nodes: tuple[Any, ...], added: str) -> None:
        self._made_of = (nodes, added)
        self._layouts: dict[tuple[bool, bool], Layout | None] = {}
        self._offset_rules: list[OffsetRules | None] = []  # of one, once it was asked for
        self.tokenizer: Tokenizer | None = None
        self.refusal = ""
        self.all_special = self.decodes = False
        try:
            tree = owner.to_str().encode()
        except Exception as error:  # just that: what `tokenizers` raises for nodes written in Python
            self.refusal = str(error)
            return
        try:
            spec = self._spec = from_json(tree, "the tokenizers.Tokenizer")
            self.tokenizer = Tokenizer(spec)
            self.all_special = all(token.flags & FLAG_SPECIAL for token in spec.added_tokens)
            self.decodes = _decodes_alike(owner, self.tokenizer, [token.id for token in spec.added_tokens])
        except (TokenizerFileError, ImportError) as error:
            self.refusal = str(error)

    def has_nodes(self, nodes: tuple[Any, ...]) -> bool:
        """Whether it was made of these."""
        return self._made_of[0] == nodes

    def is_of(self, nodes: tuple[Any, ...], added: str) -> bool:
        """Whether it was made of these nodes and added tokens."""
        return self._made_of == (nodes, added)

    def layout(self, owner: tokenizers.Tokenizer, pair: bool, with_special: bool) -> Layout | None:
        """What is put around one text or two; None where `tokenizers` must be asked each time."""
        key = (pair, with_special)
        if key not in self._layouts:
            layout = _probe(owner.post_processor, pair, with_special)
            n_special = owner.num_special_tokens_to_add(pair) if with_special else 0
            self._layouts[key] = layout if layout is not None and layout.n_special == n_special else None
        return self._layouts[key]

    def offset_rules(self, owner: tokenizers.Tokenizer) -> OffsetRules | None:
        """How to find where tokens lie; None where `tokenizers` must be asked."""
        if not self._offset_rules:
            assert self.tokenizer is not None
            self._offset_rules = [offset_rules(owner, self.tokenizer, self._spec)]
        return self._offset_rules[0]


class Backend:
    """What Fissile makes of one tokenizers.Tokenizer; got by backend_of."""

    def __init__(self, owner: tokenizers.Tokenizer) -> None:
        self._owner = weakref.ref(owner)
        self._latest: Snapshot | None = None
        self._maybe_added = False
        self._lock = threading.RLock()
        for name in _CHANGERS:
            setattr(owner, name, self._noting(name))

    def _noting(self, name: str) -> Callable[..., Any]:
        """A method of the owner that notes that it ran. It holds no reference to the owner, or both would live forever."""
        owner = self._owner

        def method(*arguments: Any, **options: Any) -> Any:
            try:
                return getattr(tokenizers.Tokenizer, name)(owner(), *arguments, **options)
            finally:
                self._maybe_added = True

        method.__name__ = name
        method.__doc__ = getattr(tokenizers.Tokenizer, name).__doc__
        return method

    def forget(self) -> None:
        """Make the tokenizer anew when it is next needed.

        Only needed after `backend.model = ...` with a model that has as many tokens as the last.
        """
        self._latest = None

    def snapshot(self) -> Snapshot:
        """What Fissile makes of the owner as it is now; the same object as last time if nothing changed."""
        owner = self._owner()
        assert owner is not None, "a backend is asked for through its owner"
        nodes, latest = _nodes(owner), self._latest
        if latest is not None and not self._maybe_added and latest.has_nodes(nodes):
            return latest
        with self._lock:
            self._maybe_added = False
            added, latest = _added(owner), self._latest
            if latest is None or not latest.is_of(nodes, added):
                latest = self._latest = Snapshot(owner, nodes, added)
            return latest


def _nodes(owner: tokenizers.Tokenizer) -> tuple[Any, ...]:
    """What tells whether anything but the added tokens has changed."""
    model = owner.model
    states = [_state(getattr(owner, name)) for name in _NODES]
    flags = [getattr(model, name, None) for name in _MODEL_FLAGS]
    return (*states, *flags, type(model), owner.get_vocab_size(with_added_tokens=False))


def _state(node: Any) -> Any:
    try:
        return None if node is None else node.__getstate__()
    except Exception:  # a node written in Python has none, and is refused
        return "of Python"


def _decodes_alike(owner: tokenizers.Tokenizer, tokenizer: Tokenizer, added: list[int]) -> bool:
    """Whether both decode some added tokens to the same, at the beginning of a text and within."""
    if owner.decoder is None:
        return False  # `tokenizers` joins tokens with spaces then
    known = set(added)
    model = next((id for id in range(tokenizer.n_vocab) if id not in known and owner.id_to_token(id)), None)
    texts = [[id] if model is None else [id, model, id] for id in added]
    return tokenizer.decode_batch(texts) == owner.decode_batch(texts, skip_special_tokens=False)


def _added(owner: tokenizers.Tokenizer) -> str:
    """What tells whether the added tokens have changed: == of AddedToken sees their content alone."""
    return repr(sorted((id, token.__getstate__()) for id, token in owner.get_added_tokens_decoder().items()))


_backends: weakref.WeakKeyDictionary[tokenizers.Tokenizer, Backend] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def backend_of(owner: tokenizers.Tokenizer) -> Backend:
    """The Backend of a tokenizers.Tokenizer; it is kept as long as that lives, and neither copied nor pickled with it.

    Raises:
        TypeError: the object is no tokenizers.Tokenizer.
    """
    if type(owner) is not tokenizers.Tokenizer:
        raise TypeError(f"expected a tokenizers.Tokenizer, found {type(owner).__module__}.{type(owner).__name__}")
    backend = _backends.get(owner)
    if backend is None:
        with _lock:
            backend = _backends.get(owner)
            if backend is None:
                backend = _backends[owner] = Backend(owner)
    return backend
