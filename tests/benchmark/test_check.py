"""The guard on instructions: what it compares, and what it says where nothing can be compared."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from reference.bench_scripts import bench_script


@pytest.fixture
def check() -> ModuleType:
    return bench_script("check")


def test_more_than_five_per_cent_is_wrong_and_less_is_noted(check: ModuleType) -> None:
    def counts(**instructions: int) -> dict[str, object]:
        return {name: check.Count(n, 100, "byte") for name, n in instructions.items()}

    recorded = counts(same=1000, grown=1000, shrunk=1000, gone=1000)
    wrong, notes = check.compared(recorded, counts(same=1050, grown=1051, shrunk=900, new=1))
    assert wrong == [
        "grown: 10.00 instructions per byte, now 10.51 instructions per byte: +5.1 %",
        "gone: recorded, and no stage any more",
    ]
    assert notes == [
        "shrunk: 10.00 instructions per byte, now 9.00 instructions per byte: -10.0 %",
        "new: 0.01 instructions per byte, not recorded",
    ]


def test_other_work_is_not_compared(check: ModuleType) -> None:
    old, new = {"scan": check.Count(1000, 100, "byte")}, {"scan": check.Count(1000, 90, "byte")}
    assert check.compared(old, new) == (["scan: 90 x byte, recorded for 100 x byte"], [])


def test_output_of_the_program_and_of_valgrind_is_read(check: ModuleType) -> None:
    lines = ["10\tbyte\tmemcpy", "4\tid\tsample, p = 0.1"]
    assert check.counts_of(lines, [1, 2]) == {"sample, p = 0.1": check.Count(2, 4, "id")}
    with pytest.raises(ValueError, match="zip"):
        check.counts_of(lines, [1])
    assert check.total("events: Ir\nsummary: 123\n\nfn=(1) main\n0 123\ntotals: 123\n") == 123


def test_without_valgrind_it_says_so_and_passes(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["check.py", "no-such-program"])
    assert check.main() == 0
    said = capsys.readouterr().err
    assert said == "NOT COMPARED: no instructions were compared: valgrind is not installed\n"


def test_a_program_that_is_not_there_is_told_in_a_line(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "instructions.json"
    record.write_text(json.dumps({"compiler": "gcc 1", "isas": {"avx2": {}}}))
    monkeypatch.setattr(check.shutil, "which", lambda name: name)
    monkeypatch.setattr(sys, "argv", ["check.py", str(tmp_path / "nope"), "--record", str(record)])
    assert check.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"check.py: {tmp_path / 'nope'}: No such file") and "FISSILE_BENCH" in line


def test_the_table_has_nanoseconds_limits_and_instructions(check: ModuleType) -> None:
    stage = {"least": 1.0, "greatest": 3.0}
    timed = {
        "isa": "avx512",
        "stages": {
            "letters": stage | {"ns": 0.5, "unit": "byte", "limit": ""},
            "scan": stage | {"ns": 2.0, "unit": "byte", "limit": "letters"},
            "merge": stage | {"ns": 2.0, "unit": "merge", "limit": "gone"},
        },
    }
    found = {"avx2": {"scan": check.Count(800_000, 400_000, "byte"), "merge": check.Count(300, 100, "merge")}}
    *_, letters, scan, merge = check.table(timed, found).splitlines()
    assert letters == "| letters | byte | 0.5 | 1 to 3 |  |  |  |  |  |"
    assert scan == "| scan | byte | 2 | 1 to 3 | letters | 0.5 | 4.00 | 2.00 | 2.00 |"
    assert merge == "| merge | merge | 2 | 1 to 3 |  |  |  | 3.00 |  |"


@pytest.mark.parametrize(("instructions", "status"), [(1000, 0), (1100, 1)])
def test_status_is_one_where_a_stage_has_grown(
    instructions: int,
    status: int,
    check: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = tmp_path / "instructions.json"
    stages = {"scan": check.Count(1000, 100, "byte")._asdict()}
    record.write_text(json.dumps({"compiler": "gcc 1", "isas": {"avx2": stages}}))
    found = {"scan": check.Count(instructions, 100, "byte")}
    monkeypatch.setattr(check, "counted", lambda micro, isa: ("gcc 1", found))
    monkeypatch.setattr(check.shutil, "which", lambda name: name)
    monkeypatch.setattr(sys, "argv", ["check.py", "micro", "--record", str(record)])
    assert check.main() == status
    assert ("TOO MANY: scan: 10.00" in capsys.readouterr().out) == (status == 1)


def test_another_compiler_is_not_compared(check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "instructions.json"
    record.write_text(json.dumps({"compiler": "gcc 1", "isas": {"avx2": {}}}))
    monkeypatch.setattr(check, "counted", lambda micro, isa: ("gcc 2", {}))
    with pytest.raises(check.Skipped, match="recorded with gcc 1, this program was built by gcc 2"):
        check.check(tmp_path, record)


def test_the_committed_record_is_whole(check: ModuleType) -> None:
    if not check.RECORD.exists():
        pytest.skip("this copy of the sources is without bench/results")
    record = json.loads(check.RECORD.read_text())
    assert record["workload"] == check.WORKLOAD
    for stages in record["isas"].values():
        assert len(stages) > 20
        assert all(stage["instructions"] > 0 and stage["units"] > 0 for stage in stages.values())
