"""Files that hold tokenizers: each module reads one format into a TokenizerSpec and writes it back."""
