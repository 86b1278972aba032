"""The command line: arguments in, printed text out. What a command does lives elsewhere in the package."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    _add_train(commands)

    inspect = commands.add_parser("inspect", help="show the tokens of a text")
    inspect.add_argument("text", metavar="TEXT|FILE", help="a file's path, or else the text itself")
    _add_tokenizer(inspect)
    inspect.set_defaults(run=_inspect)
    return parser


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="train a tokenizer on files")
    train.add_argument("inputs", metavar="INPUT", nargs="+", help="a text file, a directory, or a file of counts")
    train.add_argument("--vocab-size", type=int, required=True, metavar="N", help="ids in all")
    train.add_argument(
        "--pattern", metavar="P", help="how text is split (default: that of a file of counts, else gpt4)"
    )
    train.add_argument("--special-token", action="append", default=[], metavar="TEXT", help="may be given many times")
    train.add_argument("--min-frequency", type=int, default=0, metavar="N", help="pairs seen less often do not merge")
    train.add_argument("--max-token-length", type=int, metavar="N", help="longest token in bytes")
    train.add_argument("--pad-to", metavar="N|power_of_two", help="fill the vocabulary up with ids that no text gets")
    train.add_argument("--sequence", choices=("line", "document"), help="what pretokens do not cross")
    train.add_argument("--continue-from", metavar="T", help="a tokenizer whose ids and merges come first and stay")
    train.add_argument(
        "--superword-at", type=int, metavar="T", help="SuperBPE: ids made before merges may bridge spaces"
    )
    train.add_argument("--superword-unit", choices=("document", "line", "runs"), default="document")
    train.add_argument("--held-out", metavar="FILE", help="measure bytes a token on this text")
    train.add_argument("--checkpoint", metavar="FILE", help="keep the merges so far here, and go on from it")
    train.add_argument("--threads", type=int, metavar="N", help="default: every CPU")
    train.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="tokenizer.json, or ranks as FILE.tiktoken"
    )
    train.set_defaults(run=_train)


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
    return _load(parsed.tokenizer)


def _load(name: str) -> Tokenizer:
    from fissile.tokenizer import Tokenizer

    return Tokenizer.from_file(name) if Path(name).is_file() else Tokenizer.from_pretrained(name)


def _demo(parsed: argparse.Namespace) -> None:
    from fissile import demo

    demo.run()


def _train(parsed: argparse.Namespace) -> None:
    from fissile.training import train

    # Found out before hours of work, not after them.
    output = Path(parsed.output)
    if output.suffix not in (".json", ".tiktoken"):
        raise ValueError(f"{output}: expected a name that ends with .json or .tiktoken")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent}: no such directory")
    held_out = None if parsed.held_out is None else Path(parsed.held_out).read_bytes()
    counting = {} if parsed.sequence is None else {"sequence": parsed.sequence}
    pad_to = int(parsed.pad_to) if (parsed.pad_to or "").isdigit() else parsed.pad_to
    with _Bar() as bar:
        tokenizer = train(
            parsed.inputs,
            parsed.vocab_size,
            parsed.pattern,
            special_tokens=parsed.special_token,
            min_frequency=parsed.min_frequency,
            max_token_length=parsed.max_token_length,
            pad_to=pad_to,
            continue_from=None if parsed.continue_from is None else _load(parsed.continue_from),
            superword_at=parsed.superword_at,
            superword_unit=parsed.superword_unit,
            held_out=held_out,
            checkpoint=parsed.checkpoint,
            threads=parsed.threads,
            progress=bar.show,
            **counting,
        )
    tokenizer.save(output)
    print(tokenizer.report)


class _Bar:
    """A progress bar on stderr, if that is a terminal: tqdm's, or a line of percents where it is not installed."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._phase = ""
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._phase:
            print(file=sys.stderr)

    def show(self, phase: str, done: int, total: int) -> None:
        """What fissile.train calls."""
        if not self._shown:
            return
        if phase != self._phase:
            self._close()
            self._phase = phase
            with contextlib.suppress(ImportError):
                from tqdm import tqdm

                self._bar = tqdm(total=total, desc=phase, unit_scale=True, leave=True)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        else:
            print(f"\r{phase}: {100 * done // max(total, 1)} %", end="", file=sys.stderr, flush=True)


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
