"""Fissile behind the tokenizer classes of `transformers`.

FissileTokenizer is a PreTrainedTokenizerFast that encodes and decodes with Fissile; patch_transformers makes all
PreTrainedTokenizerFast objects of a process do so that Fissile gives the same ids for. docs/compat.md says which calls run
in Fissile and which are left to `tokenizers`; the results are the same.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from fissile.compat.hf_backend import Snapshot, backend_of
from fissile.compat.hf_call import decode, encode_plus
from fissile.errors import TokenizerFileError
from fissile.tokenizer import Tokenizer

try:
    import transformers
    from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast
except ImportError:
    raise ImportError("fissile.compat.transformers needs transformers: pip install 'fissile[transformers]'") from None

if int(transformers.__version__.partition(".")[0]) < 5:
    raise ImportError(
        f"fissile.compat.transformers needs transformers 5 or later, found {transformers.__version__}: "
        "pip install 'fissile[transformers]'"
    )

__all__ = ["FissileTokenizer", "TransformersPatch", "patch_transformers"]

_log = logging.getLogger("fissile")


class FissileTokenizer(PreTrainedTokenizerFast):
    """A PreTrainedTokenizerFast whose texts Fissile encodes and decodes.

    Made as one, with the same arguments: FissileTokenizer.from_pretrained("org/name" | directory),
    FissileTokenizer(tokenizer_file="tokenizer.json"), FissileTokenizer(tokenizer_object=...). What save_pretrained writes
    loads as a FissileTokenizer by AutoTokenizer where this module is imported, and as a PreTrainedTokenizerFast elsewhere.

    A tokenizer that Fissile refuses raises TokenizerFileError, which says what it does not do: in from_pretrained, or when
    the first text is encoded.
    """

    # No __init__: transformers rebuilds the backend of classes that have one, without its nodes.

    @classmethod
    def from_pretrained(cls, *arguments: Any, **options: Any) -> FissileTokenizer:
        """As of PreTrainedTokenizerFast; TokenizerFileError if Fissile refuses the tokenizer."""
        tokenizer: FissileTokenizer = super().from_pretrained(*arguments, **options)
        tokenizer._snapshot()
        return tokenizer

    @property
    def fissile(self) -> Tokenizer:
        """The fissile.Tokenizer with this one's ids. Adding tokens makes another."""
        tokenizer = self._snapshot().tokenizer
        assert tokenizer is not None
        return tokenizer

    def _snapshot(self) -> Snapshot:
        snapshot = backend_of(self._tokenizer).snapshot()
        if snapshot.tokenizer is None:
            raise TokenizerFileError(f"{type(self).__name__} of {self.name_or_path!r}: {snapshot.refusal}")
        return snapshot

    def _encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        return encode_plus(self, self._snapshot(), super()._encode_plus, text, text_pair, options)

    def _decode(self, token_ids: Any, **options: Any) -> str:
        return decode(self, self._snapshot(), super()._decode, token_ids, options)


class FissileConfig(PreTrainedConfig):
    """The key under which AutoTokenizer keeps FissileTokenizer; no model has it."""

    model_type = "fissile"


AutoTokenizer.register(FissileConfig, FissileTokenizer, exist_ok=True)


class TransformersPatch:
    """The switch that patch_transformers turned on. Also a context manager that turns it off at its end."""

    def __init__(self) -> None:
        self._originals: dict[str, Any] = {}
        self._seen: weakref.WeakKeyDictionary[Any, Snapshot] = weakref.WeakKeyDictionary()

    def undo(self) -> None:
        """Give PreTrainedTokenizerFast its own methods back; does nothing the second time.

        Raises:
            RuntimeError: somebody else has replaced the methods since; undo that first.
        """
        global _active
        if not self._originals:
            return
        for name, replacement in self._replacements.items():
            if vars(PreTrainedTokenizerFast).get(name) is not replacement:
                raise RuntimeError(
                    f"PreTrainedTokenizerFast.{name} was replaced after patch_transformers did; undo that first"
                )
        for name, original in self._originals.items():
            setattr(PreTrainedTokenizerFast, name, original)
        self._originals = {}
        _active = None

    def why_not(self, tokenizer: PreTrainedTokenizerFast) -> str:
        """Why Fissile does not encode for a tokenizer; empty if it does."""
        if not self._originals:
            return "the patch was undone"
        try:
            return backend_of(tokenizer._tokenizer).snapshot().refusal
        except TypeError as error:
            return str(error)

    @property
    def refused(self) -> dict[PreTrainedTokenizerFast, str]:
        """The tokenizers that were used since and stayed as they were, and why."""
        return {tokenizer: why for tokenizer in list(self._seen) if (why := self.why_not(tokenizer))}

    def __enter__(self) -> TransformersPatch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.undo()

    def _apply(self) -> None:
        self._originals = {name: vars(PreTrainedTokenizerFast)[name] for name in ("_encode_plus", "_decode")}
        encode_original: Callable[..., Any] = self._originals["_encode_plus"]
        decode_original: Callable[..., str] = self._originals["_decode"]

        def _encode_plus(face: Any, text: Any, text_pair: Any = None, *arguments: Any, **options: Any) -> Any:
            snapshot = None if arguments else self._snapshot(face)
            if snapshot is None:
                return encode_original(face, text, text_pair, *arguments, **options)
            return encode_plus(face, snapshot, partial(encode_original, face), text, text_pair, options)

        def _decode(face: Any, token_ids: Any, *arguments: Any, **options: Any) -> str:
            snapshot = None if arguments else self._snapshot(face)
            if snapshot is None:
                return decode_original(face, token_ids, *arguments, **options)
            return decode(face, snapshot, partial(decode_original, face), token_ids, options)

        self._replacements = {"_encode_plus": _encode_plus, "_decode": _decode}
        for name, replacement in self._replacements.items():
            setattr(PreTrainedTokenizerFast, name, replacement)

    def _snapshot(self, face: Any) -> Snapshot | None:
        """What Fissile makes of a tokenizer's backend; None if it does not encode for it. Says so the first time."""
        if isinstance(face, FissileTokenizer):
            return None  # asks for the original
        try:
            snapshot = backend_of(face._tokenizer).snapshot()
        except TypeError:
            return None
        if self._seen.get(face) is not snapshot:
            self._seen[face] = snapshot
            name = f"{type(face).__name__} {face.name_or_path!r}"
            if snapshot.refusal:
                _log.warning("%s stays with tokenizers: %s", name, snapshot.refusal)
            else:
                _log.info("%s is encoded by Fissile", name)
        return snapshot if snapshot.tokenizer is not None else None


_active: TransformersPatch | None = None


def patch_transformers() -> TransformersPatch:
    """Let Fissile encode and decode for every PreTrainedTokenizerFast of this process, those that are there already too.

    A tokenizer that Fissile refuses stays as it is; the logger "fissile" says so with a warning when it is first used, and
    `refused` of the result lists them. Calling this twice is calling it once.

    Returns:
        The switch: its undo() turns it off again, as does the end of a `with` block.
    """
    global _active
    if _active is None:
        _active = TransformersPatch()
        _active._apply()
    return _active
