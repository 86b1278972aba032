"""Encoders side by side, every cell in a fresh process.

    python bench/encode.py --vocab-dir DIR --corpus-dir DIR -o bench/results/encode

DIR holds cl100k_base.tiktoken, o200k_base.tiktoken, llama2.json and texts, unpacked or as .xz. Peers come from PyPI:
pip install '.[bench]'. See bench/README.md for how to read the numbers.
"""

from __future__ import annotations

import argparse
import gc
import json
import lzma
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from peers import PEERS

# Texts by name, and the rows: what is measured, vocabulary, text, threads.
CORPORA = {
    "English": ["en_prose.txt", "en_kernel_docs.txt"],
    "code": ["code_mix.txt"],
    "CJK": ["help_ja.txt", "help_zh-cn.txt"],
    "languages": [f"help_{x}.txt" for x in ("cs", "de", "es", "fr", "hu", "ru", "ja", "zh-cn")],
}
ROWS: list[tuple[str, str, str, int]] = [
    ("batch", "cl100k_base", "English", 1),
    ("batch", "cl100k_base", "code", 1),
    ("batch", "cl100k_base", "CJK", 1),
    ("batch", "cl100k_base", "languages", 1),
    ("batch", "o200k_base", "English", 1),
    ("batch", "llama2", "English", 1),
    ("batch", "llama2", "languages", 1),
    ("lists", "cl100k_base", "English", 1),
    ("batch", "cl100k_base", "English", 2),
    ("latency", "cl100k_base", "English", 1),
    ("decode", "cl100k_base", "English", 1),
]
PARITY_DOCUMENTS = 400


def text_of(directory: Path, name: str) -> str:
    plain = directory / name
    data = plain.read_bytes() if plain.is_file() else lzma.decompress((directory / f"{name}.xz").read_bytes())
    return data.decode()


def documents(text: str, size: int = 2000) -> list[str]:
    """Paragraphs joined to documents of about `size` characters."""
    found, current, length = [], [], 0
    for paragraph in text.split("\n\n"):
        current.append(paragraph)
        length += len(paragraph)
        if length >= size:
            found.append("\n\n".join(current))
            current, length = [], 0
    if current:
        found.append("\n\n".join(current))
    return [d[i : i + 2 * size] for d in found for i in range(0, len(d), 2 * size)]


def memory(field: str) -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def child(options: argparse.Namespace) -> dict[str, Any]:
    peer_name, what, vocabulary, corpus, threads = options.child
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(threads)]))
    os.environ["RAYON_NUM_THREADS"] = threads
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if int(threads) > 1 else "false"
    texts = documents("".join(text_of(options.corpus_dir, name) for name in CORPORA[corpus]))
    n_bytes = sum(len(text.encode()) for text in texts)
    before = memory("VmRSS")
    started = time.perf_counter()
    peer = PEERS[peer_name](str(options.vocab_dir), vocabulary, int(threads))
    result: dict[str, Any] = {"load ms": (time.perf_counter() - started) * 1e3}
    peer.ids(peer.batch(["Hello, world"]))  # imports and pools that a peer makes at its first call
    gc.collect()
    gc.disable()
    if what in ("batch", "lists"):
        call = getattr(peer, what)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            made = call(texts)
            times.append(time.perf_counter() - started)
            if len(times) == 1:
                result["peak MB over start"] = memory("VmHWM") - before
                result["parity"] = hash(str(peer.ids(made)[:PARITY_DOCUMENTS]))
            del made
        result["first MB/s"] = n_bytes / times[0] / 1e6
        result["again MB/s"] = n_bytes / statistics.median(times[1:]) / 1e6
    elif what == "latency":
        whole = "".join(texts)
        at = 0
        for size, n in ((20, 2000), (200, 2000), (2000, 1000)):
            single = []
            for _ in range(n):
                at += 5000
                single.append(whole[at : at + size])
            for label, passes in (("new", 1), ("seen", 5)):
                times = []
                for _ in range(passes):
                    started = time.perf_counter()
                    for text in single:
                        peer.one(text)
                    times.append((time.perf_counter() - started) / n * 1e6)
                result[f"{size} bytes {label} us"] = statistics.median(times)

        def work() -> None:
            for text in texts[:3000]:
                peer.one(text)

        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        work()
        started = time.perf_counter()
        work()
        work()
        alone = time.perf_counter() - started
        pair = [threading.Thread(target=work) for _ in range(2)]
        started = time.perf_counter()
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        result["two Python threads, x"] = alone / (time.perf_counter() - started)
    else:
        some = texts[:2000]
        size = sum(len(text.encode()) for text in some)
        lists = [list(map(int, peer.one(text))) for text in some]
        forms: list[tuple[str, Any]] = [("list", lists)]
        if peer_name == "fissile":
            import numpy as np

            forms.append(("array", [np.array(ids, np.uint32) for ids in lists]))
        for label, form in forms:
            times = []
            for _ in range(5):
                started = time.perf_counter()
                for ids in form:
                    peer.decode(ids)
                times.append(time.perf_counter() - started)
            result[f"decode {label} MB/s"] = size / statistics.median(times) / 1e6
    return result


def run(options: argparse.Namespace, peer: str, row: tuple[str, str, str, int]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--vocab-dir", str(options.vocab_dir), "--corpus-dir", str(options.corpus_dir)]
    command += ["--child", peer, *map(str, row)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["?"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def machine() -> dict[str, Any]:
    with open("/proc/cpuinfo") as info:
        cpu = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    packages = {}
    for name in (
        "fissile",
        "gigatoken",
        "fastokens",
        "snaptokens",
        "quicktok-v1",
        "toktok-rs",
        "splintr-rs",
        "tokie",
        "tuetoken",
        "tiktoken",
        "tokenizers",
    ):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "packages": packages}


def table(results: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    """Markdown: a section a row, medians with the spread of the runs, and our ratio to the best right peer."""
    lines = []
    for row, peers in results.items():
        figures = sorted(
            {key for runs in peers.values() for run in runs for key in run if key not in ("error", "parity")}
        )
        wanted = next((run["parity"] for run in peers.get("fissile", []) if "parity" in run), None)
        lines += [
            f"\n## {row}\n",
            "| peer | " + " | ".join(figures) + " | |",
            "|---|" + "---:|" * len(figures) + "---|",
        ]
        medians: dict[str, dict[str, float]] = {}
        for peer, runs in peers.items():
            good = [run for run in runs if "error" not in run]
            if not good:
                continue
            note = "" if wanted is None or all(run.get("parity") == wanted for run in good) else "**other ids**"
            cells = []
            for figure in figures:
                values = sorted(run[figure] for run in good if figure in run)
                if not values:
                    cells.append("")
                    continue
                middle = statistics.median(values)
                if not note:
                    medians.setdefault(figure, {})[peer] = middle
                digits = 2 if middle < 100 else 0
                cells.append(f"{middle:.{digits}f} ({values[0]:.{digits}f} to {values[-1]:.{digits}f})")
            lines.append(f"| {peer} | " + " | ".join(cells) + f" | {note} |")
        ratios = []
        for figure in figures:
            others = {peer: value for peer, value in medians.get(figure, {}).items() if peer != "fissile"}
            ours = medians.get(figure, {}).get("fissile")
            if ours is None or not others:
                ratios.append("")
                continue
            more_is_better = "MB/s" in figure or figure.endswith(", x")
            best = max(others, key=others.get) if more_is_better else min(others, key=others.get)  # type: ignore[arg-type]
            ratio = ours / others[best] if more_is_better else others[best] / ours
            ratios.append(f"**{ratio:.2f}** ({best})")
        lines.append("| *ours, times better than the best* | " + " | ".join(ratios) + " | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--corpus-dir", type=Path, required=True)
    parser.add_argument("--peers", default="all", help="names with commas between them")
    parser.add_argument("--rows", default="all", help="numbers of rows with commas between them")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.json and OUTPUT.md")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        try:
            print(json.dumps(child(options)))
        except (NotImplementedError, ImportError) as error:
            sys.exit(f"{type(error).__name__}: {error}")
        return
    peers = list(PEERS) if options.peers == "all" else options.peers.split(",")
    rows = ROWS if options.rows == "all" else [ROWS[int(i)] for i in options.rows.split(",")]
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        what, vocabulary, corpus, threads = row
        cells: dict[str, list[dict[str, Any]]] = results.setdefault(
            f"{what}, {vocabulary}, {corpus}, {threads} threads", {}
        )
        # In turn, so that a slow minute of the machine hits all alike.
        for _ in range(options.runs):
            for peer in peers:
                if any("error" in run for run in cells.get(peer, [])):
                    continue
                cells.setdefault(peer, []).append(run(options, peer, row))
        print(table({f"{what}, {vocabulary}, {corpus}, {threads} threads": cells}), flush=True)
    if options.output:
        command = " ".join(["python", *sys.argv])
        record = {"machine": machine(), "command": command, "results": results}
        options.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        head = f"# Encoders side by side\n\nMade by `{command}`\n\n{json.dumps(record['machine'])}\n"
        options.output.with_suffix(".md").write_text(head + table(results))


if __name__ == "__main__":
    main()
