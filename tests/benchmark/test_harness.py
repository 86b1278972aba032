"""What the harness does between processes: texts, forms of a tokenizer, and which results are right."""

import json
from pathlib import Path

import numpy as np
import pytest

from fissile import Tokenizer, train
from fissile.benchmark import texts as text_files
from fissile.benchmark.encoding import EncodingRow, Job, compare
from fissile.benchmark.peers import PEERS
from fissile.benchmark.tokenizer_files import TokenizerFiles
from fissile.benchmark.trades import chosen
from fissile.benchmark.works import singles

TEXT = "The cat sat on the mat. Das Reh rennt; 東京, 2024!\n\n" * 40


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks") / "toy.tiktoken"
    train(iter([TEXT]), 300, "cl100k").save(path, "tiktoken")
    return path


def sums(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    return np.array(values, np.uint32)


def test_right_is_the_owner_as_far_as_it_went_and_then_ours() -> None:
    owned, ours = sums(1, 2), sums(1, 9, 3, 4)
    assert compare(ours, owned, ours) == (4, 1)  # ours is compared with the owner's
    assert compare(sums(1, 2, 3, 4), owned, ours) == (4, 0)
    assert compare(sums(1, 2, 3, 5), owned, ours) == (4, 1)
    assert compare(sums(1), owned, ours) == (1, 0)  # a slow peer saw the first only
    assert compare(sums(1, 9, 3, 5), None, ours) == (4, 1)
    assert compare(sums(1, 2), None, None) == (0, 0)


def test_documents_are_the_text_again() -> None:
    for size in (10, 100, 10**6):
        found = text_files.documents(TEXT, size)
        assert "".join(found) == TEXT.replace("\n\n", "") or "\n\n".join(found) == TEXT or len(found) > 1
        assert max(map(len, found)) <= 2 * size
        assert sum(map(len, found)) >= len(TEXT) - 2 * len(found)
    assert text_files.cut(["abc", "de"], 2) == ["ab", "cd", "e"]


def test_first_bytes_are_whole_documents_or_a_part_of_the_first() -> None:
    assert text_files.first_bytes(["ab", "é", "c"], 4) == ["ab", "é"]
    assert text_files.first_bytes(["ab", "é", "c"], 3) == ["ab"]
    assert text_files.first_bytes(["aéb", "c"], 2) == ["a"]
    assert text_files.first_bytes(["a"], 100) == ["a"]


def test_documents_come_back_from_their_file(tmp_path: Path) -> None:
    texts = ["", "abc\r\n", "é東", "x" * 1000]
    text_files.store(texts, tmp_path / "texts")
    assert text_files.load(tmp_path / "texts") == texts


def test_files_are_read_as_far_as_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": "abcd"}) for _ in range(10)))
    (tmp_path / "c.txt").write_text("é" * 5, encoding="utf-8")
    both = [str(tmp_path / "a.jsonl"), str(tmp_path / "c.txt")]
    assert text_files.from_files(both, 43) == ["abcd"] * 10 + ["é"]
    assert text_files.from_files(both, 41) == ["abcd"] * 10
    (tmp_path / "b.txt").write_bytes(b"\xff" + TEXT.encode())
    assert text_files.from_files([str(tmp_path / "a.jsonl")], 9) == ["abcd", "abcd"]
    assert text_files.from_files([str(tmp_path / "b.txt")], 10**6, size=10**6)[0].startswith("\ufffdThe cat")
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.txt: expected text, found none"):
        text_files.from_files([str(tmp_path / "empty.txt")], 10)


def test_single_texts_are_different_and_as_long_as_asked() -> None:
    found = singles([TEXT, TEXT[::-1]], 20, 50)
    assert len(found) == len(set(found)) <= 50
    assert {len(text) for text in found} == {20}
    assert found == singles([TEXT, TEXT[::-1]], 20, 50)
    assert singles(["short"], 20, 50) == []


def test_ranks_become_a_tokenizer_json_without_special_tokens(ranks: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_tiktoken(ranks, "cl100k", {"<|end|>": 300})
    files = TokenizerFiles.of(tokenizer, tmp_path)
    assert (files.name, files.kind, files.pattern, files.published) == ("toy", "tiktoken", "cl100k", None)
    assert files.ranks is not None and files.json is not None
    assert Path(files.ranks).read_bytes() == ranks.read_bytes()
    made = Tokenizer.from_file(files.json)
    assert not made.special_tokens
    assert made.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_the_usual_spelling_has_the_same_ids_but_for_rare_white_space(
    pattern: str, ranks: Path, tmp_path: Path
) -> None:
    tokenizer = Tokenizer.from_tiktoken(ranks, pattern, {})
    files = TokenizerFiles.of(tokenizer, tmp_path)
    assert files.usual_json is not None and files.json is not None
    usual = Tokenizer.from_file(files.usual_json)
    assert usual.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()
    assert (
        json.loads(Path(files.usual_json).read_bytes())["model"] == json.loads(Path(files.json).read_bytes())["model"]
    )


def test_the_first_ranks_are_a_tokenizer_too(ranks: Path, tmp_path: Path) -> None:
    files = TokenizerFiles.of(Tokenizer.from_tiktoken(ranks, "cl100k", {}), tmp_path)
    part = files.cut(280)
    assert (part.name, part.n_vocab) == (files.name, 280)
    assert part.json is not None
    whole, made = Tokenizer.from_file(files.json or ""), Tokenizer.from_file(part.json)
    assert [made.token_bytes(i) for i in range(280)] == [whole.token_bytes(i) for i in range(280)]
    assert made.decode(made.encode(TEXT)) == TEXT


def test_a_tokenizer_json_that_merges_by_rank_becomes_ranks(ranks: Path, tmp_path: Path) -> None:
    path = tmp_path / "model" / "tokenizer.json"
    path.parent.mkdir()
    Tokenizer.from_tiktoken(ranks, "cl100k", {}).save(path)
    files = TokenizerFiles.of(Tokenizer.from_file(path), tmp_path / "forms")
    assert (files.name, files.kind) == ("model", "tokenizers")
    assert files.ranks is not None
    assert Path(files.ranks).read_bytes() == ranks.read_bytes()


def test_a_tokenizer_json_that_changes_text_has_no_ranks(ranks: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    Tokenizer.from_tiktoken(ranks, "cl100k", {}).save(path)
    tree = json.loads(path.read_bytes())
    tree["normalizer"] = {"type": "NFC"}
    path.write_text(json.dumps(tree))
    assert TokenizerFiles.of(Tokenizer.from_file(path), tmp_path / "forms").ranks is None


def test_a_job_comes_back_from_its_file(ranks: Path, tmp_path: Path) -> None:
    files = TokenizerFiles.of(Tokenizer.from_tiktoken(ranks, "cl100k"), tmp_path / "forms")
    job = Job("fissile", files, "texts", "encode", 2, "wall", None)
    job.save(tmp_path / "job.json")
    assert Job.load(tmp_path / "job.json") == job


def test_rows_say_what_they_are(ranks: Path, tmp_path: Path) -> None:
    files = TokenizerFiles.of(Tokenizer.from_tiktoken(ranks, "cl100k"), tmp_path)
    assert EncodingRow("encode", files, "text", [TEXT]).title == "encode, toy, text, 1 thread"
    assert (
        EncodingRow("encode", files, "text", [TEXT], 4, "threads", 4).title == "encode, toy, text, 4 threads, threads 4"
    )


def test_peers_are_chosen_by_any_of_their_names() -> None:
    assert chosen("all")[0] == "fissile"
    assert chosen("fissile") == ["fissile"]
    assert {kind.package for kind in PEERS.values()} >= {"tiktoken", "tokenizers", "sentencepiece"}
    with pytest.raises(ValueError, match="peer 'nonesuch' is not known"):
        chosen("fissile,nonesuch")


def test_a_peer_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PEERS["quicktok"], "module", "no_such_module")
    assert "quicktok" not in chosen("all")
    with pytest.raises(ValueError, match="peer 'quicktok-v1' is not installed: pip install quicktok-v1"):
        chosen("quicktok-v1")
