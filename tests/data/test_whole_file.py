"""Outputs: whole or not there, through links, and into what is no regular file."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import fissile
from fissile.cli import main
from fissile.whole_file import PartialFile, check_writable, write_bytes_whole, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")

WRITERS: dict[str, Callable[[Path, bytes], None]] = {
    "write_whole": lambda path, data: write_whole(path, lambda partial: Path(partial).write_bytes(data)),
    "write_bytes_whole": write_bytes_whole,
}
each_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@each_writer
def test_a_link_stays_and_its_file_gets_the_content(write: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    real, link, second = tmp_path / "data" / "real.json", tmp_path / "link.json", tmp_path / "second.json"
    real.write_bytes(b"old")
    link.symlink_to("data/real.json")
    second.symlink_to(link)
    write(second, b"new")
    assert real.read_bytes() == b"new"
    assert link.is_symlink()
    assert second.is_symlink()
    real.unlink()
    write(link, b"newer")  # the link leads to where the file will be
    assert real.read_bytes() == b"newer"
    assert [path.name for path in real.parent.iterdir()] == ["real.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"data", "link.json", "second.json"}


@each_writer
def test_a_pipe_is_written_into(write: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for name in (pipe, link):
        got: list[bytes] = []
        reader = threading.Thread(target=lambda got=got: got.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write(name, b"content" * 100_000)
        reader.join(timeout=30)
        assert got == [b"content" * 100_000]
        assert pipe.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link"}


def test_commands_write_into_pipes_and_through_links(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two\n two three\n" * 9)
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    assert main(["count", str(tmp_path / "a.txt"), "-o", str(tmp_path / "pipe")]) == 0
    reader.join(timeout=30)
    fissile.count(tmp_path / "a.txt").save(tmp_path / "expected")
    assert got == [(tmp_path / "expected").read_bytes()]
    assert main(["train", str(tmp_path / "a.txt"), "--vocab-size", "260", "-o", str(tmp_path / "link.json")]) == 0
    assert (tmp_path / "link.json").is_symlink()
    assert fissile.Tokenizer.from_file(tmp_path / "real.json").n_vocab == 260


@each_writer
def test_errors_name_the_file_that_was_asked_for(write: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as raised:
        write(tmp_path, b"")
    assert raised.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError) as raised_too:
        write(tmp_path / "none" / "x", b"")
    assert raised_too.value.filename == str(tmp_path / "none" / "x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        write(tmp_path / "loop", b"")


def test_errors_of_the_core_name_it_too(tmp_path: Path) -> None:
    counts = fissile.count([b"a"])
    with pytest.raises(OSError, match=r"none/x.*No such file") as raised:
        counts.save(tmp_path / "none" / "x")
    assert "partial" not in str(raised.value)


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(partial: str) -> None:
        Path(partial).write_bytes(b"half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_whole(path, fail)
    file = PartialFile(path)
    file.write(b"half")
    file.discard()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("none/x")
    os.mkfifo(tmp_path / "pipe")
    check_writable(tmp_path / "new")
    check_writable(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError, match="found a directory"):
        check_writable(tmp_path)
    for name in ("none/x", "link"):
        with pytest.raises(FileNotFoundError, match=r"no such directory to write to, .*none"):
            check_writable(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_not_ours_is_known_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="x"):
            check_writable(tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)
