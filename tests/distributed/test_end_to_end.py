"""README's way from a folder of packed jsonl to a training loop, on one machine and on Ray, each step killed and resumed."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fissile
from reference.texts import library_text

COMMAND = [sys.executable, "-m", "fissile"]
LOOP = """
import json, os, sys, zlib
import fissile
tok = fissile.Tokenizer.from_file(sys.argv[1])
options = dict(pack=64, split=fissile.StochasTok(0.1), seed=1, shuffle=50, epochs=2)
if sys.argv[4] == "torch":
    import torch
    from fissile.data.torch import TokenIterableDataset
    from torchdata.stateful_dataloader import StatefulDataLoader
    stream = StatefulDataLoader(TokenIterableDataset(sys.argv[2], tok, **options), batch_size=4, num_workers=2)
else:
    from fissile.data import TokenStream
    stream = TokenStream(sys.argv[2], tok, **options)
if __name__ == "__main__":
    log, done = sys.argv[3], []
    if os.path.exists(log):
        import pickle
        done, state = pickle.load(open(log, "rb"))
        stream.load_state_dict(state)
    import numpy, pickle
    iterator = iter(stream)
    for batch in iterator:
        done.append(zlib.crc32(numpy.ascontiguousarray(batch)))
        held = iterator if hasattr(iterator, "state_dict") else stream
        with open(log + ".partial", "wb") as file:
            pickle.dump((done, held.state_dict()), file)
        os.replace(log + ".partial", log)
    print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of .jsonl.zst, or of .jsonl.gz where zstandard is not installed."""
    import gzip

    folder = tmp_path_factory.mktemp("end") / "corpus"
    folder.mkdir()
    pack, suffix = gzip.compress, "gz"
    if find_spec("zstandard"):
        pack, suffix = import_module("zstandard").ZstdCompressor().compress, "zst"
    text = library_text()[:1_500_000]
    for i in range(5):
        pieces = [text[at : at + 700] for at in range(i * 300_000, (i + 1) * 300_000, 700)]
        lines = "".join(json.dumps({"text": piece}) + "\n" for piece in pieces)
        (folder / f"{i}.jsonl.{suffix}").write_bytes(pack(lines.encode()))
    return folder


def run(*arguments: object, kill_after: float | None = None) -> None:
    """Run a command, killed after some seconds if it is not done by then."""
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL)
    try:
        code = process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    else:
        assert code == 0


def kill_when(process: "subprocess.Popen[str]", path: Path, n: int) -> None:
    """SIGKILL once a pattern matches n files, or the process is done."""
    while process.poll() is None and len(list(path.parent.glob(path.name))) < n:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def files_of(directory: Path) -> dict[str, int]:
    return {path.name: zlib.crc32(path.read_bytes()) for path in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Path:
    out = folder.parent / "tokenizer.json"
    train = ["train", folder, "--vocab-size", 2000, "--special-token", "<|end|>", "-o", out]
    run(*train, kill_after=0.4)
    run(*train)
    again = folder.parent / "again.json"
    run(*train[:-1], again)
    assert out.read_bytes() == again.read_bytes()
    return out


def encode_arguments(folder: Path, tokenizer: Path, out: Path) -> list[object]:
    return ["encode", folder, "--tokenizer", tokenizer, "--eod", "<|end|>", "--shard-tokens", 6000, "-o", out]


@pytest.fixture(scope="module")
def shards(folder: Path, tokenizer: Path) -> Path:
    out = folder.parent / "shards"
    arguments = encode_arguments(folder, tokenizer, out)
    for n in (2, 5, 6):
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, text=True)
        kill_when(process, out / "*-*.json", n)
    run(*arguments)
    run(*encode_arguments(folder, tokenizer, folder.parent / "whole"))
    assert files_of(out) == files_of(folder.parent / "whole") and len(files_of(out)) > 12
    return out


@pytest.mark.parametrize("loader", ["numpy", "torch"])
def test_loop_killed_and_resumed(tokenizer: Path, shards: Path, tmp_path: Path, loader: str) -> None:
    if loader == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
        pytest.importorskip("torchdata", reason="torchdata is not installed")
    program = tmp_path / "loop.py"
    program.write_text(LOOP)

    def command(log: str) -> list[str]:
        return [sys.executable, str(program), str(tokenizer), str(shards), log, loader]

    whole = subprocess.run(command(str(tmp_path / "whole")), stdout=subprocess.PIPE, text=True, check=True)
    log = tmp_path / "log"
    draw = random.Random(2)
    for _ in range(3):
        process = subprocess.Popen(command(str(log)), stdout=subprocess.DEVNULL, text=True, start_new_session=True)
        kill_when(process, log, 1)
        time.sleep(draw.random() / 10)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers too
    resumed = subprocess.run(command(str(log)), stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(resumed.stdout) == json.loads(whole.stdout)
    assert len(json.loads(whole.stdout)) > 100


def test_the_ids_are_those_of_the_documents(folder: Path, tokenizer: Path, shards: Path) -> None:
    from fissile.data import readers

    tok = fissile.Tokenizer.from_file(tokenizer)
    texts = [
        text
        for source in readers.sources(folder)
        for b in readers.batches(source, readers.Options())
        for text in b.texts
    ]
    end = tok.special_tokens["<|end|>"]
    written = np.concatenate([np.fromfile(path, np.uint16) for path in sorted(shards.glob("*.bin"))])
    assert written.tolist() == tok.encode_batch(texts, eod=end).ids.tolist()


DRIVER = """
import os, signal, sys
import ray
import fissile
from fissile import distributed
address, step, folder, tokenizer, out, kill = sys.argv[1:]
ray.init(address=address, log_to_driver=False, logging_level="ERROR")
def progress(*of):
    if kill == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
if step == "count":
    distributed.count_to_file(out, folder, part_bytes=1, progress=progress)
else:
    tok = fissile.Tokenizer.from_file(tokenizer)
    distributed.encode_corpus(out, folder, tok, eod="<|end|>", shard_tokens=6000, part_bytes=1, progress=progress)
"""


def test_the_same_on_ray(cluster: str, folder: Path, tokenizer: Path, tmp_path: Path) -> None:
    counts, out = tmp_path / "all.counts", tmp_path / "shards"
    for step, result in (("count", counts), ("encode", out)):
        command = [sys.executable, "-c", DRIVER, cluster, step, str(folder), str(tokenizer), str(result)]
        killed = subprocess.run([*command, "kill"], timeout=300)
        assert killed.returncode == -signal.SIGKILL
        subprocess.run([*command, "go on"], timeout=300, check=True)
    trained = tmp_path / "tokenizer.json"
    run("train", counts, "--vocab-size", 2000, "--special-token", "<|end|>", "-o", trained)
    assert trained.read_bytes() == tokenizer.read_bytes()
    tok = fissile.Tokenizer.from_file(tokenizer)
    from fissile.data import encode_corpus

    encode_corpus(tmp_path / "one", folder, tok, eod="<|end|>", shard_tokens=6000, part_bytes=1)
    assert files_of(out) == files_of(tmp_path / "one")
