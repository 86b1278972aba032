"""The jobs that outgrow one machine, on a cluster of many: counting pretokens for training, and encoding a corpus.

A job is a list of tasks, each of which makes files of its own; an `Engine` (Ray here; docs/distributed.md has Dask and Spark)
runs them wherever it likes. Its result is, to the byte, that of the same call on one machine.
"""

from fissile.distributed.counting import count_to_file
from fissile.distributed.encoding import encode_corpus
from fissile.distributed.engine import Engine
from fissile.distributed.ray import Ray

__all__ = ["Engine", "Ray", "count_to_file", "encode_corpus"]
