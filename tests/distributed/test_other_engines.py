"""The recipes of docs/distributed.md, run as they stand there."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from fissile import counting, distributed


def recipe(name: str, variables: dict[str, Any]) -> Any:
    """The function of this name in the page, which uses these variables."""
    text = (Path(__file__).parents[2] / "docs/distributed.md").read_text(encoding="utf-8")
    lines = text[text.index(f"def {name}(") :].split("```")[0].splitlines()
    end = next((i for i, line in enumerate(lines) if i and line and not line.startswith(" ")), len(lines))
    exec("\n".join(lines[:end]), variables)
    return variables[name]


def check(engine: Any, corpus: Path, tmp_path: Path) -> None:
    one, many = tmp_path / "one.counts", tmp_path / "many.counts"
    counting.count_to_file(one, corpus)
    distributed.count_to_file(many, corpus, part_bytes=60_000, engine=engine)
    assert many.read_bytes() == one.read_bytes()


def test_dask(corpus: Path, tmp_path: Path) -> None:
    dask = pytest.importorskip("dask.distributed", exc_type=ImportError)
    with dask.Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        check(recipe("on_dask", {"client": client, "as_completed": dask.as_completed}), corpus, tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of pyspark and its sockets
def test_spark(corpus: Path, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    sql = pytest.importorskip("pyspark.sql", exc_type=ImportError)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    with builder.config("spark.driver.memory", "512m").getOrCreate() as spark:
        check(recipe("on_spark", {"spark": spark}), corpus, tmp_path)
