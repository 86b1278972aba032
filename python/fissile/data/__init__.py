"""Corpora on disk: reading them."""
