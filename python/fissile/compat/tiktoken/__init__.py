"""`tiktoken`, over Fissile's engine: `import fissile.compat.tiktoken as tiktoken`, and all else stays.

Encoding takes what tiktoken's class takes and gives what it gives, lists and errors included. get_encoding and what goes by
a model's name ask the installed tiktoken which encodings there are, so names, files and cache are its own.
"""

from fissile.compat.tiktoken.core import Encoding
from fissile.compat.tiktoken.model import encoding_for_model, encoding_name_for_model
from fissile.compat.tiktoken.registry import get_encoding, list_encoding_names

__all__ = ["Encoding", "encoding_for_model", "encoding_name_for_model", "get_encoding", "list_encoding_names"]
