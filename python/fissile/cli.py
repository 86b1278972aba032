"""The command line: arguments in, printed text out. What a command does lives elsewhere in the package."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fissile.tokenizer import Tokenizer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 1 failed with a message on stderr, 2 wrong usage (argparse), 130 interrupted.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # tokens may hold what the terminal's encoding lacks
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except KeyboardInterrupt:
        return 130
    except (OSError, ValueError, RuntimeError) as error:
        print(f"fissile {parsed.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    from fissile import __version__

    parser = argparse.ArgumentParser(prog="fissile", description="Byte-pair encoding, exact and fast.")
    parser.add_argument("--version", action="version", version=f"fissile {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="encode this Python's standard library and show the result")
    demo.set_defaults(run=_demo)

    inspect = commands.add_parser("inspect", help="show the tokens of a text")
    inspect.add_argument("text", metavar="TEXT|FILE", help="a file's path, or else the text itself")
    _add_tokenizer(inspect)
    inspect.set_defaults(run=_inspect)
    return parser


def _add_tokenizer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tokenizer",
        required=True,
        metavar="T",
        help="a tokenizer's file, a model's directory, or org/name on the hub",
    )
    parser.add_argument("--pattern", metavar="P", help="how text is split, for a rank file that is not a published one")


def _tokenizer(parsed: argparse.Namespace) -> Tokenizer:
    from fissile.tokenizer import Tokenizer

    if parsed.pattern is not None:
        return Tokenizer.from_tiktoken(parsed.tokenizer, pattern=parsed.pattern)
    if Path(parsed.tokenizer).is_file():
        return Tokenizer.from_file(parsed.tokenizer)
    return Tokenizer.from_pretrained(parsed.tokenizer)


def _demo(parsed: argparse.Namespace) -> None:
    from fissile import demo

    demo.run()


def _inspect(parsed: argparse.Namespace) -> None:
    from fissile.printable import printable

    tokenizer = _tokenizer(parsed)
    text = _file_or_text(parsed.text)
    ids = tokenizer.encode(text, allowed_special="all").tolist()
    ranges = tokenizer.offsets(text, unit="byte", allowed_special="all").tolist()
    tokens = [printable(tokenizer.token_bytes(id)) for id in ids]
    print("|".join(tokens))
    print(f"{'id':>8} {'begin':>8} {'end':>8}  token")
    for id, (begin, end), token in zip(ids, ranges, tokens, strict=True):
        print(f"{id:>8} {begin:>8} {end:>8}  {token}")
    per_token = f", {len(text) / len(ids):.2f} bytes a token" if ids else ""
    print(f"{len(ids)} tokens, {len(text)} bytes{per_token}")


def _file_or_text(argument: str) -> bytes:
    try:
        is_file = Path(argument).is_file()
    except (OSError, ValueError):  # too long for a path, or holding a NUL
        is_file = False
    # Bytes that the shell passed and that are not UTF-8 come as lone surrogates: give them back as they were.
    return Path(argument).read_bytes() if is_file else argument.encode("utf-8", errors="surrogateescape")
