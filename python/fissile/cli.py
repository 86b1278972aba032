"""The command line: parses arguments, calls the package, prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    import fissile

    parser = argparse.ArgumentParser(prog="fissile", description="Exact byte-pair encoding, fast.")
    parser.add_argument("--version", action="version", version=f"fissile {fissile.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo", help="encode and decode the standard library's sources")
    inspect = commands.add_parser("inspect", help="show the tokens of a text")
    inspect.add_argument("text", metavar="TEXT|FILE", help="a file's name, or the text itself")
    inspect.add_argument("--tokenizer", required=True, help="tokenizer.json or .tiktoken file, or a model's directory")
    inspect.add_argument("--pattern", help="of a rank file that is not a published one")
    return parser


def _inspect(text: str, tokenizer_path: str, pattern: str | None) -> int:
    from fissile.tokenizer import Tokenizer

    if pattern is not None:
        tokenizer = Tokenizer.from_tiktoken(tokenizer_path, pattern)
    elif Path(tokenizer_path).is_dir():
        tokenizer = Tokenizer.from_pretrained(tokenizer_path)
    else:
        tokenizer = Tokenizer.from_file(tokenizer_path)
    data = Path(text).read_bytes() if len(text) < 4096 and Path(text).is_file() else text.encode()
    for id in tokenizer.encode(data, allowed_special="all").tolist():
        print(f"{id:>8}  {tokenizer.token_bytes(id)!r}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 if it succeeded, 1 if it failed, 2 for arguments that make no sense."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "demo":
            from fissile import demo

            return demo.run()
        return _inspect(options.text, options.tokenizer, options.pattern)
    except (OSError, ValueError) as error:
        print(f"fissile: {error}", file=sys.stderr)
        return 1
