"""Tokenizer: load one, encode, decode, save."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from fissile import _core
from fissile.arguments import choice, flag, instance, integer_dtype, path_text, path_texts, whole
from fissile.errors import TokenizerFileError
from fissile.numpy_later import np, npt
from fissile.ragged import Ragged
from fissile.stochastic import Split, draw_key, prepare
from fissile.whole_file import write_whole

if TYPE_CHECKING:
    from fissile.formats.spec import TokenizerSpec
    from fissile.inspection import Inspection

__all__ = ["StreamDecoder", "Tokenizer"]

Text = str | bytes | bytearray | memoryview
Special = Literal["all"] | Iterable[str] | None
PathLike = str | os.PathLike[str]

_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json")  # of a model: the first that there is


class Tokenizer(_core.Encoder):
    """A BPE tokenizer with the ids of the library that defined it.

    Made by from_file, from_tiktoken, from_ranks or from_pretrained. Immutable, picklable, and safe to share between
    threads: what it has learnt of one text helps all.

    encode(text) and count(text), for single texts, are inherited from the core.
    """

    def __init__(self, spec: TokenizerSpec) -> None:
        super().__init__(
            spec.vocabulary,
            added_tokens=[((t.normalized or t.content).encode(), t.id, t.flags) for t in spec.added_tokens],
            allow_special_by_default=spec.kind != "tiktoken",
            **spec.encoder,
        )
        self._spec = spec
        self._vocabulary = spec.vocabulary
        self._special = spec.vocabulary.special_tokens()
        if spec.kind == "tiktoken":  # two may have one id, of which the vocabulary knows the first
            self._special = {token.content: token.id for token in spec.added_tokens}
        self._strings: dict[int, str] | None = None
        self._split_model = _core.SplitModel(spec.vocabulary)
        self._splitters: dict[Any, _core.Splitter] = {}  # samplers made ready, those in use

    # --- loading ------------------------------------------------------------------------------------------------------

    @staticmethod
    def from_file(path: PathLike, *, add_bos: bool | None = None, add_eos: bool | None = None) -> Tokenizer:
        """A tokenizer from a file, told by its content.

        A tokenizer.json, a SentencePiece model of type BPE, a tekken.json of Mistral's, a .tiktoken rank file that OpenAI
        published, or what save wrote in Fissile's own form.

        Args:
            path: the file.
            add_bos: of a SentencePiece model, which does not say itself: whether encode(..., add_special_tokens=True) puts
                its bos piece in front of a text. None: it does, if there is one, as Llama's tokenizers do.
            add_eos: the same of its eos piece, behind a text. None: it does not.

        Raises:
            TokenizerFileError: the file is none of these, or broken; the message says where.
            ValueError: add_bos or add_eos for another file than a SentencePiece model.
            OSError: the file cannot be read.
        """
        from fissile.formats.signature import kind_of

        data = Path(path_text("path", path)).read_bytes()
        kind = kind_of(data)
        if kind not in ("sentencepiece", None) and (add_bos, add_eos) != (None, None):
            raise ValueError(f"{path}: add_bos and add_eos are for SentencePiece models")
        if kind == "own":
            from fissile.formats import own

            return Tokenizer(own.from_bytes(data, str(path)))
        if kind == "tokenizers":
            from fissile.formats import tokenizer_json

            return Tokenizer(tokenizer_json.from_json(data, str(path)))
        if kind == "tekken":
            from fissile.formats import tekken

            return Tokenizer(tekken.from_json(data, str(path)))
        if kind == "tiktoken":
            from fissile.formats import tiktoken

            return Tokenizer(tiktoken.from_rank_file(data, str(path)))
        if kind == "sentencepiece":
            from fissile.formats import sentencepiece

            return Tokenizer(sentencepiece.from_model(data, str(path), add_bos, add_eos))
        raise TokenizerFileError(
            f"{path}: expected a tokenizer.json, a tekken.json, a SentencePiece .model or a .tiktoken rank file, found a file that begins with {data[:16]!r}"
        )

    @staticmethod
    def from_tiktoken(
        path: PathLike, pattern: str | None = None, special_tokens: Mapping[str, int] | None = None
    ) -> Tokenizer:
        """A tokenizer from a rank file (.tiktoken).

        Args:
            path: the file.
            pattern: how text is split: a pattern's name ("cl100k", "o200k", "gpt2", "llama3", ...), that of an OpenAI
                encoding ("cl100k_base", ...), of which the file must then have all ranks, or a regular expression as
                tiktoken has it. One that is not built in runs through the regex package, at half a microsecond a
                pretoken. "gpt2" is both: the encoding for a file with its 50,256 ranks, for others the pattern alone.
                None: the file must be one that OpenAI published.
            special_tokens: text to id. None: those of the encoding, if one is named or recognised; else none.

        Raises:
            TokenizerFileError: the file is broken, has not as many ranks as the encoding, or does not say which pattern it
                is for.
            ValueError: no such pattern.
            ImportError: the pattern needs the regex package (pip install 'fissile[regex]').
        """
        from fissile.formats import tiktoken

        source = path_text("path", path)
        return Tokenizer(tiktoken.from_rank_file(Path(path).read_bytes(), source, pattern, special_tokens))

    @staticmethod
    def from_ranks(
        ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int] | None = None
    ) -> Tokenizer:
        """A tokenizer from a dict of token bytes to rank, which is both id and priority of merging.

        Raises:
            TokenizerFileError: ranks are given twice or leave holes.
            ValueError: no such pattern.
            ImportError: the pattern needs the regex package (pip install 'fissile[regex]').
        """
        from fissile.formats import tiktoken

        return Tokenizer(tiktoken.from_ranks(ranks, pattern, special_tokens))

    @staticmethod
    def from_pretrained(name_or_directory: PathLike) -> Tokenizer:
        """A tokenizer from a model's directory, or by its name on the Hugging Face hub ("org/name").

        Looks for tokenizer.json, tokenizer.model, tekken.json, then a .tiktoken file that OpenAI published; in a directory also for
        tokenizer.fissile, which `fissile encode` leaves beside its shards. The hub needs the huggingface_hub package.

        Raises:
            TokenizerFileError: there is no tokenizer in the directory or of this name, or it is broken.
            FileNotFoundError: there is no such directory, and no model can have such a name.
        """
        directory = Path(path_text("name_or_directory", name_or_directory))
        if directory.is_dir():
            found = [directory / name for name in (*_FILES, "tokenizer.fissile")]
            for path in (*found, *sorted(directory.glob("*.tiktoken"))):
                if path.is_file():
                    return Tokenizer.from_file(path)
            raise TokenizerFileError(
                f"{directory}: expected tokenizer.json, tokenizer.model, tekken.json, tokenizer.fissile or a .tiktoken file in it, "
                "found none"
            )
        if not _may_be_on_hub(os.fspath(name_or_directory)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(name_or_directory))
        return Tokenizer.from_file(_from_hub(str(name_or_directory)))

    # --- encoding -----------------------------------------------------------------------------------------------------

    @overload
    def encode_batch(
        self,
        texts: Iterable[Text],
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: Literal[False] = False,
    ) -> Ragged: ...
    @overload
    def encode_batch(
        self,
        texts: Iterable[Text],
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: Literal[True],
    ) -> tuple[Ragged, npt.NDArray[np.int64]]: ...
    def encode_batch(
        self,
        texts: Iterable[Text],
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: bool = False,
    ) -> Ragged | tuple[Ragged, npt.NDArray[np.int64]]:
        """Encode documents in parallel; ids do not depend on `threads`.

        Args:
            texts: n documents, each str, bytes or a buffer of bytes; bytes need not be valid UTF-8.
            threads: worker threads; None means every CPU this process may use.
            dtype: np.uint32, or np.uint16 where the vocabulary allows it.
            allowed_special: as of encode.
            disallowed_special: as of encode.
            add_special_tokens: as of encode.
            split: a sampler that spells each text in other tokens of the same bytes: fissile.StochasTok, BPEDropout,
                UniformSplit, or one of them as the command line writes it ("stochastok:0.1"). None: canonical ids.
            seed: names the random draws, 0 to 2^64 - 1. None: another one every call.
            first_index: index of texts[0] among the documents of its epoch; text i is drawn for by (seed, epoch,
                first_index + i) and nothing else, so a run that goes on in the middle gets the ids it would have had.
            epoch: other draws for the same documents, 0 to 2^32 - 1.
            eod: id below n_vocab put behind each text's ids, such as that of "<|endoftext|>"; it is never split. None:
                nothing is.
            return_parents: also return, for each id, where in the ids of the same texts without `split` stands the
                token that holds its first byte.

        Returns:
            Ragged with ids (total,) of dtype and offsets (n + 1,) int64; with return_parents a pair of it and the
            parents, (total,) int64.

        Raises:
            TypeError: texts[i] is none of these (i is named); nothing was encoded.
            ValueError: a disallowed special token or a lone surrogate is in a text (which is named), or ids do not fit
                dtype, or the vocabulary cannot be split as asked.
        """
        self._check_dtype(dtype)
        self._check_parents(return_parents, split, eod)
        ids, offsets, parents = self._encode_batch(
            texts,
            threads=threads,
            allowed_special=allowed_special,
            disallowed_special=disallowed_special,
            add_special_tokens=add_special_tokens,
            splitting=self._splitting(split, seed, epoch, first_index, return_parents),
            ending=self._ending(eod),
        )
        ragged = Ragged._made(ids.astype(dtype, copy=False), offsets, self._to_lists)
        return (ragged, parents) if return_parents else ragged

    @overload
    def encode_files(
        self,
        paths: PathLike | Sequence[PathLike],
        separator: str | bytes | None = None,
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: Literal[False] = False,
    ) -> Ragged: ...
    @overload
    def encode_files(
        self,
        paths: PathLike | Sequence[PathLike],
        separator: str | bytes | None = None,
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: Literal[True],
    ) -> tuple[Ragged, npt.NDArray[np.int64]]: ...
    def encode_files(
        self,
        paths: PathLike | Sequence[PathLike],
        separator: str | bytes | None = None,
        threads: int | None = None,
        dtype: npt.DTypeLike = "uint32",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Split = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        eod: int | None = None,
        return_parents: bool = False,
    ) -> Ragged | tuple[Ragged, npt.NDArray[np.int64]]:
        """Encode text files, read inside the core: no Python object per document.

        Args:
            paths: one file or several.
            separator: text that ends a document and belongs to none; None: a file is a document.
            threads: as of encode_batch, like the other arguments.

        Returns:
            As encode_batch.

        Raises:
            OSError: a file is missing (FileNotFoundError), a directory, or cannot be read; it is named.
            ValueError: as of encode_batch; the file is named, and with a separator the document.
        """
        self._check_dtype(dtype)
        self._check_parents(return_parents, split, eod)
        names = path_texts("paths", paths)
        if isinstance(separator, str):
            separator = separator.encode()
        elif separator is not None:
            instance("separator", separator, bytes, "str, bytes or None")
        ids, offsets, parents = self._encode_files(
            [os.fsencode(name) for name in names],
            separator=separator,
            threads=threads,
            allowed_special=allowed_special,
            disallowed_special=disallowed_special,
            add_special_tokens=add_special_tokens,
            splitting=self._splitting(split, seed, epoch, first_index, return_parents),
            ending=self._ending(eod),
        )
        ragged = Ragged._made(ids.astype(dtype, copy=False), offsets, self._to_lists)
        return (ragged, parents) if return_parents else ragged

    def _encode_split(
        self,
        text: Text,
        *,
        split: Split = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        return_parents: bool = False,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
    ) -> npt.NDArray[np.uint32] | tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """What encode(text, split=...) calls."""
        self._check_parents(return_parents, split)
        ids, _, parents = self._encode_batch(
            [text],
            threads=1,
            allowed_special=allowed_special,
            disallowed_special=disallowed_special,
            add_special_tokens=add_special_tokens,
            splitting=self._splitting(split, seed, epoch, first_index, return_parents),
        )
        return (ids, parents) if return_parents else ids

    @staticmethod
    def _check_parents(return_parents: bool, split: Split, eod: int | None = None) -> None:
        if flag("return_parents", return_parents) and split is None:
            raise ValueError("return_parents=True needs a split")
        if return_parents and eod is not None:
            raise ValueError("return_parents=True cannot go with eod: an id that is put in has no parent")

    def _ending(self, eod: int | None) -> list[int]:
        return [] if eod is None else [whole("eod", eod, 0, self.n_vocab - 1)]

    def _splitting(
        self, split: Split, seed: int | None, epoch: int, first_index: int, return_parents: bool
    ) -> tuple[_core.Splitter, int, int, int, bool] | None:
        if split is None:
            return None
        try:
            splitter = self._splitters.get(split)
        except TypeError:  # cannot be hashed, so it is no sampler, and prepare says so
            splitter = None
        if splitter is None:
            if len(self._splitters) >= 16:  # a schedule of p leaves many behind
                self._splitters = {}
            splitter = self._splitters[split] = prepare(split, self)
        return splitter, *draw_key(seed, epoch, first_index), bool(return_parents)

    def offsets(
        self,
        text: Text,
        unit: Literal["char", "byte"] = "char",
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
    ) -> npt.NDArray[np.int64]:
        """Where each token of encode(text) lies in the text.

        Args:
            text: as of encode.
            unit: "char" counts code points, as slicing a str does, and a byte that is not UTF-8 as one; "byte" counts
                bytes of UTF-8. A token that begins or ends inside a character takes, in "char", all of it.

        Returns:
            (n, 2) int64: begin and end of each token. Where a space was put in front of the text, and is a token, it is
            empty; of a tokenizer.json in "char" it takes the first character, as in `tokenizers`.
        """
        choice("unit", unit, ("char", "byte"))
        _, begins, ends = self._token_ranges(
            text, in_chars=unit == "char", allowed_special=allowed_special, disallowed_special=disallowed_special
        )
        if unit == "char" and self._spec.kind == "tokenizers":
            ends += begins == ends  # of a space put in front, alone a token: there it lies on the character behind it
        return np.stack([begins, ends], axis=1)

    def inspect(
        self,
        text: Text,
        *others: Tokenizer,
        split: Split = None,
        seed: int | None = None,
        epoch: int = 0,
        limit: int | None = 10_000,
    ) -> Inspection:
        """The tokens of a text, to look at: printed a table, in a notebook the text in colours.

        Args:
            text: as of encode; special tokens in it are taken as such.
            others: tokenizers to show beside this one.
            split: also show the tokens that this sampler draws, as of encode_batch, like seed and epoch.
            seed: None: one that nobody chose, which is shown.
            epoch: as of encode_batch.
            limit: tokens that begin in so many first bytes of the text are shown; None: all.

        Raises:
            ValueError: as of encode_batch and offsets, or limit is negative.
        """
        from fissile.inspection import inspect

        return inspect(text, (self, *others), split=split, seed=seed, epoch=epoch, limit=limit)

    def _to_lists(self, ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> list[list[int]]:
        """For Ragged.tolist: what decoding needs is not made by encoding."""
        return self._decoder.to_lists(ids, offsets)

    # --- decoding -----------------------------------------------------------------------------------------------------

    @cached_property
    def _decoder(self) -> _core.Decoder:
        return _core.Decoder(self._vocabulary, leading_space=self._spec.leading_space, texts=self._spec.token_texts)

    def decode(self, ids: npt.ArrayLike, errors: str = "replace", *, skip_special_tokens: bool = False) -> str:
        """Text of some ids.

        Args:
            ids: one-dimensional: array of integers, or a sequence of ints.
            errors: what becomes of bytes that are not UTF-8, as of bytes.decode; "replace" gives as many U+FFFD as the
                owning library.
            skip_special_tokens: leave special tokens out.

        Raises:
            KeyError: an id is no token's; position and id are named.
        """
        if self._spec.decode_tokens is not None:
            return self._decode_in_python(self._spec.decode_tokens, ids, skip_special_tokens)
        # A text of 2,000 characters takes a microsecond: no call that it can do without.
        kept, skip = self._kept(ids, skip_special_tokens) if skip_special_tokens else (ids, skip_special_tokens)
        text = self._decoder.decode(kept, errors, skip_special_tokens=skip)
        if "\ufffd" not in text or errors != "replace":
            return text
        if self._spec.decode_malformed is not None:
            return self._decode_in_python(self._spec.decode_malformed, ids, skip_special_tokens)
        if self._spec.kind == "sentencepiece":
            # Each byte becomes one U+FFFD there, not each beginning of a character.
            escaped = self._decoder.decode_bytes(kept, skip_special_tokens=skip).decode(errors="surrogateescape")
            return re.sub("[\udc80-\udcff]", "\ufffd", escaped)
        return text

    def _kept(self, ids: npt.ArrayLike, skip_special_tokens: bool) -> tuple[npt.ArrayLike, bool]:
        """Ids that are left to the core, and whether it is to skip special tokens."""
        if not skip_special_tokens or self._spec.skipped is None:
            return ids, skip_special_tokens
        array = np.asarray(ids)
        return array[~np.isin(array, self._spec.skipped)], False

    def _decode_in_python(
        self, decode: Callable[[list[str]], str], ids: npt.ArrayLike, skip_special_tokens: bool
    ) -> str:
        """For decoders that need the tokens' strings; what is not UTF-8 becomes U+FFFD, whatever `errors` says."""
        self._decoder.decode_bytes(ids)  # raises for what is no id
        if self._strings is None:
            strings = {id: token for token, id in self._spec.payload()["model"]["vocab"].items()}
            self._strings = strings | self._spec.added_strings
        strings = self._strings
        skipped = self._spec.skipped if self._spec.skipped is not None else self._special.values()
        dropped = set(skipped) if skip_special_tokens else set()
        return decode([strings[id] for id in np.asarray(ids).tolist() if id not in dropped])

    def decode_bytes(self, ids: npt.ArrayLike, *, skip_special_tokens: bool = False) -> bytes:
        """Bytes of some ids; arguments and errors as of decode."""
        if self._spec.decode_tokens is not None:
            return self._decode_in_python(self._spec.decode_tokens, ids, skip_special_tokens).encode()
        kept, skip = self._kept(ids, skip_special_tokens)
        return self._decoder.decode_bytes(kept, skip_special_tokens=skip)

    def decode_batch(
        self, batch: Ragged | Iterable[npt.ArrayLike], errors: str = "replace", *, skip_special_tokens: bool = False
    ) -> list[str]:
        """Text of each document of a Ragged, or of each of some sequences of ids; errors as of decode name the document."""
        instance("errors", errors, str, "a str")
        spec = self._spec
        if isinstance(batch, Ragged) and not spec.decode_tokens and (not skip_special_tokens or spec.skipped is None):
            try:
                texts = self._decoder.decode_batch(
                    batch.ids, batch.offsets, errors, skip_special_tokens=skip_special_tokens
                )
            except KeyError:  # whose place is among all ids
                return self._decode_each(batch, errors, skip_special_tokens)
            if errors == "replace" and (spec.decode_malformed is not None or spec.kind == "sentencepiece"):
                for i in (i for i, text in enumerate(texts) if "\ufffd" in text):
                    texts[i] = self.decode(batch[i], errors, skip_special_tokens=skip_special_tokens)
            return texts
        if not isinstance(batch, Iterable):
            raise TypeError(f"batch must be a Ragged or sequences of ids, not {type(batch).__name__}")
        return self._decode_each(batch, errors, skip_special_tokens)

    def _decode_each(self, batch: Iterable[npt.ArrayLike], errors: str, skip_special_tokens: bool) -> list[str]:
        texts: list[str] = []
        for i, ids in enumerate(batch):
            try:
                texts.append(self.decode(ids, errors, skip_special_tokens=skip_special_tokens))
            except (KeyError, TypeError) as error:
                raise type(error)(f"batch[{i}]: {error.args[0]}") from None
        return texts

    def stream_decoder(self, errors: str = "replace", *, skip_special_tokens: bool = False) -> StreamDecoder:
        """A decoder for ids that arrive one by one; see StreamDecoder.

        Raises:
            ValueError: the file's decoders work on whole texts only.
        """
        if self._spec.decode_tokens is not None:
            raise ValueError(f"the decoders of {self._spec.source} work on whole texts only; decode() runs them")
        return StreamDecoder(self, errors, skip_special_tokens)

    # --- the vocabulary -----------------------------------------------------------------------------------------------

    @property
    def n_vocab(self) -> int:
        """Largest id plus one."""
        return self._vocabulary.n_vocab

    @property
    def special_tokens(self) -> dict[str, int]:
        """Text and id of every special token."""
        return dict(self._special)

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """Pairs of tokens that merge, in order; of a rank file, those that its ranks amount to."""
        if self._spec.affixes is None:
            return self._vocabulary.merges_as_bytes()
        table = [self.token_bytes(i) if self._vocabulary.has_token(i) else b"" for i in range(self.n_vocab)]
        return [(table[left], table[right]) for left, right, _ in self._vocabulary.merges().tolist()]

    @property
    def splits(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """All ways to halve each token into two others: (offsets (n_vocab + 1,) int64, left (k,), right (k,) uint32).

        Those of token t are left[offsets[t]:offsets[t + 1]] with right[the same]. Special and added tokens have no part
        in it. This is what StochasTok draws from.
        """
        return self._split_model.table()

    @property
    def unreachable_tokens(self) -> npt.NDArray[np.uint32]:
        """Ids of the model's tokens that merging never makes, (n,) uint32: some published vocabularies have them."""
        return self._vocabulary.unreachable()

    def token_bytes(self, id: int) -> bytes:
        """What a token decodes to; KeyError if no token has this id."""
        try:
            data = self._vocabulary.token_bytes(id)
        except TypeError:
            if isinstance(id, (int, np.integer)):
                raise KeyError(f"no token has id {id}") from None
            raise TypeError(f"id must be an int, not {type(id).__name__}") from None
        affixes = self._spec.affixes
        if affixes is None or id in self._spec.added_strings:
            return data
        return affixes.token(data)

    def token_id(self, token: str | bytes) -> int:
        """Id of the token with these bytes; KeyError if there is none."""
        wanted = token.encode() if isinstance(token, str) else instance("token", token, bytes, "str or bytes")
        if self._spec.affixes is None:
            return self._vocabulary.token_id(wanted)
        for id in range(self.n_vocab):
            if self._vocabulary.has_token(id) and self.token_bytes(id) == wanted:
                return id
        raise KeyError(f"no token is {wanted!r}")

    # --- saving -------------------------------------------------------------------------------------------------------

    def save(self, path: PathLike, format: Literal["fissile", "json", "tiktoken", "model"] | None = None) -> None:
        """Write the tokenizer to a file, which appears under its name only when it is complete.

        Args:
            path: the file.
            format: "fissile" (everything there is, quickly loaded), "json" (tokenizer.json, which `tokenizers` loads with
                the same ids), "tiktoken" (ranks, from a rank file only) or "model" (from a SentencePiece model only). None:
                by the file's extension.

        Raises:
            ValueError: the format cannot hold this tokenizer.
        """
        target = Path(path_text("path", path))
        writers = {
            "fissile": self._as_own,
            "json": self._as_json,
            "tiktoken": self._as_ranks,
            "model": self._as_model,
        }
        if format is not None:
            instance("format", format, str, "a str or None")
        chosen = format or target.suffix.removeprefix(".")
        if chosen not in writers:
            raise ValueError(f"{path}: expected an extension or a format among {', '.join(writers)}, found {chosen!r}")
        data = writers[chosen]()
        write_whole(target, lambda partial: Path(partial).write_bytes(data))

    def _foreign_form(self) -> bytes:
        """The file this tokenizer came from, or one that says all that it is."""
        from fissile.formats import tokenizer_json_trees

        spec = self._spec
        if spec.kind == "sentencepiece":
            return bytes(spec.payload())
        tree = spec.payload() or tokenizer_json_trees.tree_from_ranks(spec.vocabulary, spec.pattern, spec.added_tokens)
        return tokenizer_json_trees.to_json(tree)

    def _as_own(self) -> bytes:
        from fissile.formats import own

        return own.to_bytes(self._spec)

    def _as_json(self) -> bytes:
        from fissile.formats import tokenizer_json_trees

        spec = self._spec
        if spec.kind == "sentencepiece":
            raise ValueError("a SentencePiece model cannot be written as tokenizer.json: save it as .model")
        if spec.kind == "tokenizers":
            return tokenizer_json_trees.to_json(spec.payload())
        return tokenizer_json_trees.from_ranks(spec.vocabulary, spec.pattern, spec.added_tokens)

    def _as_model(self) -> bytes:
        if self._spec.kind != "sentencepiece":
            raise ValueError("only a tokenizer made from a SentencePiece model can be written as one")
        if not self._spec.rest["has_usual_template"]:
            raise ValueError(
                "a SentencePiece model does not say that add_bos or add_eos was given: save it as .fissile"
            )
        return self._foreign_form()

    def _as_ranks(self) -> bytes:
        from fissile.formats import tiktoken

        if self._spec.kind != "tiktoken":
            raise ValueError("only a tokenizer made from ranks can be written as ranks: save it as tokenizer.json")
        return tiktoken.write_ranks(self._ranks())

    def _ranks(self) -> dict[bytes, int]:
        vocabulary = self._vocabulary
        # Of a rank file, a token of the ranks may have the same id.
        added = {t.id for t in self._spec.added_tokens if vocabulary.token_bytes(t.id) == t.content.encode()}
        return {vocabulary.token_bytes(i): i for i in range(self.n_vocab) if i not in added and vocabulary.has_token(i)}

    # --- the object ---------------------------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_own, (self._as_own(), self._spec.source)

    def __copy__(self) -> Tokenizer:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokenizer:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and (self is other or self._digest() == other._digest())

    def __hash__(self) -> int:
        return hash(self._digest())

    def _digest(self) -> bytes:
        import hashlib  # 3 ms, which training and most loads need not take

        digest = hashlib.sha256(self._foreign_form())
        if self._spec.kind == "sentencepiece":
            encoder = self._spec.encoder
            digest.update(repr((encoder["template_before"], encoder["template_after"])).encode())
        return digest.digest()

    def __repr__(self) -> str:
        spec = self._spec
        return f"Tokenizer({spec.source!r}, {self.n_vocab} ids, pattern {spec.pattern!r}, as {spec.kind})"

    def _check_dtype(self, dtype: npt.DTypeLike) -> None:
        kind = integer_dtype("dtype", dtype)
        if self.n_vocab - 1 > np.iinfo(kind).max:
            raise ValueError(
                f"dtype {kind} holds ids up to {np.iinfo(kind).max}; this vocabulary's reach {self.n_vocab - 1}"
            )


def _may_be_on_hub(name: str) -> bool:
    """Whether a name may be a model's, "org/name" or "name"; the hub is not asked for a file that is not there."""
    is_name = re.fullmatch(r"([\w-][\w.-]*/)?[\w-][\w.-]*", name, re.ASCII) is not None
    return is_name and Path(name).suffix not in (".fissile", ".json", ".model", ".tiktoken")


def _from_hub(name: str) -> str:
    """Path of the tokenizer of a model on the hub, from its cache or fetched."""
    try:
        import huggingface_hub as hub
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        raise TokenizerFileError(
            f"{name} is no directory; to load it from the Hugging Face hub, pip install 'fissile[hub]'"
        ) from None
    for file in _FILES:
        try:
            return str(hub.hf_hub_download(name, file))
        except EntryNotFoundError as error:
            is_known = hub.try_to_load_from_cache(name, file) is hub._CACHED_NO_EXIST
            if isinstance(error, OSError) and not is_known:  # the hub was not reached, and may have it
                raise
    for file in sorted(hub.list_repo_files(name)):
        if file.endswith(".tiktoken"):
            return str(hub.hf_hub_download(name, file))
    raise TokenizerFileError(
        f"{name} on the Hugging Face hub: expected tokenizer.json, tokenizer.model, tekken.json or a .tiktoken file, found none"
    )


def _from_own(data: bytes, source: str) -> Tokenizer:
    from fissile.formats import own

    return Tokenizer(own.from_bytes(data, source))


class StreamDecoder:
    """Text from ids that arrive one by one: a character comes out once all its bytes are there.

    Bytes that are not UTF-8 become what bytes.decode makes of them: with byte tokens that may be fewer U+FFFD than `decode`
    gives, which sees the whole run.

    >>> stream = tokenizer.stream_decoder()  # doctest: +SKIP
    >>> "".join(stream.push(id) for id in ids) + stream.finish()  # doctest: +SKIP
    """

    def __init__(self, tokenizer: Tokenizer, errors: str = "replace", skip_special_tokens: bool = False) -> None:
        import codecs

        instance("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
        instance("errors", errors, str, "a str")
        self._skip = flag("skip_special_tokens", skip_special_tokens)
        self._kept = tokenizer._kept
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)
        self._first = tokenizer._decoder  # drops what decoding drops in front of a text
        self._later = _core.Decoder(tokenizer._vocabulary, texts=tokenizer._spec.token_texts)
        self._drops_many = tokenizer._spec.leading_space == "drop_in_empty_text"
        self._begun = False

    def push(self, ids: int | npt.ArrayLike) -> str:
        """The text that one more id, or some, completes; KeyError for an id that is no token's."""
        some: npt.ArrayLike = [int(ids)] if isinstance(ids, (int, np.integer)) else ids
        decoder = self._later if self._begun else self._first
        kept, skip = self._kept(some, self._skip)
        data = decoder.decode_bytes(kept, skip_special_tokens=skip)
        if not self._begun:
            seen = data if self._drops_many else self._later.decode_bytes(kept, skip_special_tokens=skip)
            self._begun = bool(seen)
        return self._utf8.decode(data)

    def finish(self) -> str:
        """What is left: bytes of a character that never became whole, as `errors` says. The stream begins anew."""
        rest = self._utf8.decode(b"", True)
        self._utf8.reset()
        self._begun = False
        return rest
