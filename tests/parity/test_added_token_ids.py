"""Ids of added tokens are those of `tokenizers`, which numbers them itself: of files that contradict it, and of ours."""

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

import fissile

tokenizers = pytest.importorskip("tokenizers")

Json = dict[str, Any]


def added(content: str, id: int, **flags: bool) -> Json:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": id, "content": content} | plain | flags


def tree(tokens: list[Json], vocab: dict[str, int] | None = None, **model: Any) -> Json:
    """The tokenizer.json of all bytes, "ab" and what `vocab` adds."""
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    root: Json = json.loads(fissile.Tokenizer.from_ranks(ranks, "cl100k")._as_json())
    root["added_tokens"] = tokens
    root["model"]["vocab"] |= vocab or {}
    root["model"] |= model
    return root


def both(root: Json, path: Path) -> tuple[fissile.Tokenizer, Any]:
    path.write_text(json.dumps(root))
    return fissile.Tokenizer.from_file(path), tokenizers.Tokenizer.from_file(str(path))


def assert_equal(ours: fissile.Tokenizer, theirs: Any, texts: list[str]) -> None:
    for tokenizer in (ours, pickle.loads(pickle.dumps(ours))):
        for text in texts:
            wanted = theirs.encode(text, add_special_tokens=False).ids
            assert tokenizer.encode(text).tolist() == wanted, text
            assert tokenizer.decode(wanted) == theirs.decode(wanted, skip_special_tokens=False)
            assert tokenizer.decode(wanted, skip_special_tokens=True) == theirs.decode(wanted)


TREES = {
    "next": tree([added("XX", 257), added("YY", 258)]),
    "behind a hole": tree([added("XX", 262)]),
    "an id that is taken": tree([added("XX", 0)]),
    "in the model under another id": tree([added("ab", 300), added("XX", 301)]),
    "out of order": tree([added("XX", 258), added("YY", 257)]),
    "the same twice": tree([added("XX", 257), added("XX", 258), added("YY", 259)]),
    "special and not": tree([added("XX", 259, special=False), added("YY", 257), added("ZZ", 258, special=False)]),
    "behind holes of the model": tree([added("XX", 300), added("YY", 310)], {"XX": 300, "YY": 310}),
    "behind a hole, and next": tree([added("XX", 300), added("YY", 301), added("ZZ", 5)], {"XX": 300}),
    "looked up whole": tree([added("XX", 300)], {"XX": 300}, ignore_merges=True),
}


@pytest.mark.parametrize("name", TREES)
def test_a_file_that_says_other_ids(name: str, tmp_path: Path) -> None:
    ours, theirs = both(TREES[name], tmp_path / "t.json")
    texts = ["XX", "aXXb YY", "abZZabYYXX", "XXX ab", "", "XYXYZ"]
    assert_equal(ours, theirs, texts)
    assert ours.special_tokens == {
        token.content: theirs.token_to_id(token.content)
        for token in map(fields, TREES[name]["added_tokens"])
        if token.special
    }
    ours.save(tmp_path / "again.json")
    again = fissile.Tokenizer.from_file(tmp_path / "again.json")
    assert again == ours
    assert_equal(again, tokenizers.Tokenizer.from_file(str(tmp_path / "again.json")), texts)


def fields(node: Json) -> Any:
    return tokenizers.AddedToken(node["content"], special=node["special"])


@pytest.mark.parametrize("seed", range(40))
def test_random_files(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    names = ["XX", "YY", "ZZ", "<a>", "<b>", "Ab", "日"]
    vocab = {name: 257 + i for i, name in enumerate(rng.sample(names, rng.randrange(4)))}
    if rng.random() < 0.5:
        vocab = {name: id + rng.randrange(50) * 10 for name, id in vocab.items()}
    listed = [*vocab, *(name for name in names if name not in vocab and rng.random() < 0.5)]
    rng.shuffle(listed)
    tokens = [added(name, rng.randrange(400), special=rng.random() < 0.7) for name in listed]
    texts = ["".join(rng.choices([*names, " ", "ab", "X", "A"], k=10)) for _ in range(30)]
    try:
        ours, theirs = both(tree(tokens, vocab, ignore_merges=rng.random() < 0.5), tmp_path / "t.json")
    except fissile.TokenizerFileError as error:
        assert "which is that of" in str(error)
        return
    assert_equal(ours, theirs, texts)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (
            tree([added("XX", 257), added("XX", 257, lstrip=True)]),
            r"added_tokens\[1\]: 'XX' is there already, with other",
        ),
        (
            tree([added("XX", 257), added("YY", 258)], {"YY": 258}),
            "added_tokens: 'XX' is not in model.vocab, so that it gets id 258, which is that of 'YY' there",
        ),
        (tree([added("XX", 257), added("YY", 257)], {"XX": 257, "YY": 257}), "id 257 is given twice"),
    ],
)
def test_files_that_no_one_can_mean(root: Json, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(root))
    with pytest.raises(fissile.TokenizerFileError, match=message):
        fissile.Tokenizer.from_file(tmp_path / "t.json")
