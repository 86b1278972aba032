"""Training: the vocabulary of a corpus, with the merges that `tokenizers` would make of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from fissile import _core
from fissile.arguments import choice, flag, function, instance, path_text, string, strings, whole
from fissile.formats.patterns import canonical_pattern, is_built_in
from fissile.formats.spec import FLAG_SPECIAL, TokenizerSpec
from fissile.formats.tiktoken import encoder_options, write_ranks
from fissile.numpy_later import np
from fissile.printable import printable
from fissile.tokenizer import PathLike, Text, Tokenizer
from fissile.training_checkpoint import Checkpoint
from fissile.training_draft import ALPHABET, Draft, check_continues
from fissile.training_report import TrainingReport
from fissile.training_stage import (
    Clock,
    Corpus,
    Options,
    Progress,
    corpus_of,
    merge,
    most_frequent,
)
from fissile.training_superwords import Superwords

if TYPE_CHECKING:
    from fissile._core import StageReport, TrainedStage
    from fissile.counting import PretokenCounts

__all__ = ["TrainedTokenizer", "train"]

_MAX_PRETOKEN = 1_000_000  # bytes; longer ones are worth a warning
_N_LONGEST = 10
_MAX_IDS = 1 << 28  # as kMaxTokenId of the core has it


class TrainedTokenizer(Tokenizer):
    """What fissile.train gives: a Tokenizer that knows how it came to be.

    Attributes:
        report: what training saw and did. Not kept by pickling or saving.
    """

    def __init__(self, spec: TokenizerSpec, report: TrainingReport, checkpoint: Checkpoint | None = None) -> None:
        super().__init__(spec)
        self.report = report
        self._checkpoint = checkpoint

    def save(self, path: PathLike, format: Literal["fissile", "json", "tiktoken", "model"] | None = None) -> None:
        """As Tokenizer.save; once it has been, the checkpoint of the training is removed."""
        super().save(path, format)
        if self._checkpoint is not None:
            self._checkpoint.remove()
            self._checkpoint = None

    def cut(self, vocab_size: int) -> Tokenizer:
        """The tokenizer that training would have given with a smaller vocabulary: the list of merges cut short.

        Args:
            vocab_size: ids in all; padding is left out.

        Raises:
            ValueError: smaller than special tokens and alphabet, or larger than this vocabulary without its padding.
        """
        vocab_size = whole("vocab_size", vocab_size, 0)
        return Tokenizer(_cut(self, vocab_size).spec(self._spec.pattern))

    def _as_ranks(self) -> bytes:
        """The rank file, if tiktoken's rule (any neighbours that spell a token merge) gives the same merges."""
        inert = set(self._vocabulary.unreachable().tolist()) - {0}
        ranks = {token: id for token, id in self._ranks().items() if id not in inert}
        others = {token.content: token.id for token in self._spec.added_tokens}
        others |= {f"<|reserved_{id}|>": id for id in inert if id not in others.values()}
        derived = _core.Vocabulary.from_ranks(ranks, others, self._spec.source)
        if not np.array_equal(derived.merges(), self._vocabulary.merges()):
            raise ValueError(
                "as ranks this vocabulary would encode otherwise, because tiktoken merges any neighbours that spell a "
                "token, listed or not: save it as tokenizer.json"
            )
        return write_ranks(ranks)


def train(
    inputs: PathLike | Iterable[PathLike | Text] | PretokenCounts,
    vocab_size: int,
    pattern: str | None = None,
    *,
    special_tokens: Sequence[str] = (),
    min_frequency: int = 0,
    max_token_length: int | None = None,
    length_unit: Literal["bytes", "chars"] = "bytes",
    hf_compatible: bool = False,
    seed_tokens: Sequence[str | bytes] = (),
    matched_tokens: Sequence[str] = (),
    reserved: int = 0,
    pad_to: int | Literal["power_of_two"] | None = None,
    alphabet: Literal["bytes", "seen"] = "bytes",
    limit_alphabet: int | None = None,
    continue_from: Tokenizer | None = None,
    superword_at: int | None = None,
    superword_unit: Literal["document", "line", "runs"] = "document",
    superword_inputs: Any = None,
    superword_words: int | None = 4,
    superword_colon: bool = False,
    superword_newline_end: bool = True,
    held_out: Text | Mapping[str, Text] | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_seconds: float = 30.0,
    threads: int | None = None,
    progress: Progress | None = None,
    **counting: Any,
) -> TrainedTokenizer:
    """Train a byte-level BPE tokenizer.

    The merges are those of BpeTrainer of `tokenizers` (ByteLevel, with its initial alphabet), line for line, below 2^31
    occurrences of a pair; above that its counts overflow and these do not. They do not depend on threads, nor on the
    order of the inputs.

    Args:
        inputs: as of fissile.count (files, directories, globs, texts), or what it returned.
        vocab_size: ids in all, special tokens and alphabet included and padding not. There are fewer if the corpus runs
            out of pairs.
        pattern: how text is split into pretokens: a pattern's name, or a regular expression as of fissile.count. None:
            that of the counts or of `continue_from`, else "gpt4".
        special_tokens: get the first ids; never made by merging unless they are spelt like a merge's result.
        min_frequency: training ends at a pair that occurs less often; 0 and 1 are the same.
        max_token_length: longest token, inclusive, in units of `length_unit` ("chars": characters that begin in it).
        length_unit: "bytes" or "chars".
        hf_compatible: max_token_length as `tokenizers` takes it: tokens must be *shorter* in bytes, but two bytes
            always merge.
        seed_tokens: made into tokens by merges before any other, in this order, with the tokens on the way to them.
            Each must lie within a pretoken.
        matched_tokens: added tokens, found in text before it is split; ids after those of special tokens.
        reserved: ids kept free after those, which no text gets.
        pad_to: more such ids at the end, up to a multiple of this number or to a power of two.
        alphabet: "bytes": all 256; "seen": those of the corpus, and text of others loses them.
        limit_alphabet: with "seen", at most so many bytes, the most frequent ones (of equally frequent ones those first in the
            alphabet) and those of seed tokens; training sees the corpus without the others, as in `tokenizers`.
        continue_from: a byte-level tokenizer whose ids and merges come first and stay. Merges of it that do not occur in
            this corpus are in the report.
        superword_at: SuperBPE (arXiv 2503.13423): so many ids by ordinary merges, then merges that may bridge spaces, up
            to vocab_size; the result splits text by the pattern "superbpe". With `continue_from`, the first stage is not
            trained: it is that tokenizer cut to so many ids.
        superword_unit: what the second stage works on. "document": what the pattern "superbpe" leaves whole in a
            document. "line": the same in a line, all as the paper's trainer does it: superword_at - 1 merges are kept,
            and those that the second stage does not meet are dropped. "runs": runs of whole pretokens that are one
            token each and hold a letter, counted, so that superwords are whole words (as arXiv 2604.05192 counts them).
        superword_inputs: what the second stage reads, if not `inputs`; needed where those are counted already, or can
            be read only once. For "document" and "line", counts made with the pattern "superbpe" may be given.
        superword_words: most words (what lies between spaces) in a superword; None: any number.
        superword_colon: whether a superword may hold ": ".
        superword_newline_end: whether one may end with a newline.
        held_out: text, or texts by name, on which the report measures bytes a token.
        checkpoint: a file that keeps the merges so far, of both stages; where it exists, training goes on from it, and gives
            the same bytes. Written now and then, when training is interrupted, and at its end. The first `save` of the
            result removes it.
        checkpoint_seconds: how often it is written.
        threads: worker threads; None: every CPU this process may use.
        progress: called as progress(phase, done, total) about every 50 ms.
        **counting: further arguments of fissile.count: sequence, field, column, weights, memory_bytes.

    Returns:
        The tokenizer, with a `report`.

    Raises:
        ValueError: an argument does not go with the others, vocab_size is too small for alphabet and special tokens, the
            corpus is empty, the counts are of another pattern, or the checkpoint is of another training.
        OSError: an input cannot be read.
    """
    options = Options(
        vocab_size=whole("vocab_size", vocab_size, 1, _MAX_IDS),
        min_frequency=whole("min_frequency", min_frequency, 0),
        max_token_length=None if max_token_length is None else whole("max_token_length", max_token_length, 1),
        length_in_chars=choice("length_unit", length_unit, ("bytes", "chars")) == "chars",
        strict_length=flag("hf_compatible", hf_compatible),
        threads=_n_threads(threads),
        progress=progress,
    )
    if hf_compatible and length_unit == "chars":
        raise ValueError("hf_compatible counts max_token_length in bytes; length_unit must be 'bytes'")
    choice("alphabet", alphabet, ("bytes", "seen"))
    if limit_alphabet is not None:
        limit_alphabet = whole("limit_alphabet", limit_alphabet, 1)
        if alphabet != "seen" or continue_from is not None:
            raise ValueError("limit_alphabet is of use with alphabet='seen', and without continue_from")
    reserved = whole("reserved", reserved, 0, _MAX_IDS)
    if checkpoint is not None:
        path_text("checkpoint", checkpoint)
        instance("checkpoint_seconds", checkpoint_seconds, (int, float), "a number of seconds")
    function("progress", progress)
    if pattern is not None:
        string("pattern", pattern)
    if continue_from is not None:
        instance("continue_from", continue_from, Tokenizer, "a Tokenizer or None")
    if pad_to is not None and pad_to != "power_of_two":
        whole("pad_to", pad_to, 1, _MAX_IDS)
    if continue_from is not None:
        for name, value in (("reserved", reserved), ("seed_tokens", seed_tokens), ("matched_tokens", matched_tokens)):
            if value:
                raise ValueError(f"{name} come before all merges, so they do not go with continue_from")

    special, matched = strings("special_tokens", special_tokens), strings("matched_tokens", matched_tokens)
    seeds = _seeds(seed_tokens)
    _check_held_out(held_out)
    superwords = None
    if superword_at is not None:
        superwords = Superwords(
            at=whole("superword_at", superword_at, 1),
            unit=choice("superword_unit", superword_unit, ("document", "line", "runs")),
            inputs=inputs if superword_inputs is None else superword_inputs,
            max_words=None if superword_words is None else whole("superword_words", superword_words, 1),
            colon_space=flag("superword_colon", superword_colon),
            newline_end=flag("superword_newline_end", superword_newline_end),
        )
        superwords.check(vocab_size, counting)
        options.vocab_size = superwords.at
    else:
        _check_no_superwords(
            superword_unit=(superword_unit, "document"),
            superword_inputs=(superword_inputs, None),
            superword_words=(superword_words, 4),
            superword_colon=(superword_colon, False),
            superword_newline_end=(superword_newline_end, True),
        )

    kept = None if checkpoint is None else Checkpoint(checkpoint, checkpoint_seconds)
    clock = Clock()
    pattern = _pattern(inputs, pattern, continue_from)
    if superwords is not None and superwords.unit == "runs" and not is_built_in(pattern):
        raise ValueError(
            f"superword_unit 'runs' needs a first stage with a pattern that is built in, not {pattern!r}: take 'document'"
        )
    size_name = "vocab_size" if superwords is None else "superword_at"

    def new_draft(alphabet: set[int], pattern: str) -> Draft:
        draft = Draft.new(special, matched, reserved, [byte for byte in ALPHABET if byte in alphabet])
        _add_seeds(draft, seeds, pattern)
        return draft

    # All that can be wrong with it is found before counting, which takes hours where it matters.
    needed = set(b"".join(seeds)) if alphabet == "seen" else set(range(256))
    if limit_alphabet is not None and len(needed) > limit_alphabet:
        raise ValueError(f"limit_alphabet is {limit_alphabet}, but the seed tokens have {len(needed)} different bytes")
    if continue_from is None:
        draft = new_draft(needed, pattern)
    else:
        draft = Draft.of(continue_from) if superwords is None else _cut(continue_from, superwords.at, size_name)
        draft.add_texts(special, FLAG_SPECIAL)
        if not draft.replays():
            raise ValueError(
                f"{continue_from!r} lists a pair twice or merges parts before it makes them: cannot go on from it"
            )
    _check_room(draft, options.vocab_size, size_name)
    counts = _counts(inputs, pattern, options, counting, clock)
    report = _new_report(counts, pattern)
    corpus: Corpus | PretokenCounts = counts
    if continue_from is None and alphabet == "seen":
        seen = most_frequent(corpus_of(counts), needed, 256 if limit_alphabet is None else limit_alphabet)
        corpus = corpus_of(counts).of_bytes(seen)
        draft = new_draft(seen, pattern)
        _check_room(draft, options.vocab_size, size_name)
    saved = None
    if kept is not None:
        about = f"{pattern} {counts.sequence}"
        saved = kept.stage("ordinary", about, corpus_of(corpus), draft, options.identity())
    with clock.phase("merging", "merges") as phase:
        stage = merge(draft, corpus, options, saved)
        phase.amount = stage.n_merges
    done = _fill_report(report, draft, stage, report.n_bytes)
    if superwords is not None:
        options.vocab_size = vocab_size
        sequence = counts.sequence
        del corpus, counts  # of as much memory as the text, in the worst case
        draft, stage, n_bytes = superwords.add(draft, pattern, sequence, options, counting, clock, report, kept)
        if superwords.unit == "runs":  # runs are a part of the corpus, which is as the first stage left it
            stage.initial, n_bytes = done.occurrences, report.n_bytes
        _fill_report(report, draft, stage, n_bytes)
        report.superwords = f"from {superwords.at:,} ids on, {superwords.within()}"
        pattern = "superbpe"
    if len(draft.tokens) < vocab_size:
        report.warnings.append(
            f"{len(draft.tokens):,} ids, fewer than the {vocab_size:,} asked for: no pair is left that may merge"
        )
    _pad(draft, pad_to)
    tokenizer = TrainedTokenizer(draft.spec(pattern), report, kept)
    _finish_report(report, tokenizer, held_out, clock)
    return tokenizer


# --- arguments --------------------------------------------------------------------------------------------------------


def _seeds(values: Sequence[str | bytes]) -> list[bytes]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"seed_tokens must be a list of str or bytes, not one {type(values).__name__}")
    seeds = []
    for i, seed in enumerate(values):
        if not instance(f"seed_tokens[{i}]", seed, (str, bytes), "str or bytes"):
            raise ValueError(f"seed_tokens[{i}]: a seed token is empty")
        seeds.append(seed.encode() if isinstance(seed, str) else seed)
    return seeds


def _check_no_superwords(**options: tuple[Any, Any]) -> None:
    """ValueError where an option of the superword stage, given with its default, is not at that."""
    for name, (value, default) in options.items():
        if value is not default and value != default:
            raise ValueError(f"{name} is of no use without superword_at")


def _check_room(draft: Draft, vocab_size: int, name: str) -> None:
    if vocab_size < len(draft.tokens):
        raise ValueError(
            f"{name} is {vocab_size}, but special tokens, alphabet and what is inherited take {len(draft.tokens)} ids"
        )


def _n_threads(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return whole("threads", threads, 1, 4096)


def _check_held_out(held_out: Text | Mapping[str, Text] | None) -> None:
    named = held_out.items() if isinstance(held_out, Mapping) else [("", held_out)] if held_out is not None else []
    for name, text in named:
        argument = f"held_out[{name!r}]" if isinstance(held_out, Mapping) else "held_out"
        instance(argument, text, (str, bytes, bytearray, memoryview), "str, bytes or a buffer of bytes")


def _pattern(inputs: Any, pattern: str | None, continue_from: Tokenizer | None) -> str:
    """Canonical: the one that was asked for, that of what training goes on from, or that of counts."""
    from fissile.counting import PretokenCounts

    wanted = None if pattern is None else canonical_pattern(pattern)
    if continue_from is not None:
        check_continues(continue_from)
        theirs = continue_from._spec.pattern
        if wanted is not None and wanted != theirs:
            raise ValueError(f"pattern is {wanted!r}, but continue_from splits text by {theirs!r}")
        wanted = theirs
    if isinstance(inputs, PretokenCounts):
        found = canonical_pattern(inputs.pattern)
        if wanted is not None and wanted != found:
            raise ValueError(f"pattern is {wanted!r}, but the counts were made with {found!r}")
        wanted = found
    return "cl100k" if wanted is None else wanted


def _counts(inputs: Any, pattern: str, options: Options, counting: dict[str, Any], clock: Clock) -> PretokenCounts:
    """The counted corpus."""
    from fissile.counting import PretokenCounts, count

    if isinstance(inputs, PretokenCounts):
        if counting:
            raise ValueError(f"{', '.join(counting)}: of no use where the inputs are counted already")
        counts = inputs
    else:
        with clock.phase("counting", "bytes") as phase:
            counts = count(inputs, pattern=pattern, threads=options.threads, progress=options.progress, **counting)
            phase.amount = counts.n_bytes
    if len(counts) == 0:
        raise ValueError("the corpus is empty: the inputs hold no text")
    return counts


def _add_seeds(draft: Draft, seeds: Sequence[bytes], pattern: str) -> None:
    """Merges that make each seed: of what earlier ones leave of it, the first two tokens, until one is left."""
    for seed in seeds:
        while True:
            merged = _core.Encoder(draft.vocabulary(), pattern="none", added_tokens=[], allow_special_by_default=True)
            ids = merged.encode(seed).tolist()
            if len(ids) == 1:
                break
            draft.extend(np.array([ids[0], ids[1], len(draft.tokens)], np.uint32).tobytes())
        split = _core.Encoder(
            draft.vocabulary(), **encoder_options(pattern), added_tokens=[], allow_special_by_default=True
        )
        ids = split.encode(seed).tolist()
        if len(ids) != 1:
            parts = [draft.tokens[id] for id in ids]
            raise ValueError(
                f"seed token {printable(seed)!r} is split by pattern {pattern!r}, into {parts}; make it a matched token"
            )


# --- the work ---------------------------------------------------------------------------------------------------------


def _pad(draft: Draft, pad_to: int | str | None) -> None:
    n = len(draft.tokens)
    if pad_to == "power_of_two":
        n = 1 << (n - 1).bit_length()
    elif pad_to is not None:
        n = -(-n // int(pad_to)) * int(pad_to)
    draft.tokens += [b""] * (n - len(draft.tokens))


def _cut(tokenizer: Tokenizer, vocab_size: int, name: str = "vocab_size") -> Draft:
    """The draft of a tokenizer's first merges, as many as make vocab_size ids."""
    merges = tokenizer._vocabulary.merges()
    first = Draft.of(tokenizer, 0)
    _, places = np.unique(merges[:, 2], return_index=True)
    places.sort()  # merges that make a new token
    wanted = vocab_size - len(first.tokens)
    if not 0 <= wanted <= len(places):
        raise ValueError(
            f"{name} is {vocab_size}, expected from {len(first.tokens)} (no merges) to {len(first.tokens) + len(places)}, "
            f"the ids of {tokenizer!r}"
        )
    return Draft.of(tokenizer, len(merges) if wanted == len(places) else int(places[wanted]))


# --- the report -------------------------------------------------------------------------------------------------------


def _new_report(counts: PretokenCounts, pattern: str) -> TrainingReport:
    n_pretokens, n_bytes, longest, text = counts._core.sums()
    report = TrainingReport(
        pattern=pattern,
        sequence=counts.sequence,
        n_documents=counts.n_documents,
        n_bytes=n_bytes,
        n_pretokens=n_pretokens,
        n_distinct=len(counts),
    )
    if longest > _MAX_PRETOKEN:
        report.warnings.append(f"a pretoken of {longest:,} bytes, which begins {text!r}: is this text?")
    return report


def _fill_report(report: TrainingReport, draft: Draft, stage: TrainedStage, n_bytes: int) -> StageReport:
    """What one stage did."""
    n_inherited = draft.n_merges - stage.n_merges
    if n_inherited and not report.not_occurring:
        report.not_occurring = draft.parts(stage.unneeded(draft.packed, n_inherited))
    added = [token.id for token in draft.added]
    done = stage.report(draft.tokens, left_out=added, n_bytes=n_bytes, n_longest=_N_LONGEST)
    report.n_merges = draft.n_merges
    if stage.last_count is not None:
        report.last_count = stage.last_count
    report.unused_ids = done.unused
    report.longest = [draft.tokens[id] for id in done.longest]
    report.points += done.curve
    return done


def _finish_report(
    report: TrainingReport, tokenizer: TrainedTokenizer, held_out: Text | Mapping[str, Text] | None, clock: Clock
) -> None:
    report.vocab_size = tokenizer.n_vocab
    report.phases = clock.phases
    if held_out is None:
        return
    texts = held_out if isinstance(held_out, Mapping) else {"held-out text": held_out}
    sizes = [size for size, _ in report.points]
    smaller = [(size, tokenizer.cut(size)) for size in sizes[:-1]] + [(sizes[-1], tokenizer)]
    for name, text in texts.items():
        n_bytes = len(text.encode() if isinstance(text, str) else text)
        report.held_out[name] = np.array(
            [(size, n_bytes / max(1, one.count(text, disallowed_special=()))) for size, one in smaller], np.float64
        )
