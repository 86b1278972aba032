"""The command line: arguments in, printed text out. What a command does lives elsewhere in the package."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fissile.stochastic import Split
    from fissile.tokenizer import Tokenizer

__all__ = ["Commands", "add_tokenizer", "byte_count", "load_tokenizer", "main", "split_argument", "tokenizer_of"]

Commands = Any  # argparse._SubParsersAction[argparse.ArgumentParser], which is no type at run time

SPLIT_HELP = "stochastok:P, dropout:P, uniform:P or characters, with P from 0 to 1"
# Of what each phase of counting and training is told in.
_UNITS = {"count": "B", "merge counts": "B", "count runs of words": "B", "prepare": " sequences", "train": " ids"}
PATTERN_HELP = "how text is split, for a rank file that is not a published one"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 1 failed with a message on stderr, 2 wrong usage (argparse), 130 interrupted, 141 nobody reads
        what is printed. SIGTERM ends the process with 143.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # tokens may hold what the terminal's encoding lacks
    parsed = _parser().parse_args(arguments)
    try:
        with _terminated_like_interrupted():
            parsed.run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError as error:
        if error.filename is None:  # standard output, as of `fissile demo | head`: no failure to speak of
            _stop_printing()
            return 141
        print(f"fissile {parsed.command}: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"fissile {parsed.command}: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises an exception, so that temporary files are removed and a checkpoint is written, as after Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_printing() -> None:
    """What is left to print goes nowhere; else Python complains of it when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a stand-in of standard output has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


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
    count.add_argument("--weights", type=_numbers, metavar="W,W", help="how much each INPUT counts (default: 1)")
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
    train.add_argument(
        "--matched-token",
        action="append",
        default=[],
        metavar="TEXT",
        help="found in text before it is split; likewise",
    )
    train.add_argument(
        "--seed-token", action="append", default=[], metavar="TEXT", help="made by merges before all others; likewise"
    )
    train.add_argument(
        "--limit-alphabet", type=int, metavar="N", help="with --alphabet seen: the N most frequent bytes alone"
    )
    train.add_argument("--reserved", type=int, default=0, metavar="N", help="ids kept free after those")
    train.add_argument(
        "--alphabet", choices=("bytes", "seen"), default="bytes", help="all 256 bytes, or those of the corpus"
    )
    train.add_argument("--min-frequency", type=int, default=0, metavar="N", help="pairs seen less often do not merge")
    train.add_argument("--max-token-length", type=int, metavar="N", help="longest token")
    train.add_argument(
        "--length-unit", choices=("bytes", "chars"), default="bytes", help="of --max-token-length (default: bytes)"
    )
    train.add_argument(
        "--hf-compatible", action="store_true", help="--max-token-length as tokenizers takes it: tokens are shorter"
    )
    train.add_argument(
        "--pad-to",
        type=_pad_to,
        metavar="N|power_of_two",
        help="fill the vocabulary up with ids that no text gets, to a multiple of N or a power of two",
    )
    train.add_argument("--sequence", choices=("line", "document"), help="what pretokens do not cross")
    train.add_argument("--field", metavar="F", help="of .jsonl: key of the text (default: text)")
    train.add_argument("--column", metavar="C", help="of .parquet: column of text (default: text)")
    train.add_argument("--memory", type=byte_count, dest="memory_bytes", metavar="BYTES", help="as of fissile count")
    train.add_argument("--weights", type=_numbers, metavar="W,W", help="as of fissile count")
    train.add_argument("--continue-from", metavar="T", help="a tokenizer whose ids and merges come first and stay")
    train.add_argument(
        "--superword-at", type=int, metavar="T", help="SuperBPE: ids made before merges may bridge spaces"
    )
    train.add_argument(
        "--superword-unit",
        choices=("document", "line", "runs"),
        help="what superwords do not cross: a document (default), a line, or runs of whole words",
    )
    train.add_argument(
        "--superword-inputs",
        nargs="+",
        metavar="INPUT",
        help="what the second stage reads, where INPUT are files of counts: text, or counts made with the pattern superbpe",
    )
    train.add_argument(
        "--superword-words", type=_number_or_any, metavar="N|any", help="most words in a superword (default: 4)"
    )
    train.add_argument("--superword-colon", action="store_true", default=None, help="one may hold ': '")
    train.add_argument(
        "--no-superword-newline-end",
        dest="superword_newline_end",
        action="store_false",
        default=None,
        help="none ends with a newline",
    )
    train.add_argument("--held-out", metavar="FILE", help="measure bytes a token on this text; read as INPUT is")
    train.add_argument(
        "--checkpoint", metavar="FILE", help="keep the merges so far here, and go on from it; removed at the end"
    )
    train.add_argument(
        "--checkpoint-seconds", type=float, default=30.0, metavar="S", help="how often it is written (default: 30)"
    )
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


def _pad_to(text: str) -> int | str:
    if text == "power_of_two" or (text.isdecimal() and int(text) > 0):
        return text if text == "power_of_two" else int(text)
    raise argparse.ArgumentTypeError(f"expected a number of ids or power_of_two, found {text!r}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 1,0.3, found {text!r}") from None


class _Any:
    """No limit; None is that nothing was said."""


def _number_or_any(text: str) -> int | type[_Any]:
    if text == "any":
        return _Any
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or any, found {text!r}") from None


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
    from fissile.training import train
    from fissile.whole_file import check_writable

    # Found out before hours of work, not after them.
    output = Path(parsed.output)
    if output.suffix not in (".json", ".tiktoken"):
        raise ValueError(f"{output}: expected a name that ends with .json or .tiktoken")
    check_writable(output)
    held_out = None if parsed.held_out is None else _text_of(parsed.held_out, parsed.field, parsed.column)
    counting = _given(parsed, "sequence", "field", "column", "memory_bytes", "weights")
    superwords = _given(parsed, *(f"superword_{name}" for name in ("unit", "inputs", "words", "colon", "newline_end")))
    if superwords and parsed.superword_at is None:
        flags = ", ".join("--" + name.replace("_", "-") for name in superwords)
        flags = flags.replace("--superword-newline-end", "--no-superword-newline-end")
        raise ValueError(f"{flags}: of no use without --superword-at")
    if "superword_inputs" in superwords:
        superwords["superword_inputs"] = _counts_or_paths(parsed.superword_inputs)
    if parsed.superword_words is _Any:
        superwords["superword_words"] = None
    with progress.shown(_UNITS) as shown:
        tokenizer = train(
            _counts_or_paths(parsed.inputs),
            parsed.vocab_size,
            parsed.pattern,
            special_tokens=parsed.special_token,
            matched_tokens=parsed.matched_token,
            seed_tokens=parsed.seed_token,
            reserved=parsed.reserved,
            alphabet=parsed.alphabet,
            limit_alphabet=parsed.limit_alphabet,
            min_frequency=parsed.min_frequency,
            max_token_length=parsed.max_token_length,
            length_unit=parsed.length_unit,
            hf_compatible=parsed.hf_compatible,
            pad_to=parsed.pad_to,
            continue_from=None if parsed.continue_from is None else load_tokenizer(parsed.continue_from),
            superword_at=parsed.superword_at,
            held_out=held_out,
            checkpoint=parsed.checkpoint,
            checkpoint_seconds=parsed.checkpoint_seconds,
            threads=parsed.threads,
            progress=shown,
            **superwords,
            **counting,
        )
    tokenizer.save(output)
    print(tokenizer.report)


def _given(parsed: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those arguments that were given."""
    return {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}


def _counts_or_paths(names: list[str]) -> Any:
    """What files of counts hold together, or the paths of others."""
    from fissile.counting import is_counts_file, load_files

    return load_files(names) if is_counts_file(names[0]) else _paths(names)


def _paths(names: list[str]) -> list[Path]:
    if "" in names:
        raise ValueError("the name of an input is empty")
    return [Path(name) for name in names]


def _text_of(name: str, field: str | None, column: str | None) -> bytes:
    """The text of a file, a directory or a pattern; documents of jsonl and parquet with a newline between them."""
    from fissile.data import readers

    options = readers.Options(field or "text", column or "text")
    texts = (
        text for source in readers.sources(name) for batch in readers.batches(source, options) for text in batch.texts
    )
    return b"\n".join(text.encode() if isinstance(text, str) else bytes(text) for text in texts)


def _count(parsed: argparse.Namespace) -> None:
    from fissile import counting, progress

    with progress.shown(_UNITS) as shown:
        n_bytes = counting.count_to_file(
            parsed.out,
            _paths(parsed.inputs),
            parsed.pattern,
            weights=parsed.weights,
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
    from fissile import counting, progress

    with progress.shown(_UNITS) as shown:
        counting.merge_files(parsed.inputs, parsed.out, shown)
    print(f"{parsed.out}: {len(parsed.inputs)} files merged")
