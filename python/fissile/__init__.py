"""Fissile: exact BPE, fast. See Tokenizer for everything else."""

from fissile.errors import TokenizerFileError
from fissile.ragged import Ragged
from fissile.stochastic import BPEDropout, StochasTok, UniformSplit, stochastok
from fissile.tokenizer import Tokenizer

__version__ = "0.1.0"
__all__ = [
    "BPEDropout",
    "Ragged",
    "StochasTok",
    "Tokenizer",
    "TokenizerFileError",
    "UniformSplit",
    "__version__",
    "stochastok",
]
