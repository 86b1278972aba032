"""The command line: arguments in, printed text out. What a command does lives elsewhere in the package."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fissile.stochastic import Split
    from fissile.tokenizer import Tokenizer

__all__ = ["Commands", "add_tokenizer", "byte_count", "load_tokenizer", "main", "split_argument", "tokenizer_of"]

Commands = Any  # argparse._SubParsersAction[argparse.ArgumentParser], which is no type at run time

SPLIT_HELP = "stochastok:P, dropout:P, uniform:P or characters, with P from 0 to 1"
PATTERN_HELP = "how text is split, for a rank file that is not a published one"


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
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"fissile {parsed.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    from fissile import __version__, cli_bench, cli_encode, cli_inspect

    parser = argparse.ArgumentParser(prog="fissile", description="Byte-pair encoding, exact and fast.")
    parser.add_argument("--version", action="version", version=f"fissile {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="encode this Python's standard library and show the result")
    demo.set_defaults(run=_demo)

    count = commands.add_parser("count", help="count the pretokens of a corpus, for training")
    count.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="files, directories or patterns: text, .jsonl, .parquet"
    )
    count.add_argument("--pattern", default="gpt4", metavar="P", help="how text is split (default: gpt4)")
    count.add_argument(
        "--sequence", choices=("line", "document"), default="line", help="what is split by itself (default: line)"
    )
    count.add_argument("--field", default="text", metavar="F", help="of .jsonl: key of the text (default: text)")
    count.add_argument("--column", default="text", metavar="C", help="of .parquet: column of text (default: text)")
    count.add_argument(
        "--special", action="append", default=[], metavar="TEXT", help="cut out and not counted; again for more"
    )
    count.add_argument("--threads", type=int, metavar="N", help="default: every CPU")
    count.add_argument("--memory", type=byte_count, metavar="BYTES", help="budget of the tables, such as 500M or 4G")
    _add_counts_out(count)
    count.set_defaults(run=_count)

    merge_counts = commands.add_parser("merge-counts", help="add counts of parts of a corpus")
    merge_counts.add_argument("inputs", nargs="+", metavar="COUNTS", help="files that fissile count wrote")
    _add_counts_out(merge_counts)
    merge_counts.set_defaults(run=_merge_counts)

    _add_train(commands)
    cli_encode.add_encode(commands)
    cli_encode.add_decode(commands)
    cli_inspect.add_inspect(commands)
    cli_bench.add_bench(commands)
    return parser


def _add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train a tokenizer on files")
    train.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="what fissile count reads, or the files that it wrote"
    )
    train.add_argument("--vocab-size", type=int, required=True, metavar="N", help="ids in all")
    train.add_argument(
        "--pattern", metavar="P", help="how text is split (default: that of a file of counts, else gpt4)"
    )
    train.add_argument("--special-token", action="append", default=[], metavar="TEXT", help="may be given many times")
    train.add_argument("--min-frequency", type=int, default=0, metavar="N", help="pairs seen less often do not merge")
    train.add_argument("--max-token-length", type=int, metavar="N", help="longest token in bytes")
    train.add_argument("--pad-to", metavar="N|power_of_two", help="fill the vocabulary up with ids that no text gets")
    train.add_argument("--sequence", choices=("line", "document"), help="what pretokens do not cross")
    train.add_argument("--field", metavar="F", help="of .jsonl: key of the text (default: text)")
    train.add_argument("--column", metavar="C", help="of .parquet: column of text (default: text)")
    train.add_argument("--memory", type=byte_count, dest="memory_bytes", metavar="BYTES", help="as of fissile count")
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


def _add_counts_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="where the counts go")


def byte_count(text: str) -> int:
    """A number of bytes, with K, M, G or T for powers of 1024."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    shift = units.get(text[-1:].upper(), 0)
    try:
        n_bytes = int(float(text[:-1] if shift else text) * 2**shift)
    except (ValueError, OverflowError):
        n_bytes = 0
    if n_bytes < 1:
        raise argparse.ArgumentTypeError(f"expected a number of bytes such as 500M or 4G, found {text!r}")
    return n_bytes


def split_argument(text: str) -> Split:
    """What --split says."""
    from fissile.stochastic import parse_split

    try:
        return parse_split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that tokenizer_of reads."""
    parser.add_argument("--tokenizer", required=True, metavar="T", help="file, model directory, or org/name on the hub")
    parser.add_argument("--pattern", metavar="P", help=PATTERN_HELP)


def tokenizer_of(parsed: argparse.Namespace) -> Tokenizer:
    """The tokenizer that --tokenizer and --pattern name."""
    return load_tokenizer(parsed.tokenizer, parsed.pattern)


def load_tokenizer(name: str, pattern: str | None = None) -> Tokenizer:
    """A tokenizer from a file, a model's directory or the hub; with a pattern, from a rank file."""
    from fissile.tokenizer import Tokenizer

    if pattern is not None:
        return Tokenizer.from_tiktoken(name, pattern=pattern)
    return Tokenizer.from_file(name) if Path(name).is_file() else Tokenizer.from_pretrained(name)


def _demo(parsed: argparse.Namespace) -> None:
    from fissile import demo

    demo.run()


def _train(parsed: argparse.Namespace) -> None:
    from fissile import progress
    from fissile.counting import PretokenCounts, is_counts_file
    from fissile.training import train

    # Found out before hours of work, not after them.
    output = Path(parsed.output)
    if output.suffix not in (".json", ".tiktoken"):
        raise ValueError(f"{output}: expected a name that ends with .json or .tiktoken")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent}: no such directory")
    held_out = None if parsed.held_out is None else Path(parsed.held_out).read_bytes()
    names = ("sequence", "field", "column", "memory_bytes")
    counting = {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}
    pad_to = int(parsed.pad_to) if (parsed.pad_to or "").isdigit() else parsed.pad_to
    inputs: Any = parsed.inputs
    if is_counts_file(inputs[0]):
        counts = [PretokenCounts.load(path) for path in inputs]
        inputs = sum(counts[1:], counts[0])
    with progress.shown("") as shown:
        tokenizer = train(
            inputs,
            parsed.vocab_size,
            parsed.pattern,
            special_tokens=parsed.special_token,
            min_frequency=parsed.min_frequency,
            max_token_length=parsed.max_token_length,
            pad_to=pad_to,
            continue_from=None if parsed.continue_from is None else load_tokenizer(parsed.continue_from),
            superword_at=parsed.superword_at,
            superword_unit=parsed.superword_unit,
            held_out=held_out,
            checkpoint=parsed.checkpoint,
            threads=parsed.threads,
            progress=shown,
            **counting,
        )
    tokenizer.save(output)
    print(tokenizer.report)


def _count(parsed: argparse.Namespace) -> None:
    from fissile import counting, progress

    with progress.shown("B") as shown:
        n_bytes = counting.count_to_file(
            parsed.out,
            parsed.inputs,
            parsed.pattern,
            sequence=parsed.sequence,
            field=parsed.field,
            column=parsed.column,
            threads=parsed.threads,
            memory_bytes=parsed.memory,
            special_tokens=parsed.special,
            progress=shown,
            allow_empty=False,
        )
    print(f"{parsed.out}: {n_bytes:,} bytes of text counted")


def _merge_counts(parsed: argparse.Namespace) -> None:
    from fissile import counting

    counting.merge_files(parsed.inputs, parsed.out)
    print(f"{parsed.out}: {len(parsed.inputs)} files merged")
