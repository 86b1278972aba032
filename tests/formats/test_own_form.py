"""Fissile's own file form: the same tokenizer comes back from every kind, and a broken file is an error."""

import functools
import pickle
import random
import struct
import zlib
from pathlib import Path

import pytest

import fissile
from fissile.formats import own
from reference.texts import WORLD, small_ranks

RANKS = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|end|>": 3000})


@functools.cache
def tokenizers_of_all_kinds() -> "list[fissile.Tokenizer]":
    """From ranks, with a regular expression, and what the peers' tests train, where they are installed."""
    found = [RANKS, fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, "none")]
    try:
        import regex  # noqa: F401
    except ImportError:
        pass
    else:
        found.append(fissile.Tokenizer.from_ranks(small_ranks(), r"\p{L}+|\s+|.", {"<s>": 2000}))
    try:
        from parity.test_json_nodes import pair, random_tree

        for seed in range(12):
            try:
                found.append(pair(random_tree(random.Random(seed)))[0])
            except fissile.TokenizerFileError:
                continue  # a combination that is refused
        from parity.test_tokenizers import KINDS as JSON_KINDS
        from parity.test_tokenizers import pair as json_pair

        found += [json_pair(kind)[0] for kind in JSON_KINDS]
        from parity.test_sentencepiece import CHANGED
        from parity.test_sentencepiece import KINDS as PIECE_KINDS
        from parity.test_sentencepiece import pair as piece_pair

        found += [piece_pair(kind)[0] for kind in [*PIECE_KINDS, *CHANGED]]
    except pytest.skip.Exception:
        pass
    return found


def test_every_tokenizer_comes_back(tmp_path: Path) -> None:
    texts = [*WORLD.splitlines(), WORLD, "", " <s>a</s> <unk> Word"]
    for tokenizer in tokenizers_of_all_kinds():
        tokenizer.save(tmp_path / "t.fissile")
        for again in (fissile.Tokenizer.from_file(tmp_path / "t.fissile"), pickle.loads(pickle.dumps(tokenizer))):
            batch = tokenizer.encode_batch(texts, allowed_special="all", add_special_tokens=True)
            assert again.encode_batch(texts, allowed_special="all", add_special_tokens=True) == batch, tokenizer
            assert again.decode_batch(batch) == tokenizer.decode_batch(batch)
            assert again == tokenizer and hash(again) == hash(tokenizer)
            assert again.special_tokens == tokenizer.special_tokens
            assert again.merges == tokenizer.merges
            assert again._as_own() == tokenizer._as_own()
    assert not list(tmp_path.glob(".*"))


def test_the_foreign_file_is_written_back(tmp_path: Path) -> None:
    RANKS.save(tmp_path / "t.json")
    (tmp_path / "t.fissile").write_bytes(fissile.Tokenizer.from_file(tmp_path / "t.json")._as_own())
    fissile.Tokenizer.from_file(tmp_path / "t.fissile").save(tmp_path / "u.json")
    assert (tmp_path / "u.json").read_bytes() == (tmp_path / "t.json").read_bytes()


def test_cut_and_changed_files(tmp_path: Path) -> None:
    data = RANKS._as_own()
    path = tmp_path / "t.fissile"
    for n in [8, 15, 23, 24, 100, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:n])
        with pytest.raises(fissile.TokenizerFileError, match=r"t.fissile: (ends after|its checksum)"):
            fissile.Tokenizer.from_file(path)
    rng = random.Random(3)
    for _ in range(60):
        at = rng.randrange(16, len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
        with pytest.raises(fissile.TokenizerFileError, match="its checksum is not that of its contents"):
            fissile.Tokenizer.from_file(path)
    path.write_bytes(data[:8] + struct.pack("<I", 2) + data[12:])
    with pytest.raises(fissile.TokenizerFileError, match="is of version 2, expected 1"):
        fissile.Tokenizer.from_file(path)


@pytest.mark.parametrize("seed", range(20))
def test_changed_files_with_a_checksum_that_fits(seed: int) -> None:
    rng = random.Random(seed)
    for tokenizer in tokenizers_of_all_kinds()[:8]:
        original = tokenizer._as_own()
        n_header = 24 + struct.unpack_from("<Q", original, 16)[0]
        for _ in range(15):
            data = bytearray(original)
            for _ in range(rng.randrange(1, 4)):
                end = n_header if rng.random() < 0.5 else len(data)
                at = rng.randrange(16, end)
                data[at : at + 1] = rng.randbytes(rng.choice([0, 1, 1, 1, 2]))
            data[12:16] = struct.pack("<I", zlib.crc32(data[16:]))
            try:
                again = fissile.Tokenizer(own.from_bytes(bytes(data), "changed"))
                again.decode(again.encode(WORLD, disallowed_special=()))
            except fissile.TokenizerFileError as error:
                assert str(error).startswith("changed: ")
            except ValueError as error:
                # A vocabulary may lose a byte; text that needs it then has no encoding.
                assert "is no token of the vocabulary" in str(error)
