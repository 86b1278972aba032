"""`fissile bench`: its arguments, and the call they stand for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fissile.cli import Commands, add_tokenizer, byte_count, tokenizer_of

__all__ = ["add_bench"]


def add_bench(commands: Commands) -> None:
    """Add `fissile bench`."""
    bench = commands.add_parser("bench", help="measure encoders side by side on your text and tokenizer")
    bench.add_argument("inputs", nargs="*", metavar="FILE", help="as of fissile count; none: Python's standard library")
    add_tokenizer(bench)
    bench.add_argument("--peers", default="all", metavar="A,B", help="packages (default: all that are installed)")
    bench.add_argument(
        "--work",
        metavar="W,W",
        help="of encode, lists, decode, count, split, latency, load, sharing, lengths, threads, sizes, vocabularies, train, "
        "train-sizes, train-vocabularies, train-threads; or all (default: encode,lists,decode,count,latency,load)",
    )
    bench.add_argument("--runs", type=int, default=3, metavar="N", help="processes of each peer (default: 3)")
    bench.add_argument("--threads", type=int, metavar="N", help="the most threads (default: every CPU)")
    bench.add_argument(
        "--max-bytes", type=byte_count, default=32_000_000, metavar="BYTES", help="how much is read (default: 32 MB)"
    )
    bench.add_argument(
        "--document-chars", type=int, default=2000, metavar="N", help="of a text file's documents (default: 2000)"
    )
    bench.add_argument("--field", default="text", metavar="F", help="of .jsonl: key of the text (default: text)")
    bench.add_argument("--column", default="text", metavar="C", help="of .parquet: column of text (default: text)")
    bench.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the process alone, on a busy machine"
    )
    bench.add_argument(
        "--budget",
        type=float,
        default=15,
        metavar="S",
        help="seconds that all runs of a peer in a row take, about; slow peers get fewer runs, then less text (default: 15)",
    )
    bench.add_argument(
        "--limit", type=float, default=120, metavar="S", help="seconds until a process is ended (default: 120)"
    )
    bench.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="ids that are trained (default: as many as the tokenizer has, at most 32000)",
    )
    bench.add_argument("-o", "--output", metavar="DIR", help="where results.json, results.md and drawings go")
    bench.set_defaults(run=_bench)


def _bench(parsed: argparse.Namespace) -> None:
    from fissile import progress
    from fissile.benchmark import command

    # Names without their directories, as results are shown to others.
    words = ["fissile", "bench", *(Path(name).name for name in parsed.inputs)]
    given = {
        "--tokenizer": Path(parsed.tokenizer).name,
        "--pattern": parsed.pattern,
        "--peers": parsed.peers,
        "--work": parsed.work,
    }
    given |= {"--runs": parsed.runs, "--threads": parsed.threads, "--clock": parsed.clock, "--budget": parsed.budget}
    given |= {"--vocab-size": parsed.vocab_size, "--max-bytes": parsed.max_bytes}
    words += [str(word) for pair in given.items() if pair[1] is not None for word in pair]
    try:
        with progress.shown("processes") as shown:
            command.run(
                parsed.inputs,
                tokenizer_of(parsed),
                peers=parsed.peers,
                work=parsed.work or command.DEFAULT_WORK,
                output=parsed.output,
                threads=parsed.threads,
                runs=parsed.runs,
                max_bytes=parsed.max_bytes,
                document_chars=parsed.document_chars,
                field=parsed.field,
                column=parsed.column,
                clock=parsed.clock,
                limit=parsed.limit,
                budget=parsed.budget,
                vocab_size=parsed.vocab_size,
                command=" ".join(words),
                progress=shown,
            )
    except KeyboardInterrupt:
        if parsed.output is not None:
            print(f"interrupted: rows that were done are in {parsed.output}", file=sys.stderr)
        raise
