"""Fissile: exact BPE, fast. See Tokenizer for everything else."""

from fissile.errors import TokenizerFileError
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer

__version__ = "0.1.0"
__all__ = ["Ragged", "Tokenizer", "TokenizerFileError", "__version__"]
