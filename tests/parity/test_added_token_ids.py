"""Ids of added tokens are those of `tokenizers`, which numbers them itself: of files that contradict it, and of ours."""

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

import fissile
from reference.texts import WORLD, shared, small_ranks

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


def saved(ours: fissile.Tokenizer, path: Path) -> tuple[fissile.Tokenizer, Any]:
    """What `ours` saves, read here and there."""
    ours.save(path)
    again = fissile.Tokenizer.from_file(path)
    assert again == ours
    assert again.special_tokens == ours.special_tokens
    return again, tokenizers.Tokenizer.from_file(str(path))


def check_saved(ours: fissile.Tokenizer, path: Path) -> None:
    again, theirs = saved(ours, path)
    specials = ours.special_tokens
    some = list(specials)[:10] + list(specials)[-10:]
    texts = [WORLD, *some, *(f"a {text}b{text}{text} c" for text in some), "".join(f"{text} x" for text in some)]
    for text in texts:
        wanted = ours.encode(text, allowed_special="all").tolist()
        assert theirs.encode(text).ids == wanted
        assert again.encode(text).tolist() == wanted
        assert theirs.decode(wanted, skip_special_tokens=False) == again.decode(wanted) == ours.decode(wanted)
        as_text = ours.encode(text, disallowed_special=()).tolist()
        assert again.encode(text, allowed_special=(), disallowed_special=()).tolist() == as_text
        theirs.encode_special_tokens = True
        assert theirs.encode(text).ids == as_text
        theirs.encode_special_tokens = False
    for text, id in specials.items():
        assert theirs.token_to_id(text) == id
        assert theirs.id_to_token(id) == again.decode([id]) == ours.decode([id])
    holes = set(range(ours.n_vocab)).difference(ours._ranks().values(), specials.values())
    for id in sorted(holes)[:100]:
        assert theirs.id_to_token(id) is None
        with pytest.raises(KeyError):
            again.decode([id])


SPECIALS = {
    "next": {"<|a|>": 0, "<|b|>": 1},
    "behind a hole": {"<|a|>": 1},
    "far above": {"<|a|>": 5000, "<|b|>": 900},
    "with a space, and not of ASCII": {"<|end of text|>": 3, "<｜begin▁of▁sentence｜>": 7},
    "spelt like a word": {"PAD": 5, "<|b|>": 9, "日本": 7},
}


@pytest.mark.parametrize("case", SPECIALS)
def test_saved_rank_files(case: str, tmp_path: Path) -> None:
    ranks = small_ranks()
    specials = {text: len(ranks) + above for text, above in SPECIALS[case].items()}
    check_saved(fissile.Tokenizer.from_ranks(ranks, "cl100k", specials), tmp_path / "t.json")


def test_a_special_token_in_a_hole_of_the_ranks(tmp_path: Path) -> None:
    """As of p50k_base."""
    ranks = {token: rank + (rank >= 500) for token, rank in small_ranks().items()}
    check_saved(fissile.Tokenizer.from_ranks(ranks, "gpt2", {"<|endoftext|>": 500}), tmp_path / "t.json")


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_saved_encodings(name: str, tmp_path: Path) -> None:
    check_saved(encoding(name, name, tmp_path), tmp_path / "t.json")


def encoding(file: str, name: str, folder: Path) -> fissile.Tokenizer:
    data = shared("vocab", f"{file}.tiktoken")
    if data is None:
        pytest.skip("no shared vocabularies")
    (folder / "t.tiktoken").write_bytes(data)
    return fissile.Tokenizer.from_tiktoken(folder / "t.tiktoken", name)


def test_the_second_name_of_an_id_is_left_out(tmp_path: Path) -> None:
    """`tokenizers` finds one token an id."""
    ranks = {bytes([b]): b for b in range(256)}
    plain = {"<|endofprompt|>": 300, "<|other|>": 290}
    two_names = fissile.Tokenizer.from_ranks(ranks, "gpt2", plain | {"<|reserved_300|>": 300})
    with pytest.warns(
        UserWarning, match=r"written without '<\|reserved_300\|>' \(300, '<\|endofprompt\|>'\)"
    ) as caught:
        two_names.save(tmp_path / "t.json")
    assert caught[0].filename == __file__
    one_name = fissile.Tokenizer.from_ranks(ranks, "gpt2", plain)
    assert fissile.Tokenizer.from_file(tmp_path / "t.json") == one_name != two_names
    check_saved(one_name, tmp_path / "t.json")


def test_o200k_harmony(tmp_path: Path) -> None:
    harmony = encoding("o200k_base", "o200k_harmony", tmp_path)
    with pytest.warns(UserWarning, match=r"written without '<\|reserved_200018\|>'"):
        harmony.save(tmp_path / "t.json")
    specials = {text: id for text, id in harmony.special_tokens.items() if text != "<|reserved_200018|>"}
    check_saved(fissile.Tokenizer.from_tiktoken(tmp_path / "t.tiktoken", "o200k_base", specials), tmp_path / "t.json")


@pytest.mark.parametrize("specials", [{"ab": 300}, {"<s>": 65}])
def test_what_a_tokenizer_json_cannot_say(specials: dict[str, int], tmp_path: Path) -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "gpt2", specials)
    with pytest.raises(ValueError, match="has the id or the spelling of the special token"):
        tokenizer.save(tmp_path / "t.json")
    assert not list(tmp_path.iterdir())
    for path in (tmp_path / "t.fissile", tmp_path / "t.tiktoken"):
        tokenizer.save(path)
    assert fissile.Tokenizer.from_file(tmp_path / "t.fissile") == tokenizer
    assert fissile.Tokenizer.from_tiktoken(tmp_path / "t.tiktoken", "gpt2", specials) == tokenizer


def test_what_training_saves(tmp_path: Path) -> None:
    trained = fissile.train(
        iter([WORLD] * 5), 420, "gpt4", special_tokens=["<|end|>", "<|pad|>"], reserved=5, matched_tokens=["日本"]
    )
    again, theirs = saved(trained, tmp_path / "t.json")
    assert_equal(again, theirs, [WORLD, "a<|end|>b <|pad|>", "<|reserved_3|>"])
