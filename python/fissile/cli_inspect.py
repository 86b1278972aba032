"""`fissile inspect`: its arguments, and where its output goes."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from fissile.cli import PATTERN_HELP, SPLIT_HELP, Commands, byte_count, load_tokenizer, split_argument

__all__ = ["add_inspect"]


def add_inspect(commands: Commands) -> None:
    """Add `fissile inspect`."""
    inspect = commands.add_parser("inspect", help="show the tokens of a text")
    inspect.add_argument("text", metavar="TEXT|FILE", help="a file's path, or else the text itself")
    inspect.add_argument(
        "--tokenizer",
        required=True,
        action="append",
        metavar="T",
        help="file, model directory, or org/name on the hub; again for more, side by side",
    )
    inspect.add_argument(
        "--pattern", action=_PatternOfTokenizer, metavar="P", help=f"{PATTERN_HELP}: the one named in front"
    )
    inspect.add_argument(
        "--split", type=split_argument, metavar="HOW", help=f"show tokens drawn at random too: {SPLIT_HELP}"
    )
    inspect.add_argument("--seed", type=int, metavar="S", help="of the split (default: any; it is shown)")
    inspect.add_argument("--epoch", type=int, default=0, metavar="E", help="of the split (default: 0)")
    inspect.add_argument("--html", metavar="FILE", help="write a page for the browser")
    inspect.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="text in colours, or a table (default: colours in a terminal, unless NO_COLOR is set)",
    )
    inspect.add_argument(
        "--limit",
        type=byte_count,
        metavar="BYTES",
        help="show the tokens of so much text (default: 10000, a table all)",
    )
    inspect.set_defaults(run=_inspect)


class _PatternOfTokenizer(argparse.Action):
    """Keeps --pattern by the place of the --tokenizer in front of it; with none in front, of the first."""

    def __call__(self, parser: object, namespace: argparse.Namespace, value: Any, option: str | None = None) -> None:
        place = max(len(namespace.tokenizer or ()) - 1, 0)
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), place: value})


def _inspect(parsed: argparse.Namespace) -> None:
    from fissile.inspection_text import table
    from fissile.whole_file import write_whole

    patterns = parsed.pattern or {}
    tokenizers = [load_tokenizer(name, patterns.get(place)) for place, name in enumerate(parsed.tokenizer)]
    colored = parsed.color == "always" or (parsed.color == "auto" and _stdout_has_colors())
    options: dict[str, Any] = {"split": parsed.split, "seed": parsed.seed, "epoch": parsed.epoch}
    if parsed.limit is not None:
        options["limit"] = parsed.limit
    elif parsed.html is None and not colored:
        options["limit"] = None
    inspection = tokenizers[0].inspect(_file_or_text(parsed.text), *tokenizers[1:], **options)
    if parsed.html is not None:
        write_whole(parsed.html, lambda partial: Path(partial).write_text(inspection.html(), encoding="utf-8"))
        print(f"{parsed.html}: {', '.join(f'{len(view.ids)} tokens' for view in inspection.views)}")
    elif colored:
        print(inspection.colored(shutil.get_terminal_size().columns))
    else:
        for line in table(inspection):
            print(line)


def _stdout_has_colors() -> bool:
    """Whether standard output is a terminal that shows colours, and its user has not asked for none (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return False
    return os.name != "nt" or "WT_SESSION" in os.environ or "TERM" in os.environ  # consoles of old print the codes


def _file_or_text(argument: str) -> bytes:
    try:
        is_file = Path(argument).is_file()
    except (OSError, ValueError):  # too long for a path, or holding a NUL
        is_file = False
    # Bytes that the shell passed and that are not UTF-8 come as lone surrogates: give them back as they were.
    return Path(argument).read_bytes() if is_file else argument.encode("utf-8", errors="surrogateescape")
