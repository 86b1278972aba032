"""What the tests of jobs on many machines share: a corpus, and a cluster."""

import gzip
import json
from collections.abc import Generator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from reference.texts import library_text


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Forty files of every kind."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    text = library_text()[:400_000]
    size = len(text) // 40
    for i in range(40):
        piece = text[i * size : (i + 1) * size]
        documents = "".join(json.dumps({"text": line, "body": line[::-1]}) + "\n" for line in piece.splitlines())
        if i % 4 == 3 and find_spec("zstandard"):
            zstandard = import_module("zstandard")
            (folder / f"{i:02}.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(documents.encode()))
        elif i % 3 == 0:
            (folder / f"{i:02}.txt").write_text(piece, encoding="utf-8")
        elif i % 3 == 1:
            (folder / f"{i:02}.jsonl").write_text(documents, encoding="utf-8")
        else:
            (folder / f"{i:02}.jsonl.gz").write_bytes(gzip.compress(documents.encode()))
    return folder


@pytest.fixture(scope="session")
def cluster() -> Generator[str, None, None]:
    """The address of a cluster of two nodes with one worker each."""
    pytest.importorskip("ray", exc_type=ImportError)
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()
