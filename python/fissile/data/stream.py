"""TokenStream: a corpus as a stream of training samples, dealt to ranks and workers, that can go on anywhere.

The order of an epoch is a function of (seed, epoch, shard), not of what was read before, so that a position is five
numbers: which window of documents is being given out, where it begins, and how much of it is done. No text and no
state of a generator is kept, and going on reads again no more than one window and the part of a file before it.

Files are dealt first: with n files and at least as many as shards, shard s takes every n_shards-th of them, from the
s-th on, in an order drawn for each epoch. Of fewer files each is shared, document by document, by the shards that are
equal modulo n. No document is read by two shards, and none by no one.

Needs numpy alone; fissile.data.torch makes it an IterableDataset.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fissile.arguments import choice, instance, integer_dtype, whole
from fissile.data.corpus import Corpus, Documents, PathLike, gathered
from fissile.ragged import Ragged
from fissile.stochastic import Split

if TYPE_CHECKING:
    from fissile.tokenizer import Tokenizer

__all__ = ["TokenIterator", "TokenStream"]

WINDOW_DOCUMENTS = 256
"""Documents encoded together where nothing is shuffled."""
_STATE_VERSION = 1
_FILES, _WINDOW = 0, 1  # what a permutation is of


@dataclass(frozen=True)
class Position:
    """Where a stream is; the next sample begins there."""

    epoch: int
    file: int = 0  #: in the shard's order of files: the one where the window begins
    record: int = 0  #: place in that file of the window's first document
    document: int = 0  #: of the window's documents, in the order they are given out, so many are done
    token: int = 0  #: of the next document's ids so many are done


@dataclass(frozen=True)
class Window:
    """Documents that are shuffled together, encoded, in the order they are given out."""

    begins: Position
    ends: Position  #: where the next window begins
    documents: Ragged


class TokenStream:
    """Samples from text or ids, as one shard of a number of shards sees them. Iterate it for one pass."""

    def __init__(
        self,
        paths: PathLike | Iterable[PathLike],
        tokenizer: Tokenizer | None = None,
        *,
        pack: int | None = None,
        last: Literal["drop", "pad"] = "drop",
        pad_id: int = 0,
        eod: int | str | None = None,
        split: Split = None,
        seed: int = 0,
        epoch: int = 0,
        epochs: int = 1,
        shuffle: int = 0,
        shard: tuple[int, int] = (0, 1),
        field: str = "text",
        column: str = "text",
        separator: str | bytes | None = None,
        token_dtype: npt.DTypeLike | None = None,
        dtype: npt.DTypeLike = np.int64,
        threads: int = 1,
        **encoding: Any,
    ) -> None:
        """Find the files; nothing is read yet.

        Args:
            paths: files, directories or patterns: text, jsonl and parquet as `fissile.count` reads them, also packed; and
                files of ids: .bin, with a .json beside it or in llm.c's form, and .ids.npy with .offsets.npy.
            tokenizer: for text, and to split ids.
            pack: ids a sample: documents end to end, cut wherever a sample is full. None: a sample is a document.
            last: what becomes of the ids that fill no sample at the end of a shard's epoch.
            pad_id: what fills such a sample, with last="pad".
            eod: id, or text of a special token, put after each document of text or of .ids.npy; in a .bin it is what
                ends a document, and stays.
            split: a sampler, as of Tokenizer.encode_batch; of ids StochasTok alone.
            seed: names the draws and the order, 0 to 2^64 - 1.
            epoch: the first epoch; each has other draws and another order.
            epochs: how many epochs a pass over the stream holds.
            shuffle: documents that are shuffled together, and held, encoded, in memory; the order of files is shuffled too.
                0: documents come in the order of the files.
            shard: (index, count): this stream gives out its share of the documents.
            field: of jsonl: the key of the text.
            column: of parquet: the column of the text.
            separator: text that ends a document in text files, as of encode_files; None: a file is a document.
            token_dtype: type of the ids of .bin files that do not say.
            dtype: of the samples; np.int64 is what embeddings of torch take.
            threads: to encode with; more than 1 where there are no worker processes.
            encoding: allowed_special, disallowed_special, add_special_tokens, as of Tokenizer.encode_batch.

        Raises:
            FileNotFoundError: a file is missing.
            TypeError: an argument is of the wrong type, or there is no such argument.
            ValueError: an argument is out of its range, or a file cannot be read in this way.
        """
        unknown = encoding.keys() - {"allowed_special", "disallowed_special", "add_special_tokens"}
        if unknown:
            raise TypeError(f"TokenStream has no argument {sorted(unknown)[0]!r}")
        self.pack = None if pack is None else whole("pack", pack, 1, 1 << 40)
        self.last = choice("last", last, ("drop", "pad"))
        self.epochs = whole("epochs", epochs, 1, 1 << 32)
        self.shuffle = whole("shuffle", shuffle, 0, 1 << 40)
        self.dtype = integer_dtype("dtype", dtype)
        limits = np.iinfo(self.dtype)
        self.pad_id = whole("pad_id", pad_id, int(limits.min), int(limits.max))
        self.corpus = Corpus(
            paths, tokenizer, split, seed, eod, field, column, separator, token_dtype, encoding, threads
        )
        self.set_epoch(epoch)
        if not isinstance(shard, (tuple, list)) or len(shard) != 2:
            raise TypeError(f"shard must be a pair (index, count), not {shard!r}")
        self._set_shard(*shard)
        self._resume: tuple[Position, int] | None = None
        self._iterator: TokenIterator | None = None

    def _set_shard(self, index: int, count: int) -> None:
        count = whole("the count of shards", count, 1)
        self.shard = (whole("the index of a shard", index, 0, count - 1), count)

    def sharded(self, index: int, count: int) -> TokenStream:
        """The same stream for another shard, at its beginning."""
        other = copy.copy(self)
        other._set_shard(index, count)
        other._resume = other._iterator = None
        return other

    def set_epoch(self, epoch: int) -> None:
        """The epoch with which the next pass begins."""
        self.epoch = whole("epoch", epoch, 0, (1 << 32) - 1)

    def __iter__(self) -> TokenIterator:
        """A pass over the stream; the first one after load_state_dict goes on from there."""
        position, until = self._resume or (Position(self.epoch), self.epoch + self.epochs)
        self._resume = None
        self._iterator = TokenIterator(self, position, until)
        return self._iterator

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_iterator": None}

    # --- going on -----------------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """All that the samples depend on, as plain values; a state goes only with equal ones."""
        return {
            **self.corpus.settings(),
            "pack": self.pack,
            "last": self.last,
            "pad_id": self.pad_id,
            "shuffle": self.shuffle,
            "shard": f"{self.shard[0]} of {self.shard[1]}",
        }

    def state_dict(self) -> dict[str, Any]:
        """Where the latest pass is, as plain numbers and strings: after the last sample that it gave out."""
        if self._iterator is not None:
            position, until = self._iterator.position(), self._iterator.until
        else:
            position, until = self._resume or (Position(self.epoch), self.epoch + self.epochs)
        return {"version": _STATE_VERSION, "until": until, **position.__dict__, "settings": self.settings()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next pass go on where the state says: its first sample is the one that would have come next.

        Raises:
            ValueError: the state is of a stream with other settings; the first that differs is named.
        """
        instance("state", state, Mapping, "a dict that state_dict gave")
        if state.get("version") != _STATE_VERSION:
            raise ValueError(f"expected a state of version {_STATE_VERSION}, found {state.get('version')!r}")
        for name, value in self.settings().items():
            if state["settings"].get(name) != value:
                raise ValueError(
                    f"the state is of a stream with another {name}: expected {value!r}, found {state['settings'].get(name)!r}"
                )
        names = ("epoch", "file", "record", "document", "token")
        self._resume = Position(*(whole(name, state[name], 0, 1 << 62) for name in names)), int(state["until"])
        self._iterator = None

    # --- the order of things ------------------------------------------------------------------------------------------

    def files_of(self, epoch: int) -> list[tuple[int, int, int]]:
        """What this shard reads in an epoch, in order: (file, part, parts) for documents equal to part modulo parts."""
        n = len(self.corpus.files)
        index, count = self.shard
        order = self._permutation(n, epoch, _FILES) if self.shuffle else np.arange(n)
        if n >= count:
            return [(int(file), 0, 1) for file in order[index::count]]
        at = index % n
        parts = -(-(count - at) // n)  # shards at, at + n, at + 2n, ... below count
        return [(int(order[at]), index // n, parts)]

    def _permutation(self, n: int, *key: int) -> npt.NDArray[np.int64]:
        """An order of n things that depends on the seed and the key alone, also in later versions of numpy."""
        words = np.random.Philox(np.random.SeedSequence([self.corpus.seed, *key])).random_raw(n)
        return np.argsort(words, kind="stable")

    def windows(self, start: Position) -> Iterator[Window]:
        """The windows of an epoch from the one at `start` on; of that, too, all documents."""
        cursor = _Cursor(self, start)
        while True:
            begins = cursor.position()
            parts, n = [], 0
            wanted = self.shuffle or WINDOW_DOCUMENTS
            while n < wanted and (part := cursor.take(min(wanted - n, WINDOW_DOCUMENTS))) is not None:
                parts.append(part)
                n += len(part)
                if not self.shuffle:
                    break
            if not parts:
                return
            documents = Ragged.concatenate(parts) if len(parts) > 1 else parts[0]
            if self.shuffle:
                files = self.files_of(begins.epoch)
                key = (begins.epoch, _WINDOW, *files[begins.file], begins.record)
                documents = gathered(documents, self._permutation(n, *key))
            yield Window(begins, cursor.position(), documents)


class _Cursor:
    """Reads and encodes a shard's documents in the order of its files."""

    def __init__(self, stream: TokenStream, start: Position) -> None:
        self._stream = stream
        self._epoch = start.epoch
        self._files = stream.files_of(start.epoch)
        self._file, self._record = start.file, start.record
        self._reading: Iterator[Documents] | None = None
        self._read: Documents | None = None
        self._taken = 0

    def position(self) -> Position:
        """Of the next document; its file may turn out to have none left."""
        return Position(self._epoch, self._file, self._record)

    def take(self, n: int) -> Ragged | None:
        """Up to n documents, at least one; None at the end."""
        corpus = self._stream.corpus
        while self._file < len(self._files):
            file, part, parts = self._files[self._file]
            if self._reading is None:
                self._reading = corpus.documents(file, self._record, part, parts)
            if self._read is None or self._taken == len(self._read):
                self._read, self._taken = next(self._reading, None), 0
            if self._read is None:
                self._file, self._record, self._reading = self._file + 1, 0, None
                continue
            some = self._read.some(self._taken, self._taken + n)
            ids = corpus.encode(file, some, self._epoch)
            self._taken += len(some)
            self._record = int(some.numbers[-1]) + 1
            return ids
        return None


class TokenIterator(Iterator[npt.NDArray[Any]]):
    """One pass over a TokenStream: samples (pack,) or, of a document, (n,), of the stream's dtype, each an array of its own."""

    def __init__(self, stream: TokenStream, start: Position, until: int) -> None:
        self.until = until
        self._stream = stream
        self._held: deque[Window] = deque()  # windows with ids that were not given out
        self._n_held = 0  # ids of `_held` beyond _at
        self._at = 0  # of the first: ids, or with pack=None documents, that are done
        self._start(start)

    def _start(self, start: Position) -> None:
        self._next = start  # where a pass would go on that holds nothing
        self._windows: Iterator[Window] | None = None
        if start.epoch < self.until:
            self._windows = self._stream.windows(Position(start.epoch, start.file, start.record))

    def __next__(self) -> npt.NDArray[Any]:
        while self._windows is not None:
            sample = self._document() if self._stream.pack is None else self._block(self._stream.pack)
            if sample is not None:
                return sample
            self._held.clear()
            self._n_held = self._at = 0
            self._start(Position(self._next.epoch + 1))
        raise StopIteration

    def position(self) -> Position:
        """Where the next sample begins."""
        if not self._held:
            return self._next
        window = self._held[0]
        begins = window.begins
        if self._stream.pack is None:
            return Position(begins.epoch, begins.file, begins.record, self._at)
        document = int(np.searchsorted(window.documents.offsets, self._at, "right")) - 1
        token = self._at - int(window.documents.offsets[document])
        return Position(begins.epoch, begins.file, begins.record, document, token)

    def _hold(self) -> bool:
        """Hold one more window; False at the end of the epoch."""
        assert self._windows is not None
        window = next(self._windows, None)
        if window is None:
            return False
        done = self._next  # of the first window after going on, a part is done
        self._held.append(window)
        self._n_held += len(window.documents.ids)
        if done.document or done.token:
            offset = int(window.documents.offsets[done.document]) + done.token
            self._at = done.document if self._stream.pack is None else offset
            self._n_held -= offset
        self._next = window.ends
        return True

    def _document(self) -> npt.NDArray[Any] | None:
        while not self._held or self._at == len(self._held[0].documents):
            self._drop_first()
            if not self._hold():
                return None
        self._at += 1
        return self._held[0].documents[self._at - 1].astype(self._stream.dtype)

    def _block(self, size: int) -> npt.NDArray[Any] | None:
        while self._n_held < size:
            if not self._hold():
                if self._n_held == 0 or self._stream.last == "drop":
                    return None
                break
        block = np.full(size, self._stream.pad_id, self._stream.dtype)
        filled = 0
        while filled < size and self._held:
            ids = self._held[0].documents.ids
            some = ids[self._at : self._at + size - filled]
            block[filled : filled + len(some)] = some
            filled += len(some)
            self._at += len(some)
            self._n_held -= len(some)
            if self._at == len(ids):
                self._drop_first()
        return block

    def _drop_first(self) -> None:
        if self._held:
            self._held.popleft()
            self._at = 0
