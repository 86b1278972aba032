"""Instructions that encoders need for a byte, in a first pass and again, counted by valgrind: what is left of a ratio of
speed when memory, caches and the hour of the machine are taken out.

    python bench/peer_instructions.py --vocab-dir DIR --corpus-dir DIR -o bench/results/peer_instructions.md

Each figure is the difference of two processes, one of which does a pass more. valgrind knows no AVX-512: kernels run as on
a machine with AVX2. Beside them stands how many merges there are to a byte where each distinct pretoken that is no token is
merged once: what a first pass does, but for Chinese and the like, where pretokens are cut and their parts come again.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import numpy as np  # noqa: E402

import fissile  # noqa: E402
from corpora import CORPORA, corpus  # noqa: E402
from encode import tokenizer_of  # noqa: E402
from fissile.benchmark import texts as text_files  # noqa: E402
from fissile.benchmark.encoding import Job  # noqa: E402
from fissile.benchmark.machine import describe, pools  # noqa: E402
from fissile.benchmark.peers import PEERS  # noqa: E402
from fissile.benchmark.tables import machine_lines  # noqa: E402
from fissile.benchmark.tokenizer_files import TokenizerFiles  # noqa: E402
from fissile.benchmark.trades import PACKAGES, chosen  # noqa: E402


def child(path: Path, n_passes: int) -> None:
    """Loads a peer, and encodes the texts so many times."""
    job = Job.load(path)
    texts = text_files.load(Path(job.texts))
    peer = PEERS[job.peer](job.tokenizer, job.threads)
    peer.batch(["Hello, world"])
    for _ in range(n_passes):
        peer.batch(texts)


def instructions(job: Path, n_passes: int) -> int:
    """Those of a whole process."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, __file__, "--child", str(job), str(n_passes)]
    environment = os.environ | pools(1) | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    found = re.search(r"refs: +([\d,]+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))


def merges(tokenizer: fissile.Tokenizer, pattern: str, texts: list[str]) -> int:
    """Of each distinct pretoken once, where it is no token."""
    data, given_ends, _ = fissile.count(iter(texts), pattern).arrays()
    ends = given_ends.astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]])
    pretokens = [data[begin:end].tobytes() for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    n_ids = np.diff(tokenizer.encode_batch(pretokens, threads=1).offsets)
    return int((ends - begins - n_ids)[n_ids > 1].sum())


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-dir", type=Path, required=True)
    parser.add_argument("--corpus-dir", type=Path, required=True)
    parser.add_argument("--vocabulary", default="cl100k_base")
    parser.add_argument("--peers", default="fissile,gigatoken,fastokens", help="names with commas between them")
    parser.add_argument("--corpora", default="English and code,CJK,languages", help="names with commas between them")
    parser.add_argument("--bytes", type=int, default=6_000_000, help="of each corpus, from all over it")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    peers = [peer for peer in chosen(options.peers) if peer in PEERS]
    tokenizer = tokenizer_of(options.vocab_dir, options.vocabulary)
    lines = [
        "| text | bytes | merges a byte | peer | instructions a byte, first | again | more in the first |",
        "|---|---:|---:|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = TokenizerFiles.of(tokenizer, folder / "tokenizer")
        for title in options.corpora.split(","):
            if title not in CORPORA:
                parser.error(f"--corpora: {title!r} is none of {', '.join(CORPORA)}")
            texts = corpus(options.corpus_dir, title)
            step = max(1, sum(len(text.encode()) for text in texts) // options.bytes)
            texts = text_files.first_bytes(texts[::step], options.bytes)
            n_bytes = sum(len(text.encode()) for text in texts)
            text_files.store(texts, folder / "text")
            first_columns = f"| {title} | {n_bytes} | {merges(tokenizer, files.pattern, texts) / n_bytes:.3f} "
            for peer in peers:
                Job(peer, files, str(folder / "text"), "encode", 1, "cpu").save(folder / "job.json")
                none, one, two = (instructions(folder / "job.json", n) for n in range(3))
                first, again = (one - none) / n_bytes, (two - one) / n_bytes
                lines.append(f"{first_columns}| {peer} | {first:.1f} | {again:.1f} | {first - again:.1f} |")
                print(lines[-1], flush=True)
                first_columns = "| | | "
    command = f"python bench/peer_instructions.py --vocab-dir DIR --corpus-dir DIR --peers {options.peers}"
    command += f" --bytes {options.bytes} -o bench/results/peer_instructions.md"
    page = (
        f"# Instructions of encoders\n\nMade by `{command}`\n\n{machine_lines(describe(PACKAGES))}\n"
        f"{options.vocabulary}, one thread, documents of two thousand characters, AVX2 (valgrind knows no AVX-512).\n\n"
        + "\n".join(lines)
        + "\n"
    )
    if options.output:
        options.output.write_text(page)
    else:
        print(page)


if __name__ == "__main__":
    main()
