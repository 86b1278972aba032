"""What public calls say of arguments of wrong types and values: one exception, which names the argument."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fissile
from fissile import Tokenizer
from fissile.counting import PretokenCounts, count, count_to_file
from fissile.data import TokenStream, TokenTable, decode_corpus, encode_corpus
from reference.texts import small_ranks

RANKS = small_ranks()
T = Tokenizer.from_ranks(RANKS, "cl100k", {"<|endoftext|>": 2000})
N = T.n_vocab
Call = Callable[[Path], Any]

CASES: dict[str, tuple[type[Exception], str, Call]] = {
    # --- encoding
    "threads is no number": (
        TypeError,
        "threads must be an int or None, not str",
        lambda p: T.encode_batch(["a"], threads="x"),
    ),
    "threads is no whole number": (
        TypeError,
        "threads must be an int or None, not float",
        lambda p: T.count_batch(["a"], threads=1.5),
    ),
    "threads is a bool": (
        TypeError,
        "threads must be an int or None, not bool",
        lambda p: T.encode_batch(["a"], threads=True),
    ),
    "threads is an array": (
        TypeError,
        "threads must be an int or None, not numpy.ndarray",
        lambda p: T.encode_batch(["a"], threads=np.array([1, 2])),
    ),
    "threads is large": (
        ValueError,
        "threads must be None or from 1 to 4096, not 1000000000000000000000",
        lambda p: T.encode_batch(["a"], threads=10**21),
    ),
    "texts is no iterable": (
        TypeError,
        "texts must be a list or another iterable of texts, not int",
        lambda p: T.encode_batch(5),
    ),
    "add_special_tokens of encode": (
        TypeError,
        "add_special_tokens must be True or False, not str",
        lambda p: T.encode("a", add_special_tokens="x"),
    ),
    "add_special_tokens of encode_batch": (
        TypeError,
        "add_special_tokens must be True or False, not str",
        lambda p: T.encode_batch(["a"], add_special_tokens="x"),
    ),
    "dtype is no type": (
        TypeError,
        "dtype must be an integer type of numpy, not 'nope'",
        lambda p: T.encode_batch(["a"], dtype="nope"),
    ),
    "dtype is none of integers": (
        ValueError,
        "dtype must be an integer type, not float64",
        lambda p: T.encode_batch(["a"], dtype=float),
    ),
    "eod is a text": (TypeError, "eod must be an int, not str", lambda p: T.encode_batch(["a"], eod="x")),
    "eod is no whole number": (TypeError, "eod must be an int, not float", lambda p: T.encode_batch(["a"], eod=1.5)),
    "eod is no id": (ValueError, f"eod must be from 0 to {N - 1}, not {N}", lambda p: T.encode_batch(["a"], eod=N)),
    "split is a list": (
        TypeError,
        "split must be a sampler, such as fissile.StochasTok(0.1), not list",
        lambda p: T.encode("a", split=["a"]),
    ),
    "tok of stochastok": (TypeError, "tok must be a Tokenizer, not str", lambda p: fissile.stochastok([1], "x", 0.1)),
    "return_parents": (
        TypeError,
        "return_parents must be True or False, not str",
        lambda p: T.encode_batch(["a"], split="characters", return_parents="x"),
    ),
    "deny of StochasTok": (
        TypeError,
        "deny must be a sequence of ids, not int",
        lambda p: fissile.StochasTok(0.1, deny=5),
    ),
    "p of stochastok": (
        TypeError,
        "p must be a number or one a document, not dict",
        lambda p: fissile.stochastok([1], T, {}),
    ),
    "separator is a number": (
        TypeError,
        "separator must be str, bytes or None, not int",
        lambda p: T.encode_files([p / "a.txt"], separator=5),
    ),
    "separator is empty": (
        ValueError,
        "separator must not be empty",
        lambda p: T.encode_files([p / "a.txt"], separator=""),
    ),
    "paths is bytes": (
        TypeError,
        "paths must be a path or several, each a str or an os.PathLike, not bytes",
        lambda p: T.encode_files(b"a.txt"),
    ),
    "a path is a number": (
        TypeError,
        "paths[1] must be a path, a str or an os.PathLike of one, not int",
        lambda p: T.encode_files([p / "a.txt", 5]),
    ),
    "a path has a null character": (
        ValueError,
        "paths must be a path, which has no null character",
        lambda p: T.encode_files(f"{p}/a.txt\0x"),
    ),
    "unit of offsets": (
        ValueError,
        "unit must be 'char' or 'byte', not 'bytes'",
        lambda p: T.offsets("a", unit="bytes"),
    ),
    "others of inspect": (TypeError, "others[0] must be a Tokenizer, not int", lambda p: T.inspect("a", 5)),
    "limit of inspect": (TypeError, "limit must be an int, not str", lambda p: T.inspect("a", limit="x")),
    # --- decoding
    "errors of decode": (TypeError, "errors must be a str, not int", lambda p: T.decode([1], errors=5)),
    "errors with a lone surrogate": (
        ValueError,
        "errors has a lone surrogate: '\\ud800'",
        lambda p: T.decode([1], errors="\ud800"),
    ),
    "errors of stream_decoder": (TypeError, "errors must be a str, not int", lambda p: T.stream_decoder(5)),
    "skip_special_tokens": (
        TypeError,
        "skip_special_tokens must be True or False, not str",
        lambda p: T.decode([1], skip_special_tokens="x"),
    ),
    "tokenizer of a StreamDecoder": (
        TypeError,
        "tokenizer must be a Tokenizer, not int",
        lambda p: fissile.tokenizer.StreamDecoder(5),
    ),
    "id of token_bytes": (TypeError, "id must be an int, not str", lambda p: T.token_bytes("a")),
    "id of token_bytes is large": (KeyError, f"no token has id {2**70}", lambda p: T.token_bytes(2**70)),
    "token of token_id": (TypeError, "token must be str or bytes, not int", lambda p: T.token_id(5)),
    "batch of no sequences": (
        TypeError,
        "batch[1]: ids must be a sequence or an array of ints, not NoneType",
        lambda p: T.decode_batch([[1], None]),
    ),
    # --- loading and saving
    "path of from_file": (
        TypeError,
        "path must be a path, a str or an os.PathLike of one, not int",
        lambda p: Tokenizer.from_file(5),
    ),
    "path of from_tiktoken": (TypeError, "path must be a path", lambda p: Tokenizer.from_tiktoken(None)),
    "path of save": (TypeError, "path must be a path", lambda p: T.save(None)),
    "ranks is a list": (
        TypeError,
        "ranks must be a dict of bytes to rank, not list",
        lambda p: Tokenizer.from_ranks([b"a"], "gpt2"),
    ),
    "pattern is None": (TypeError, "pattern must be a str, not NoneType", lambda p: Tokenizer.from_ranks(RANKS, None)),
    "pattern is a number": (
        TypeError,
        "pattern must be a str or None, not int",
        lambda p: Tokenizer.from_tiktoken(p / "a.txt", 5),
    ),
    "special_tokens is a list": (
        TypeError,
        "special_tokens must be a dict of text to id, not list",
        lambda p: Tokenizer.from_ranks(RANKS, "gpt2", ["<x>"]),
    ),
    "a special token's id is a text": (
        TypeError,
        "special_tokens['<x>'] must be an int, not str",
        lambda p: Tokenizer.from_ranks(RANKS, "gpt2", {"<x>": "a"}),
    ),
    "a special token's id is no whole number": (
        TypeError,
        "special_tokens['<x>'] must be an int, not float",
        lambda p: Tokenizer.from_tiktoken(p / "a.txt", "gpt2", {"<x>": 1.5}),
    ),
    "a special token is bytes": (
        TypeError,
        "special_tokens must hold texts, each a str, found b'x'",
        lambda p: Tokenizer.from_ranks(RANKS, "gpt2", {b"x": 5000}),
    ),
    # --- counting and training
    "pattern of count": (TypeError, "pattern must be a str, not int", lambda p: count(iter(["a"]), 5)),
    "sequence of count": (
        ValueError,
        "sequence must be 'line' or 'document', not 'x'",
        lambda p: count(iter(["a"]), sequence="x"),
    ),
    "threads of count": (
        TypeError,
        "threads must be an int or None, not str",
        lambda p: count(iter(["a"]), threads="x"),
    ),
    "memory_bytes of count": (
        TypeError,
        "memory_bytes must be an int, not str",
        lambda p: count(iter(["a"]), memory_bytes="1G"),
    ),
    "special_tokens of count": (
        TypeError,
        "special_tokens must be a collection of texts, not one int",
        lambda p: count(iter(["a"]), special_tokens=5),
    ),
    "a special token of count": (
        TypeError,
        "special_tokens must hold texts, each a str, found 5",
        lambda p: count(iter(["a"]), special_tokens=[5]),
    ),
    "counts that are no dict": (
        TypeError,
        "counts must be a dict of pretoken to count, not list",
        lambda p: PretokenCounts.from_counts([b"a"], "gpt2"),
    ),
    "a count that is no number": (
        TypeError,
        "counts[b'a'] must be an int, not str",
        lambda p: PretokenCounts.from_counts({b"a": "x"}, "gpt2"),
    ),
    "a pretoken that is no bytes": (
        TypeError,
        "the pretoken 'a' in counts must be bytes, not str",
        lambda p: PretokenCounts.from_counts({"a": 1}, "gpt2"),
    ),
    "other of merge": (
        TypeError,
        "other must be PretokenCounts, not int",
        lambda p: PretokenCounts.from_counts({b"a": 1}, "gpt2").merge(5),
    ),
    "inputs of count": (
        TypeError,
        "inputs must be paths or an iterable of texts, not int",
        lambda p: count(5),
    ),
    "weights of count": (
        TypeError,
        "weights must be a sequence of numbers, not int",
        lambda p: count([p / "a.txt"], weights=5),
    ),
    "field of count": (TypeError, "field must be a str, not int", lambda p: count(p / "a.txt", field=5)),
    "progress of train": (
        TypeError,
        "progress must be a function or None, not int",
        lambda p: fissile.train(iter(["a b"]), 300, progress=5),
    ),
    "a pattern with a lone surrogate": (
        ValueError,
        "pattern has a lone surrogate at character 1: 'a\\ud800'",
        lambda p: count(iter(["a"]), "a\ud800"),
    ),
    "vocab_size is large": (
        ValueError,
        "vocab_size must be from 1 to 268435456, not 1180591620717411303424",
        lambda p: fissile.train(iter(["a b"]), 2**70),
    ),
    "hf_compatible": (
        TypeError,
        "hf_compatible must be True or False, not str",
        lambda p: fissile.train(iter(["a b"]), 300, hf_compatible="x"),
    ),
    "special_tokens of train is one text": (
        TypeError,
        "special_tokens must be a collection of texts, not one str",
        lambda p: fissile.train(iter(["a b"]), 300, special_tokens="<|end|>"),
    ),
    "a seed token": (
        TypeError,
        "seed_tokens[0] must be str or bytes, not int",
        lambda p: fissile.train(iter(["a b"]), 300, seed_tokens=[5]),
    ),
    "held_out": (
        TypeError,
        "held_out['x'] must be str, bytes or a buffer of bytes, not int",
        lambda p: fissile.train(iter(["a b"]), 300, held_out={"x": 5}),
    ),
    "continue_from": (
        TypeError,
        "continue_from must be a Tokenizer or None, not str",
        lambda p: fissile.train(iter(["a b"]), 300, continue_from="x"),
    ),
    # --- data
    "tokenizer of encode_corpus": (
        TypeError,
        "tokenizer must be a Tokenizer, not str",
        lambda p: encode_corpus(p / "o", p / "a.txt", "x"),
    ),
    "eod of encode_corpus": (
        ValueError,
        f"eod must be from 0 to {N - 1}, not {N}",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, eod=N),
    ),
    "shard_tokens of encode_corpus": (
        TypeError,
        "shard_tokens must be an int, not str",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, shard_tokens="x"),
    ),
    "format of encode_corpus": (
        ValueError,
        "format must be 'bin' or 'npy' or 'megatron' or 'parquet', not 'x'",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, format="x"),
    ),
    "special_tokens of encode_corpus": (
        ValueError,
        "special_tokens must be 'default' or",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, special_tokens=["x"]),
    ),
    "separator of encode_corpus": (
        TypeError,
        "separator must be str, bytes or None, not int",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, separator=5),
    ),
    "inputs of encode_corpus": (TypeError, "must be a path or several", lambda p: encode_corpus(p / "o", 5, T)),
    "directory of decode_corpus": (TypeError, "directory must be a path", lambda p: decode_corpus(5, p / "o")),
    "tokenizer of decode_corpus": (
        TypeError,
        "tokenizer must be a Tokenizer or None, not str",
        lambda p: decode_corpus(p, p / "o", "x"),
    ),
    "skip_bad of encode_corpus": (
        TypeError,
        "skip_bad must be True or False, not bytes",
        lambda p: encode_corpus(p / "o", p / "a.txt", T, skip_bad=b"x"),
    ),
    "eod of decode_corpus": (TypeError, "eod must be an int, not str", lambda p: decode_corpus(p, p / "o", eod="x")),
    "no paths": (ValueError, "paths must name at least one file, found none", lambda p: TokenStream([], T)),
    "split of TokenTable": (
        TypeError,
        "split must be a sampler, such as fissile.StochasTok(0.1), not int",
        lambda p: TokenTable(p / "a.txt", T, split=5),
    ),
    "token_dtype": (
        TypeError,
        "token_dtype must be an integer type of numpy, not 'nope'",
        lambda p: TokenStream(p / "a.txt", T, token_dtype="nope"),
    ),
    "state of a TokenStream": (
        TypeError,
        "state must be a dict that state_dict gave, not NoneType",
        lambda p: TokenStream(p / "a.txt", T).load_state_dict(None),
    ),
    "tokenizer of TokenStream": (
        TypeError,
        "tokenizer must be a Tokenizer or None, not str",
        lambda p: TokenStream(p / "a.txt", "x"),
    ),
    "pack of TokenStream": (TypeError, "pack must be an int, not str", lambda p: TokenStream(p / "a.txt", T, pack="x")),
    "pad_id of TokenStream": (
        ValueError,
        "pad_id must be from 0 to 65535, not -1",
        lambda p: TokenStream(p / "a.txt", T, dtype=np.uint16, pad_id=-1),
    ),
    "shard of TokenStream": (
        TypeError,
        "shard must be a pair (index, count), not 5",
        lambda p: TokenStream(p / "a.txt", T, shard=5),
    ),
    "allowed_special of TokenStream": (
        TypeError,
        "allowed_special must be 'all' or a collection of token texts, not int",
        lambda p: TokenStream(p / "a.txt", T, allowed_special=5),
    ),
    "threads of TokenStream": (
        TypeError,
        "threads must be an int or None, not str",
        lambda p: TokenStream(p / "a.txt", T, threads="x"),
    ),
    "field of TokenTable": (TypeError, "field must be a str, not int", lambda p: TokenTable(p / "a.txt", T, field=5)),
    "stride of TokenTable": (
        ValueError,
        "stride must be from 1 to 1099511627776, not 0",
        lambda p: TokenTable(p / "a.txt", T, pack=4, stride=0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_argument_is_named(case: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text", "utf-8")
    kind, message, call = CASES[case]
    with pytest.raises(kind, match=re.escape(message)) as caught:
        call(tmp_path)
    assert type(caught.value) is kind


def test_files_that_cannot_be_written_have_the_name_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text", "utf-8")
    for place in (tmp_path / "missing" / "x.fissile", tmp_path / "a.txt" / "x.fissile"):
        for write in (T.save, lambda path: count_to_file(path, iter(["a"]))):
            with pytest.raises(OSError) as caught:
                write(place)
            assert caught.value.filename == str(place)
    (tmp_path / "folder.fissile").mkdir()
    with pytest.raises(OSError) as caught:
        T.save(tmp_path / "folder.fissile")
    assert caught.value.filename == str(tmp_path / "folder.fissile")
    assert not list(tmp_path.glob(".*"))
