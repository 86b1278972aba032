"""Settings of all tests."""

import pytest
from hypothesis import settings

# No deadline: an example that takes a millisecond takes many under a sanitizer, or beside another build.
settings.register_profile("fissile", deadline=None)
settings.load_profile("fissile")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive",
        action="store_true",
        help="tests/parity/test_exhaustive.py compares 100,000 strings a pattern and whole texts (about half an hour); "
        "tests/pretokenize all texts of six characters; tests/train/test_train_parity.py 128,000 ids",
    )
