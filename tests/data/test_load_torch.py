"""The PyTorch faces: every document once over ranks and workers, states of a StatefulDataLoader, every way to start workers."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fissile
from reference.texts import WORLD, library_text, small_ranks

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch.utils.data import DataLoader  # noqa: E402

from fissile.data.torch import Collate, TokenIterableDataset, TokenMapDataset  # noqa: E402

EOD = 1000
# Of machines with fewer CPUs than a test has workers.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
# torchdata 0.11 calls what torch 2.13 deprecates.
stateful = pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")


@pytest.fixture(scope="module")
def tok() -> fissile.Tokenizer:
    tok = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|end|>": EOD})
    tok.encode_batch(["threads before a fork"] * 4000, threads=4)
    return tok


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng, source = random.Random(2), library_text() + WORLD
    return [source[at : at + rng.choice([0, 10, 300])] for at in rng.sample(range(len(source) - 300), 240)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(3):
        lines = (json.dumps({"text": text}) + "\n" for text in texts[i * 80 : i * 80 + 80])
        (folder / f"{i}.jsonl").write_text("".join(lines), "utf-8")
    return folder


def literal(tok: fissile.Tokenizer, texts: list[str], epoch: int) -> Counter[tuple[int, ...]]:
    """The documents of an epoch, each encoded alone."""
    keys = [(text, i // 80 * 2**32 + i % 80) for i, text in enumerate(texts)]
    options: dict[str, Any] = {"split": "stochastok:0.3", "seed": 1, "epoch": epoch}
    return Counter((*tok.encode_batch([text], first_index=i, **options)[0].tolist(), EOD) for text, i in keys)


def documents(batches: Any) -> Counter[tuple[int, ...]]:
    rows = [row for batch in batches for row in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    return Counter(tuple(ids[mask.bool()].tolist()) for ids, mask in rows)


def dataset(corpus: Path, tok: fissile.Tokenizer, **options: Any) -> TokenIterableDataset:
    defaults: dict[str, Any] = {"split": "stochastok:0.3", "seed": 1, "eod": EOD, "shuffle": 20}
    return TokenIterableDataset(corpus, tok, **{**defaults, **options})


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_document_once_in_every_epoch(
    corpus: Path, tok: fissile.Tokenizer, texts: list[str], method: str
) -> None:
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    stream = dataset(corpus, tok)
    loader = DataLoader(
        stream,
        batch_size=16,
        num_workers=2,
        collate_fn=Collate(pad_id=0),
        multiprocessing_context=method,
        persistent_workers=True,
        timeout=100,
    )
    for epoch in (0, 1, 5):
        stream.set_epoch(epoch)
        assert documents(loader) == literal(tok, texts, epoch)


@pytest.mark.parametrize("world_size, workers", [(1, 0), (2, 2), (3, 1), (2, 3)])
def test_ranks_and_workers_share_all_documents(
    corpus: Path, tok: fissile.Tokenizer, texts: list[str], world_size: int, workers: int
) -> None:
    found: Counter[tuple[int, ...]] = Counter()
    for rank in range(world_size):
        stream = dataset(corpus, tok, rank=rank, world_size=world_size)
        found += documents(DataLoader(stream, batch_size=7, num_workers=workers, collate_fn=Collate(pad_id=0)))
    assert found == literal(tok, texts, 0)


@stateful
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("pack", [None, 64])
def test_a_stateful_loader_goes_on_at_the_next_sample(
    corpus: Path, tok: fissile.Tokenizer, workers: int, pack: int | None
) -> None:
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader() -> Any:
        collate = None if pack else Collate(pad_id=0)
        stream = dataset(corpus, tok, pack=pack, epochs=2)
        return torchdata.StatefulDataLoader(stream, batch_size=5, num_workers=workers, collate_fn=collate)

    def plain(batch: Any) -> Any:
        return batch.tolist() if pack else batch["input_ids"].tolist()

    first = loader()
    batches, states = [], []
    for batch in first:
        batches.append(plain(batch))
        states.append(first.state_dict())
    for at in (0, 3, len(batches) // 2, len(batches) - 2):
        again = loader()
        again.load_state_dict(states[at])
        assert [plain(batch) for batch in again] == batches[at + 1 :]


@stateful
def test_a_table_goes_on_under_a_stateful_loader(corpus: Path, tok: fissile.Tokenizer) -> None:
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader() -> Any:
        table = TokenMapDataset(corpus, tok, pack=32, eod=EOD)
        torch.manual_seed(3)
        return torchdata.StatefulDataLoader(table, batch_size=4, shuffle=True, num_workers=2)

    first = loader()
    batches, states = [], []
    for batch in first:
        batches.append(batch.tolist())
        states.append(first.state_dict())
    again = loader()
    again.load_state_dict(states[5])
    assert [batch.tolist() for batch in again] == batches[6:]


def test_a_table_in_persistent_workers_follows_the_epoch(
    corpus: Path, tok: fissile.Tokenizer, texts: list[str]
) -> None:
    table = TokenMapDataset(corpus, tok, split="stochastok:0.3", seed=1, eod=EOD)
    loader = DataLoader(
        table, batch_size=16, num_workers=2, shuffle=True, persistent_workers=True, collate_fn=Collate(pad_id=0)
    )
    for epoch in (0, 4):
        table.set_epoch(epoch)
        assert documents(loader) == literal(tok, texts, epoch)


def test_samples_become_tensors(corpus: Path, tok: fissile.Tokenizer) -> None:
    [batch] = list(DataLoader(dataset(corpus, tok, pack=8), batch_size=10**6))
    assert batch.dtype == torch.int64 and batch.shape[1] == 8
    assert next(iter(DataLoader(dataset(corpus, tok), batch_size=None))).dtype == torch.int64


# --- collate ----------------------------------------------------------------------------------------------------------


def test_collate_pads_texts(tok: fissile.Tokenizer, texts: list[str]) -> None:
    some = texts[:9]
    collate = Collate(tok, pad_id=7, length=50, multiple_of=8, side="left", labels=True)
    batch = collate(some)
    expected = tok.encode_batch(some).pad(7, length=50, multiple_of=8, side="left")
    assert batch["input_ids"].tolist() == expected.ids.tolist()
    assert batch["attention_mask"].tolist() == expected.mask.astype(int).tolist()
    assert batch["labels"].tolist() == np.where(expected.mask, expected.ids.astype(np.int64), -100).tolist()
    assert {value.dtype for value in batch.values()} == {torch.int64}


def test_collate_takes_dicts_ids_and_nothing(tok: fissile.Tokenizer) -> None:
    batch = Collate(tok, pad_id=0, key="body")([{"body": "one", "label": 3}, {"body": "two three", "label": 4}])
    assert batch["input_ids"].tolist() == tok.encode_batch(["one", "two three"]).pad(0).ids.tolist()
    assert batch["label"] == [3, 4]
    assert Collate(pad_id=9)([[1, 2], np.array([3], np.uint32)])["input_ids"].tolist() == [[1, 2], [3, 9]]
    assert Collate(pad_id=9)([])["input_ids"].shape == (0, 0)
    with pytest.raises(TypeError, match="Collate needs a tokenizer"):
        Collate(pad_id=0)(["text"])


def test_collate_draws_from_torchs_generator(tok: fissile.Tokenizer, texts: list[str]) -> None:
    collate = Collate(tok, pad_id=0, split="stochastok:0.5")
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        loader = DataLoader(texts, batch_size=40, num_workers=1, collate_fn=collate)  # type: ignore[arg-type]
        drawn.append([batch["input_ids"].tolist() for batch in loader])
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_torch_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('none')")
    program = "import fissile.data.stream, fissile.data.table\nimport fissile.data.torch"
    paths = os.pathsep.join([str(tmp_path), str(Path(fissile.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (
        result.stderr.splitlines()[-1] == "ImportError: fissile.data.torch needs PyTorch: pip install 'fissile[torch]'"
    )
