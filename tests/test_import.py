"""`import fissile` is cheap: it loads nothing that only some callers need, not even numpy."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

# Loaded by the functions that need them. json stands for all reading of files, multiprocessing for all of batch tools.
LAZY = {
    "argparse",
    "fissile.benchmark",
    "fissile.cli",
    "fissile.compat",
    "fissile.demo",
    "fissile.formats",
    "fissile.inspection",
    "hashlib",
    "json",
    "multiprocessing",
    "unicodedata",
}


@pytest.fixture(scope="module")
def modules_of_import() -> set[str]:
    """Names of the modules that `import fissile` loads."""
    program = "import sys; before = set(sys.modules); import fissile; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_import_loads_no_third_package(modules_of_import: set[str]) -> None:
    packages = {name.partition(".")[0] for name in modules_of_import}
    assert packages - set(sys.stdlib_module_names) == {"fissile"}


def test_import_leaves_what_few_need_for_later(modules_of_import: set[str]) -> None:
    assert not modules_of_import & LAZY


def test_training_needs_no_numpy(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log\n" * 20)
    program = (
        "import sys, fissile\n"
        f"trained = fissile.train({str(text)!r}, 290, 'gpt2', special_tokens=['<s>'], pad_to=16)\n"
        f"trained.save({str(tmp_path / 'tokenizer.json')!r})\n"
        "print(trained.report, trained.merges)\n"
        "assert 'numpy' not in sys.modules\n"
        "assert trained.report.curve.shape == (1, 2) and trained.encode('the cat').dtype == 'uint32'\n"
    )
    subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=True)


def test_annotations_can_be_evaluated() -> None:
    """As pydantic, typer and documentation tools do; numpy is imported for it, if it was not."""
    from typing import get_type_hints

    import numpy as np
    import numpy.typing as npt

    import fissile

    for thing in (fissile.Ragged, fissile.Ragged.tolist, fissile.Ragged.astype, fissile.Tokenizer.decode_batch):
        assert get_type_hints(thing)
    assert get_type_hints(fissile.Ragged)["offsets"] == npt.NDArray[np.int64]


def test_public_names_exist() -> None:
    import fissile

    assert all(hasattr(fissile, name) for name in fissile.__all__)
    assert importlib.metadata.version("fissile") == fissile.__version__


def test_a_rank_file_loads_without_the_readers_of_other_files(tmp_path: Path) -> None:
    import fissile
    from reference.texts import small_ranks

    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "gpt2")
    tokenizer.save(tmp_path / "own.fissile")
    for call in (
        f"from_file({str(tmp_path / 'own.fissile')!r})",
        "from_ranks({bytes([b]): b for b in range(256)}, 'gpt2')",
    ):
        program = f"import sys, fissile; fissile.Tokenizer.{call}; print(*sys.modules)"
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        loaded = set(result.stdout.split())
        assert "fissile.formats.tiktoken" in loaded
        assert not loaded & {
            "fissile.formats.tokenizer_json",
            "fissile.formats.sentencepiece",
            "fissile.pipeline",
            "unicodedata",
        }
