"""`fissile bench`: encoders side by side on a user's own text and tokenizer.

    command.py          what `fissile bench` does: files and choices in, tables and plots out
    harness.py          rows of a table; peers take turns, every measurement in a fresh process
    child.py, works.py  that process, and what is measured in it
    peer.py, peers.py   every encoder of PyPI that is known, by its fastest documented calls
    tokenizer_files.py  one tokenizer in the forms that peers read
    texts.py            files as documents
    machine.py          what it ran on; cores, clocks, memory
    tables.py, plots.py medians, ratios, Markdown; drawings

bench/ of the repository measures with the same: its scripts say which rows are wanted and what is to be reached.
"""
