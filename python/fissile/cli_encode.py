"""`fissile encode` and `fissile decode`: their arguments, and the calls they stand for."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from fissile.cli import SPLIT_HELP, Commands, add_tokenizer, split_argument, tokenizer_of
from fissile.data.token_writers import FORMATS

__all__ = ["add_decode", "add_encode"]


def add_encode(commands: Commands) -> None:
    """Add `fissile encode`."""
    encode = commands.add_parser(
        "encode",
        help="encode files into shards of token ids",
        description="Encode files into shards of token ids. A run that was stopped goes on when the same command is given "
        "again, and ends with the same bytes.",
    )
    encode.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="files, directories or patterns: text, .jsonl, .parquet, also packed (.gz, .bz2, .xz, .zst); - for "
        "standard input",
    )
    add_tokenizer(encode)
    encode.add_argument(
        "-o", "--out", required=True, metavar="DIR", help="where the shards go: new, empty, or to go on in"
    )
    encode.add_argument("--format", choices=tuple(FORMATS), default="bin", help="of the shards (default: bin)")
    encode.add_argument(
        "--dtype", choices=("uint16", "uint32"), help="of the ids (default: the smaller that holds all)"
    )
    encode.add_argument(
        "--eod",
        metavar="TOKEN",
        help="put after each document: a special token's text, an id, or none; needed where the format is bin",
    )
    encode.add_argument("--pack", type=int, metavar="N", help="rows of N ids, documents end to end")
    encode.add_argument(
        "--shard-tokens", type=int, default=100_000_000, metavar="N", help="tokens a shard (default: 100000000)"
    )
    encode.add_argument("--field", default="text", metavar="F", help="of .jsonl: key of the text (default: text)")
    encode.add_argument("--column", default="text", metavar="C", help="of .parquet: column of text (default: text)")
    encode.add_argument(
        "--separator",
        type=_unescaped,
        metavar="S",
        help=r"ends a document in text, such as '\n' (default: the file does)",
    )
    encode.add_argument(
        "--input-kind", choices=("text", "jsonl", "parquet"), help="what the inputs are (default: by their names)"
    )
    encode.add_argument("--split", type=split_argument, metavar="HOW", help=SPLIT_HELP)
    encode.add_argument("--seed", type=int, default=0, metavar="S", help="of the split (default: 0)")
    encode.add_argument("--epoch", type=int, default=0, metavar="E", help="of the split (default: 0)")
    encode.add_argument("--epochs", type=int, default=1, metavar="N", help="so many, each in a directory of its own")
    encode.add_argument(
        "--special-tokens",
        choices=("default", "take", "text", "refuse"),
        default="default",
        help="their text in a document: taken as the token, encoded as any text, or an error (default: as the "
        "tokenizer's own library does)",
    )
    encode.add_argument(
        "--add-special-tokens", action="store_true", help="put the tokenizer's template around documents"
    )
    encode.add_argument("--metadata", action="store_true", help="keep other fields and columns beside the shards")
    encode.add_argument("--skip-bad", action="store_true", help="leave out what is broken, and record it")
    encode.add_argument("--threads", type=int, metavar="N", help="default: every CPU")
    encode.set_defaults(run=_encode)


def add_decode(commands: Commands) -> None:
    """Add `fissile decode`."""
    decode = commands.add_parser("decode", help="turn shards of token ids back into text")
    decode.add_argument("directory", metavar="DIR", help="what fissile encode wrote, other .bin files, or one shard")
    decode.add_argument("-o", "--out", required=True, metavar="FILE", help="a .jsonl file")
    decode.add_argument("--tokenizer", metavar="T", help="default: the one that fissile encode left in DIR")
    decode.add_argument("--pattern", metavar="P", help="as of fissile encode")
    decode.add_argument("--dtype", choices=("uint16", "uint32"), help="of a .bin that has no .json beside it")
    decode.add_argument("--eod", type=int, metavar="ID", help="that ends documents in such a .bin")
    decode.add_argument(
        "--errors", choices=("strict", "replace"), default="strict", help="for bytes that are not UTF-8"
    )
    decode.set_defaults(run=_decode)


def _encode(parsed: argparse.Namespace) -> None:
    from fissile import progress
    from fissile.data.encoding import encode_corpus

    eod: Any = parsed.eod
    if eod is None and parsed.format == "bin":
        raise ValueError("--format bin needs --eod TOKEN, for documents to be told apart; or --eod none")
    if eod is not None:
        eod = None if eod == "none" else int(eod) if eod.isdecimal() else eod
    options = "format dtype pack shard_tokens field column separator input_kind split seed epoch epochs special_tokens"
    options += " add_special_tokens metadata skip_bad threads"
    with progress.shown("B") as shown:
        made = encode_corpus(
            parsed.out,
            ["/dev/stdin" if name == "-" else name for name in parsed.inputs],
            tokenizer_of(parsed),
            eod=eod,
            progress=shown,
            **{name: getattr(parsed, name) for name in options.split()},
        )
    for message in made.skipped[:10]:
        print(f"skipped: {message}", file=sys.stderr)
    if made.skipped:
        print(f"skipped {len(made.skipped):,} in all; {parsed.out}/encoding.json has the list", file=sys.stderr)
    dropped = f", {made.dropped_tokens:,} more filled no block" if made.dropped_tokens else ""
    print(
        f"{parsed.out}: {made.n_documents:,} documents, {made.n_tokens:,} tokens in {len(made.shards):,} shards{dropped}"
    )


def _decode(parsed: argparse.Namespace) -> None:
    from fissile import progress
    from fissile.data.decoding import decode_corpus

    tokenizer = None if parsed.tokenizer is None else tokenizer_of(parsed)
    with progress.shown("B") as shown:
        n_documents = decode_corpus(
            parsed.directory,
            parsed.out,
            tokenizer,
            eod=parsed.eod,
            dtype=parsed.dtype,
            errors=parsed.errors,
            progress=shown,
        )
    print(f"{parsed.out}: {n_documents:,} documents")


def _unescaped(text: str) -> bytes:
    r"""Backslash escapes, since a shell makes newlines hard to write."""
    return text.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")
