"""The examples of README.md and docs/ do what they say: every Python block runs, and every command of fissile.

A block of language "text" is what the Python block before it prints, to the letter.
"""

import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import fissile
from fissile.cli import main
from fissile.demo import standard_library
from reference.texts import library_text, shared

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: Documents whose examples run here, and what they need beyond numpy.
NEEDS = {
    "README.md": ["pyarrow", "zstandard"],
    "docs/encoding.md": ["pyarrow", "zstandard"],
    "docs/inspect.md": [],
    "docs/stochastic.md": [],
    "docs/training.md": ["matplotlib", "regex", "zstandard"],
}
#: In what is not run here: commands that are sketched only, and what the tests in data/, distributed/ and benchmark/ run.
NOT_HERE = re.compile(r"TEXT\|FILE|fissile\.data\.torch|import distributed|^bench ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    Path("LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
    text = library_text(30_000)
    lines = [line for line in text.split("\n") if line]
    for name in ("corpus", "books", "src", "other"):
        Path(name).mkdir()
    for name in ("corpus.txt", "books/one.txt", "prose.txt", "notes.txt", "a.txt", "b.txt"):
        Path(name).write_text(text)
    jsonl = "".join(json.dumps({"text": line}) + "\n" for line in lines).encode()
    Path("src/a.py").write_bytes(b"\n".join(standard_library()[:100]))
    Path("corpus/a.jsonl.gz").write_bytes(gzip.compress(jsonl))
    for name in ("a", "b"):
        fissile.count("corpus.txt", "gpt4").save(f"{name}.counts")
    tokenizer = fissile.train("corpus.txt", 600, special_tokens=["<|endoftext|>"])
    for name in ("tokenizer.json", "a.json", "b.json", "other/tokenizer.json"):
        tokenizer.save(name)
    tokenizer.save("b.model", "json")  # told by its content
    for name in ("my.tiktoken", "mine.tiktoken"):
        fissile.train("corpus.txt", 600).save(name)
    return tmp_path


def compress(folder: Path) -> None:
    """Files for the examples that read .zst and .parquet, as far as the packages are there."""
    try:
        import zstandard
    except ImportError:
        return
    jsonl = gzip.decompress((folder / "corpus/a.jsonl.gz").read_bytes())
    for name in ("corpus/b", "shard-00", "shard-10"):
        (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(jsonl))
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return
    lines = (folder / "corpus.txt").read_text().split("\n")
    parquet.write_table(pyarrow.table({"text": lines}), folder / "corpus/part-0.parquet")


@pytest.mark.parametrize("document", NEEDS)
def test_examples_run(document: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module in NEEDS[document]:
        pytest.importorskip(module, reason=f"{module} is not installed")
    if "matplotlib" in NEEDS[document]:
        pytest.importorskip("matplotlib").use("Agg")
    compress(folder)
    texts = (folder / "corpus.txt").read_text().splitlines()[:600]
    tok = fissile.Tokenizer.from_file("tokenizer.json")
    names: dict[str, Any] = {"tok": tok, "texts": texts, "train_step": lambda batch: None}
    n_run = 0
    for language, block in BLOCK.findall((ROOT / document).read_text("utf-8")):
        if language == "text":
            assert capsys.readouterr().out == block
        if language == "python" and not NOT_HERE.search(block):
            capsys.readouterr()
            exec(compile(block, document, "exec"), names)
            n_run += 1
        for command in re.findall(r"^(?:\w+\$ )?fissile (.*)", "" if language else block, re.MULTILINE):
            if NOT_HERE.search(command):
                continue
            status = main(shlex.split(command, comments=True))
            assert (status, capsys.readouterr().err) == (0, ""), command
            n_run += 1
    assert n_run


def test_the_sentence_of_the_samplers_is_what_they_make_of_it(tmp_path: Path) -> None:
    data = shared("vocab", "cl100k_base.tiktoken")
    if data is None:
        pytest.skip("shared/vocab is not here")
    (tmp_path / "cl100k_base.tiktoken").write_bytes(data)
    tok = fissile.Tokenizer.from_file(tmp_path / "cl100k_base.tiktoken")
    document = (ROOT / "docs/stochastic.md").read_text("utf-8")
    rows = re.findall(r"^\| `(None|\w+\([\d.]+\)|\"characters\")` \| `(.*)` \|$", document, re.MULTILINE)
    assert len(rows) == 5
    sentence = rows[0][1].replace(r"\|", "")
    assert sentence in " ".join((ROOT / "LICENSE").read_text().split())
    for split, shown in rows:
        ids = tok.encode(sentence, split=eval(split, vars(fissile)), seed=3).tolist()
        found = r"\|".join(tok.decode([id]) for id in ids)
        assert found.startswith(shown[:-3]) if shown.endswith("...") else found == shown, split
