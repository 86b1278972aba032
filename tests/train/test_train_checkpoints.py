"""Checkpoints: written in time, of one training, and gone on from to the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fissile
from fissile import _core
from fissile.training_checkpoint import Checkpoint
from fissile.training_draft import ALPHABET, Draft
from fissile.training_stage import Options, corpus_of
from reference.texts import WORLD, library_text

TEXT = library_text(20_000) + WORLD
MORE = library_text(60_000)[30_000:]


def trained(size: int = 400, text: str = TEXT, **options: Any) -> fissile.TrainedTokenizer:
    return fissile.train([text.encode()], size, "gpt2", sequence="document", **options)


def n_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many merges each run of the merge loop makes from now on."""
    made: list[int] = []
    loop = _core.train_merges

    def counted(*arguments: Any, **options: Any) -> Any:
        result = loop(*arguments, **options)
        made.append(len(result.merges))
        return result

    monkeypatch.setattr(_core, "train_merges", counted)
    return made


@pytest.mark.parametrize("size", [350, 700, 2990, 3200])
def test_resuming_gives_the_same_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "state"
    counts = fissile.count([MORE.encode()], pattern="gpt2", sequence="document")
    whole = fissile.train(counts, 3000, special_tokens=["<s>"], min_frequency=1)
    # What a training that was stopped at `size` leaves behind.
    draft = Draft.new(["<s>"], [], 0, ALPHABET)
    options = Options(3000, 1, None, False, False, 1, None)
    saved = Checkpoint(path, 0.0).stage("ordinary", "gpt2 document", corpus_of(counts), draft, options.identity())
    part = _core.train_merges(*counts.arrays(), tokens=draft.tokens, byte_ids=draft.byte_ids, vocab_size=size)
    saved.write(part.merges, part.counts, part.joined)
    resumed = fissile.train(
        counts, 3000, special_tokens=["<s>"], min_frequency=1, checkpoint=path, checkpoint_seconds=0.0
    )
    assert resumed == whole
    assert resumed.report.unused.tolist() == whole.report.unused.tolist()
    assert np.array_equal(resumed.report.curve, whole.report.curve)


SUPERWORDS: dict[str, dict[str, Any]] = {
    "document": {"superword_unit": "document"},
    "line": {"superword_unit": "line", "superword_words": None},
    "runs": {"superword_unit": "runs", "superword_newline_end": False},
}


@pytest.mark.parametrize("unit", SUPERWORDS)
@pytest.mark.parametrize(("size", "at"), [(450, 400), (401, 400), (390, None), (520, 400)])
def test_superwords_go_on_to_the_same_bytes(
    tmp_path: Path, unit: str, size: int, at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    options: dict[str, Any] = {"superword_at": 400, "special_tokens": ["<s>"], **SUPERWORDS[unit]}
    text = "of the way of the sea by the end of the day it is in the end of the story of the week\n" * 9 + MORE + TEXT
    whole = trained(480, text, **options)
    if at is None:  # stopped in the first stage
        first = trained(size, text, special_tokens=["<s>"], checkpoint=path)
    else:
        first = trained(size, text, checkpoint=path, **options)
    assert path.exists()  # as `first` has not been saved
    made = n_trained(monkeypatch)
    resumed = trained(480, text, checkpoint=path, threads=2, **options)
    assert resumed == whole
    assert resumed.report.unused.tolist() == whole.report.unused.tolist()
    assert resumed.report.last_count == whole.report.last_count
    assert np.array_equal(resumed.report.curve, whole.report.curve)
    assert made[0] == max(400 - first.n_vocab, 0)
    assert whole.n_vocab == 480 or unit == "runs"  # of which the library of some Pythons has not enough
    if at is not None:
        assert made[-1] == max(whole.n_vocab - first.n_vocab, 0)


def test_superwords_of_ids_are_joined_as_they_were_made() -> None:
    """Merges that are made before training stand for what training them gives, in long sequences too."""
    rng = np.random.default_rng(5)
    ids = (97 + rng.integers(0, 4, 30_000)).astype(np.uint32)
    ends = np.sort(np.append(rng.integers(0, len(ids), 300), len(ids))).astype(np.uint64)
    counts = rng.integers(1, 5, len(ends)).astype(np.uint64)
    tokens = [bytes([byte]) for byte in range(256)]
    options: dict[str, Any] = {"byte_ids": np.arange(256, dtype=np.uint32), "vocab_size": 500}
    whole = _core.train_merges(ids, ends, counts, tokens=tokens, **options)
    for n in (1, 2, 50, 200, 244):
        before = whole.merges[:n]
        made = tokens + whole.tokens[:n]
        rest = _core.train_merges(ids, ends, counts, tokens=made, join_with=before, **options)
        assert np.array_equal(np.concatenate([before, rest.merges]), whole.merges)
        assert np.array_equal(rest.counts, whole.counts[n:])
    with pytest.raises(ValueError, match="names the id 256"):
        _core.train_merges(ids, ends, counts, tokens=tokens, join_with=whole.merges[:1], **options)
    with pytest.raises(ValueError, match="shape"):
        _core.train_merges(ids, ends, counts, tokens=tokens, join_with=np.zeros((2, 2), np.uint32), **options)


@pytest.mark.parametrize("stage", ["ordinary", "superwords"])
def test_a_stopped_training_leaves_a_checkpoint(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    size, options = 900, {"superword_at": 400, "superword_words": None} if stage == "superwords" else {}
    text = MORE * 3 + " ".join(f"{n:b}".translate({48: "o ", 49: "l "}) for n in range(60_000))
    at = 400 if stage == "superwords" else 256

    def stop(phase: str, done: int, total: int | None) -> None:
        if phase == "train" and total == size and done > at:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        trained(size, text, checkpoint=path, checkpoint_seconds=1e9, progress=stop, **options)
    assert len(Checkpoint(path, 0.0).stages[stage][1].merges) > 0
    made = n_trained(monkeypatch)
    resumed = trained(size, text, checkpoint=path, **options)
    assert made[-1] < size - at
    assert resumed == trained(size, text, **options)


def test_a_checkpoint_is_written_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "state"
    words = np.random.default_rng(1).integers(97, 105, 3_000_000, dtype=np.uint8).tobytes()
    counts = fissile.count([words], pattern="none", sequence="document")

    def stop(phase: str, done: int, total: int) -> None:
        if phase == "train" and path.exists():
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fissile.train(counts, 4000, checkpoint=path, checkpoint_seconds=0.0, progress=stop)
    assert fissile.train(counts, 500, checkpoint=path).merges == fissile.train(counts, 500).merges


def test_a_checkpoint_stays_until_the_result_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "state"
    tokenizer = trained(checkpoint=path)
    assert path.exists()
    with pytest.raises(ValueError, match="SentencePiece"):
        tokenizer.save(tmp_path / "t.model")
    assert path.exists()
    tokenizer.save(tmp_path / "t.json")
    assert not path.exists()


def test_checkpoints_are_of_one_training(tmp_path: Path) -> None:
    path = tmp_path / "state"
    counts = fissile.count([TEXT.encode()], pattern="gpt2", sequence="document")
    whole = fissile.train(counts, 400, checkpoint=path)
    changes: list[dict[str, Any]] = [{"min_frequency": 3}, {"special_tokens": ["<s>"]}, {"max_token_length": 4}]
    for change in changes:
        with pytest.raises(ValueError, match="other options or another corpus"):
            fissile.train(counts, 400, checkpoint=path, **change)
    with pytest.raises(ValueError, match="other options or another corpus"):
        trained(text=MORE, checkpoint=path)
    trained(450, superword_at=400, checkpoint=path)
    changes = [{"superword_words": 3}, {"superword_at": 390}, {"superword_unit": "line"}]
    for change in changes:
        with pytest.raises(ValueError, match="other options or another corpus"):
            trained(450, checkpoint=path, **{"superword_at": 400, **change})
    # A first stage that went further has no second one yet.
    trained(430, checkpoint=path)
    assert list(Checkpoint(path, 0.0).stages) == ["ordinary"]
    path.write_bytes(b"PK something else")
    with pytest.raises(ValueError, match="not a checkpoint"):
        fissile.train(counts, 400, checkpoint=path)
    path.unlink()
    assert fissile.train(counts, 400, checkpoint=path) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_interrupt_stops_merging() -> None:
    program = (
        "import signal, sys, numpy as np\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from fissile import _core\n"
        "from fissile.training_draft import ALPHABET, Draft\n"
        "draft = Draft.new([], [], 0, ALPHABET)\n"
        "letters = np.random.default_rng(0).integers(97, 123, 20_000_000, dtype=np.uint8)\n"
        "saved = []\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    while True:\n"
        "        _core.train_merges(letters, np.array([len(letters)], np.uint64), np.array([1], np.uint64),\n"
        "                           tokens=draft.tokens, byte_ids=draft.byte_ids, vocab_size=60_000,\n"
        "                           checkpoint=lambda *merges: saved.append(len(merges[0])), checkpoint_seconds=1e9,\n"
        "                           progress=lambda phase, done, total: done > 300 and print(done, flush=True))\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(42 if len(saved) == 1 and saved[0] > 0 else 43)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert process.wait(timeout=60) == 42
    assert time.monotonic() - begin < 30
    process.stdout.close()
