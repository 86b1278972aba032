"""Fissile: exact BPE, fast. See Tokenizer for encoding and decoding, count for what training learns from."""

from typing import TYPE_CHECKING, Any

from fissile.errors import TokenizerFileError
from fissile.ragged import Ragged
from fissile.stochastic import BPEDropout, StochasTok, UniformSplit, stochastok
from fissile.tokenizer import Tokenizer

if TYPE_CHECKING:
    from fissile.compat.transformers import patch_transformers as patch_transformers
    from fissile.counting import PretokenCounts, count
    from fissile.training import TrainedTokenizer, train
    from fissile.training_report import TrainingReport

__version__ = "0.1.0"
__all__ = [
    "BPEDropout",
    "PretokenCounts",
    "Ragged",
    "StochasTok",
    "Tokenizer",
    "TokenizerFileError",
    "TrainedTokenizer",
    "TrainingReport",
    "UniformSplit",
    "__version__",
    "count",
    "stochastok",
    "train",
]

# What few programs need is imported when it is asked for.
_LATER = {
    "PretokenCounts": "fissile.counting",
    "TrainedTokenizer": "fissile.training",
    "TrainingReport": "fissile.training_report",
    "count": "fissile.counting",
    "patch_transformers": "fissile.compat.transformers",  # not in __all__: `import *` would need transformers
    "train": "fissile.training",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'fissile' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
