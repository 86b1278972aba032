"""Steps of tokenizers that the core has no loops for: regular expressions, normalizers, pre-tokenizers, decoders.

The core calls them for each stretch of text between special tokens, and merges what they return. They cost a few
microseconds a pretoken, most of it in the regex engine; the patterns built into the core do without them.
"""
