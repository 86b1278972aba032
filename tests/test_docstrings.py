"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import fissile

MODULES = sorted(module.name for module in pkgutil.walk_packages(fissile.__path__, "fissile."))


@pytest.mark.parametrize("name", [name for name in MODULES if name != "fissile.__main__"])
def test_examples_give_what_they_show(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if "pip install 'fissile[" not in str(error):
            raise
        pytest.skip(str(error))
    failed, _ = doctest.testmod(module, report=True)
    assert failed == 0
