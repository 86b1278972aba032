"""Processes that are measured: what they say, what they took, how they failed, and that nothing is left of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fissile.benchmark.machine import cpus
from fissile.benchmark.processes import result_of, timed

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and what a process took, which Windows lacks")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to look does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    for _ in range(200):
        if not is_there(pid):
            return True
        time.sleep(0.05)
    return False


def test_a_process_gives_its_last_line_or_why_not() -> None:
    assert result_of(["-c", "print('x'); print('{\"a\": 1}')"], 60) == {"a": 1}
    assert result_of(["-c", "import sys; sys.exit('no | more')"], 60) == {"error": "no | more"}
    assert result_of(["-c", "import time; time.sleep(60)"], 0.1) == {"error": "more than 0.1 s"}
    assert result_of(["-c", "print('x')"], 60) == {"error": "ended without a result: 'x\\n'"}


def test_errors_are_told_by_the_line_that_names_them() -> None:
    program = "import sys; sys.stderr.write('Traceback\\nValueError: bad (\\n  ^\\n'); sys.exit(1)"
    assert result_of(["-c", program], 60) == {"error": "ValueError: bad ("}


@posix
def test_a_crash_is_told_by_its_signal() -> None:
    crash = "import os, signal, sys; print('about to', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIG{})"
    assert result_of(["-c", crash.format("SEGV")], 60) == {"error": "crashed: SIGSEGV (about to)"}
    killed = result_of(["-c", crash.format("KILL")], 60)
    assert killed == {"error": "crashed: SIGKILL, which is what a lack of memory ends with (about to)"}


@posix
def test_a_whole_process_is_timed() -> None:
    figures = timed(["-c", "x = b'1' * 50_000_000"], 1, 60)
    assert figures["s"] > 0 and figures["CPU s"] > 0
    assert 50 < figures["peak MB"] < 2000
    assert timed(["-c", "raise ValueError('bad')"], 1, 60) == {"error": "ValueError: bad"}
    assert timed(["-c", "import time; time.sleep(60)"], 1, 0.1) == {"error": "more than 0.1 s"}


@linux
def test_memory_is_that_of_all_processes_and_not_of_the_one_that_measures() -> None:
    mine = b"1" * 300_000_000  # what Linux counts as a child's, before it is another program
    alone = timed(["-c", "import time; time.sleep(0.2)"], 1, 60)["peak MB"]
    assert alone < 100 < len(mine) / 1e6
    other = "import time; x = b'1' * 80_000_000; time.sleep(0.5)"
    both = f"import subprocess, sys; x = b'1' * 60_000_000; subprocess.run([sys.executable, '-c', {other!r}])"
    assert timed(["-c", both], 1, 60)["peak MB"] > 140


@linux
def test_what_a_process_has_started_ends_with_it(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    start = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
    start += f"open({str(said)!r}, 'w').write(str(p.pid));"
    assert result_of(["-c", start + "print('{}')"], 60) == {}
    assert gone(int(said.read_text()))
    assert result_of(["-c", start + "time.sleep(99)"], 3) == {"error": "more than 3 s"}
    assert gone(int(said.read_text()))


@linux
def test_an_interrupt_ends_what_is_measured(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    child = f"import os, time; open({str(said)!r}, 'w').write(str(os.getpid())); time.sleep(99)"
    # A process started in the background ignores SIGINT, and Python then leaves it so.
    parent = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    parent += f"from fissile.benchmark.processes import result_of; result_of(['-c', {child!r}], 99)"
    process = subprocess.Popen([sys.executable, "-c", parent], stderr=subprocess.DEVNULL)
    while not said.exists() or not said.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    assert is_there(int(said.read_text()))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert gone(int(said.read_text()))


@linux
def test_cores_are_those_of_this_process() -> None:
    mine = os.sched_getaffinity(0)
    assert len(cpus(1)) == 1
    assert cpus(1) <= mine
    assert cpus(10**6) == mine
