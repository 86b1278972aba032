"""One call of a transformers tokenizer, done by Fissile: what `_encode_plus` and `_decode` of its class do.

All of `tok(...)`, `encode`, `tokenize`, `apply_chat_template` and batches of them end in `_encode_plus`. Texts and pairs of
texts are encoded here, with truncation, padding, windows over long texts, offsets and tensors. What is not is handed to the
original method, which gives what it always gave: what Call.fits and _texts turn away, and where _encode returns None, with
the reason beside it. docs/compat.md has the list for users.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from fissile.compat.hf_backend import Layout, Snapshot, backend_of
from fissile.compat.hf_batch import Batch, Columns, Padding, Truncation
from fissile.compat.hf_offsets import OffsetRules
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer

try:
    import tokenizers
    from transformers import BatchEncoding
except ImportError:
    raise ImportError("fissile.compat.transformers needs transformers: pip install 'fissile[transformers]'") from None

__all__ = ["decode", "encode_plus"]

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Call:
    """The keyword arguments of `_encode_plus`, with its defaults."""

    add_special_tokens: bool = True
    padding_strategy: str = "do_not_pad"
    truncation_strategy: str = "do_not_truncate"
    max_length: int | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: Any = None
    return_token_type_ids: bool | None = None  # None: as the tokenizer's model_input_names say
    return_attention_mask: bool | None = None  # likewise
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    verbose: bool = True
    split_special_tokens: bool | None = None
    sanitize_control_tokens: bool = False

    def fits(self) -> bool:
        """Whether it asks for nothing that only `tokenizers` does."""
        endless = self.truncation_strategy != "do_not_truncate" and self.max_length is None  # an error of `tokenizers`
        return not (self.is_split_into_words or self.sanitize_control_tokens or endless)

    def asks_for_ids_alone(self) -> bool:
        """Whether the result for one text is its ids, but for masks of ones and zeros."""
        to_itself = self.padding_strategy == "longest" and not self.pad_to_multiple_of
        return (self.padding_strategy == "do_not_pad" or to_itself) and not (
            self.return_overflowing_tokens
            or self.return_special_tokens_mask
            or self.return_offsets_mapping
            or self.return_length
        )

    def wants(self, name: str, face: Any) -> bool:
        """Whether token_type_ids or attention_mask is asked for."""
        asked: bool | None = getattr(self, f"return_{name}")
        return name in face.model_input_names if asked is None else asked

    def truncation(self, side: str) -> Truncation | None:
        """How texts are cut; None if they are not."""
        if self.truncation_strategy == "do_not_truncate":
            return None
        assert self.max_length is not None
        strategy = str(getattr(self.truncation_strategy, "value", self.truncation_strategy))
        return Truncation(self.max_length, self.stride, strategy, side)

    def padding(self, face: Any) -> Padding | None:
        """How rows are filled up; None if they are not."""
        if self.padding_strategy == "do_not_pad":
            return None
        return Padding(
            length=self.max_length if self.padding_strategy == "max_length" else None,
            direction=self.padding_side if self.padding_side is not None else face.padding_side,
            pad_id=face.pad_token_id,
            pad_token=face.pad_token,
            pad_type_id=face.pad_token_type_id,
            pad_to_multiple_of=self.pad_to_multiple_of,
        )


_FIELDS = frozenset(field.name for field in fields(Call))


def _threads() -> int | None:
    """As many as `tokenizers` would take: its users know these variables."""
    if os.environ.get("TOKENIZERS_PARALLELISM", "").lower() in ("off", "false", "f", "no", "n", "0"):
        return 1
    number = os.environ.get("RAYON_NUM_THREADS", "")
    return int(number) if number.isdecimal() and int(number) > 0 else None


def _texts(text: Any, text_pair: Any) -> tuple[list[str], list[str] | None] | None:
    """The texts of a call and their seconds; None if they are anything but strings."""
    if isinstance(text, str):
        if not text_pair:  # the original sees no second text in ""
            return [text], None
        return ([text], [text_pair]) if isinstance(text_pair, str) else None
    if not isinstance(text, (list, tuple)) or not text:
        return None
    if text_pair is None:
        return (list(text), None) if all(isinstance(t, str) for t in text) else None
    if not isinstance(text_pair, (list, tuple)) or len(text_pair) != len(text):
        return None
    return (list(text), list(text_pair)) if all(isinstance(t, str) for t in (*text, *text_pair)) else None


class LaterEncodings(Sequence[Any]):
    """The `tokenizers.Encoding` objects of a batch, made by `tokenizers` when one is asked for.

    `tokens()`, `word_ids()`, `char_to_token()` and the like of a BatchEncoding need them; most callers never do.
    """

    def __init__(
        self,
        owner: tokenizers.Tokenizer,
        snapshot: Snapshot,
        inputs: list[Any],
        call: Call,
        truncation: Truncation | None,
        padding: Padding | None,
        splits_special: bool,
    ) -> None:
        self._made: list[Any] | None = None
        self._owner, self._snapshot = owner, snapshot
        self._inputs, self._call, self._splits_special = inputs, call, splits_special
        self._truncation, self._padding = truncation, padding

    def _all(self) -> list[Any]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> list[Any]:
        owner = self._owner
        if backend_of(owner).snapshot() is not self._snapshot:
            raise RuntimeError(
                "the tokenizer was changed since this text was encoded, so that its Encoding objects cannot be made any more; "
                "ask for tokens(), word_ids() and the like before adding tokens, or encode again"
            )
        before = owner.truncation, owner.padding, owner.encode_special_tokens
        try:
            _set(owner, self._truncation and self._truncation._asdict(), self._padding and self._padding._asdict())
            owner.encode_special_tokens = self._splits_special
            encodings = owner.encode_batch(self._inputs, add_special_tokens=self._call.add_special_tokens)
        finally:
            _set(owner, *before[:2])
            owner.encode_special_tokens = before[2]
        if not self._call.return_overflowing_tokens:
            return list(encodings)
        return [row for encoding in encodings for row in (encoding, *encoding.overflowing)]

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return True  # there is a row in every batch: nothing need be made to know it

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sequence) and self._all() == list(other))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self._all(),)


def _set(owner: tokenizers.Tokenizer, truncation: dict[str, Any] | None, padding: dict[str, Any] | None) -> None:
    if truncation is None:
        owner.no_truncation()
    else:
        owner.enable_truncation(**truncation)
    if padding is None:
        owner.no_padding()
    else:
        owner.enable_padding(**padding)


def encode_plus(
    face: Any,
    snapshot: Snapshot,
    original: Callable[..., BatchEncoding],
    text: Any,
    text_pair: Any,
    options: dict[str, Any],
) -> BatchEncoding:
    """What `_encode_plus` of a transformers tokenizer returns.

    Args:
        face: the tokenizer.
        snapshot: what Fissile makes of face._tokenizer, which it does not refuse.
        original: `_encode_plus` of its class, for what is not done here.
        text: as of `_encode_plus`.
        text_pair: as of `_encode_plus`.
        options: its other arguments.
    """
    call = Call(**{name: value for name, value in options.items() if name in _FIELDS})
    texts = _texts(text, text_pair) if call.fits() else None
    if texts is not None:
        done = _encode(face, snapshot, call, *texts, is_batch=not isinstance(text, str))
        if done is not None:
            return done
    return original(text, text_pair, **options)


def _encode(
    face: Any, snapshot: Snapshot, call: Call, texts: list[str], seconds: list[str] | None, is_batch: bool
) -> BatchEncoding | None:
    """The result, or None where `tokenizers` is to give it."""
    tokenizer, owner = snapshot.tokenizer, face._tokenizer
    assert tokenizer is not None
    splits_special = face.split_special_tokens if call.split_special_tokens is None else call.split_special_tokens
    layout = snapshot.layout(owner, seconds is not None, call.add_special_tokens)
    if layout is None:
        return None  # a template that leaves a text out, or has it twice
    if splits_special and not snapshot.all_special:
        return None  # a special token that is text may still hide an added one within it
    truncation, padding = call.truncation(face.truncation_side), call.padding(face)
    if padding is not None and padding.pad_id is None:
        return None  # an error of the original
    rules = snapshot.offset_rules(owner) if call.return_offsets_mapping else None
    if call.return_offsets_mapping and rules is None:
        return None  # see hf_offsets.py
    special: dict[str, Any] = {"allowed_special": (), "disallowed_special": ()} if splits_special else {}
    data: dict[str, Any] | None = None
    try:
        if not is_batch and seconds is None and layout.one_type is not None and call.asks_for_ids_alone():
            room = None if truncation is None else truncation.room(layout.n_special)
            data = _one_text(face, call, tokenizer, texts[0], layout, room, special)
        batch, ranges = (None, None) if data is not None else _batch(tokenizer, texts, seconds, layout, rules, special)
    except ValueError:
        return None  # a lone surrogate, for which `tokenizers` has an error of its own
    if batch is not None:
        if truncation is not None and not batch.truncate(truncation, call.return_overflowing_tokens):
            return None  # see Batch.truncate
        placed = batch.ranges(*ranges, rules) if ranges is not None and rules is not None else None
        data = _columns(face, call, batch, padding, placed)
        _warn_about_length(face, call, batch)
        if not is_batch and call.return_tensors is None and not call.return_overflowing_tokens:
            data = {key: value[0] if isinstance(value[0], list) else value for key, value in data.items()}
    inputs: list[Any] = [*texts] if seconds is None else [*zip(texts, seconds, strict=True)]
    later = LaterEncodings(owner, snapshot, inputs, call, truncation, padding, splits_special)
    return BatchEncoding(data, later, tensor_type=call.return_tensors, n_sequences=1 if seconds is None else 2)


def _one_text(
    face: Any, call: Call, tokenizer: Tokenizer, text: str, layout: Layout, room: int | None, special: dict[str, Any]
) -> dict[str, Any] | None:
    """The columns of one text that has room; None if it has not. A batch of one would take five times as long."""
    ids = tokenizer.encode(text, add_special_tokens=layout.n_special > 0, **special).tolist()
    if room is not None and (room == 0 or len(ids) - layout.n_special > room):
        return None
    data = {"input_ids": ids}
    if call.wants("token_type_ids", face):
        data["token_type_ids"] = [layout.one_type] * len(ids)
    if call.wants("attention_mask", face):
        data["attention_mask"] = [1] * len(ids)
    face._eventual_warn_about_too_long_sequence(ids, call.max_length, call.verbose)
    return data if call.return_tensors is None else {name: [row] for name, row in data.items()}


def _warn_about_length(face: Any, call: Call, batch: Batch) -> None:
    too_long = batch.ids.lengths > face.model_max_length
    if too_long.any():
        ids = batch.ids[int(np.argmax(too_long))]
        face._eventual_warn_about_too_long_sequence(ids, call.max_length, call.verbose)


def _batch(
    tokenizer: Tokenizer,
    texts: list[str],
    seconds: list[str] | None,
    layout: Layout,
    rules: OffsetRules | None,
    special: dict[str, Any],
) -> tuple[Batch, tuple[Numbers, Numbers] | None]:
    """The rows, and where their ids lie if there are rules for that."""
    if rules is not None:
        encoded, begins, ends = rules.encode([*texts, *(seconds or [])], special)
        batch = Batch.of_bare(encoded, layout) if seconds is None else Batch.of_pairs(encoded, layout)
        return batch, (begins, ends)
    if seconds is not None:
        return Batch.of_pairs(tokenizer.encode_batch(texts + seconds, _threads(), **special), layout), None
    ids = tokenizer.encode_batch(texts, _threads(), add_special_tokens=layout.n_special > 0, **special)
    return Batch.of_texts(ids, layout), None


def _columns(
    face: Any, call: Call, batch: Batch, padding: Padding | None, ranges: tuple[Ragged, Ragged] | None
) -> dict[str, Any]:
    """The values that the call asks for, by name, in the order of the original."""
    columns = Columns(batch.ids.lengths, padding, as_matrix=call.return_tensors is not None)
    data = {"input_ids": columns.of(batch.ids, 0 if padding is None else padding.pad_id)}
    if call.wants("token_type_ids", face):
        data["token_type_ids"] = columns.of(batch.type_ids(), 0 if padding is None else padding.pad_type_id)
    if call.wants("attention_mask", face):
        data["attention_mask"] = columns.of(1, 0)
    if call.return_special_tokens_mask:
        data["special_tokens_mask"] = columns.of(batch.special_mask(), 1)
    if ranges is not None:
        data["offset_mapping"] = columns.of_ranges(*ranges)
    if call.return_length:
        data["length"] = columns.row_lengths()
    if call.return_overflowing_tokens:
        data["overflow_to_sample_mapping"] = batch.samples.tolist()
    return data


def decode(face: Any, snapshot: Snapshot, original: Callable[..., str], token_ids: Any, options: dict[str, Any]) -> str:
    """What `_decode` of a transformers tokenizer returns.

    The original does what is not done here: tidying up spaces, files without a decoder, added tokens that it decodes in
    their normalised form, ids that are no token's, which it leaves out, and bytes that are not UTF-8, of which decoders
    make one U+FFFD or several.

    Args:
        face: the tokenizer.
        snapshot: what Fissile makes of face._tokenizer, which it does not refuse.
        original: `_decode` of its class.
        token_ids: as of `_decode`.
        options: its other arguments.
    """
    clean = options.get("clean_up_tokenization_spaces")
    if clean is None:
        clean = face.clean_up_tokenization_spaces
    skip = options.get("skip_special_tokens", False)
    if isinstance(token_ids, list) and isinstance(skip, bool) and not clean and snapshot.decodes:
        assert snapshot.tokenizer is not None
        try:
            text = snapshot.tokenizer.decode(token_ids, skip_special_tokens=skip)
            if "\ufffd" not in text:
                return text
        except (KeyError, TypeError, ValueError, OverflowError):
            pass  # no ids of tokens
    return original(token_ids, **options)
