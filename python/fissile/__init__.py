"""Fissile: exact BPE, fast. See Tokenizer for encoding and decoding, count for what training learns from."""

from fissile.counting import PretokenCounts, count
from fissile.errors import TokenizerFileError
from fissile.ragged import Ragged
from fissile.tokenizer import Tokenizer

__version__ = "0.1.0"
__all__ = ["PretokenCounts", "Ragged", "Tokenizer", "TokenizerFileError", "__version__", "count"]
