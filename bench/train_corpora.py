"""Texts of 100 MB each to train on, from what a machine with a few compilers and desktops' packages has.

    python bench/train_corpora.py --shared DIR -o DIR [--mb 100] [--mixture-mb 1000]

English is the shared English texts and the text of documentation (HTML without its tags, and .txt, .rst and .md); code is
Python and C sources; languages are the shared translations and the translated messages in .mo files. No document is
taken twice, and none is repeated to fill up: a corpus may come out smaller than asked for. Documents are in an order
drawn by their checksums, so no kind of text stands together. What was found on another machine differs, so the tables
give each corpus's size and checksum.

The mixture is the three of them, in parts of some 20 kB in random order, round after round until there is enough. The first
round is that text as it is. A machine has no gigabyte of different text, so the later ones are not new text, and not the
same either: the lines of a part are in another order, and in one line of ten every word of six letters or more ends in
the second half of the word before it, and numbers get other digits. So pretokens go on coming up that were not there
before, about as many as in real text; the frequent ones are the same in each round. It is what a gigabyte costs, and
no corpus to train anything on.
"""

from __future__ import annotations

import argparse
import gettext
import hashlib
import html
import lzma
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ENGLISH = ("en_prose.txt", "en_kernel_docs.txt", "help_en-us.txt")
TRANSLATED = tuple(f"help_{name}.txt" for name in ("cs", "de", "es", "fr", "hu", "ja", "ru", "zh-cn"))
DOCS = [Path("/usr/share/doc"), *Path.home().glob(".rustup/toolchains/*/share/doc")]
SOURCES = [Path(sysconfig.get_path("stdlib")), Path("/usr/include"), Path("/usr/lib"), Path("/usr/share/perl")]
MESSAGES = [Path("/usr/share/locale"), Path("/usr/share/vim")]
_NO_TEXT = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.S)
_BLANK = re.compile(r"\n\s*\n\s*")


def shared_text(folder: Path, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        plain = folder / name
        data = plain.read_bytes() if plain.is_file() else lzma.decompress((folder / f"{name}.xz").read_bytes())
        text = data.decode()
        # Portions, as documents are shuffled.
        starts = range(0, len(text), 20_000)
        yield from (text[i : i + 20_000] for i in starts)


def files(folders: list[Path], suffixes: set[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in suffixes and path.is_file() and not path.is_symlink():
                yield path


def text_of(path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return ""
    return _BLANK.sub("\n\n", html.unescape(_NO_TEXT.sub("", text))) if path.suffix == ".html" else text


def messages(path: Path) -> str:
    try:
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog
    except (OSError, UnicodeDecodeError, ValueError, IndexError):
        return ""
    return "".join(f"{text}\n" for source, text in catalog.items() if source and isinstance(text, str))


def write(path: Path, documents: Iterator[str], n_bytes: int) -> None:
    seen: dict[bytes, bytes] = {}
    gathered = 0
    for document in documents:
        data = document.encode("utf-8", "replace")
        digest = hashlib.sha256(data).digest()
        if len(data) > 200 and digest not in seen:
            seen[digest] = data if data.endswith(b"\n") else data + b"\n"
            gathered += len(data)
        if gathered > 1.2 * n_bytes + 2e8:
            break
    whole = b"".join(seen[digest] for digest in sorted(seen))[:n_bytes]
    whole = whole[: whole.rfind(b"\n") + 1]
    path.write_bytes(whole)
    print(f"{path.name}: {len(whole) / 1e6:.1f} MB, sha256 {hashlib.sha256(whole).hexdigest()[:16]}")


_PART_BYTES = 20_000
_ALTERED = 10  # one line of so many
_LONG_WORD = re.compile(r"[^\W\d_]{6,}")
_DIGIT = re.compile(r"\d")


def parts_of(data: bytes) -> list[bytes]:
    """A text in parts of whole lines."""
    parts, begin = [], 0
    while begin < len(data):
        end = data.find(b"\n", begin + _PART_BYTES) + 1 or len(data)
        parts.append(data[begin:end])
        begin = end
    return parts


def altered(line: str, rng: random.Random) -> str:
    """A line whose long words end as those before them did, with other digits."""
    half = ""

    def crossed(word: re.Match[str]) -> str:
        nonlocal half
        text, middle = word[0], len(word[0]) // 2
        made = text[:middle] + (half or text[middle:])
        half = text[middle:]
        return made

    return _DIGIT.sub(lambda _: rng.choice("0123456789"), _LONG_WORD.sub(crossed, line))


def another_round(part: bytes, rng: random.Random) -> bytes:
    """A part once more: its lines in another order, some of them altered."""
    lines = part.decode(errors="replace").splitlines(keepends=True)
    rng.shuffle(lines)
    return "".join(altered(line, rng) if rng.randrange(_ALTERED) == 0 else line for line in lines).encode()


def write_mixture(path: Path, corpora: list[Path], n_bytes: int) -> None:
    """Parts of all corpora in random order, again and again, and never the same."""
    parts = [part for corpus in corpora for part in parts_of(corpus.read_bytes())]
    if not parts:
        raise SystemExit(f"{path.name}: there is no text to mix")
    rng = random.Random(1)
    digest, written, n_rounds = hashlib.sha256(), 0, 0
    with path.open("wb") as file:
        while written < n_bytes:
            rng.shuffle(parts)
            for part in parts:
                made = part if n_rounds == 0 else another_round(part, rng)
                file.write(made)
                digest.update(made)
                written += len(made)
                if written >= n_bytes:
                    break
            n_rounds += 1
    print(f"{path.name}: {written / 1e6:.1f} MB in {n_rounds} rounds, sha256 {digest.hexdigest()[:16]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder of the shared texts")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--mixture-mb", type=float, default=0, help="size of the mixture; 0: none is made")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    n_bytes = int(options.mb * 1e6)

    def english() -> Iterator[str]:
        yield from shared_text(options.shared, ENGLISH)
        yield from map(text_of, files(DOCS, {".html", ".txt", ".rst", ".md"}))

    def code() -> Iterator[str]:
        yield from map(text_of, files(SOURCES, {".py", ".h", ".hpp", ".c", ".pm"}))

    def languages() -> Iterator[str]:
        yield from shared_text(options.shared, TRANSLATED)
        yield from map(messages, files(MESSAGES, {".mo"}))

    write(options.output / "english.txt", english(), n_bytes)
    write(options.output / "code.txt", code(), n_bytes)
    write(options.output / "languages.txt", languages(), n_bytes)
    if options.mixture_mb:
        corpora = [options.output / f"{name}.txt" for name in ("english", "code", "languages")]
        write_mixture(options.output / "mixture.txt", corpora, int(options.mixture_mb * 1e6))


if __name__ == "__main__":
    main()
