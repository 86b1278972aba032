"""The compiled core. Arrays are C-contiguous; shapes and dtypes stand beside them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

Text = str | bytes | bytearray | memoryview
Special = Literal["all"] | Iterable[str] | None

class TokenizerFileError(ValueError): ...

class CharsMap:
    def __init__(self, table: bytes, source: str) -> None: ...
    def shortest(self, text: bytes) -> bytes | None: ...

class SentencePieceNormalizer:
    def __init__(
        self,
        table: bytes,
        protected_pieces: Sequence[bytes],
        *,
        add_dummy_prefix: bool,
        remove_extra_whitespaces: bool,
        whitespace_as_suffix: bool,
        source: str,
    ) -> None: ...
    def __call__(self, text: bytes) -> bytes: ...

class ModelStrings:
    def __init__(self, vocab: dict[str, int], merges: list[Any], source: str) -> None: ...
    @staticmethod
    def read(data: bytes) -> ModelStrings | None: ...  # see cpp/vocab/model_json.hpp
    @property
    def rest(self) -> bytes: ...
    def __contains__(self, token: str) -> bool: ...
    def ids_of_added(self, texts: list[str], source: str) -> list[int]: ...  # see cpp/vocab/string_model.hpp

class Vocabulary:
    @staticmethod
    def from_ranks(ranks: dict[bytes, int], special_tokens: dict[str, int], source: str) -> Vocabulary: ...
    @staticmethod
    def from_rank_file(data: bytes, special_tokens: dict[str, int], source: str) -> Vocabulary: ...
    @staticmethod
    def from_merges(
        strings: ModelStrings,
        added_tokens: list[tuple[str, int, bool]],
        *,
        alphabet: str,
        ignore_merges: bool,
        byte_fallback: bool,
        unk_token: str | None,
        fuse_unk: bool,
        source: str,
    ) -> Vocabulary: ...
    @staticmethod
    def from_scores(
        pieces: Sequence[bytes],
        scores: npt.NDArray[np.float32],  # (n,)
        types: npt.NDArray[np.uint8],  # (n,)
        *,
        byte_fallback: bool,
        unk_id: int,
        source: str,
    ) -> Vocabulary: ...
    @staticmethod
    def from_tokens(
        tokens: list[bytes],
        merges: npt.NDArray[np.uint32] | bytes,  # (m, 3), or its bytes
        added_tokens: list[tuple[str, int, bool]],
        *,
        source: str,
    ) -> Vocabulary: ...
    @staticmethod
    def from_parts(arrays: dict[str, npt.NDArray[Any]], rule: str, source: str) -> Vocabulary: ...
    def parts(self, rule: str) -> dict[str, npt.NDArray[Any]]: ...  # see cpp/vocab/vocabulary_parts.hpp
    @property
    def n_vocab(self) -> int: ...
    def has_token(self, id: int) -> bool: ...
    def token_bytes(self, id: int) -> bytes: ...
    def token_id(self, token: bytes) -> int: ...
    def special_tokens(self) -> dict[str, int]: ...
    def merges(self) -> npt.NDArray[np.uint32]: ...  # (m, 3): left, right, result
    def merges_as_bytes(self) -> list[tuple[bytes, bytes]]: ...
    def unreachable(self) -> npt.NDArray[np.uint32]: ...  # (k,)

class Splitter: ...

class StochasTokSplitter(Splitter):
    def split_ids(
        self,
        ids: npt.NDArray[np.uint32],  # (total,)
        offsets: npt.NDArray[np.int64],  # (n + 1,)
        *,
        p: npt.NDArray[np.float64],  # (n,)
        seed: int,
        epoch: int,
        first_index: int,
        return_parents: bool,
        threads: int,
    ) -> tuple[
        npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]
    ]: ...  # ids (m,), offsets (n + 1,), parents (m,) or (0,)

class BpeDropoutSplitter(Splitter): ...
class UniformSplitter(Splitter): ...
class CharacterSplitter(Splitter): ...

class SplitModel:
    def __init__(self, vocabulary: Vocabulary) -> None: ...
    def table(
        self,
    ) -> tuple[
        npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.uint32]
    ]: ...  # CSR: (n_vocab + 1,), (k,), (k,)
    def stochastok(self, p: float, *, max_expansions: int | None, deny: Sequence[int]) -> StochasTokSplitter: ...
    def bpe_dropout(self, p: float, *, law: str, merges: str, remembers: bool = True) -> BpeDropoutSplitter: ...
    def uniform_split(self, p: float, *, length: int) -> UniformSplitter: ...
    def character_split(self) -> CharacterSplitter: ...
    def _count_spellings(self, ids: Sequence[int], n_tokens: int | None = None) -> tuple[float, int]: ...

class Encoder:
    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        pattern: str,
        nfc: bool = False,
        prefix_space: str = "never",
        prefix_first_segment_only: bool = False,
        split_spaces: bool = False,
        normalize: SentencePieceNormalizer
        | Callable[[bytes, bool], tuple[bytes, bool, npt.NDArray[np.int64] | None]]
        | None = None,
        split: Callable[[bytes, bool, bool], tuple[bytes, npt.NDArray[np.int64], npt.NDArray[np.int64] | None]]
        | None = None,
        added_tokens: Sequence[tuple[bytes, int, int]],
        allow_special_by_default: bool,
        template_before: Sequence[int] = [],
        template_after: Sequence[int] = [],
    ) -> None: ...
    @overload
    def encode(
        self,
        text: Text,
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Any = None,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        return_parents: Literal[False] = False,
    ) -> npt.NDArray[np.uint32]: ...  # (n,)
    @overload
    def encode(
        self,
        text: Text,
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        split: Any,
        seed: int | None = None,
        first_index: int = 0,
        epoch: int = 0,
        return_parents: Literal[True],
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]: ...  # ids (n,), parents (n,)
    def count(
        self,
        text: Text,
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
    ) -> int: ...
    def count_batch(
        self,
        texts: Iterable[Text],
        threads: int | None = None,
        *,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
    ) -> npt.NDArray[np.int64]: ...  # (n,)
    def _encode_batch(
        self,
        texts: Iterable[Text],
        *,
        threads: int | None = None,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        splitting: tuple[Splitter, int, int, int, bool] | None = None,  # seed, epoch, first index, parents wanted
        ending: Sequence[int] = ...,  # ids put behind each text's, after splitting
    ) -> tuple[
        npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]
    ]: ...  # ids (total,), offsets (n + 1,), parents (total,) or (0,)
    def _encode_block(
        self,
        text: bytes,
        *,
        separator: bytes | None = None,
        continues: tuple[bool, bool] = ...,  # whether the first document began before, the last one ends later
        threads: int | None = None,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        splitting: tuple[Splitter, int, int, int, bool] | None = None,
        ending: Sequence[int] = ...,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...  # as _encode_batch
    def _last_division(self, text: bytes) -> int: ...  # where a text that goes on may be cut; 0: nowhere
    def _encode_files(
        self,
        paths: Sequence[bytes],
        *,
        separator: bytes | None = None,
        threads: int | None = None,
        allowed_special: Special = None,
        disallowed_special: Special = None,
        add_special_tokens: bool = False,
        splitting: tuple[Splitter, int, int, int, bool] | None = None,
        ending: Sequence[int] = ...,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...  # as _encode_batch
    def _encode_spans(
        self, text: bytes, ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint32]: ...  # ends (k,); ids (n,)
    def _token_ranges(
        self, text: Text, *, in_chars: bool, allowed_special: Special = None, disallowed_special: Special = None
    ) -> tuple[
        npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]
    ]: ...  # ids, begins, ends in bytes or characters: (n,) each
    @property
    def _cache_bytes(self) -> int: ...

class Decoder:
    def __init__(
        self, vocabulary: Vocabulary, *, leading_space: str = "keep", texts: dict[int, bytes] = {}
    ) -> None: ...
    def decode(self, ids: npt.ArrayLike, errors: str = "replace", *, skip_special_tokens: bool = False) -> str: ...
    def decode_bytes(self, ids: npt.ArrayLike, *, skip_special_tokens: bool = False) -> bytes: ...
    def decode_batch(
        self,
        ids: npt.ArrayLike,
        offsets: npt.NDArray[np.int64],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> list[str]: ...
    def to_lists(self, ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> list[list[int]]: ...

def arrow_large_list(ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> tuple[object, object]: ...
def check_offsets(offsets: npt.NDArray[np.int64], n_ids: int) -> int: ...  # number of documents

class RunCounter:
    def __init__(self, vocabulary: Vocabulary, *, pattern: str, by_line: bool, threads: int = 1) -> None: ...
    def add(
        self,
        documents: Sequence[bytes | bytearray | memoryview],
        weight: int = 1,
        progress: Callable[[int], object] | None = None,  # bytes of the documents that have been read
    ) -> None: ...
    def take(
        self,
    ) -> tuple[
        npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]
    ]: ...  # ids (total,), ends (n,), counts (n,)

class StageReport:  # see cpp/train/trained_stage.hpp
    @property
    def occurrences(self) -> npt.NDArray[np.uint64]: ...  # (n_tokens,)
    @property
    def unused(self) -> list[int]: ...
    @property
    def longest(self) -> list[int]: ...
    @property
    def curve(self) -> list[tuple[int, float]]: ...

class TrainedStage:  # see cpp/train/trained_stage.hpp
    initial: npt.NDArray[np.uint64]  # (n_tokens,), a copy
    @property
    def merges(self) -> npt.NDArray[np.uint32]: ...  # (m, 3)
    @property
    def packed_merges(self) -> bytes: ...  # of that array
    @property
    def counts(self) -> npt.NDArray[np.uint64]: ...  # (m,)
    @property
    def joined(self) -> npt.NDArray[np.uint64]: ...  # (m,)
    @property
    def n_merges(self) -> int: ...
    @property
    def last_count(self) -> int | None: ...
    @property
    def tokens(self) -> list[bytes]: ...
    @property
    def epochs(self) -> list[tuple[int, int, int]]: ...
    @property
    def n_joins(self) -> int: ...
    def unneeded(
        self, merges: npt.NDArray[np.uint32] | bytes, n: int
    ) -> list[int]: ...  # places of the first n merges that no sequence needed before the stage
    def put_before(
        self,
        n_tokens: int,
        merges: npt.NDArray[np.uint32],
        counts: npt.NDArray[np.uint64],
        joined: npt.NDArray[np.uint64],
    ) -> None: ...
    def report(self, tokens: list[bytes], *, left_out: Sequence[int], n_bytes: int, n_longest: int) -> StageReport: ...

def train_merges(
    items: PretokenCounts | npt.NDArray[np.uint8] | npt.NDArray[np.uint32],  # arrays (total,): pretokens, or ids
    ends: npt.NDArray[np.uint64] | None = None,  # of an array: (n,)
    counts: npt.NDArray[np.uint64] | None = None,  # (n,)
    *,
    tokens: Sequence[bytes],  # by id
    byte_ids: Sequence[int] | npt.NDArray[np.uint32],  # (256,)
    encode_with: Vocabulary | None = None,  # for pretokens
    join_with: npt.NDArray[np.uint32] | None = None,  # (k, 3), for sequences of ids: merges made before
    vocab_size: int,
    min_frequency: int = 0,
    max_token_length: int | None = None,
    length_in_chars: bool = False,
    strict_length: bool = False,
    max_words: int | None = None,
    colon_space: bool = True,
    newline_end: bool = True,
    threads: int = 1,
    progress: Callable[[str, int, int], object] | None = None,
    checkpoint: Callable[[npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]], object]
    | None = None,
    checkpoint_seconds: float = 30.0,
    first_threshold: int = 0,
    thread_share: int = 4096,
) -> TrainedStage: ...

class TextCounter:
    def __init__(
        self,
        *,
        pattern: str,
        sequence: str,
        special_tokens: Sequence[str] = [],
        threads: int | None = None,
        memory_bytes: int = 0,
        spill_directory: str = "",
        portion_bytes: int = 524288,
        scale: int = 1,
        split: Callable[[bytes, bool, bool], tuple[bytes, npt.NDArray[np.int64], npt.NDArray[np.int64] | None]]
        | None = None,
    ) -> None: ...
    def add_files(
        self, files: Sequence[tuple[str | bytes, int, int]], progress: Callable[[int], object] | None = None
    ) -> None: ...  # path, bytes, weight
    def add_texts(self, texts: Iterable[Text], weight: int, n_documents: int) -> None: ...
    def stop(self) -> None: ...
    def finish(self) -> PretokenCounts: ...
    def finish_to_file(self, path: str | bytes) -> None: ...
    def last_division(self, text: bytes) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    @property
    def n_runs(self) -> int: ...

class PretokenCounts:
    @staticmethod
    def load(path: str | bytes) -> PretokenCounts: ...
    @staticmethod
    def from_arrays(
        *,
        pattern: str,
        sequence: str,
        scale: int,
        n_documents: int,
        n_bytes: int,
        bytes: npt.NDArray[np.uint8],  # (b,)
        ends: npt.NDArray[np.uint64],  # (n,)
        counts: npt.NDArray[np.uint64],  # (n,)
    ) -> PretokenCounts: ...
    def save(self, path: str | bytes) -> None: ...
    def merged(self, other: PretokenCounts) -> PretokenCounts: ...
    def arrays(
        self,
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]: ...  # (b,), (n,), (n,)
    def entries(self, begin: int, end: int) -> list[tuple[bytes, int]]: ...
    def most_common(self, n: int) -> list[tuple[bytes, int]]: ...
    def count_of(self, pretoken: bytes) -> int: ...
    def sums(
        self,
    ) -> tuple[int, int, int, bytes]: ...  # pretokens, bytes; of the longest pretoken its length and first bytes
    def equals(self, other: PretokenCounts) -> bool: ...
    @property
    def pattern(self) -> str: ...
    @property
    def sequence(self) -> str: ...
    @property
    def scale(self) -> int: ...
    @property
    def n_documents(self) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    def __len__(self) -> int: ...

def merge_counts_files(
    paths: Sequence[str | bytes],
    out: str | bytes,
    progress: Callable[[int], object] | None = None,  # bytes of the files that have been read
) -> None: ...
