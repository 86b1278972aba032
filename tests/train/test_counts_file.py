"""Counts files: what is saved is loaded, a broken file is an error that says where, merging has one result."""

import functools
import itertools
import random
import struct
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fissile
from fissile import PretokenCounts
from fissile.counting import merge_files

COUNTS = st.dictionaries(st.binary(min_size=1, max_size=20), st.integers(1, 2**50), max_size=30)


def read_plainly(data: bytes) -> tuple[dict[bytes, int], tuple[int, ...], str]:
    """The file's form, as counts_file.hpp describes it: counts, (sequence, scale, documents, bytes), pattern."""
    assert data[:8] == b"\x93FISCNT\n"
    version, size = struct.unpack_from("<II", data, 8)
    assert version == 1
    *numbers, n_pattern = struct.unpack_from("<BQQQI", data, 16)
    pattern = data[45 : 45 + n_pattern].decode()
    at = 16 + size
    assert struct.unpack_from("<I", data, at) == (zlib.crc32(data[:at]),)
    at += 4
    counts: dict[bytes, int] = {}

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while True:
        n_payload, n_entries, checksum = struct.unpack_from("<III", data, at)
        assert checksum == zlib.crc32(data[at + 12 : at + 12 + n_payload], zlib.crc32(data[at : at + 8]))
        at += 12
        if n_entries == 0:
            break
        end = at + n_payload
        last = b""
        for _ in range(n_entries):
            shared, more = number(), number()
            last = last[:shared] + data[at : at + more]
            at += more
            counts[last] = number()
        assert at == end
    assert struct.unpack_from("<QQI", data, at) == (len(counts), sum(counts.values()), zlib.crc32(data[at : at + 16]))
    assert at + 20 == len(data)
    return counts, tuple(numbers), pattern


@functools.cache
def _directory() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="fissile-test-"))


@pytest.fixture(scope="module", autouse=True)
def _remove_directory() -> object:
    yield
    import shutil

    shutil.rmtree(_directory())
    _directory.cache_clear()


def saved(counts: PretokenCounts, name: str = "a.counts") -> bytes:
    counts.save(_directory() / name)
    return (_directory() / name).read_bytes()


def loaded(data: bytes) -> PretokenCounts:
    (_directory() / "b.counts").write_bytes(data)
    return PretokenCounts.load(_directory() / "b.counts")


@settings(max_examples=100)
@given(COUNTS, st.sampled_from(["line", "document"]))
def test_what_is_saved_is_loaded_and_reads_as_described(counts: dict[bytes, int], sequence: str) -> None:
    kept = PretokenCounts.from_counts(counts, "o200k", sequence=sequence, n_documents=3, n_bytes=2**40)  # type: ignore[arg-type]
    data = saved(kept)
    assert read_plainly(data) == (counts, (sequence == "document", 1, 3, 2**40), "o200k")
    assert loaded(data) == kept


def test_many_blocks_and_long_pretokens() -> None:
    rng = random.Random(3)
    counts = {rng.randbytes(rng.choice([1, 3, 9, 200])): rng.randrange(1, 1000) for _ in range(20_000)}
    counts |= {b"x" * 200_000: 2**63, b"x" * 200_000 + b"y": 1, b"x" * 65_536: 7}
    kept = PretokenCounts.from_counts(counts, "gpt2")
    data = saved(kept)
    assert read_plainly(data)[0] == counts
    assert loaded(data) == kept


SMALL = PretokenCounts.from_counts({b"a": 1, b"ab": 300, b"b" * 20: 2}, "gpt2", n_documents=1, n_bytes=5)


def test_every_changed_byte_is_found() -> None:
    data = saved(SMALL)
    for at, change in itertools.product(range(len(data)), (1, 0x80, 0xFF)):
        broken = bytearray(data)
        broken[at] ^= change
        with pytest.raises(ValueError, match=r"b\.counts: at byte \d+: found .*expected"):
            loaded(bytes(broken))


def test_every_truncation_is_found() -> None:
    data = saved(SMALL)
    for size in range(len(data)):
        with pytest.raises(ValueError, match=rf"b\.counts: at byte \d+: found the end of the file|of {size}|at most"):
            loaded(data[:size])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "at byte 0: found the end of the file after 0 bytes, expected 8 bytes of a counts file's beginning"),
        (b"plain text", "found 70 6c 61 69 6e 20 74 65, expected 93 46 .*: this is not a counts file of fissile"),
        (b"\x93FISCNT\n\x02\0\0\0\x1d\0\0\0", "at byte 8: found version 2, expected 1"),
        (b"\x93FISCNT\n\x01\0\0\0\xff\xff\xff\xff", "at byte 12: found a head of 4294967295 bytes, expected from 29"),
    ],
)
def test_other_files(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loaded(data)


def test_more_bytes_at_the_end() -> None:
    with pytest.raises(ValueError, match="found 1 more bytes, expected the end of the file"):
        loaded(saved(SMALL) + b"\0")


def with_block(payload: bytes, n_entries: int, total: int) -> bytes:
    """A file whose checksums are right and whose one block is this."""
    head = saved(PretokenCounts.from_counts({}, "gpt2"))[:-32]
    block = struct.pack("<II", len(payload), n_entries)
    end = struct.pack("<II", 0, 0)
    foot = struct.pack("<QQ", n_entries, total)
    return (
        head
        + (block + struct.pack("<I", zlib.crc32(payload, zlib.crc32(block))) + payload)
        + (end + struct.pack("<I", zlib.crc32(end)))
        + (foot + struct.pack("<I", zlib.crc32(foot)))
    )


@pytest.mark.parametrize(
    ("payload", "n_entries", "message"),
    [
        (b"\0\1a\1", 2, "found no number that ends in the block, expected the number of shared bytes"),
        (b"\0\1a\1\0\1a\1", 2, "does not follow the one before it, expected ascending order"),
        (b"\0\1b\1\0\1a\1", 2, "does not follow the one before it"),
        (b"\0\0\1", 1, "does not follow the one before it"),
        (b"\1\1a\1", 1, "found a pretoken of 1 shared and 1 further bytes, expected at most 0 and 2"),
        (b"\0\x7fa\1", 1, "found a pretoken of 0 shared and 127 further bytes"),
        (b"\0\1a\0", 1, "found the count 0"),
        (b"\0\1a\1\0\1b\1", 1, "found more bytes, expected the end of the block"),
        (b"\0\1a" + b"\xff" * 10 + b"\1", 1, "expected a count"),
        (b"\0\1a" + b"\xff" * 9 + b"\1\0\1b\1", 2, "takes the sum over 64 bits"),
        (b"\0\1a\5", 1, "found 1 as the sum of the counts, expected 5"),
        (b"", 1, "found a block of 1 entries in 0 bytes"),
        (b"\0\1a\1", 0, "found a block of 0 entries in 4 bytes"),
    ],
)
def test_wrong_contents_under_right_checksums(payload: bytes, n_entries: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loaded(with_block(payload, n_entries, 1))


def test_errors_of_the_system_are_oserrors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        PretokenCounts.load(tmp_path / "none")
    with pytest.raises(OSError, match=r"no|directory"):
        SMALL.save(tmp_path / "no" / "directory")
    with pytest.raises(OSError, match=r"irectory"):
        PretokenCounts.load(tmp_path)


def test_a_file_that_could_not_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.counts"
    SMALL.save(path)
    before = path.read_bytes()
    (tmp_path / "broken").write_bytes(before[:-1])
    with pytest.raises(ValueError, match="broken: at byte"):
        merge_files([path, tmp_path / "broken"], path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.counts", "broken"]


@settings(max_examples=50)
@given(st.lists(COUNTS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_merging_gives_the_same_bytes_whatever_the_order(parts: list[dict[bytes, int]], rng: random.Random) -> None:
    directory = _directory()
    counts = [PretokenCounts.from_counts(part, "gpt2", n_documents=1, n_bytes=9) for part in parts]
    total: Counter[bytes] = Counter()
    for part in parts:
        total.update(part)
    expected = saved(PretokenCounts.from_counts(total, "gpt2", n_documents=len(parts), n_bytes=9 * len(parts)))
    paths = [directory / f"part{i}" for i in range(len(parts))]
    for path, part in zip(paths, counts, strict=True):
        part.save(path)
    rng.shuffle(paths)
    merge_files(paths, directory / "all")
    assert (directory / "all").read_bytes() == expected
    # In pairs, in some order.
    rng.shuffle(counts)
    while len(counts) > 1:
        counts.append(counts.pop(rng.randrange(len(counts))) + counts.pop(rng.randrange(len(counts))))
    assert saved(counts[0]) == expected


def test_merging_files_of_other_patterns_names_them(tmp_path: Path) -> None:
    PretokenCounts.from_counts({}, "gpt2").save(tmp_path / "a")
    PretokenCounts.from_counts({}, "o200k").save(tmp_path / "b")
    with pytest.raises(ValueError, match=r"b: counted with the pattern 'o200k', expected 'gpt2' as in .*a"):
        merge_files([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    with pytest.raises(ValueError, match="found none"):
        merge_files([], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_file_of_counts_is_not_taken_for_text(tmp_path: Path) -> None:
    text, saved = tmp_path / "text.txt", tmp_path / "saved.counts"
    text.write_text("a b c")
    fissile.count(text).save(saved)
    for inputs in (saved, [text, saved], tmp_path):
        with pytest.raises(ValueError, match=r"saved\.counts: expected text, found a file of counts"):
            fissile.count(inputs)
