"""The texts of the benchmarks here, by name; TEXT is the directory that holds their files, unpacked or as .xz."""

from __future__ import annotations

import lzma
from pathlib import Path

from fissile.benchmark.texts import documents

CORPORA = {
    "English": ["en_prose.txt", "en_kernel_docs.txt"],
    "English and code": ["en_prose.txt", "en_kernel_docs.txt", "code_mix.txt", "help_en-us.txt"],
    "code": ["code_mix.txt"],
    "CJK": ["help_ja.txt", "help_zh-cn.txt"],
    "languages": [f"help_{x}.txt" for x in ("cs", "de", "es", "fr", "hu", "ru", "ja", "zh-cn")],
}


def text_of(directory: Path, name: str) -> str:
    """A text, unpacked or as .xz."""
    plain = directory / name
    data = plain.read_bytes() if plain.is_file() else lzma.decompress((directory / f"{name}.xz").read_bytes())
    return data.decode()


def corpus(directory: Path, name: str) -> list[str]:
    """The documents of a corpus, text by text."""
    return [document for file in CORPORA[name] for document in documents(text_of(directory, file))]
