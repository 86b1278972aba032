"""Instructions of each stage of the core, counted by valgrind, against those that are recorded: a guard, not a benchmark.

    python bench/check.py BUILD/micro              # fails if a stage takes over 5 % more than bench/results/instructions.json says
    python bench/check.py BUILD/micro --update     # records what there is now; the commit says why
    python bench/check.py BUILD/micro --table bench/results/micro.md    # also writes nanoseconds and instructions of each stage

BUILD/micro is bench/micro, built with optimisation: cmake -DFISSILE_BENCH=ON, or the dev and release presets. Counts do not
depend on how busy the machine is, and hardly on which machine it is; they do depend on the compiler, so those of another one
are not compared: that passes, and says NOT COMPARED. valgrind knows no AVX-512: kernels are counted for the ISAs named in
the file. The table's nanoseconds are of the best ISA there is, and do depend on the machine and the hour.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

RECORD = Path(__file__).resolve().parent / "results" / "instructions.json"
LIMIT = 1.05
WORKLOAD = ["--bytes", "400000", "--vocab", "4000"]
ISAS = {"x86_64": ["avx2", "sse2"], "aarch64": ["neon"]}
# Of the C library, not of this project.
FOREIGN = ("memcpy",)
OF_THE_TEXT = ("byte", "pretoken", "id")
"""Units of which a stage works through as many as the text has."""


class Skipped(Exception):
    """Nothing can be compared here; the message says why."""


class Broken(Exception):
    """The program is not there, or does not do what it should; the message says what."""


class Count(NamedTuple):
    """Of one stage."""

    instructions: int
    units: int
    unit: str


Counts = dict[str, Count]


def counted(micro: Path, isa: str) -> tuple[str, Counts]:
    """The compiler that built the program, and the counts of its stages.

    Raises:
        Skipped: this machine lacks the ISA.
    """
    environment = os.environ | {"FISSILE_ISA": isa}
    once = [str(micro), "--once", *WORKLOAD]
    plain = started([*once, "--only", "memcpy"], environment)
    if "FISSILE_ISA" in plain.stderr:
        raise Skipped(plain.stderr.strip())
    if plain.returncode != 0:
        raise Broken(f"{micro}: {plain.stderr.strip() or f'exit status {plain.returncode}'}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        valgrind = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=fissile_measured"]
        valgrind += ["--dump-after=fissile_measured", f"--callgrind-out-file={out}"]
        done = started([*valgrind, *once], environment)
        if done.returncode != 0:
            raise Broken(f"{' '.join([*valgrind, *once])}\n{done.stderr}")
        compiler, *lines = done.stdout.splitlines()
        # One dump a stage, in order: counts.1, counts.2, ...
        totals = [total(Path(f"{out}.{i + 1}").read_text()) for i in range(len(lines))]
    return compiler, counts_of(lines, totals)


def started(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A program run to its end.

    Raises:
        Broken: it is not there, or no program.
    """
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True)
    except OSError as error:
        raise Broken(f"{command[0]}: {error.strerror}; expected bench/micro, built with -DFISSILE_BENCH=ON") from None


def total(dump: str) -> int:
    """Instructions in one dump of callgrind."""
    return next(int(line.split()[1]) for line in dump.splitlines() if line.startswith(("totals:", "summary:")))


def counts_of(lines: list[str], totals: list[int]) -> Counts:
    """Counts by stage, of what `micro --once` prints and the instructions of each line."""
    counts = {}
    for line, instructions in zip(lines, totals, strict=True):
        units, unit, name = line.split("\t")
        if not name.startswith(FOREIGN):
            counts[name] = Count(instructions, int(units), unit)
    return counts


def compared(recorded: Counts, found: Counts) -> tuple[list[str], list[str]]:
    """What is wrong, and what is worth knowing."""
    wrong, notes = [], []
    for name, old in recorded.items():
        new = found.get(name)
        if new is None:
            wrong.append(f"{name}: recorded, and no stage any more")
        elif (new.units, new.unit) != (old.units, old.unit):
            wrong.append(f"{name}: {new.units} x {new.unit}, recorded for {old.units} x {old.unit}")
        elif new.instructions > old.instructions * LIMIT:
            wrong.append(f"{name}: {shown(old)}, now {shown(new)}: {percent(old, new)}")
        elif new.instructions * LIMIT < old.instructions:
            notes.append(f"{name}: {shown(old)}, now {shown(new)}: {percent(old, new)}")
    notes += [f"{name}: {shown(new)}, not recorded" for name, new in found.items() if name not in recorded]
    return wrong, notes


def shown(count: Count) -> str:
    return f"{count.instructions / count.units:.2f} instructions per {count.unit}"


def percent(old: Count, new: Count) -> str:
    return f"{100 * (new.instructions / old.instructions - 1):+.1f} %"


def update(micro: Path, record: Path) -> dict[str, Counts]:
    """Writes the counts there are now; by ISA."""
    found: dict[str, Counts] = {}
    compiler = ""
    for isa in ISAS[platform.machine()]:
        compiler, found[isa] = counted(micro, isa)
        for name, count in found[isa].items():
            print(f"{isa}: {name}: {shown(count)}")
    isas = {isa: {name: count._asdict() for name, count in counts.items()} for isa, counts in found.items()}
    record.write_text(json.dumps({"compiler": compiler, "workload": WORKLOAD, "isas": isas}, indent=1) + "\n")
    return found


def check(micro: Path, record: Path) -> tuple[bool, dict[str, Counts]]:
    """Compares and says what it found; whether all holds, and the counts by ISA.

    Raises:
        Skipped: nothing was compared.
    """
    recorded = json.loads(record.read_text())
    found: dict[str, Counts] = {}
    all_wrong = []
    for isa, stages in recorded["isas"].items():
        try:
            compiler, counts = counted(micro, isa)
        except Skipped as reason:
            print(f"{isa}: NOT COMPARED: {reason}")
            continue
        if compiler != recorded["compiler"]:
            raise Skipped(f"recorded with {recorded['compiler']}, this program was built by {compiler}")
        found[isa] = counts
        wrong, notes = compared({name: Count(**stage) for name, stage in stages.items()}, counts)
        for line in [*notes, *(f"TOO MANY: {line}" for line in wrong)]:
            print(f"{isa}: {line}")
        all_wrong += wrong
    if not found:
        raise Skipped("this machine has none of the recorded ISAs")
    if all_wrong:
        print("more than 5 % over what is recorded; if that is meant, --update, and say why in the commit")
    else:
        print(f"{sum(map(len, found.values()))} counts are within 5 % of {record.name}")
    return not all_wrong, found


def table(timed: dict[str, Any], found: dict[str, Counts]) -> str:
    """Markdown: a line a stage, its nanoseconds beside its limit's, and its instructions.

    Args:
        timed: what `micro --json` prints.
        found: counts of instructions by ISA.
    """
    columns = [f"instructions, {isa} | of a byte of text" for isa in found]
    lines = ["| stage | a | ns | least to greatest | limit | its ns | times its limit | " + " | ".join(columns) + " |"]
    lines.append("|---|---|---:|---:|---|---:|---:|" + "---:|---:|" * len(found))
    n_bytes = int(WORKLOAD[WORKLOAD.index("--bytes") + 1])
    for name, stage in timed["stages"].items():
        limit = timed["stages"].get(stage["limit"])
        cells = [name, stage["unit"], f"{stage['ns']:.3g}", f"{stage['least']:.3g} to {stage['greatest']:.3g}"]
        cells += [stage["limit"], f"{limit['ns']:.3g}", f"{stage['ns'] / limit['ns']:.2f}"] if limit else ["", "", ""]
        for counts in found.values():
            count = counts.get(name)
            each = f"{count.instructions / count.units:.2f}" if count else ""
            of_text = f"{count.instructions / n_bytes:.2f}" if count and count.unit in OF_THE_TEXT else ""
            cells += [each, of_text]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(micro: Path, found: dict[str, Counts], path: Path) -> None:
    """Nanoseconds, measured now, and instructions, counted before, as a page."""
    from fissile.benchmark.machine import describe
    from fissile.benchmark.tables import machine_lines

    done = started([str(micro), "--json"], dict(os.environ))
    if done.returncode != 0:
        raise Broken(f"{micro} --json: {done.stderr.strip()}")
    timed = json.loads(done.stdout)
    head = [
        "# Each stage alone",
        "",
        f"Made by `python bench/check.py BUILD/micro --table {RECORD.parent.parent.name}/{RECORD.parent.name}/{path.name}`",
        "",
        machine_lines(describe([])),
        f"Nanoseconds of CPU time on {timed['isa']}, medians of seven rounds in turns, made-up text of 4 MB, a vocabulary of 16,000 "
        f"ids. Instructions as callgrind counts them, {' '.join(WORKLOAD)}: per unit, and per byte of the text where a stage "
        "works through all of it.",
        "",
    ]
    path.write_text("\n".join(head) + "\n" + table(timed, found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("micro", type=Path, help="the program")
    parser.add_argument("--update", action="store_true", help="record the counts")
    parser.add_argument("--table", type=Path, help="also write nanoseconds and instructions of each stage, as Markdown")
    parser.add_argument("--record", type=Path, default=RECORD, help=argparse.SUPPRESS)
    options = parser.parse_args()
    micro = options.micro.resolve()
    try:
        if shutil.which("valgrind") is None:
            raise Skipped("valgrind is not installed")
        holds, found = (True, update(micro, options.record)) if options.update else check(micro, options.record)
        if options.table:
            write_table(micro, found, options.table)
        return 0 if holds else 1
    except Skipped as reason:
        # It passes, as nothing is known to be wrong; nobody should take it for a check.
        print(f"NOT COMPARED: no instructions were compared: {reason}", file=sys.stderr)
        return 0
    except Broken as error:
        print(f"check.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
