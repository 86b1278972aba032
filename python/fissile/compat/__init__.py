"""Faces of other libraries over Fissile's engine: fissile.compat.tiktoken is used as `tiktoken` is."""
