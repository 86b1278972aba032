"""A tokenizer.json of Llama's kind as a SentencePiece model: sentencepiece gives the same ids, or none is made."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from fissile import Tokenizer
from fissile.benchmark.sentencepiece_model import model_of
from fissile.benchmark.tokenizer_files import TokenizerFiles
from reference.texts import WORLD

TEXTS = [
    "The cat sat on the mat.",
    " two  spaces, 2024\n",
    "東京 and the cats, naïve 🦊",
    "aaaaaaaaa",
    "",
    *WORLD.split("\n"),
]


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    """What `tokenizers` trains, with the names of bytes as Llama's vocabulary has them."""
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers import models, normalizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    spaces = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    tokenizer.normalizer = normalizers.Sequence(spaces)
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=names, show_progress=False, max_token_length=8)
    tokenizer.train_from_iterator(["The cat sat on the mat, and the cats danced around it."] * 9, trainer)
    made: dict[str, Any] = json.loads(tokenizer.to_str())
    made["added_tokens"] = made["added_tokens"][:3]
    return made


def test_sentencepiece_gives_the_same_ids(tree: dict[str, Any], tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tree))
    tokenizer = Tokenizer.from_file(path)
    files = TokenizerFiles.of(tokenizer, tmp_path / "forms")
    assert files.kind == "tokenizers" and files.model is not None
    theirs = sentencepiece.SentencePieceProcessor(model_file=files.model)
    read_back = Tokenizer.from_file(files.model)
    for text in TEXTS:
        ids = tokenizer.encode(text).tolist()
        assert theirs.encode(text) == ids, text
        assert read_back.encode(text).tolist() == ids, text


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["model"].update(byte_fallback=False),
        lambda tree: tree.update(normalizer=None),
        lambda tree: tree["normalizer"]["normalizers"].append({"type": "NFC"}),
        lambda tree: tree.update(pre_tokenizer={"type": "ByteLevel"}),
        lambda tree: tree["added_tokens"][0].update(special=False),
        lambda tree: tree["model"]["vocab"].update({"far": 10_000}),
        lambda tree: tree["model"].update(unk_token=None),
        lambda tree: tree["model"]["merges"].append(tree["model"]["merges"][0]),  # a token made at two ranks
    ],
)
def test_no_model_is_made_where_it_would_mean_another_thing(change: Any, tree: dict[str, Any]) -> None:
    assert model_of(tree) is not None
    other = copy.deepcopy(tree)
    change(other)
    assert model_of(other) is None
