"""Encoding: the methods of tiktoken.Encoding over a fissile.Tokenizer."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fissile._core import Decoder
from fissile.compat.tiktoken.special_tokens import NOTHING, Allowed, Disallowed, choose, refuse
from fissile.compat.tiktoken.threads import check_threads, in_threads
from fissile.compat.tiktoken.unstable import UnstableText
from fissile.formats.patterns import PATTERNS, is_built_in
from fissile.formats.tiktoken import from_ranks
from fissile.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tiktoken as owner  # the real one

__all__ = ["Encoding"]

_SHORT = 64  # ids of which numpy makes a list sooner than the decoder takes its ready-made ints
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes that begin no character of UTF-8


class Encoding:
    """A tokenizer with the methods of tiktoken.Encoding, and its ids.

    Args:
        name: how repr and errors call it; encodings with other special tokens should have other names.
        pat_str: regular expression that finds the pretokens, as tiktoken has it. Those of published encodings run in
            the core, others through the regex package.
        mergeable_ranks: token bytes to rank, which is both id and priority of merging.
        special_tokens: text to id.
        explicit_n_vocab: how many tokens there should be, to have it checked.

    Raises:
        ValueError: pat_str is no regular expression, or ranks are given twice or leave holes.
        AssertionError: explicit_n_vocab is not the number of tokens.
        ImportError: pat_str needs the regex package (pip install 'fissile[regex]').

    >>> enc = Encoding(
    ...     "bytes",
    ...     pat_str=r"\\S+|\\s+",
    ...     mergeable_ranks={bytes([b]): b for b in range(256)},
    ...     special_tokens={"<|end|>": 256},
    ... )
    >>> enc.encode("hi<|end|>", allowed_special="all")
    [104, 105, 256]
    """

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        largest = max(max(mergeable_ranks.values()), max(special_tokens.values(), default=0))
        n_tokens = len(mergeable_ranks) + len(special_tokens)
        if explicit_n_vocab and not n_tokens == explicit_n_vocab == largest + 1:
            raise AssertionError(
                f"explicit_n_vocab is {explicit_n_vocab}; there are {n_tokens} tokens, with ids up to {largest}"
            )
        self._set(
            name, pat_str, mergeable_ranks, special_tokens, _tokenizer(name, pat_str, mergeable_ranks, special_tokens)
        )

    def _set(
        self,
        name: str,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        tokenizer: Tokenizer,
    ) -> None:
        self.name = name
        self._pat_str = pat_str
        self._mergeable_ranks = mergeable_ranks
        self._special_tokens = special_tokens
        self._special_token_values = set(special_tokens.values())
        self.max_token_value = max(max(mergeable_ranks.values()), max(special_tokens.values(), default=0))
        self._tokenizer = tokenizer

    @classmethod
    def from_tiktoken(cls, encoding: owner.Encoding) -> Encoding:
        """The same encoding as one of tiktoken's objects, whose ranks are shared, not copied."""
        return cls(
            encoding.name,
            pat_str=encoding._pat_str,
            mergeable_ranks=encoding._mergeable_ranks,
            special_tokens=encoding._special_tokens,
        )

    @classmethod
    def from_tokenizer(cls, name: str, tokenizer: Tokenizer) -> Encoding:
        """A tokenizer made from ranks, or trained, as an encoding; no tiktoken is needed.

        Raises:
            ValueError: the tokenizer came from a file of another kind, or splits text by more than one expression.
        """
        spec = tokenizer._spec
        if spec.kind != "tiktoken":
            raise ValueError(f"{spec.source}: expected a tokenizer made from ranks, found one as {spec.kind}")
        pat_str = PATTERNS.get(spec.pattern, spec.pattern)
        if is_built_in(pat_str):
            raise ValueError(f"{spec.source}: its pattern {spec.pattern!r} is not one regular expression")
        made = cls.__new__(cls)
        made._set(name, pat_str, tokenizer._ranks(), {t.content: t.id for t in spec.added_tokens}, tokenizer)
        return made

    @property
    def tokenizer(self) -> Tokenizer:
        """The same as a fissile.Tokenizer, for what tiktoken has no name for."""
        return self._tokenizer

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    # --- encoding -----------------------------------------------------------------------------------------------------

    def encode(
        self, text: str, *, allowed_special: Allowed = NOTHING, disallowed_special: Disallowed = "all"
    ) -> list[int]:
        """Ids of a text.

        Args:
            text: a str. A surrogate pair in it counts as its character, a lone surrogate as U+FFFD.
            allowed_special: special tokens that are taken where the text holds them, or "all".
            disallowed_special: strings whose presence is an error, special tokens or not; "all": all special tokens that
                are not allowed. What is neither allowed nor disallowed is encoded as plain text.

        Raises:
            ValueError: a disallowed string is in the text.
            TypeError: text is no str, or allowed_special no set.
        """
        return self._list(self._ids(text, allowed_special, disallowed_special))

    def encode_ordinary(self, text: str) -> list[int]:
        """Ids of a text in which special tokens are plain text."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        try:
            return self._list(self._tokenizer.encode(text, disallowed_special=()))
        except ValueError:
            return self._list(self._ids(text, NOTHING, ()))

    def encode_to_numpy(
        self, text: str, *, allowed_special: Allowed = NOTHING, disallowed_special: Disallowed = "all"
    ) -> npt.NDArray[np.uint32]:
        """Ids of a text as an array: (n,) uint32. Arguments and errors as of encode.

        Raises:
            UnicodeEncodeError: a surrogate is in the text.
        """
        return self._ids(text, allowed_special, disallowed_special, repairs=False)

    def encode_ordinary_batch(self, text: Iterable[str], *, num_threads: int = 8) -> list[list[int]]:
        """Ids of many texts in which special tokens are plain text; num_threads as of encode_batch."""
        return self.encode_batch(text, num_threads=num_threads, disallowed_special=())

    def encode_batch(
        self,
        text: Iterable[str],
        *,
        num_threads: int = 8,
        allowed_special: Allowed = NOTHING,
        disallowed_special: Disallowed = "all",
    ) -> list[list[int]]:
        """Ids of many texts.

        Args:
            text: the texts.
            num_threads: threads of the core, which are not bound by the GIL.
            allowed_special: as of encode.
            disallowed_special: as of encode.

        Raises:
            ValueError: a disallowed string is in a text, or num_threads is less than 1.
            TypeError: a text is no str, or allowed_special no set.
        """
        check_threads(num_threads)
        texts = list(text)
        taken, refused, searched = choose(self.special_tokens_set, allowed_special, disallowed_special)
        if all(isinstance(one, str) for one in texts):
            for one in texts if searched else ():
                refuse(one, searched)
            try:
                return self._tokenizer.encode_batch(
                    texts, num_threads, allowed_special=taken, disallowed_special=refused
                ).tolist()
            except ValueError:
                pass  # below, the texts are taken one by one, and the first that is at fault says so
        return [
            self.encode(one, allowed_special=allowed_special, disallowed_special=disallowed_special) for one in texts
        ]

    def encode_with_unstable(
        self, text: str, *, allowed_special: Allowed = NOTHING, disallowed_special: Disallowed = "all"
    ) -> tuple[list[int], list[list[int]]]:
        """Ids that stay whatever text comes next, and the sequences that may follow them.

        Other arguments and errors as of encode_to_numpy. The sequences come in no order, as in tiktoken, but in the same one
        every time.

        Raises:
            ImportError: the regex package is missing (pip install 'fissile[regex]').
        """
        ids = self._ids(text, allowed_special, disallowed_special, repairs=False)
        taken = choose(self.special_tokens_set, allowed_special, ()).taken
        return self._unstable.complete(text, self._list(ids), self.special_tokens_set if taken == "all" else taken)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """Id of the token with this text, special tokens included; KeyError if there is none."""
        token = _as_bytes(text_or_bytes)
        found = self._mergeable_ranks.get(token)
        if found is None:
            found = self._special_ids.get(token)
        if found is None:
            raise KeyError(token)
        return found

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        """Ids of a text that is one pretoken; special tokens are plain text."""
        return self._unstable.merged_or_whole(_as_bytes(text_or_bytes))

    def _encode_bytes(self, text: bytes) -> list[int]:
        """Ids of bytes; of such as are not UTF-8 all from the last pretoken before that on is merged as one."""
        if not isinstance(text, bytes):
            raise TypeError(f"text must be bytes, not {type(text).__name__}")
        try:
            return self.encode_ordinary(text.decode())
        except UnicodeDecodeError as error:
            n_good = error.start
        good = text[:n_good].decode()
        stable, unstable = self._unstable.divide(good, self.encode_ordinary(good), frozenset())
        return stable + self._unstable.merged_or_whole(unstable + text[n_good:])

    def _ids(
        self, text: str, allowed: Allowed, disallowed: Disallowed, *, repairs: bool = True
    ) -> npt.NDArray[np.uint32]:
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        if allowed is NOTHING and disallowed == "all":
            choice = None  # the core's default, too, and quicker for not being told
        else:
            choice = choose(self.special_tokens_set, allowed, disallowed or ())
            if choice.searched:
                refuse(text, choice.searched)
        try:
            if choice is None:
                return self._tokenizer.encode(text)
            return self._tokenizer.encode(text, allowed_special=choice.taken, disallowed_special=choice.refused)
        except ValueError:
            if not _has_surrogates(text):
                raise
        # tiktoken looks for special tokens first, and minds surrogates then.
        taken, refused, _ = choice or choose(self.special_tokens_set, NOTHING, "all")
        if refused and taken != "all":
            refuse(text, frozenset(self.special_tokens_set - taken))
        if not repairs:
            text.encode()  # raises
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return self._tokenizer.encode(text, allowed_special=taken, disallowed_special=())

    def _list(self, ids: npt.NDArray[np.uint32]) -> list[int]:
        if len(ids) < _SHORT:
            few: list[int] = ids.tolist()
            return few
        return self._decoder.to_lists(ids, np.array([0, len(ids)]))[0]

    @functools.cached_property
    def _unstable(self) -> UnstableText:
        return UnstableText(self._tokenizer, self._pat_str, self._mergeable_ranks)

    @functools.cached_property
    def _special_ids(self) -> dict[bytes, int]:
        return {token.encode(): id for token, id in self._special_tokens.items()}

    # --- decoding -----------------------------------------------------------------------------------------------------

    def decode(self, tokens: Sequence[int], errors: str = "replace") -> str:
        """Text of some ids.

        Args:
            tokens: ids, as a list, a tuple or an array.
            errors: what becomes of bytes that are not UTF-8, as of bytes.decode.

        Raises:
            KeyError: an id is no token's.
            OverflowError: one is not even of 32 bits.
            UnicodeDecodeError: the bytes are not UTF-8, and errors is "strict".
        """
        try:
            return self._decoder.decode(tokens if type(tokens) is list else _sequence(tokens), errors)
        except KeyError as error:
            raise _decoding_error(error, tokens, self._token_bytes) from None

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """Bytes of some ids; argument and errors as of decode."""
        try:
            return self._decoder.decode_bytes(tokens if type(tokens) is list else _sequence(tokens))
        except KeyError as error:
            raise _decoding_error(error, tokens, self._token_bytes) from None

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Bytes of one token, special ones included; errors as of decode."""
        id = index(token)
        try:
            return self._token_bytes[id]
        except KeyError:
            _check_id(id)
            raise KeyError(str(id)) from None

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """Bytes of each of some tokens; errors as of decode."""
        tokens = tokens if isinstance(tokens, list) else list(tokens)
        try:
            return list(map(self._token_bytes.__getitem__, map(index, tokens)))
        except KeyError:
            return [self.decode_single_token_bytes(token) for token in tokens]  # raises

    def decode_with_offsets(self, tokens: Iterable[int]) -> tuple[str, list[int]]:
        """Text of some ids, and for each where it begins: the character that holds its first byte.

        Raises:
            KeyError: an id is no token's.
            UnicodeDecodeError: the text is not UTF-8.
        """
        parts = self.decode_tokens_bytes(tokens)
        offsets = []
        n_begun = 0  # characters
        for part in parts:
            goes_on = 0x80 <= part[0] < 0xC0
            offsets.append(n_begun - 1 if goes_on and n_begun else n_begun)
            n_begun += len(part) if part.isascii() else len(part.translate(None, _CONTINUATION))
        return b"".join(parts).decode(), offsets

    def decode_batch(
        self, batch: Iterable[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """Texts of many sequences of ids; arguments and errors as of decode and encode_batch."""
        return in_threads(functools.partial(self.decode, errors=errors), batch, num_threads)

    def decode_bytes_batch(self, batch: Iterable[Sequence[int]], *, num_threads: int = 8) -> list[bytes]:
        """Bytes of many sequences of ids; arguments and errors as of decode and encode_batch."""
        return in_threads(self.decode_bytes, batch, num_threads)

    @functools.cached_property
    def _decoder(self) -> Decoder:
        return self._tokenizer._decoder

    @functools.cached_property
    def _token_bytes(self) -> dict[int, bytes]:
        special = {id: token for token, id in reversed(self._special_ids.items())}  # the first of each id
        return special | {id: token for token, id in self._mergeable_ranks.items()}

    # --- the vocabulary -----------------------------------------------------------------------------------------------

    def token_byte_values(self) -> list[bytes]:
        """Bytes of all tokens but the special ones, sorted."""
        return sorted(self._mergeable_ranks)

    @property
    def eot_token(self) -> int:
        """Id of "<|endoftext|>"; KeyError if there is no such token."""
        return self._special_tokens["<|endoftext|>"]

    @functools.cached_property
    def special_tokens_set(self) -> set[str]:
        """Texts of the special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Whether a special token has this id.

        Raises:
            AssertionError: it is no int.
        """
        if not isinstance(token, int):
            raise AssertionError(f"token must be an int, not {type(token).__name__}")
        return token in self._special_token_values

    @property
    def n_vocab(self) -> int:
        """Largest id plus one."""
        return self.max_token_value + 1

    # --- the object ---------------------------------------------------------------------------------------------------

    def __copy__(self) -> Encoding:
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Encoding:
        return self.__copy__()  # all that it holds is left as it is

    def __getstate__(self) -> object:
        from fissile.compat.tiktoken import registry

        if self is registry.ENCODINGS.get(self.name):
            return self.name  # what get_encoding gave: it gives it there, too
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: object) -> None:
        from fissile.compat.tiktoken import registry

        if isinstance(state, str):
            self.__dict__.update(registry.get_encoding(state).__dict__)
        else:
            assert isinstance(state, dict)
            Encoding.__init__(self, **state)


def _tokenizer(name: str, pat_str: str, ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> Tokenizer:
    # from_ranks takes a word for a pattern's name; here it is an expression.
    pattern = f"(?:{pat_str})" if re.fullmatch(r"\w[\w.-]*", pat_str) else pat_str
    return Tokenizer(from_ranks(ranks, pattern, special_tokens, name))


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _as_bytes(text_or_bytes: str | bytes) -> bytes:
    if isinstance(text_or_bytes, str):
        return text_or_bytes.encode()
    if not isinstance(text_or_bytes, bytes):
        raise TypeError(f"expected str or bytes, not {type(text_or_bytes).__name__}")
    return text_or_bytes


def _sequence(tokens: Sequence[int]) -> Sequence[int]:
    """Ids as the core takes them, which would take what has no order, too."""
    if isinstance(tokens, (list, tuple, np.ndarray)):
        return tokens
    if isinstance(tokens, (str, Mapping)) or not hasattr(tokens, "__getitem__"):
        raise TypeError(f"tokens must be a sequence of ints, not {type(tokens).__name__}")
    return list(tokens)


def _check_id(id: int) -> None:
    if not 0 <= id < 1 << 32:
        raise OverflowError(f"id {id} does not fit 32 bits")


def _decoding_error(error: KeyError, tokens: Iterable[int], known: Container[int]) -> Exception:
    """What tiktoken raises where the core found an id that is no token's."""
    ids = [index(token) for token in tokens]
    for id in ids:
        _check_id(id)
    wrong = next((id for id in ids if id not in known), None)
    return error if wrong is None else KeyError(f"Invalid token for decoding: {wrong}")
