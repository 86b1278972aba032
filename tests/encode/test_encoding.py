"""The ways to encode agree with each other, whatever the form of the text, the threads, or the instruction set."""

import itertools
import os
import pickle
import random
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fissile
from fissile import _core
from reference.inspected import over_bytes, rewriting, with_space_in_front
from reference.merge import by_ranks
from reference.pretokenize import PATTERNS
from reference.texts import WORLD, adversarial, library_text, small_ranks

TOKENIZER = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {"<|endoftext|>": 2000})
TEXTS = [WORLD, library_text(50_000), "", "a", "é", "日", "👍", *adversarial(3000).values()]


def test_str_bytes_and_buffers_give_the_same_ids() -> None:
    for text in TEXTS:
        data = text.encode()
        ids = TOKENIZER.encode(data, disallowed_special=()).tolist()
        forms = [text, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)]
        for form in forms:
            assert TOKENIZER.encode(form, disallowed_special=()).tolist() == ids


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_do_not_depend_on_threads(threads: int) -> None:
    texts = TEXTS * 20
    batch = TOKENIZER.encode_batch(texts, threads, disallowed_special=())
    assert batch.tolist() == [TOKENIZER.encode(text, disallowed_special=()).tolist() for text in texts]
    assert batch.ids.dtype == np.uint32 and batch.offsets.dtype == np.int64
    counts = TOKENIZER.count_batch(texts, threads, disallowed_special=())
    assert counts.tolist() == batch.lengths.tolist()
    assert [TOKENIZER.count(text, disallowed_special=()) for text in TEXTS] == counts.tolist()[: len(TEXTS)]


def test_ids_of_several_huge_pages_are_put_together_in_order() -> None:
    text = library_text(50_000)
    texts = [text[i:] for i in range(0, 10_000, 100)]
    alone = TOKENIZER.encode_batch(texts, 1, disallowed_special=())
    assert alone.ids.nbytes > 3 * 2**21
    for threads in (2, 3, 16):
        assert TOKENIZER.encode_batch(texts, threads, disallowed_special=()) == alone


def test_a_list_may_mix_all_kinds_of_text() -> None:
    class Line(str):
        pass

    texts = ["a bc", b"de", Line("fé"), "é", bytearray(b"gh"), "日本", memoryview(b"ij"), b"", "👍 k"]
    for some in (texts, texts[::-1], texts[:2], [], tuple(texts)):
        ids = [TOKENIZER.encode(text).tolist() for text in some]
        assert TOKENIZER.encode_batch(some).tolist() == ids
    with pytest.raises(TypeError, match=r"texts\[2\]"):
        TOKENIZER.encode_batch(["a", bytearray(b"b"), 3])
    with pytest.raises(TypeError, match=r"texts\[1\]"):
        TOKENIZER.encode_batch(["a", None])


@pytest.mark.parametrize("tokenizer", [TOKENIZER, over_bytes(), with_space_in_front(), rewriting()])
def test_short_texts_are_encoded_together_as_each_by_itself(tokenizer: fissile.Tokenizer) -> None:
    """Their last spans wait for those of the next ones: of str of every width, bytes, special tokens, nothing at all."""
    rng = random.Random(3)
    words = [
        "a",
        " bc",
        "é",
        "日本",
        "👍",
        "\n",
        " ",
        "12",
        "'s",
        "word" * 9,
        "<|endoftext|>",
        "<|end|>",
        *WORLD.split()[:40],
    ]
    texts: list[str | bytes] = ["".join(rng.choices(words, k=rng.choice([0, 1, 2, 5, 30, 700]))) for _ in range(2500)]
    texts = [text.encode() if isinstance(text, str) and rng.random() < 0.3 else text for text in texts]
    alone = [tokenizer.encode(text, allowed_special="all").tolist() for text in texts]
    batch = tokenizer.encode_batch(texts, 1, allowed_special="all")
    assert batch.tolist() == alone
    assert tokenizer.count_batch(texts, 1, allowed_special="all").tolist() == batch.lengths.tolist()
    ended = tokenizer.encode_batch(texts, 1, allowed_special="all", eod=7)
    assert ended.tolist() == [[*ids, 7] for ids in alone]


def test_the_first_of_several_bad_texts_is_named() -> None:
    """Although texts are encoded together."""
    digits = fissile.Tokenizer.from_ranks({bytes([b]): b - 48 for b in range(48, 58)}, "none")
    with pytest.raises(ValueError, match=r"texts\[2\]: lone surrogate"):
        digits.encode_batch(["1", "2", "3\ud800", "4\ud801"], 1)
    with pytest.raises(ValueError, match="byte 97 of the text is no token"):
        digits.encode_batch(["1", "a", "\ud800"], 1)
    assert digits.encode_batch(["1", "23"], 1).tolist() == [[1], [2, 3]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_long_text_is_the_same_in_parts(pattern: str) -> None:
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), pattern)
    text = (library_text() + WORLD) * 8
    alone = tokenizer.encode_batch([text, "x"], threads=1)
    assert tokenizer.encode_batch([text, "x"], threads=3) == alone


def test_files_are_cut_at_separators(tmp_path: Path) -> None:
    documents = [WORLD, "", "a b c", library_text(20_000)]
    (tmp_path / "a").write_text("<sep>".join(documents), "utf-8", newline="")
    (tmp_path / "b").write_text("alone", "utf-8")
    (tmp_path / "empty").write_bytes(b"")
    names = [tmp_path / "a", tmp_path / "b", tmp_path / "empty"]
    assert TOKENIZER.encode_files(names, "<sep>") == TOKENIZER.encode_batch([*documents, "alone", ""])
    assert TOKENIZER.encode_files(tmp_path / "b") == TOKENIZER.encode_batch(["alone"])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for path, kind in ((tmp_path / "missing", FileNotFoundError), (tmp_path, OSError)):
        with pytest.raises(kind) as caught:
            TOKENIZER.encode_files([path])
        assert caught.value.filename == str(path)


def test_special_tokens_in_files_are_errors_that_name_the_document(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one<sep>two", "utf-8")
    (tmp_path / "c").write_text("one<sep>two<sep>x<|endoftext|>", "utf-8")
    names = [tmp_path / "a", tmp_path / "c"]
    with pytest.raises(ValueError) as caught:
        TOKENIZER.encode_files(names)
    with pytest.raises(ValueError) as alone:
        TOKENIZER.encode("<|endoftext|>")
    assert str(caught.value) == f"{names[1]}: {alone.value}"
    with pytest.raises(ValueError) as caught:
        TOKENIZER.encode_files(names, "<sep>")
    assert str(caught.value) == f"{names[1]}, document 2 (counted from 0): {alone.value}"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text")
def test_names_of_files_that_are_not_utf8(tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"\xff\xfe")
    with pytest.raises(FileNotFoundError) as caught:
        TOKENIZER.encode_files(name)
    assert caught.value.filename == str(name)
    name.write_text("x<|endoftext|>", "utf-8")
    assert TOKENIZER.encode_files(name, disallowed_special=()) == TOKENIZER.encode_batch(
        ["x<|endoftext|>"], disallowed_special=()
    )
    with pytest.raises(ValueError) as error:
        TOKENIZER.encode_files([name])
    assert str(error.value).startswith(f"{name}: Encountered")


def test_lone_surrogates_are_errors_that_say_where() -> None:
    with pytest.raises(ValueError, match="lone surrogate at character 2"):
        TOKENIZER.encode("ab\ud800")
    with pytest.raises(ValueError, match=r"texts\[1\]: lone surrogate at character 3"):
        TOKENIZER.encode_batch(["fine", "👍ab\udfff"])


def test_texts_of_other_types_are_named() -> None:
    with pytest.raises(TypeError, match="text must be str, bytes or a buffer of bytes, not int"):
        TOKENIZER.encode(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"texts\[1\] must be .*, not NoneType"):
        TOKENIZER.encode_batch(["a", None])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not one str"):
        TOKENIZER.encode_batch("abc")
    with pytest.raises(TypeError, match="unexpected keyword argument 'special'"):
        TOKENIZER.encode("a", special=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="threads"):
        TOKENIZER.encode_batch(["a"], threads=0)


def test_ids_of_two_bytes_where_they_fit() -> None:
    assert TOKENIZER.encode_batch([WORLD], dtype=np.uint16).ids.dtype == np.uint16
    with pytest.raises(ValueError, match="uint8 holds ids up to 255"):
        TOKENIZER.encode_batch([WORLD], dtype=np.uint8)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_first_error_of_a_batch_is_the_one_raised(threads: int) -> None:
    # Threads take texts from both ends; an error at one end does not hide what comes before it.
    text = library_text(50_000).replace("<|endoftext|>", "")
    for first in (0, 1, 30, 58, 59):
        texts = [text] * first + [text + "<|endoftext|>"] + [text] * (59 - first) + ["<|endoftext|>"]
        with pytest.raises(ValueError, match=rf"^texts\[{first}\]: Encountered"):
            TOKENIZER.encode_batch(texts, threads)
        with pytest.raises(ValueError, match=rf"^texts\[{first}\]: Encountered"):
            TOKENIZER.count_batch(texts, threads)


def test_special_tokens_in_batches() -> None:
    for threads in (1, 3):
        with pytest.raises(ValueError, match=r"^texts\[1\]: Encountered text .* disallowed special token"):
            TOKENIZER.encode_batch(["fine", "x<|endoftext|>", "<|endoftext|>"], threads)
        with pytest.raises(ValueError, match=r"^texts\[1\]: Encountered"):
            TOKENIZER.count_batch(["fine", "line\n" * 300_000 + "<|endoftext|>"], threads)
    with pytest.raises(ValueError, match=r"^texts\[1\]: Encountered"):
        TOKENIZER.encode_batch(["fine", "x<|endoftext|>"], split="characters")
    with pytest.raises(ValueError, match=r"^Encountered"):
        TOKENIZER.encode("x<|endoftext|>")
    assert TOKENIZER.encode_batch(["x<|endoftext|>"], allowed_special="all").tolist() == [[ord("x"), 2000]]


def test_special_tokens_that_begin_alike() -> None:
    """The leftmost, of those the longest, whatever others they share a beginning with, and of those that are asked for."""
    specials = ["<", "<|a|>", "<|a", "<|ab|>", "<|abcabc|>", "<|b|>", "xyx", "xyxyxyz", "é", "é<"]
    ids = {text: 2000 + i for i, text in enumerate(specials)}
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", ids)
    rng = random.Random(8)
    for _ in range(300):
        parts = [rng.choice(specials)[: rng.choice([1, 3, 9])] for _ in range(rng.randrange(12))]
        text = "".join(part + rng.choice(["", "", " ", "|>", "c"]) for part in parts)
        asked_for = rng.sample(specials, rng.randrange(1, len(specials) + 1))
        longest_first = sorted(asked_for, key=len, reverse=True)
        expected: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            expected += [ids[part]] if part in asked_for else tokenizer.encode(part, disallowed_special=()).tolist()
        found = tokenizer.encode(text, allowed_special=set(asked_for), disallowed_special=())
        assert found.tolist() == expected, (text, asked_for)


def test_spans_of_two_bytes_seen_again() -> None:
    """Also those that are no token: at first sight, when they come again, and from then on."""
    ranks = small_ranks()
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "cl100k", {})
    spans = ["".join(pair) for pair in itertools.product("|<>~^`", repeat=2)] + ["qz", "zq", " q", " ~", "é", "ж"]
    assert any(span.encode() not in ranks for span in spans)
    for _ in range(4):
        for span in spans:
            assert tokenizer.encode(span).tolist() == by_ranks(span.encode(), ranks)
        text = "1".join(spans)
        parts = [by_ranks(part.encode(), ranks) for span in spans for part in (span, "1")][:-1]
        assert tokenizer.encode(text).tolist() == list(itertools.chain.from_iterable(parts))


def test_long_tokens_first_seen_and_seen_again() -> None:
    """As spans and inside of longer ones, those that merging makes and those that only a whole span is."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    made = [b"ab", b"abab", b"abababab", b"abababababababab", b"abababababababababab"]
    for token in (*made, b"qwertyuiopasdfghjkl", "日本語の文章です".encode()):
        ranks[token] = len(ranks)
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "cl100k", {})
    spans = [part for token in list(ranks)[260:] for part in (token, b"z" + token, token + b"q", token[:-3], token * 2)]
    for _ in range(3):
        for span in spans:  # of letters alone
            assert tokenizer.encode(span).tolist() == by_ranks(span, ranks), span


def test_rows_of_one_byte() -> None:
    """Where they are cut and where they are not, of every length about those of words of the machine."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    for token in (b"aa", b"aaaa", b"ab", b"ba", b"cc", b"ccd", b"  ", b"    ", b"\n\n"):
        ranks[token] = len(ranks)
    tokenizer = fissile.Tokenizer.from_ranks(ranks, "cl100k", {})
    for n in [*range(1, 36), 63, 64, 65]:
        for row in ("a", "b", "c", "d"):
            for text in (row * n, "x" + row * n, row * n + "b", "c" + row * n + "d", row * n + "éa" + row * 9):
                assert tokenizer.encode(text).tolist() == by_ranks(text.encode(), ranks), text
        for row in (" ", "\n"):
            assert tokenizer.encode(row * n).tolist() == by_ranks(row.encode() * n, ranks)


@pytest.mark.parametrize("n_bytes", [(512 << 10) - 1, (1 << 20) + 5])
def test_results_that_outgrow_the_room_made_for_them(n_bytes: int) -> None:
    """One id a byte, one in many bytes, on both sides of two megabytes of ids, from which on they are on huge pages:
    results keep what they hold, also those that others' memory was given to."""
    kept = []
    for text in ("~" * n_bytes, "|7" * (n_bytes // 2), " " * n_bytes):
        kept += [(text, TOKENIZER.encode(text)), (text, TOKENIZER.encode_batch([text, "a"], 1).ids[:-1])]
    for text, ids in kept:
        assert np.array_equal(ids, TOKENIZER.encode_batch([text], 2).ids)
        assert TOKENIZER.decode_bytes(ids) == text.encode()


def test_encoding_makes_nothing_for_decoding() -> None:
    """A vocabulary's tables for decoding take milliseconds, which a first batch need not wait for."""
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k", {})
    ragged = tokenizer.encode_batch(["some text", "more"])
    assert "_decoder" not in vars(tokenizer)
    assert [tokenizer.decode(ids) for ids in ragged.tolist()] == ["some text", "more"]


@given(st.binary(max_size=200))
def test_any_bytes_come_back(data: bytes) -> None:
    assert TOKENIZER.decode_bytes(TOKENIZER.encode(data, disallowed_special=())) == data


@given(st.text(max_size=200))
def test_any_text_comes_back(text: str) -> None:
    ids = TOKENIZER.encode(text, disallowed_special=())
    assert TOKENIZER.decode(ids) == text
    offsets = TOKENIZER.offsets(text, "byte", disallowed_special=())
    data = text.encode()
    assert [data[a:b] for a, b in offsets.tolist()] == [TOKENIZER.token_bytes(id) for id in ids.tolist()]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_long_texts_are_divided_without_a_trace(pattern: str) -> None:
    rng = random.Random(3)
    parts = ["word", "X1", "7", " ", "  ", "\n", "\n\n", " \n", "\r\n", "\t", ".", "'s", "/", "é", "日本", "\u3000"]
    text = "".join(rng.choices(parts, k=600_000))
    ranks = dict(small_ranks())
    for token in (b" \n", b"\n\n", b"  ", b"\r\n", b"\n\n\n"):  # so that it shows where white space is cut
        ranks.setdefault(token, len(ranks))
    tokenizer = fissile.Tokenizer.from_ranks(ranks, pattern)
    assert tokenizer.encode_batch([text], threads=3).tolist() == tokenizer.encode_batch([text], threads=1).tolist()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_with_few_places_to_divide_them_are_divided_without_a_trace(pattern: str) -> None:
    """Places further apart than is searched for them, in the middle, at the end, and none at all."""
    rng = random.Random(5)
    tokenizer = fissile.Tokenizer.from_ranks(small_ranks(), pattern)

    def unbroken(size: int) -> str:
        return "".join(rng.choices([". ", "' ", "-\n", "!", "\u3000", " \t"], k=size // 2))

    texts = [
        unbroken(300_000) + "word word\n7 " * 40_000 + unbroken(900_000) + "12 word\n" * 30_000 + unbroken(1_500_000),
        "7 word\n" * 200_000 + unbroken(2_500_000),
        unbroken(1_200_000),
    ]
    for some in (texts, [text.encode() for text in texts], [text + "\U0001f600" for text in texts]):
        alone = tokenizer.encode_batch(some, threads=1)
        assert tokenizer.encode_batch(some, threads=3) == alone
        for text, ids in zip(some, alone, strict=True):
            assert tokenizer.encode_batch([text], threads=2)[0].tobytes() == ids.tobytes()


@pytest.mark.parametrize(
    "parts",
    [
        ["word", " ", "  ", "\n", "X1", "é", "."],
        ["<|end|>"],
        ["a<|end|>b ", "<|end|>", " <|end|> ", "<|", "end|>", "w lo"],
    ],
)
def test_long_texts_are_divided_beside_added_tokens_and_prefixes(parts: list[str]) -> None:
    """What begins at a division gets no space in front, what follows a token there does, and no token is cut."""
    some = "".join(random.Random(4).choices(parts, k=20_000))
    text = some * (1_300_000 // len(some) + 1)
    for tokenizer in (with_space_in_front(), over_bytes(), rewriting()):
        alone = tokenizer.encode_batch([text], threads=1, allowed_special="all")
        assert tokenizer.encode_batch([text], threads=3, allowed_special="all") == alone
        assert tokenizer.encode(text, allowed_special="all").tolist() == alone.ids.tolist()
        data = some.encode()
        for end in range(len(data) // 2, len(data) // 2 + 40):  # as encode_corpus reads a file
            end = tokenizer._last_division(data[:end])
            if end == 0:
                continue
            parts_of_it = [
                tokenizer._encode_block(data[:end], continues=(False, True), allowed_special="all"),
                tokenizer._encode_block(data[end:], continues=(True, False), allowed_special="all"),
            ]
            ids = np.concatenate([ids for ids, _, _ in parts_of_it])
            assert ids.tolist() == tokenizer.encode(data, allowed_special="all").tolist()


def test_pieces_that_never_come_again_are_mostly_not_remembered() -> None:
    rng = random.Random(3)
    words = ["".join(rng.choices("bcdfghjklmnpqrstvwxz", k=9)) for _ in range(100_000)]
    text = " ".join(words)
    once = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k")
    again = fissile.Tokenizer.from_ranks(small_ranks(), "cl100k")
    ids = once.encode(text)
    for begin in range(0, len(words), 1000):
        # Each word a second time while the first is not forgotten.
        again.encode(" " + " ".join(words[begin : begin + 1000] * 2))
    assert once._cache_bytes < again._cache_bytes / 2
    assert once.encode(text).tobytes() == ids.tobytes() == again.encode(text).tobytes()
    assert once.decode(ids) == text


def test_pieces_of_long_spans_that_never_come_again_are_merged_together() -> None:
    rng = random.Random(5)
    marks = "!#$%&*+,-./:;<=>?@^_|~"
    pairs = rng.sample([a + b for a, b in itertools.product(marks, repeat=2)], 410)
    longer = [pair + mark for pair, mark in itertools.product(rng.sample(pairs, 100), "!+_")]
    tokens = [bytes([byte]) for byte in range(256)] + [token.encode() for token in pairs + longer]
    ranks = {token: rank for rank, token in enumerate(dict.fromkeys(tokens))}
    ours = fissile.Tokenizer.from_ranks(ranks, "cl100k")
    spans = ["".join(rng.choices(marks, k=rng.randrange(1, 50))) for _ in range(6000)]
    # A letter would take punctuation in front of it along.
    expected = [rank for span in spans for piece in (span, "7") for rank in by_ranks(piece.encode(), ranks)]
    assert ours.encode("7".join(spans) + "7").tolist() == expected
    # One long span, too, is no more than sampled once it has shown what it is.
    ours = fissile.Tokenizer.from_ranks(ranks, "cl100k")
    ours.encode("".join(rng.choices(marks, k=300_000)))
    assert ours._cache_bytes < 4_000_000  # 5.5 million where all of it is remembered


def test_many_threads_share_a_tokenizer() -> None:
    fresh = fissile.Tokenizer.from_ranks(small_ranks(), "o200k")
    texts = [library_text()[i : i + 700] for i in range(0, 60_000, 300)] + [WORLD]
    wanted = [TOKENIZER_O200K.encode(text).tolist() for text in texts]
    start = threading.Barrier(4)

    def work(turn: int) -> bool:
        start.wait()
        order = range(turn, turn + len(texts))
        return all(fresh.encode(texts[i % len(texts)]).tolist() == wanted[i % len(texts)] for i in order)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [0, 50, 100, 150]))


TOKENIZER_O200K = fissile.Tokenizer.from_ranks(small_ranks(), "o200k")


def test_pickled_tokenizers_are_equal() -> None:
    again = pickle.loads(pickle.dumps(TOKENIZER))
    assert again == TOKENIZER and hash(again) == hash(TOKENIZER)
    assert again.encode(WORLD).tolist() == TOKENIZER.encode(WORLD).tolist()
    assert again != TOKENIZER_O200K


def test_forked_processes_encode() -> None:
    if not hasattr(os, "fork") or sys.version_info >= (3, 12):
        pytest.skip("fork is not there, or warns when threads have run")
    ids = TOKENIZER.encode(WORLD).tolist()
    child = os.fork()
    if child == 0:
        os._exit(0 if TOKENIZER.encode_batch([WORLD] * 4, threads=2).tolist() == [ids] * 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("isa", _core._testing.isas())
def test_every_instruction_set_gives_the_same_ids(isa: str) -> None:
    program = (
        "import sys, fissile; from reference.texts import WORLD, small_ranks; "
        "t = fissile.Tokenizer.from_ranks(small_ranks(), 'o200k'); print(t.encode(WORLD).tolist())"
    )
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join([tests, *sys.path])
    environment = os.environ | {"FISSILE_ISA": isa, "PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.stdout.strip() == str(TOKENIZER_O200K.encode(WORLD).tolist()), result.stderr


def test_an_unknown_instruction_set_is_an_error() -> None:
    program = "import fissile; fissile.Tokenizer.from_ranks({bytes([b]): b for b in range(256)}, 'gpt2')"
    environment = os.environ | {"FISSILE_ISA": "avx9000", "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert "FISSILE_ISA is 'avx9000'; this machine has scalar" in result.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_stops_long_work(threads: int) -> None:
    """No timing: it is enough that the work does not come to its end."""
    program = (
        "import os, signal, threading, fissile; from reference.texts import library_text, small_ranks; "
        # A process started in the background ignores SIGINT, and Python then leaves it so.
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "t = fissile.Tokenizer.from_ranks(small_ranks(), 'cl100k'); text = library_text() * 10; "
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start(); "
        f"t.encode_batch([text] * 300, threads={threads})"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert "KeyboardInterrupt" in result.stderr
