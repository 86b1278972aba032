"""Hostile megabytes: what one document of one letter, of white space or of unbroken Chinese costs, ours and others.

    python bench/adversarial.py --vocab-dir DIR --corpus-dir DIR -o bench/results/adversarial

The texts are those of tests/reference/texts.py. Each is one document, and the first one that a fresh process sees after
one trivial call. Beside them stands a megabyte of English, for what a megabyte costs that is not hostile. Who takes longer
than the limit is stopped, who takes over a second gets one run of that text, and who crashes or fails at it no other; no
peer keeps the others from their turns. To be reached: the time of the best peer, and ten times that of English at most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
from corpora import text_of  # noqa: E402
from encode import tokenizer_of  # noqa: E402
from fissile.benchmark import texts as text_files  # noqa: E402
from fissile.benchmark.encoding import Job  # noqa: E402
from fissile.benchmark.machine import CLOCKS, describe, pin  # noqa: E402
from fissile.benchmark.peer import NotOffered  # noqa: E402
from fissile.benchmark.peers import PEERS  # noqa: E402
from fissile.benchmark.processes import result_of  # noqa: E402
from fissile.benchmark.tables import machine_lines  # noqa: E402
from fissile.benchmark.tokenizer_files import TokenizerFiles  # noqa: E402
from fissile.benchmark.trades import PACKAGES, chosen  # noqa: E402
from reference.texts import adversarial  # noqa: E402

SIZE = 1_000_000
ENGLISH = "a megabyte of English"
SLOW_MS = 1000.0  # who takes longer at a text gets one run of it
Runs = dict[str, dict[str, list[dict[str, Any]]]]  # text, peer, one for each run


def texts(corpus_dir: Path, size: int, only: str) -> dict[str, str]:
    """English, and the hostile texts whose names hold `only`."""
    hostile = {name: text for name, text in adversarial(size).items() if text and only in name}
    return {ENGLISH: text_of(corpus_dir, "en_prose.txt")[: size * 2][-size:], **hostile}


def child(path: Path) -> None:
    """What one text takes in one peer: a line of JSON."""
    job = Job.load(path)
    pin(job.threads)
    clock = CLOCKS[job.clock]
    (text,) = text_files.load(Path(job.texts))
    try:
        peer = PEERS[job.peer](job.tokenizer, job.threads)
    except NotOffered as error:
        print(json.dumps({"not offered": str(error)}))
        return
    peer.flat(peer.batch(["Hello, world"]))
    started = clock()
    made = peer.batch([text])
    took = clock() - started
    ids, _ = peer.flat(made)
    print(json.dumps({"ms": took * 1e3, "ids": f"{len(ids)} {zlib.crc32(ids.tobytes()):08x}"}))


def cell(runs: list[dict[str, Any]], wanted: str) -> tuple[str, float | None]:
    """What a table says of a text and a peer, and its time where it counts."""
    good = [run["ms"] for run in runs if "ms" in run]
    if not good:
        return failure(runs), None
    middle = statistics.median(good)
    same = all(run.get("ids") == wanted for run in runs)
    return f"{middle:.1f}{'' if same else ' *'}", middle if same else None


def failure(runs: list[dict[str, Any]]) -> str:
    """What a table says of a text that a peer did not encode."""
    error = next((run["error"] for run in runs if "error" in run), "")
    if error.startswith("more than "):
        return f"> {error.removeprefix('more than ')}"
    return "crashed" if error.startswith("crashed") else "failed" if error else ""


def failures(results: Runs) -> list[str]:
    """What crashed or failed, in its own words."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, by_peer in results.items():
        for peer, runs in by_peer.items():
            for run in runs:
                if "error" in run and not run["error"].startswith("more than "):
                    found.setdefault((peer, run["error"][:100]), []).append(name)
    return [f"- {peer}, {', '.join(dict.fromkeys(names))}: {error}" for (peer, error), names in found.items()]


def gets_another(runs: list[dict[str, Any]]) -> bool:
    """Whether a peer gets a run of a text after those it had."""
    return all("ms" in run and run["ms"] <= SLOW_MS for run in runs)


def table(results: Runs, peers: list[str]) -> str:
    """Markdown: a line a text, medians in milliseconds, our ratios to the best peer and to English."""
    lines = ["| text | " + " | ".join(peers) + " | times the best peer's speed | times English | |"]
    lines.append("|---|" + "---:|" * (len(peers) + 2) + "---|")
    english = cell(results[ENGLISH]["fissile"], results[ENGLISH]["fissile"][0].get("ids", ""))[1]
    for name, by_peer in results.items():
        wanted = by_peer["fissile"][0].get("ids", "")
        cells = {peer: cell(by_peer.get(peer, []), wanted) for peer in peers}
        ours = cells["fissile"][1]
        others = {peer: ms for peer, (_, ms) in cells.items() if ms is not None and peer != "fissile"}
        ratio, slower = "", ""
        mark = []
        if ours is not None and others:
            best = min(others, key=others.__getitem__)
            ratio = f"{others[best] / ours:.2f} ({best})"
            mark.append("reached" if others[best] >= ours else "missed")
        if ours is not None and english is not None and name != ENGLISH:
            slower = f"{ours / english:.2f}"
            mark.append("" if ours <= 10 * english else "over ten times English")
        figures = " | ".join(text for text, _ in cells.values())
        lines.append(f"| {name} | {figures} | {ratio} | {slower} | {', '.join(filter(None, mark))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--corpus-dir", type=Path, required=True)
    parser.add_argument("--vocabulary", default="cl100k_base")
    parser.add_argument("--peers", default="all", help="names with commas between them")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=30, help="seconds for one process")
    parser.add_argument("--size", type=int, default=SIZE, help="of a text, about")
    parser.add_argument("--only", default="", help="texts whose names hold this, beside English")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: time of this process alone, on a busy machine"
    )
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    peers = [peer for peer in chosen(options.peers) if peer in PEERS]
    results: Runs = {}
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = TokenizerFiles.of(tokenizer_of(options.vocab_dir, options.vocabulary), folder / "tokenizer")
        for title, text in texts(options.corpus_dir, options.size, options.only).items():
            text_files.store([text], folder / "text")
            by_peer = results.setdefault(title, {peer: [] for peer in peers if peer not in absent})
            # In turn, so that a slow minute of the machine hits all alike.
            for _ in range(options.runs):
                for peer, runs in by_peer.items():
                    if peer in absent or not gets_another(runs):
                        continue
                    job = Job(peer, files, str(folder / "text"), "encode", 1, options.clock)
                    job.save(folder / "job.json")
                    run = result_of([__file__, "--child", str(folder / "job.json")], options.limit)
                    if "not offered" in run:
                        absent[peer] = run["not offered"]
                    else:
                        runs.append(run)
            wanted = by_peer["fissile"][0].get("ids", "")
            told = [f"{peer} {cell(runs, wanted)[0]}" for peer, runs in by_peer.items() if runs]
            print(f"{title}: {', '.join(told)}", flush=True)
            shown = [p for p in peers if any("ms" in run for found in results.values() for run in found.get(p, []))]
            if options.output:  # an interrupt later leaves what there is
                write(results, shown, absent, options)
    print(page(results, shown, absent))


def page(results: Runs, shown: list[str], absent: dict[str, str]) -> str:
    """The table, and what it leaves out."""
    lines = [table(results, shown)]
    if failed := failures(results):
        lines += ["Failed:\n", *failed, ""]
    if absent:
        lines.append("Not offered: " + "; ".join(f"{peer} ({why})" for peer, why in absent.items()) + ".\n")
    return "\n".join(lines)


def write(results: Runs, shown: list[str], absent: dict[str, str], options: argparse.Namespace) -> None:
    """The results so far, as JSON and as a page."""
    command = (
        f"python bench/adversarial.py --vocab-dir DIR --corpus-dir DIR --peers {options.peers} --runs {options.runs}"
    )
    command += f" --limit {options.limit:g} --clock {options.clock} -o bench/results/{options.output.name}"
    record = {"machine": describe(PACKAGES), "command": command, "vocabulary": options.vocabulary, "results": results}
    options.output.with_suffix(".json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    head = (
        f"# Hostile megabytes\n\nMade by `{command}`\n\n{machine_lines(record['machine'])}\n"
        f"Milliseconds ({options.clock} clock) for about {options.size / 1e6:g} MB as one document, {options.vocabulary}, one "
        f"core, median of {options.runs} fresh processes; of one where it took over {SLOW_MS / 1e3:g} s. `*`: other ids than "
        f"ours, or not the same ones in every run; `> {options.limit:g} s`: stopped then. Above 1 in the column of the best "
        f"peer is ahead.\n\n"
    )
    options.output.with_suffix(".md").write_text(head + page(results, shown, absent))


if __name__ == "__main__":
    main()
