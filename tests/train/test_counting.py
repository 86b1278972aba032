"""Counting against its definition: a Counter over the pretokens of each sequence."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import PretokenCounts, _core
from fissile.counting import count_to_file
from reference.pretokenize import PATTERNS, known, pretokens
from reference.texts import WORLD, adversarial, library_text, shared, shared_corpora

LETTERS = "a B1\n\r\t'/!.s é漢\u3000\u00a0 l"


def sequences(text: str, sequence: str) -> list[str]:
    return regex.findall(r"[^\n]*\n|[^\n]+", text) if sequence == "line" else [text]


def reference(texts: list[str], pattern: str, sequence: str, weight: int = 1) -> dict[bytes, int]:
    counts: Counter[bytes] = Counter()
    for text in texts:
        for part in sequences(text, sequence):
            counts.update(piece.encode() for piece in pretokens(pattern, part))
    return {pretoken: n * weight for pretoken, n in counts.items()}


def counted(
    texts: list[str | bytes], pattern: str, sequence: str, threads: int = 1, portion_bytes: int = 1 << 20
) -> PretokenCounts:
    counter = _core.TextCounter(pattern=pattern, sequence=sequence, threads=threads, portion_bytes=portion_bytes)
    counter.add_texts(texts, 1, len(texts))
    return PretokenCounts(counter.finish())


def counted_file(
    path: Path, pattern: str, sequence: str, threads: int = 1, portion_bytes: int = 1 << 20
) -> PretokenCounts:
    counter = _core.TextCounter(pattern=pattern, sequence=sequence, threads=threads, portion_bytes=portion_bytes)
    counter.add_files([(os.fsencode(path), path.stat().st_size, 1)])
    return PretokenCounts(counter.finish())


# --- against the definition -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", ["line", "document"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_counts_are_those_of_the_definition(pattern: str, sequence: str, tmp_path: Path) -> None:
    text = known(library_text(60_000) + WORLD * 3)
    expected = reference([text], pattern, sequence)
    assert dict(counted([text], pattern, sequence)) == expected
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    for threads, portion in [(1, 1 << 20), (2, 1 << 14), (3, 100)]:
        assert dict(counted([text], pattern, sequence, threads, portion)) == expected
        assert dict(counted_file(path, pattern, sequence, threads, portion)) == expected


@pytest.mark.parametrize("sequence", ["line", "document"])
@pytest.mark.parametrize("name", list(adversarial(100)))
def test_hostile_texts(name: str, sequence: str, tmp_path: Path) -> None:
    text = known(adversarial(6000)[name])
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    for pattern in ("gpt2", "o200k", "superbpe"):
        expected = reference([text], pattern, sequence)
        assert dict(counted_file(path, pattern, sequence, 2, 64)) == expected
        assert dict(counted([text], pattern, sequence, 2, 64)) == expected


@pytest.mark.parametrize("corpus", shared_corpora())
def test_real_text(corpus: str) -> None:
    data = shared("corpus", corpus)
    assert data is not None
    text = known(data[: 1 << 18].decode(errors="ignore"))
    for pattern in ("gpt2", "cl100k"):
        for sequence in ("line", "document"):
            assert dict(counted([text], pattern, sequence, 2, 1 << 15)) == reference([text], pattern, sequence)


@settings(max_examples=300)
@given(
    st.lists(st.text(st.sampled_from(LETTERS), max_size=40), max_size=5),
    st.sampled_from(PATTERNS),
    st.sampled_from(["line", "document"]),
    st.integers(1, 3),
    st.integers(1, 20),
)
def test_any_texts_on_any_threads(
    texts: list[str], pattern: str, sequence: str, threads: int, portion_bytes: int
) -> None:
    expected = reference(texts, pattern, sequence)
    assert dict(counted(texts, pattern, sequence, threads, portion_bytes)) == expected
    encoded = [text.encode() for text in texts]
    assert dict(counted(encoded, pattern, sequence, threads, portion_bytes)) == expected


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([b"a", b"\n", b" ", b"\xe3\x80\x80", b"\xe3", b"\x80", b"\xff", b"\xc3\xa9", b"!"])).map(
        b"".join
    ),
    st.sampled_from(PATTERNS),
    st.sampled_from(["line", "document"]),
    st.integers(1, 9),
)
def test_bytes_that_are_not_utf8_are_counted_alike_however_divided(
    data: bytes, pattern: str, sequence: str, portion_bytes: int
) -> None:
    lines = regex.findall(rb"[^\n]*\n|[^\n]+", data) if sequence == "line" else [data]
    # One by one, and never divided.
    expected = dict(counted(lines, pattern, "document"))
    assert dict(counted([data], pattern, sequence, 2, portion_bytes)) == expected
    assert b"".join(pretoken * n for pretoken, n in expected.items() if len(expected) == 1) in (b"", data)


def test_lines_and_documents_differ() -> None:
    text = "a\n\n  b"
    assert dict(fissile.count(iter([text]), "gpt2")) == {b"a": 1, b"\n": 2, b" ": 1, b" b": 1}
    assert dict(fissile.count(iter([text]), "gpt2", sequence="document")) == {b"a": 1, b"\n\n ": 1, b" b": 1}


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 63, 64, 65, 100_000])
def test_pretokens_of_any_length(size: int) -> None:
    texts = ["x" * size, "y" * size, "x" * size, "x" * (size + 1)]
    expected = {key: n for key, n in reference(texts, "gpt2", "line").items() if key}
    assert dict(counted(texts, "gpt2", "line", 2, 1000)) == expected


def test_keys_with_zeros_and_equal_beginnings_are_told_apart() -> None:
    words = [b"\0" * n for n in range(1, 20)] + [b"a" * 14 + bytes([c]) * n for c in (0, 1, 255) for n in range(4)]
    counts = counted(words, "none", "document")
    assert dict(counts) == Counter(words)
    assert [pretoken for pretoken, _ in counts] == sorted(set(words))


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_what_goes_over_the_budget_is_spilled_and_not_lost(threads: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    words = rng.integers(0, 60_000, 160_000)
    text = "".join(f"w{word:x}" + ("-long-enough-to-stand-outside" if word % 5 == 0 else "") + "\n" for word in words)
    path = tmp_path / "text"
    path.write_text(text)
    expected = counted_file(path, "none", "line")

    def spilled(out: Path | None) -> PretokenCounts:
        directory = tmp_path / "runs"
        directory.mkdir(exist_ok=True)
        counter = _core.TextCounter(
            pattern="none",
            sequence="line",
            threads=threads,
            memory_bytes=1,
            spill_directory=str(directory),
            portion_bytes=1 << 14,
        )
        counter.add_files([(os.fsencode(path), path.stat().st_size, 1)])
        assert counter.n_runs > 128  # more than are merged at a time
        if out is None:
            return PretokenCounts(counter.finish())
        counter.finish_to_file(str(out))
        return PretokenCounts.load(out)

    assert spilled(None) == expected
    assert spilled(tmp_path / "spilled.counts") == expected
    expected.save(tmp_path / "whole.counts")
    assert (tmp_path / "spilled.counts").read_bytes() == (tmp_path / "whole.counts").read_bytes()
    assert fissile.count(path, "none", memory_bytes=1, threads=threads) == expected


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_info_of_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("é\nb".encode())
    (tmp_path / "b.txt").write_bytes(b"")
    counts = fissile.count([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert (counts.n_documents, counts.n_bytes, counts.pattern, counts.sequence) == (2, 4, "cl100k", "line")
    assert (counts.total, len(counts), counts.scale) == (3, 3, 1)
    assert repr(counts) == (
        "<PretokenCounts: 3 distinct pretokens of 3; pattern 'cl100k', sequence 'line', 2 documents, 4 bytes>"
    )


def test_iterables_are_read_in_batches() -> None:
    ahead = []

    def texts() -> Iterator[str]:
        for i in range(40_000):
            ahead.append(i)
            yield f"document {i}"

    counts = fissile.count(texts(), "gpt2")
    assert counts.n_documents == 40_000 == len(ahead)
    assert counts[b"document"] == 40_000
    assert counts == fissile.count([f"document {i}".encode() for i in range(40_000)], "gpt2")


def test_str_bytes_and_buffers_are_one() -> None:
    texts: list[str | bytes | bytearray | memoryview] = ["é b", "é b".encode(), bytearray("é b".encode())]
    assert fissile.count(iter(texts), "gpt2") == fissile.count(iter(["é b"] * 3), "gpt2")


@settings(max_examples=50)
@given(st.lists(st.fractions(min_value=Fraction(1, 20), max_value=20, max_denominator=20), min_size=1, max_size=3))
def test_weights_multiply_and_nothing_is_rounded(weights: list[Fraction]) -> None:
    texts = ["a b", "b c", "c a"][: len(weights)]
    with pytest.MonkeyPatch.context() as patch:
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            patch.chdir(directory)
            for i, text in enumerate(texts):
                Path(str(i)).write_text(text)
            names = [str(i) for i in range(len(weights))]
            counts = fissile.count(names, "none", sequence="document", weights=weights)
            assert counts == fissile.count(dict(zip(names, weights, strict=True)), "none", sequence="document")
    assert {key: Fraction(n, counts.scale) for key, n in counts} == {
        text.encode(): weight for text, weight in zip(texts, weights, strict=True)
    }


def test_float_weights_are_the_fractions_they_are_written_as(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    counts = fissile.count([path, path], "none", weights=[0.3, 1])
    assert (dict(counts), counts.scale) == ({b"a": 13}, 10)
    assert dict(fissile.count({path: 1 / 3}, "none")) == {b"a": 1}
    merged = counts + fissile.count({path: 0.25}, "none")
    assert (dict(merged), merged.scale) == ({b"a": 31}, 20)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), 1e-9, "x", None])
def test_bad_weights(weight: object, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(ValueError, match=r"weights\[0\] must be a number above 0"):
        fissile.count([tmp_path / "a"], weights=[weight])  # type: ignore[list-item]


def test_counts_over_64_bits_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    big = PretokenCounts.from_counts({b"a": 2**64 - 1}, "gpt2")
    with pytest.raises(ValueError, match="64 bits"):
        big + big
    assert (big + PretokenCounts.from_counts({}, "gpt2")).total == 2**64 - 1


def test_special_tokens_are_cut_out() -> None:
    texts = ["a<|end|>b c<|end|>", "<|e nd|>x\n<|e\nnd|>y"]
    expected = reference(["a", "b c", "<|e nd|>x\n<|e\nnd|>y"], "gpt2", "line")
    assert dict(fissile.count(iter(texts), "gpt2", special_tokens=["<|end|>"])) == expected
    expected = reference(["a", "b c", "x\n", "y"], "gpt2", "line")
    found = fissile.count(iter(texts), "gpt2", special_tokens=["<|end|>", "<|e nd|>", "<|e\nnd|>"])
    assert dict(found) == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"inputs": iter(["a", 5])}, TypeError, r"texts\[1\] must be str or bytes, not int"),
        ({"inputs": b"text"}, TypeError, "put it into a list"),
        ({"inputs": iter(["a\ud800"])}, ValueError, r"texts\[0\]: lone surrogate at character 1"),
        ({"inputs": ["no such text"]}, FileNotFoundError, r"no such text.*a list of str is a list of paths"),
        ({"inputs": "no/such/file"}, FileNotFoundError, "no/such/file"),
        ({"inputs": None}, TypeError, "inputs must be paths or an iterable of texts, not NoneType"),
        ({"inputs": iter([]), "pattern": ""}, ValueError, "pattern is empty"),
        ({"inputs": iter([]), "pattern": "x"}, ValueError, "pattern 'x' is not built in"),
        ({"inputs": iter([]), "sequence": "x"}, ValueError, "sequence must be 'line' or 'document', not 'x'"),
        ({"inputs": iter([]), "threads": 0}, ValueError, "threads"),
        ({"inputs": iter([]), "memory_bytes": 0}, ValueError, "memory_bytes must be at least 1, not 0"),
        ({"inputs": iter([]), "weights": [1]}, ValueError, "weights are for a list of paths"),
        ({"inputs": __file__, "weights": [1, 2]}, ValueError, "weights must be as many as the paths, 1, not 2"),
        ({"inputs": {__file__: 1}, "weights": [1]}, ValueError, "beside a dict"),
        ({"inputs": iter([]), "special_tokens": "x"}, TypeError, "special_tokens must be a collection"),
        ({"inputs": iter([]), "special_tokens": [""]}, ValueError, "empty"),
    ],
)
def test_errors_name_the_argument(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fissile.count(**arguments)  # type: ignore[arg-type]


def test_an_error_of_the_iterable_is_passed_on() -> None:
    def texts() -> Iterator[str]:
        yield "a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fissile.count(texts())


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a\n" * 100)
    counter = _core.TextCounter(pattern="gpt2", sequence="line")
    with pytest.raises(ValueError, match=r"a: found the end at byte 200, expected byte 300: the file was changed"):
        counter.add_files([(str(path), 300, 1)])


# --- progress and Ctrl-C ----------------------------------------------------------------------------------------------


def test_progress_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("word " * 1000)
    calls: list[tuple[str, int, int | None]] = []
    fissile.count(path, progress=lambda *call: calls.append(call))
    assert calls[-3:] == [("count", 5000, 5000), ("merge", 0, 1), ("merge", 1, 1)]
    calls.clear()
    fissile.count(iter(["word " * 1000]), progress=lambda *call: calls.append(call))
    assert calls[-3:] == [("count", 5000, None), ("merge", 0, 1), ("merge", 1, 1)]


@pytest.mark.parametrize("is_file", [True, False])
def test_an_exception_of_progress_ends_the_work(is_file: bool, tmp_path: Path) -> None:
    def progress(phase: str, done: int, total: int | None) -> None:
        raise LookupError(phase)

    path = tmp_path / "a.txt"
    path.write_text("word " * 1000)
    with pytest.raises(LookupError, match="count"):
        fissile.count(path if is_file else iter(["a"]), progress=progress)


INTERRUPTED = {
    "file": "fissile.count(path, 'gpt2', threads={threads})",
    "document that cannot be divided": "fissile.count(path, 'superbpe', sequence='document', threads={threads}, special_tokens=['a b'])",
    "texts": "fissile.count((text for _ in range(10**6)), 'gpt2', threads={threads})",
    "one text that cannot be divided": "fissile.count([bytes(text) * 300], 'superbpe', sequence='document', special_tokens=['a b'])",
    "spilling": "fissile.count(path, 'gpt2', threads={threads}, memory_bytes=1)",
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("what", INTERRUPTED)
def test_ctrl_c_stops_counting(what: str, threads: int, tmp_path: Path) -> None:
    """No timing: it is enough that the work does not come to its end."""
    program = (
        "import os, signal, threading, fissile; from reference.texts import library_text; "
        # A process started in the background ignores SIGINT, and Python then leaves it so.
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "text = library_text().encode() * 10; "
        f"path = {str(tmp_path / 'text')!r}; open(path, 'wb').write(text * 100); "
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start(); "
        f"[{INTERRUPTED[what].format(threads=threads)} for _ in range(1000)]"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert "KeyboardInterrupt" in result.stderr
    assert result.returncode in (-signal.SIGINT, 1, 130)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]  # no runs are left


def test_several_threads_of_python_may_count_at_once(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text(library_text(100_000))
    expected = fissile.count(path)
    results: list[PretokenCounts] = []
    threads = [threading.Thread(target=lambda: results.append(fissile.count(path) + expected)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected + expected for result in results)
    assert len(results) == 4


# --- counts -----------------------------------------------------------------------------------------------------------

COUNTS = st.dictionaries(st.binary(min_size=1, max_size=20), st.integers(1, 2**40), max_size=30)


@settings(max_examples=100)
@given(COUNTS, COUNTS)
def test_counts_behave_as_a_counter(a: dict[bytes, int], b: dict[bytes, int]) -> None:
    counts = PretokenCounts.from_counts(a, "gpt2", n_documents=1, n_bytes=2)
    assert dict(counts) == a
    assert [key for key, _ in counts] == sorted(a)
    assert (len(counts), counts.total) == (len(a), sum(a.values()))
    assert counts.most_common(5) == sorted(a.items(), key=lambda item: (-item[1], item[0]))[:5]
    assert all(counts[key] == n for key, n in a.items())
    assert all((key in counts) == (key in a) for key in b)
    assert dict(counts + PretokenCounts.from_counts(b, "gpt2")) == Counter(a) + Counter(b)
    assert pickle.loads(pickle.dumps(counts)) == counts
    assert (counts == PretokenCounts.from_counts(b, "gpt2", n_documents=1, n_bytes=2)) == (a == b)


def test_arrays_are_views_that_cannot_be_written() -> None:
    counts = PretokenCounts.from_counts({b"ab": 3, b"c": 4}, "gpt2")
    pretokens_of, ends, numbers = counts.arrays()
    del counts
    assert (bytes(pretokens_of), ends.tolist(), numbers.tolist()) == (b"abc", [2, 3], [3, 4])
    assert (pretokens_of.dtype, ends.dtype, numbers.dtype) == (np.uint8, np.uint64, np.uint64)
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 1


@pytest.mark.parametrize(
    ("counts", "message"), [({b"": 1}, r"ends\[0\]"), ({b"a": 0}, r"counts\[b'a'\] must be from 1 to")]
)
def test_bad_counts_are_refused(counts: dict[bytes, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretokenCounts.from_counts(counts, "gpt2")


@pytest.mark.parametrize("count", [1.5, 2.0, "1", None])
def test_counts_that_are_no_ints_are_refused(count: Any) -> None:
    with pytest.raises(TypeError, match=r"counts\[b'a'\] must be an int"):
        PretokenCounts.from_counts({b"a": count}, "gpt2")
    assert PretokenCounts.from_counts({b"a": np.uint32(3)}, "gpt2")[b"a"] == 3  # type: ignore[dict-item]


def test_hint_is_for_a_list_of_str_alone() -> None:
    with pytest.raises(FileNotFoundError) as raised:
        fissile.count([Path("no such text")])
    assert "list of str" not in str(raised.value)


def test_a_file_that_cannot_be_written_is_known_before_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fissile.counting import count_to_file, merge_files

    def texts() -> Iterator[str]:
        raise AssertionError("counted in vain")
        yield ""

    with pytest.raises(IsADirectoryError):
        count_to_file(tmp_path, texts())
    with pytest.raises(FileNotFoundError, match="no such directory"):
        count_to_file(tmp_path / "none" / "x", texts())
    fissile.count(iter(["a"])).save(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="no such directory"):
        merge_files([tmp_path / "a"], tmp_path / "none" / "x")


def test_merging_files_reports_progress(tmp_path: Path) -> None:
    from fissile.counting import merge_files

    paths = [tmp_path / "a", tmp_path / "b"]
    for i, path in enumerate(paths):
        fissile.count(iter([str(n) for n in range(i, 600_000, 2)]), "none").save(path)
    calls: list[tuple[str, int, int | None]] = []
    merge_files(paths, tmp_path / "all", lambda *call: calls.append(call))
    total = sum(path.stat().st_size for path in paths)
    assert {(phase, of) for phase, _, of in calls} == {("merge counts", total)}
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)
    assert calls[0][1] < calls[-1][1] == total
    with pytest.raises(KeyError):
        merge_files(paths, tmp_path / "all", lambda *call: {}[call])


def test_files_of_other_text_are_named_when_loaded(tmp_path: Path) -> None:
    from fissile.counting import load_files

    fissile.count(iter(["a"]), "gpt2").save(tmp_path / "a")
    fissile.count(iter(["a"]), "gpt4").save(tmp_path / "b")
    fissile.count(iter(["a"]), "gpt2", sequence="document").save(tmp_path / "c")
    assert load_files([tmp_path / "a"] * 3)[b"a"] == 3
    with pytest.raises(ValueError, match=r"b: counted with pattern 'cl100k', expected 'gpt2' as in .*a"):
        load_files([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(ValueError, match=r"c: counted with sequence 'document', expected 'line' as in .*a"):
        load_files([tmp_path / "a", tmp_path / "c"])


def test_merging_counts_of_other_text_is_an_error() -> None:
    a = PretokenCounts.from_counts({}, "gpt2")
    with pytest.raises(ValueError, match=r"second counts: counted with the pattern 'cl100k', expected 'gpt2'"):
        a + PretokenCounts.from_counts({}, "gpt4")
    with pytest.raises(ValueError, match="'document', expected 'line'"):
        a + PretokenCounts.from_counts({}, "gpt2", sequence="document")


def test_counting_to_a_file_is_counting_and_saving(tmp_path: Path) -> None:
    text = library_text(50_000)
    count_to_file(tmp_path / "a", iter([text]), "o200k", threads=2)
    fissile.count(iter([text]), "o200k").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(ValueError, match="hold no text"):
        count_to_file(tmp_path / "c", iter([""]), allow_empty=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
