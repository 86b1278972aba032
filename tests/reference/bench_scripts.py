"""Programs of bench/ as modules, for what is in them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BENCH = Path(__file__).resolve().parents[2] / "bench"
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py"))


def bench_script(name: str) -> ModuleType:
    """bench/NAME.py, read but not run as a program."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    # Scripts find each other by sys.path, and have names that packages of tests have too: nothing of it is to stay.
    path, known = list(sys.path), set(sys.modules)
    try:
        spec.loader.exec_module(made)
    finally:
        sys.path[:] = path
        for beside in SCRIPTS:
            if beside not in known:
                sys.modules.pop(beside, None)
    return made
