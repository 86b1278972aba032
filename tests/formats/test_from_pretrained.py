"""A model's tokenizer, found in its directory or, by its name, on the hub, for which something else stands here."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import fissile
from fissile.errors import TokenizerFileError

TOKENIZER = fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)} | {b"ab": 256}, "llama3", {"<s>": 258})


class NotThereError(Exception):
    pass


class NotReachedError(NotThereError, FileNotFoundError):
    pass


class Hub(ModuleType):
    """Of huggingface_hub what from_pretrained asks for, over a directory of files."""

    _CACHED_NO_EXIST = object()

    def __init__(self, files: Path, *, online: bool = True, known_missing: tuple[str, ...] = ()) -> None:
        super().__init__("huggingface_hub")
        self.errors = ModuleType("huggingface_hub.errors")
        self.errors.EntryNotFoundError = NotThereError  # type: ignore[attr-defined]
        self.files, self.online, self.known_missing = files, online, known_missing
        self.asked: list[str] = []

    def hf_hub_download(self, repo_id: str, filename: str) -> str:
        assert repo_id == "org/name"
        self.asked.append(filename)
        if (self.files / filename).exists():
            return str(self.files / filename)
        raise NotThereError(filename) if self.online else NotReachedError(filename)

    def try_to_load_from_cache(self, repo_id: str, filename: str) -> object:
        return self._CACHED_NO_EXIST if filename in self.known_missing else None

    def list_repo_files(self, repo_id: str) -> list[str]:
        return [path.name for path in self.files.iterdir()]


def install(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> Hub:
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", hub.errors)
    return hub


def test_a_directory_with_what_encode_leaves(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.fissile")
    assert fissile.Tokenizer.from_pretrained(tmp_path) == TOKENIZER
    (tmp_path / "tokenizer.model").write_bytes(b"broken")  # comes first
    with pytest.raises(TokenizerFileError, match=r"tokenizer\.model: expected a tokenizer"):
        fissile.Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ("tokenizer.json", ["tokenizer.json"]),
        ("tokenizer.model", ["tokenizer.json", "tokenizer.model"]),
        ("tekken.json", ["tokenizer.json", "tokenizer.model", "tekken.json"]),
        ("some.tiktoken", ["tokenizer.json", "tokenizer.model", "tekken.json", "some.tiktoken"]),
    ],
)
def test_files_on_the_hub(there: str, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = install(monkeypatch, Hub(tmp_path))
    (tmp_path / "README.md").write_text("a model")
    TOKENIZER.save(tmp_path / there, format="fissile")  # told by its content, whatever its name
    assert fissile.Tokenizer.from_pretrained("org/name") == TOKENIZER
    assert hub.asked == asked


def test_no_tokenizer_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Hub(tmp_path))
    with pytest.raises(TokenizerFileError, match=r"org/name on the Hugging Face hub: expected .* found none"):
        fissile.Tokenizer.from_pretrained("org/name")


def test_a_hub_that_is_not_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model in the cache another file is taken only if the one before it is known to be missing."""
    TOKENIZER.save(tmp_path / "tokenizer.model", format="fissile")
    install(monkeypatch, Hub(tmp_path, online=False))
    with pytest.raises(NotReachedError, match=r"tokenizer\.json"):
        fissile.Tokenizer.from_pretrained("org/name")
    install(monkeypatch, Hub(tmp_path, online=False, known_missing=("tokenizer.json",)))
    assert fissile.Tokenizer.from_pretrained("org/name") == TOKENIZER


def test_without_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(TokenizerFileError, match=r"pip install 'fissile\[hub\]'"):
        fissile.Tokenizer.from_pretrained("org/name")
