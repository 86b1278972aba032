"""Instructions of each stage of the core, counted by valgrind, against those that are recorded: a guard, not a benchmark.

    python bench/check.py BUILD/micro              # fails if a stage takes over 5 % more than bench/results/instructions.json says
    python bench/check.py BUILD/micro --update     # records what there is now; the commit says why

BUILD/micro is bench/micro, built with optimisation: cmake -DFISSILE_BENCH=ON, or the dev and release presets. Counts do not
depend on how busy the machine is, and hardly on which machine it is; they do depend on the compiler, so those of another one
are not compared. valgrind knows no AVX-512: kernels are counted for the ISAs named in the file.
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
from typing import NamedTuple

RECORD = Path(__file__).resolve().parent / "results" / "instructions.json"
LIMIT = 1.05
WORKLOAD = ["--bytes", "400000", "--vocab", "4000"]
ISAS = {"x86_64": ["avx2", "sse2"], "aarch64": ["neon"]}
# Of the C library, not of this project.
FOREIGN = ("memcpy",)


class Skipped(Exception):
    """Nothing can be compared here; the message says why."""


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
    plain = subprocess.run([*once, "--only", "memcpy"], env=environment, capture_output=True, text=True)
    if "FISSILE_ISA" in plain.stderr:
        raise Skipped(plain.stderr.strip())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        valgrind = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=fissile_measured"]
        valgrind += ["--dump-after=fissile_measured", f"--callgrind-out-file={out}"]
        done = subprocess.run([*valgrind, *once], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join([*valgrind, *once])}\n{done.stderr}")
        compiler, *lines = done.stdout.splitlines()
        # One dump a stage, in order: counts.1, counts.2, ...
        totals = [total(Path(f"{out}.{i + 1}").read_text()) for i in range(len(lines))]
    return compiler, counts_of(lines, totals)


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


def update(micro: Path, record: Path) -> None:
    """Writes the counts there are now."""
    isas = {}
    compiler = ""
    for isa in ISAS[platform.machine()]:
        compiler, found = counted(micro, isa)
        isas[isa] = {name: count._asdict() for name, count in found.items()}
        for name, count in found.items():
            print(f"{isa}: {name}: {shown(count)}")
    record.write_text(json.dumps({"compiler": compiler, "workload": WORKLOAD, "isas": isas}, indent=1) + "\n")


def check(micro: Path, record: Path) -> bool:
    """Compares and says what it found; whether all holds.

    Raises:
        Skipped: nothing was compared.
    """
    recorded = json.loads(record.read_text())
    n_compared, all_wrong = 0, []
    for isa, stages in recorded["isas"].items():
        try:
            compiler, found = counted(micro, isa)
        except Skipped as reason:
            print(f"{isa}: not compared: {reason}")
            continue
        if compiler != recorded["compiler"]:
            raise Skipped(f"recorded with {recorded['compiler']}, this program was built by {compiler}")
        wrong, notes = compared({name: Count(**stage) for name, stage in stages.items()}, found)
        for line in [*notes, *(f"TOO MANY: {line}" for line in wrong)]:
            print(f"{isa}: {line}")
        n_compared += len(found)
        all_wrong += wrong
    if not n_compared:
        raise Skipped("this machine has none of the recorded ISAs")
    if all_wrong:
        print("more than 5 % over what is recorded; if that is meant, --update, and say why in the commit")
    else:
        print(f"{n_compared} counts are within 5 % of {record.name}")
    return not all_wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("micro", type=Path, help="the program")
    parser.add_argument("--update", action="store_true", help="record the counts")
    parser.add_argument("--record", type=Path, default=RECORD, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if shutil.which("valgrind") is None:
            raise Skipped("valgrind is not installed")
        if options.update:
            update(options.micro, options.record)
            return 0
        return 0 if check(options.micro, options.record) else 1
    except Skipped as reason:
        print(f"instructions are not compared: {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
