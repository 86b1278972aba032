"""The loaders as PyTorch takes them: datasets for a DataLoader or torchdata's StatefulDataLoader, and a collate function.

A thin layer over TokenStream and TokenTable: it finds out which rank and worker asks, and carries the epoch to workers
that live on. Everything here pickles, so that workers may be forked, spawned or served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fissile.data.stream import TokenIterator, TokenStream
from fissile.data.table import TokenTable
from fissile.ragged import Ragged
from fissile.stochastic import Split

try:
    import torch
    from torch.utils.data import Dataset, IterableDataset, get_worker_info
except ImportError:
    raise ImportError("fissile.data.torch needs PyTorch: pip install 'fissile[torch]'") from None

if TYPE_CHECKING:
    from fissile.tokenizer import Tokenizer

__all__ = ["Collate", "TokenIterableDataset", "TokenMapDataset"]


class TokenIterableDataset(IterableDataset[Any]):
    """A TokenStream as an IterableDataset, dealt to all workers of all ranks.

    Samples are (pack,) or (n,) arrays of int64, which a DataLoader makes tensors. Works with StatefulDataLoader: its state
    goes on at the exact next sample, with as many workers and ranks as it was made with. `state_dict` of the dataset itself
    is for iterating it without worker processes.
    """

    def __init__(self, *args: Any, rank: int | None = None, world_size: int | None = None, **options: Any) -> None:
        """The arguments of TokenStream but `shard`, and

        Args:
            rank: of this process; None: torch.distributed's, once it is initialised, else 0.
            world_size: number of ranks; None: likewise, else 1.
        """
        super().__init__()
        if "shard" in options:
            raise TypeError("shard is found out from rank, world_size and the DataLoader's workers")
        is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if rank is None:
            rank = torch.distributed.get_rank() if is_distributed else 0
        if world_size is None:
            world_size = torch.distributed.get_world_size() if is_distributed else 1
        self._rank, self._world_size = rank, world_size
        self._stream = TokenStream(*args, **options).sharded(rank, world_size)
        self._epoch = _shared(self._stream.epoch)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next pass; call it before each, as of a DistributedSampler. Reaches persistent workers."""
        self._stream.set_epoch(epoch)
        self._epoch.fill_(epoch)

    def __iter__(self) -> TokenIterator:
        stream = self._here()
        stream.set_epoch(int(self._epoch))
        return iter(stream)

    def state_dict(self) -> dict[str, Any]:
        """As TokenStream.state_dict, of the process it is called in."""
        return self._here().state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As TokenStream.load_state_dict, in the process it is called in."""
        self._here().load_state_dict(state)

    def _here(self) -> TokenStream:
        """The stream of this process: a worker turns the rank's into its own when it first needs it."""
        worker = get_worker_info()
        if worker is not None:
            shard = (self._rank * worker.num_workers + worker.id, self._world_size * worker.num_workers)
            if self._stream.shard != shard:
                self._stream = self._stream.sharded(*shard)
        return self._stream


class TokenMapDataset(TokenTable, Dataset[Any]):
    """A TokenTable as a map-style Dataset: samples by number, in the order of any sampler.

    DistributedSampler deals them to ranks, torchdata's StatefulDataLoader goes on in the middle of an epoch.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """The arguments of TokenTable."""
        self._epoch = _shared(0)
        super().__init__(*args, **options)

    @property
    def epoch(self) -> int:
        """The epoch whose draws samples have; the same in persistent workers."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch.fill_(value)


class Collate:
    """Texts or ids in, one padded batch out: collate_fn of any DataLoader.

    A sample is a text, a sequence of ids, or a dict with either under `key`; its other keys come out as lists. Returns
    {"input_ids": (n, width) int64, "attention_mask": (n, width) int64}, the names that transformers' models take.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | None = None,
        *,
        pad_id: int,
        length: int | None = None,
        multiple_of: int = 1,
        side: Literal["right", "left"] = "right",
        truncation_side: Literal["right", "left"] = "right",
        key: str = "text",
        split: Split = None,
        labels: bool = False,
        threads: int = 1,
        **encoding: Any,
    ) -> None:
        """Nothing is done yet.

        Args:
            tokenizer: for texts.
            pad_id: what fills a row; length, multiple_of, side and truncation_side are those of Ragged.pad.
            key: of samples that are dicts.
            split: a sampler, as of Tokenizer.encode_batch, for texts. Its seed comes from torch's generator, so that
                torch.manual_seed repeats a run; a TokenStream's draws repeat whatever the batches are.
            labels: also give "labels": the ids, and -100 where padded.
            threads: to encode with.
            encoding: allowed_special, disallowed_special, add_special_tokens, as of Tokenizer.encode_batch.
        """
        self._tokenizer = tokenizer
        self._key = key
        self._split = split
        self._labels = labels
        self._padding: dict[str, Any] = {
            "length": length,
            "multiple_of": multiple_of,
            "side": side,
            "truncation_side": truncation_side,
        }
        self._pad_id = pad_id
        self._encoding = {**encoding, "threads": threads}

    def __call__(self, samples: Sequence[Any]) -> dict[str, Any]:
        """The batch of some samples.

        Raises:
            TypeError: samples are texts and there is no tokenizer.
        """
        rest: dict[str, list[Any]] = {}
        values = list(samples)
        if samples and isinstance(samples[0], dict):
            rest = {name: [sample[name] for sample in samples] for name in samples[0] if name != self._key}
            values = [sample[self._key] for sample in samples]
        ids, mask = self._ragged(values).pad(self._pad_id, **self._padding)
        found = torch.from_numpy(ids.astype(np.int64))
        batch: dict[str, Any] = {"input_ids": found, "attention_mask": torch.from_numpy(mask.astype(np.int64))}
        if self._labels:
            batch["labels"] = torch.from_numpy(np.where(mask, ids.astype(np.int64), -100))
        return {**batch, **rest}

    def _ragged(self, values: list[Any]) -> Ragged:
        if values and isinstance(values[0], (str, bytes, bytearray, memoryview)):
            if self._tokenizer is None:
                raise TypeError("the samples are texts: Collate needs a tokenizer")
            seed = None if self._split is None else int(torch.randint(0, 1 << 62, ()))
            texts: Ragged = self._tokenizer.encode_batch(values, split=self._split, seed=seed, **self._encoding)
            return texts
        arrays: list[npt.NDArray[np.int64]] = [np.asarray(value, np.int64) for value in values]
        offsets = np.cumsum([0, *map(len, arrays)])
        return Ragged(np.concatenate([np.empty(0, np.int64), *arrays]), offsets)


def _shared(epoch: int) -> torch.Tensor:
    """A number that worker processes see change."""
    return torch.tensor(epoch, dtype=torch.int64).share_memory_()
