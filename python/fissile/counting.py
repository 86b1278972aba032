"""Counting the pretokens of a corpus, which is all that training learns from."""

from __future__ import annotations

import errno
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from fissile import _core
from fissile.arguments import UINT64_MAX, choice, function, instance, path_text, path_texts, string, strings, whole
from fissile.formats.patterns import canonical_pattern, is_built_in
from fissile.numpy_later import np, npt
from fissile.whole_file import check_writable, write_whole

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fissile.data.readers import Batch, Source, Text

__all__ = [
    "PretokenCounts",
    "Reported",
    "count",
    "count_to_file",
    "is_counts_file",
    "load_files",
    "merge_files",
    "split_inputs",
]

PathLike = str | os.PathLike[str]
Inputs = PathLike | Sequence[PathLike] | Mapping[PathLike, float] | Iterable["Text"]
Progress = Callable[[str, int, int | None], object]
Result = TypeVar("Result")


class PretokenCounts:
    """The distinct pretokens of a corpus and how often each occurs. Made by `fissile.count`; never changes.

    Counts add up: those of the parts of a corpus, counted anywhere and merged in any order, are those of the whole, to
    the byte of a saved file.

    >>> counts = PretokenCounts.from_counts({b"the": 2, b" cat": 1}, pattern="gpt2")
    >>> counts[b"the"], len(counts), list(counts)
    (2, 2, [(b' cat', 1), (b'the', 2)])
    """

    __slots__ = ("_core",)

    def __init__(self, core: _core.PretokenCounts) -> None:
        self._core = core

    @staticmethod
    def from_counts(
        counts: Mapping[bytes, int],
        pattern: str,
        *,
        sequence: Literal["line", "document"] = "line",
        n_documents: int = 0,
        n_bytes: int = 0,
    ) -> PretokenCounts:
        """Counts made elsewhere.

        Args:
            counts: pretoken -> how often it occurs, at least 1.
            pattern: name or regular expression of the pattern that cut them.
            sequence: as of `count`, like the other arguments what they are the counts of.

        Raises:
            ValueError: a pretoken is empty or a count is below 1.
            TypeError: a count is no int.
        """
        instance("counts", counts, Mapping, "a dict of pretoken to count")
        string("pattern", pattern)
        for pretoken, n in counts.items():
            instance(f"the pretoken {pretoken!r} in counts", pretoken, bytes, "bytes")
            whole(f"counts[{pretoken!r}]", n, 1, UINT64_MAX)
        choice("sequence", sequence, ("line", "document"))
        pretokens = sorted(counts)
        return PretokenCounts(
            _core.PretokenCounts.from_arrays(
                pattern=canonical_pattern(pattern),
                sequence=sequence,
                scale=1,
                n_documents=whole("n_documents", n_documents, 0, UINT64_MAX),
                n_bytes=whole("n_bytes", n_bytes, 0, UINT64_MAX),
                bytes=np.frombuffer(b"".join(pretokens), np.uint8),
                ends=np.cumsum([len(pretoken) for pretoken in pretokens], dtype=np.uint64),
                counts=np.array([counts[pretoken] for pretoken in pretokens], dtype=np.uint64),
            )
        )

    @staticmethod
    def load(path: PathLike) -> PretokenCounts:
        """Counts from a file that `save` or `fissile count` wrote.

        Raises:
            ValueError: the file is broken or no counts file; file, offset, what was found and what was expected are
                named.
            OSError: the file cannot be read.
        """
        name = path_text("path", path)
        _check_readable(name)
        return PretokenCounts(_core.PretokenCounts.load(os.fsencode(name)))

    def save(self, path: PathLike) -> None:
        """Write a file, which appears under its name only when it is complete.

        The form is described in cpp/train/counts_file.hpp: sorted, front-coded, with checksums. Equal counts are equal
        files.
        """
        write_whole(path_text("path", path), lambda partial: self._core.save(os.fsencode(partial)))

    def merge(self, other: PretokenCounts) -> PretokenCounts:
        """The counts of both corpora together; `a + b` is the same.

        Raises:
            ValueError: the patterns or the sequences differ.
        """
        return PretokenCounts(self._core.merged(instance("other", other, PretokenCounts, "PretokenCounts")._core))

    def __add__(self, other: object) -> PretokenCounts:
        return self.merge(other) if isinstance(other, PretokenCounts) else NotImplemented

    @property
    def pattern(self) -> str:
        """What cut the text: name of a built-in pattern, or a regular expression."""
        return self._core.pattern

    @property
    def sequence(self) -> str:
        """What was cut by itself: "line" or "document"."""
        return self._core.sequence

    @property
    def scale(self) -> int:
        """Counts are occurrences times the weight of their input times this; 1 unless there were fractional weights."""
        return self._core.scale

    @property
    def n_documents(self) -> int:
        """Number of documents: files of text, lines of jsonl, rows, items of an iterable."""
        return self._core.n_documents

    @property
    def n_bytes(self) -> int:
        """Bytes of text, as UTF-8."""
        return self._core.n_bytes

    @property
    def total(self) -> int:
        """Sum of the counts."""
        n_pretokens, _, _, _ = self._core.sums()
        return n_pretokens

    def arrays(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The counts as they lie in memory, without a copy and not to be written to.

        Returns:
            The pretokens one after another, in ascending order: uint8 (b,); where each ends: uint64 (n,); how often
            each occurs: uint64 (n,).
        """
        return self._core.arrays()

    def most_common(self, n: int = 10) -> list[tuple[bytes, int]]:
        """The n pretokens with the greatest counts, of equal ones the smaller bytes first.

        >>> PretokenCounts.from_counts({b"a": 1, b"b": 3, b"c": 1}, pattern="gpt2").most_common(2)
        [(b'b', 3), (b'a', 1)]
        """
        return self._core.most_common(min(whole("n", n, 0), len(self)))

    def __len__(self) -> int:
        return len(self._core)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        for begin in range(0, len(self), 4096):
            yield from self._core.entries(begin, begin + 4096)

    def __getitem__(self, pretoken: bytes) -> int:
        return self._core.count_of(instance("pretoken", pretoken, bytes, "bytes"))

    def __contains__(self, pretoken: bytes) -> bool:
        return self[pretoken] > 0

    def __eq__(self, other: object) -> bool:
        return self._core.equals(other._core) if isinstance(other, PretokenCounts) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        scale = f", scale {self.scale}" if self.scale != 1 else ""
        return (
            f"<PretokenCounts: {len(self):,} distinct pretokens of {self.total:,}; pattern {self.pattern!r}, "
            f"sequence {self.sequence!r}, {self.n_documents:,} documents, {self.n_bytes:,} bytes{scale}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        about = (self.pattern, self.sequence, self.scale, self.n_documents, self.n_bytes)
        return _from_arrays, (about, tuple(np.array(array) for array in self.arrays()))


def _from_arrays(about: tuple[Any, ...], arrays: tuple[Any, ...]) -> PretokenCounts:
    names = ("pattern", "sequence", "scale", "n_documents", "n_bytes", "bytes", "ends", "counts")
    return PretokenCounts(_core.PretokenCounts.from_arrays(**dict(zip(names, (*about, *arrays), strict=True))))


def count(
    inputs: Inputs,
    pattern: str = "gpt4",
    *,
    sequence: Literal["line", "document"] = "line",
    field: str = "text",
    column: str = "text",
    weights: Sequence[float] | None = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
    special_tokens: Iterable[str] = (),
) -> PretokenCounts:
    """Count the pretokens of a corpus. The result does not depend on threads, memory or the order of the inputs.

    Args:
        inputs: a path, or a list of them: files, directories (all files below them but hidden ones) and patterns such as
            "data/*.jsonl". *.jsonl and *.parquet hold a document a line or row, any other file is text; each but parquet
            also as .gz, .bz2, .xz or .zst. A dict gives each path its weight. Any other iterable (a generator, iter(list),
            a list of bytes) gives the documents themselves, as str or bytes, and is read in batches. A list of str is a
            list of paths.
        pattern: name of a published pattern, such as "gpt2", "gpt4" or "o200k"; or a regular expression in the syntax of
            tiktoken (the Rust crate fancy-regex), whose matches are the pretokens, what none matches being dropped. One
            that is not published is matched by the regex package, about a hundred times as slowly.
        sequence: what is cut by itself. "line": each line with its ending, as `tokenizers` reads files; "document": each
            document whole, as `tokenizers` does with an iterator. They differ in white space around the ends of lines.
        field: of jsonl: the key of the text in a line's object.
        column: of parquet: the column of text.
        weights: a number above 0 for each item of a list of paths. Counts are occurrences times weight times the
            smallest integer that makes all weights whole (`PretokenCounts.scale`), so nothing is rounded: 0.3 and 1 count
            as 3 and 10. A float is taken for the nearest fraction with a denominator of at most a million.
        threads: None: every CPU this process may use.
        memory_bytes: budget of the tables, all threads together, each keeping at least 64 KiB; what goes over it is
            sorted and spilled to the directory for temporary files, and merged at the end. The result itself is held in
            memory (`count_to_file` does not). None: no limit.
        progress: called with (phase, done, total) at most every 50 ms; phase is "count", in bytes of the inputs, total
            None where that is not known, then "merge". An exception that it raises ends the work.
        special_tokens: texts that are cut out of the text first, and not counted.

    Raises:
        ValueError: an argument is out of range, or a file is broken: file, line and what was found are named.
        TypeError: an item is no text.
        OSError: a file cannot be read.
        ImportError: a package that a file needs (pyarrow, zstandard) or an expression (regex) is not installed.

    >>> count(iter(["to be or not to be"]), "gpt2").most_common(2)
    [(b' be', 2), (b' not', 1)]
    """
    return _counted(
        lambda counter: PretokenCounts(counter.finish()),
        inputs,
        pattern,
        sequence=sequence,
        field=field,
        column=column,
        weights=weights,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
        special_tokens=special_tokens,
    )


def count_to_file(
    path: PathLike,
    inputs: Inputs,
    pattern: str = "gpt4",
    *,
    sequence: Literal["line", "document"] = "line",
    field: str = "text",
    column: str = "text",
    weights: Sequence[float] | None = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
    special_tokens: Iterable[str] = (),
    allow_empty: bool = True,
) -> int:
    """Count as `count` does, straight into a file, which appears under its name only when it is complete.

    With memory_bytes the whole job stays within that budget: the union of what was spilled is never in memory.

    Args:
        path: the file.
        inputs: as of `count`, like the other arguments.
        allow_empty: False makes a corpus without text an error.

    Returns:
        How many bytes of text were counted.

    Raises:
        As `count`; OSError if the file cannot be written.
    """

    path = path_text("path", path)
    check_writable(path)

    def finish(counter: _core.TextCounter) -> int:
        if counter.n_bytes == 0 and not allow_empty:
            raise ValueError("the inputs hold no text: expected some to count, found none")
        write_whole(path, lambda partial: counter.finish_to_file(os.fsencode(partial)))
        return counter.n_bytes

    return _counted(
        finish,
        inputs,
        pattern,
        sequence=sequence,
        field=field,
        column=column,
        weights=weights,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
        special_tokens=special_tokens,
    )


def merge_files(paths: Sequence[PathLike], out: PathLike, progress: Progress | None = None) -> None:
    """Merge counts files into one, reading and writing them block by block.

    The result is the same whatever the order, and that of merging `PretokenCounts`.

    Args:
        paths: the files.
        out: the file to write; it may be one of them.
        progress: called with ("merge counts", bytes of the files read, of how many) at most every 50 ms.

    Raises:
        ValueError: a file is broken, or pattern or sequence differ from the first one's; it is named.
        OSError: a file cannot be read or written.
    """
    names = path_texts("paths", paths)
    for name in names:
        _check_readable(name)
    if not names:
        raise ValueError("expected counts files to merge, found none")
    out = path_text("out", out)
    check_writable(out)
    total = sum(os.stat(name).st_size for name in names)
    tell = None if progress is None else lambda n_read: progress("merge counts", n_read, total)
    encoded = [os.fsencode(name) for name in names]
    write_whole(out, lambda partial: _core.merge_counts_files(encoded, os.fsencode(partial), tell))
    if tell is not None:
        tell(total)


def load_files(paths: Sequence[PathLike]) -> PretokenCounts:
    """The sum of counts files.

    Raises:
        ValueError: a file is broken, or pattern or sequence differ from the first one's; it is named.
        OSError: a file cannot be read.
    """
    total = PretokenCounts.load(paths[0])
    for path in paths[1:]:
        counts = PretokenCounts.load(path)
        for name in ("pattern", "sequence"):
            found, expected = getattr(counts, name), getattr(total, name)
            if found != expected:
                raise ValueError(f"{path}: counted with {name} {found!r}, expected {expected!r} as in {paths[0]}")
        total += counts
    return total


def is_counts_file(path: PathLike) -> bool:
    """Whether a file begins as counts files do."""
    try:
        with open(path, "rb") as file:
            return file.read(8) == b"\x93FISCNT\n"
    except OSError:
        return False


# --- inputs -----------------------------------------------------------------------------------------------------------


def _check_readable(path: PathLike) -> None:
    """OSError, with its errno, in place of the core's, which has none."""
    with open(path, "rb"):
        pass


def _whole_weights(weights: Sequence[float]) -> tuple[list[int], int]:
    """Integers in the ratios of the weights, and what they were multiplied by."""
    from fractions import Fraction

    fractions = []
    for i, weight in enumerate(weights):
        try:
            fraction = Fraction(weight)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"weights[{i}] must be a number above 0, not {weight!r}") from None
        if isinstance(weight, float):
            fraction = fraction.limit_denominator(1_000_000)
        if fraction <= 0:
            raise ValueError(f"weights[{i}] must be a number above 0, at least a millionth, not {weight!r}")
        fractions.append(fraction)
    scale = math.lcm(*(fraction.denominator for fraction in fractions))
    whole = [int(fraction * scale) for fraction in fractions]
    if max(whole, default=0) >= 2**32 or scale >= 2**32:
        raise ValueError(f"weights must have a common denominator below 2**32, found {scale}: round them")
    return whole, scale


def split_inputs(
    inputs: Inputs, weights: Sequence[float] | None
) -> tuple[list[tuple[Source, int]], Iterable[Text] | None, int]:
    """Files with whole weights, documents, and the scale of the weights."""
    from fissile.data import readers

    if isinstance(inputs, (bytes, bytearray, memoryview)):
        raise TypeError("inputs must be paths or an iterable of texts, not one bytes object: put it into a list")
    if not isinstance(inputs, (str, os.PathLike, Iterable)):
        raise TypeError(f"inputs must be paths or an iterable of texts, not {type(inputs).__name__}")
    paths: Sequence[PathLike]
    if isinstance(inputs, Mapping):
        if weights is not None:
            raise ValueError("weights must not be given beside a dict of paths and their weights")
        paths, weights = list(inputs), list(inputs.values())
    elif isinstance(inputs, (str, os.PathLike)):
        paths = [inputs]
    elif isinstance(inputs, (list, tuple)) and inputs and all(isinstance(x, (str, os.PathLike)) for x in inputs):
        paths = inputs
    elif weights is not None:
        raise ValueError("weights are for a list of paths; texts of an iterable have none")
    else:
        return [], inputs, 1  # type: ignore[return-value]
    if weights is not None:
        instance("weights", weights, Sized, "a sequence of numbers")
    if weights is not None and len(weights) != len(paths):
        raise ValueError(f"weights must be as many as the paths, {len(paths)}, not {len(weights)}")
    whole, scale = ([1] * len(paths), 1) if weights is None else _whole_weights(weights)
    sources: list[tuple[Source, int]] = []
    for path, weight in zip(paths, whole, strict=True):
        try:
            found = readers.sources(path)
        except OSError as error:
            if (
                not isinstance(path, str)
                or isinstance(inputs, str)
                or error.errno not in (errno.ENOENT, errno.ENAMETOOLONG)
            ):
                raise
            raise FileNotFoundError(
                f"{error} (a list of str is a list of paths; pass iter(list) to count texts)"
            ) from None
        for source in found:
            if source.is_plain_text and is_counts_file(source.path):
                raise ValueError(
                    f"{source.path}: expected text, found a file of counts: load it with PretokenCounts.load, and count "
                    "text by itself"
                )
        sources += [(source, weight) for source in found]
    return sources, None, scale


# --- the work ---------------------------------------------------------------------------------------------------------


class Reported:
    """What has been read, told to a callback now and then."""

    def __init__(
        self,
        progress: Progress | None,
        phase: str,
        sources: list[tuple[Source, int]],
        texts: Iterable[Text] | None,
    ) -> None:
        self._progress = progress
        self._phase = phase
        sizes = [source.n_bytes for source, _ in sources]
        self._total = None if texts is not None or None in sizes else sum(size or 0 for size in sizes)
        self._next = 0.0
        self.before = 0

    def __call__(self, done: int) -> None:
        """Bytes of the present input that have been done."""
        if self._progress is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.05
            self._progress(self._phase, self.before + done, self._total)

    def end_of(self, n_bytes: int) -> None:
        """An input has been done."""
        self.before += n_bytes

    def end(self, n_bytes: int) -> None:
        """All has been done, so many bytes of text."""
        if self._progress is not None:
            self._progress(self._phase, n_bytes if self._total is None else self._total, self._total)


def _counted(
    finish: Callable[[_core.TextCounter], Result],
    inputs: Inputs,
    pattern: str,
    *,
    sequence: str,
    field: str,
    column: str,
    weights: Sequence[float] | None,
    threads: int | None,
    memory_bytes: int | None,
    progress: Progress | None,
    special_tokens: Iterable[str],
) -> Result:
    """What `finish` makes of the counter that has counted everything."""
    memory_bytes = None if memory_bytes is None else whole("memory_bytes", memory_bytes, 1)
    special_tokens = strings("special_tokens", special_tokens)
    choice("sequence", sequence, ("line", "document"))
    function("progress", progress)
    string("field", field)
    string("column", column)
    pattern = canonical_pattern(string("pattern", pattern))
    sources, texts, scale = split_inputs(inputs, weights)
    with _spill_directory(memory_bytes) as directory:
        counter = _core.TextCounter(
            pattern=pattern,
            sequence=sequence,
            special_tokens=special_tokens,
            threads=threads,
            memory_bytes=memory_bytes or 0,
            spill_directory=directory,
            scale=scale,
            **({} if is_built_in(pattern) else _split_by(pattern, sequence)),
        )
        reported = Reported(progress, "count", sources, texts)
        plain = [(source, weight) for source, weight in sources if source.is_plain_text]
        if plain:
            counter.add_files(
                [(os.fsencode(s.path), s.n_bytes or 0, weight) for s, weight in plain], progress and reported
            )
            reported.end_of(counter.n_bytes)
        streams = [(source, weight) for source, weight in sources if not source.is_plain_text]
        if streams or texts is not None:
            _add_streams(counter, _portions(counter, streams, texts, field, column, reported))
        reported.end(counter.n_bytes)
        if progress is not None:
            progress("merge", 0, 1)
        result = finish(counter)
        if progress is not None:
            progress("merge", 1, 1)
        return result


def _split_by(expression: str, sequence: str) -> dict[str, Any]:
    """How the core's counter is told to have text split by a regular expression."""
    from fissile.pipeline.pre_tokenizers import join, matches_only, split
    from fissile.pipeline.regexes import Matcher

    steps = [matches_only(Matcher(expression, "rust"))]
    if sequence == "line":
        steps.insert(0, split(Matcher("\n", None), "MergedWithPrevious"))
    # A portion is some 50 ms of matching, in which Ctrl-C is not seen.
    return {"split": join(steps, in_byte_alphabet=False), "portion_bytes": 1 << 15}


def _spill_directory(memory_bytes: int | None) -> AbstractContextManager[str]:
    if memory_bytes is None:
        return nullcontext("")
    import tempfile

    return tempfile.TemporaryDirectory(prefix="fissile-")


# A batch, the weight of its texts, and how many documents they are.
_Portion = tuple["Batch", int, int]


def _portions(
    counter: _core.TextCounter,
    streams: list[tuple[Source, int]],
    texts: Iterable[Text] | None,
    field: str,
    column: str,
    reported: Reported,
) -> Iterator[_Portion]:
    from fissile.data import readers

    if texts is not None:
        for batch in readers.batches_of(texts):
            yield batch, 1, len(batch.texts)
            reported(counter.n_bytes)
    for source, weight in streams:
        if source.kind == "text":
            yield from _parts(counter, source, weight, reported)
        else:
            for batch in readers.batches(source, readers.Options(field, column, on_read=reported)):
                yield batch, weight, len(batch.texts)
        reported.end_of(source.n_bytes or 0)


def _parts(counter: _core.TextCounter, source: Source, weight: int, reported: Reported) -> Iterator[_Portion]:
    """One text, divided where that changes nothing, so that it need not be held whole."""
    from fissile.data import readers

    n_documents = 1
    rest: list[bytes] = []
    for block in readers.blocks(source, reported):
        end = counter.last_division(block)
        if end:
            yield readers.Batch([b"".join([*rest, block[:end]])], lambda _: source.path), weight, n_documents
            n_documents = 0
            rest = []
        rest.append(block[end:])
    yield readers.Batch([b"".join(rest)], lambda _: source.path), weight, n_documents


def _add_streams(counter: _core.TextCounter, portions: Iterator[_Portion]) -> None:
    """Reads one portion while the one before it is counted."""
    from concurrent.futures import ThreadPoolExecutor

    counted: Future[None] | None = None
    last: Batch | None = None
    with ThreadPoolExecutor(1) as pool:
        try:
            for batch, weight, n_documents in portions:
                _settle(counted, last)
                counted, last = pool.submit(counter.add_texts, batch.texts, weight, n_documents), batch
            _settle(counted, last)
        except BaseException:
            counter.stop()  # what is being counted is of no use
            raise


def _settle(counted: Future[None] | None, batch: Batch | None) -> None:
    if counted is None or batch is None:
        return
    try:
        counted.result()
    except ValueError as error:
        found = re.match(r"texts\[(\d+)\]: ", str(error))
        if found is None:
            raise
        raise ValueError(f"{batch.place(int(found[1]))}: {str(error)[found.end() :]}") from None
