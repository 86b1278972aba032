"""TokenTable: a corpus whose samples are known by number, for samplers that draw them in any order.

Ids stay in their files, mapped. Text is encoded when the table is made, and its ids held; with `split` the text is held
too, as one array of bytes, and spelt anew whenever a sample is asked for. Either goes to workers that are forked without
a copy. Corpora of text that do not fit in memory are for TokenStream, or for `fissile encode` first.

Needs numpy alone, and is what torch calls a map-style dataset as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fissile.arguments import integer_dtype, whole
from fissile.data import readers
from fissile.data.corpus import Corpus, Documents, PathLike
from fissile.data.token_files import TokenFile
from fissile.ragged import Ragged
from fissile.stochastic import Split

if TYPE_CHECKING:
    from fissile.tokenizer import Tokenizer

__all__ = ["TokenTable"]


class TokenTable:
    """Documents, or blocks of ids, by number."""

    def __init__(
        self,
        paths: PathLike | Iterable[PathLike],
        tokenizer: Tokenizer | None = None,
        *,
        pack: int | None = None,
        stride: int | None = None,
        eod: int | str | None = None,
        split: Split = None,
        seed: int = 0,
        epoch: int = 0,
        field: str = "text",
        column: str = "text",
        separator: str | bytes | None = None,
        token_dtype: npt.DTypeLike | None = None,
        dtype: npt.DTypeLike = np.int64,
        threads: int | None = None,
        **encoding: Any,
    ) -> None:
        """Read text, and map files of ids.

        Args:
            paths: as of TokenStream, like what is not named here.
            pack: ids a sample: all documents end to end, across files, cut every `stride` ids; what fills no sample at
                the end is left out. None: a sample is a document.
            stride: from the beginning of a sample to that of the next; None: pack. With pack=n + 1 and stride=n each
                sample holds the first id of the next one, as its last target.
            split: as of TokenStream, by the same numbers of documents; not with pack, as blocks would change their number
                with every epoch.
            threads: for encoding when the table is made; None for one a CPU. Samples are encoded on one.

        Raises:
            ValueError: as of TokenStream; or pack and split are both given.
        """
        unknown = encoding.keys() - {"allowed_special", "disallowed_special", "add_special_tokens"}
        if unknown:
            raise TypeError(f"TokenTable has no argument {sorted(unknown)[0]!r}")
        if pack is not None and split is not None:
            raise ValueError("a table of blocks cannot be split: use TokenStream(pack=..., split=...)")
        self.pack = None if pack is None else whole("pack", pack, 1, 1 << 40)
        self.stride = self.pack if stride is None else whole("stride", stride, 1, 1 << 40)
        if stride is not None and pack is None:
            raise ValueError("stride needs pack")
        self.dtype = integer_dtype("dtype", dtype)
        self.corpus = Corpus(paths, tokenizer, split, seed, eod, field, column, separator, token_dtype, encoding, None)
        self.set_epoch(epoch)
        self.corpus.threads = threads
        self._parts = [self._part(i) for i in range(len(self.corpus.files))]
        self.corpus.threads = 1
        sizes = [len(self._ids(i)) if pack is not None else len(part.begins) for i, part in enumerate(self._parts)]
        self._bounds = np.cumsum([0, *sizes])

    def _part(self, file: int) -> _Part:
        source, corpus = self.corpus.files[file], self.corpus
        if isinstance(source, TokenFile):
            if self.pack is None:
                return _Part(None, *source.bounds())
            if source.eod is not None or corpus.eod is None:
                return _Part(None, *_NO_BOUNDS)
        is_split = corpus.split is not None
        read = [_as_bytes(some) if is_split else corpus.encode(file, some, 0) for some in corpus.documents(file)]
        documents = Ragged.concatenate(read)
        bounds = documents.offsets
        return _Part(documents.ids, bounds[:-1], bounds[1:], np.zeros(len(documents), np.bool_))

    def _ids(self, file: int) -> npt.NDArray[Any]:
        ids, source = self._parts[file].ids, self.corpus.files[file]
        if ids is None:
            assert isinstance(source, TokenFile)
            return source.ids
        return ids

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose draws samples have from now on."""
        self.epoch = whole("epoch", epoch, 0, (1 << 32) - 1)

    def __len__(self) -> int:
        total = int(self._bounds[-1])
        if self.pack is None:
            return total
        assert self.stride is not None
        return max(0, (total - self.pack) // self.stride + 1)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        """Sample `index`: (pack,) or, of a document, (n,), of the table's dtype; an array of its own."""
        i = range(len(self))[index]
        return self._document(i) if self.pack is None else self._block(i * (self.stride or self.pack), self.pack)

    def __getitems__(self, indices: Sequence[int]) -> list[npt.NDArray[Any]]:
        """Some samples; what torch asks for a batch."""
        return [self[index] for index in indices]

    def _block(self, begin: int, size: int) -> npt.NDArray[Any]:
        block = np.empty(size, self.dtype)
        filled = 0
        part = int(np.searchsorted(self._bounds, begin, "right")) - 1
        while filled < size:
            at = begin + filled - int(self._bounds[part])
            some = self._ids(part)[at : at + size - filled]
            block[filled : filled + len(some)] = some
            filled += len(some)
            part += 1
        return block

    def _document(self, index: int) -> npt.NDArray[Any]:
        file = int(np.searchsorted(self._bounds, index, "right")) - 1
        part, i = self._parts[file], index - int(self._bounds[file])
        content = self._ids(file)[part.begins[i] : part.ends[i]]
        if part.ids is not None and self.corpus.split is None:
            return content.astype(self.dtype)  # encoded, with its end
        body: list[readers.Text] | Ragged = [content.tobytes()]
        if part.ids is None:
            body = Ragged(content, np.array([0, len(content)]))
        some = Documents(np.array([i]), body, part.ended[i : i + 1])
        return self.corpus.encode(file, some, self.epoch).ids.astype(self.dtype)


class _Part(NamedTuple):
    """What a table knows of one file. Document i is ids[begins[i]:ends[i]]."""

    ids: npt.NDArray[Any] | None  #: with a split, of text, its bytes; None: those of the file
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    ended: npt.NDArray[np.bool_]  #: whether the file has an eod there


_NO_BOUNDS = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))


def _as_bytes(some: Documents) -> Ragged:
    texts = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text) for text in some.content]
    offsets = np.cumsum([0, *map(len, texts)])
    return Ragged(np.frombuffer(b"".join(texts), np.uint8), offsets)
