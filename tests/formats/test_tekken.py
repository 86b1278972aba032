"""tekken.json, beside tiktoken with the ranks behind the special tokens, as mistral-common reads it."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

import fissile
from fissile.errors import TokenizerFileError
from fissile.formats.patterns import PATTERNS
from reference.texts import WORLD, library_text, small_ranks

N_SPECIAL = 30
NAMED = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]


def tree() -> dict[str, Any]:
    ranks = sorted(small_ranks().items(), key=lambda item: item[1])
    return {
        "config": {
            "pattern": PATTERNS["tekken"],
            "num_vocab_tokens": len(ranks),
            "default_vocab_size": len(ranks) - 10 + N_SPECIAL,
            "default_num_special_tokens": N_SPECIAL,
            "version": "v11",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": token.decode("latin-1")}
            for token, rank in ranks
        ],
        "special_tokens": [{"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(NAMED)],
    }


def loaded(root: object, folder: Path) -> fissile.Tokenizer:
    path = folder / "tekken.json"
    path.write_text(json.dumps(root))
    return fissile.Tokenizer.from_file(path)


def test_ids_are_ranks_behind_the_special_tokens(tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    root = tree()
    tokenizer = loaded(root, tmp_path)
    used = {token: rank for token, rank in small_ranks().items() if rank < len(root["vocab"]) - 10}
    theirs = tiktoken.Encoding("tekken", pat_str=PATTERNS["tekken"], mergeable_ranks=used, special_tokens={})
    for text in (WORLD, library_text(100_000), "x1y23 [INST]hello's[/INST]"):
        wanted = [id + N_SPECIAL for id in theirs.encode_ordinary(text)]
        assert tokenizer.encode(text, disallowed_special=()).tolist() == wanted
    assert tokenizer._spec.pattern == "tekken"
    assert tokenizer.n_vocab == root["config"]["default_vocab_size"]
    assert fissile.Tokenizer.from_pretrained(tmp_path) == tokenizer


def test_special_tokens_are_named_and_found_where_asked_for(tmp_path: Path) -> None:
    tokenizer = loaded(tree(), tmp_path)
    assert tokenizer.special_tokens["[INST]"] == 3
    assert tokenizer.special_tokens["<SPECIAL_29>"] == 29
    assert tokenizer.encode("<s>[INST]", allowed_special="all").tolist() == [1, 3]
    assert tokenizer.decode([1, 3, 29]) == "<s>[INST]<SPECIAL_29>"
    with pytest.raises(ValueError, match="INST"):
        tokenizer.encode("[INST]")


def test_files_of_old_versions_name_no_special_tokens(tmp_path: Path) -> None:
    root = tree()
    del root["special_tokens"]
    with pytest.raises(
        TokenizerFileError, match="special_tokens: is missing, which only versions up to 7 may leave out"
    ):
        loaded(root, tmp_path)
    root["config"]["version"] = "v3"
    special = loaded(root, tmp_path).special_tokens
    assert (special["[IMG]"], special["[TOOL_CONTENT]"], special["<SPECIAL_20>"]) == (10, 19, 20)


@pytest.mark.parametrize("name", ["saved.json", "saved.fissile"])
def test_saved_files_give_the_same_ids(name: str, tmp_path: Path) -> None:
    tokenizer = loaded(tree(), tmp_path)
    tokenizer.save(tmp_path / name)
    again = fissile.Tokenizer.from_file(tmp_path / name)
    text = library_text(50_000) + WORLD
    assert again.encode(text).tolist() == tokenizer.encode(text).tolist()


def at(root: Any, path: str) -> tuple[Any, Any]:
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        root = root[key]
    return root, last


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("config.pattern", 3, "config.pattern: expected str, found int"),
        ("config.pattern", "(", "config.pattern: .* a group without an end"),
        ("config.default_vocab_size", 10**9, "vocab: expected 999999970 tokens beside 30 special ones"),
        ("config.default_num_special_tokens", 2, "expected from the 5 special tokens there are"),
        ("config.default_num_special_tokens", True, "expected int, found bool"),
        ("vocab.300.token_bytes", "?", r"vocab\[300\].token_bytes: is not base64"),
        ("vocab.300.token_bytes", "", r"vocab\[300\].token_bytes: is empty"),
        ("vocab.300.token_bytes", "AA==", r"vocab\[300\]: the token b'\\x00' is there already, at 0"),
        ("vocab.300.rank", 301, r"vocab\[300\].rank: expected 300, found 301"),
        ("vocab.300", None, r"vocab\[300\]: expected an object, found NoneType"),
        ("special_tokens.1.rank", 7, r"special_tokens\[1\].rank: expected 1, found 7"),
        ("special_tokens.1.token_str", "<unk>", r"special_tokens\[1\].token_str: '<unk>' is there already"),
        ("special_tokens.1", [], r"special_tokens\[1\]: expected an object, found list"),
    ],
)
def test_errors_name_the_place(path: str, value: object, message: str, tmp_path: Path) -> None:
    root = copy.deepcopy(tree())
    parent, key = at(root, path)
    parent[key] = value
    with pytest.raises(TokenizerFileError, match=message):
        loaded(root, tmp_path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(tree())[:5000])
    with pytest.raises(TokenizerFileError, match="is not JSON"):
        fissile.Tokenizer.from_file(path)
