"""Pairs of transformers tokenizers, one as it is and one on Fissile, and calls compared between them."""

import copy
import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from reference.texts import WORLD, library_text, shared

tokenizers = pytest.importorskip("tokenizers", minversion="0.23")
pytest.importorskip("transformers", minversion="5")
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

from fissile.compat.transformers import FissileTokenizer  # noqa: E402

SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
NAMES = list(SPECIAL.values())

TEXTS = [
    "Hello world, this is a sentence.",
    "",
    " two  spaces ",
    "naïve café, 日本語のテキスト 👩‍👩‍👧‍👦",
    "<s>special</s> tokens <mask> HTTP<left> word",
    *WORLD.splitlines()[:5],
    library_text(600),
]


class Pair(NamedTuple):
    theirs: Any
    ours: Any


def trained(backend: "tokenizers.Tokenizer", specials: list[str], **options: Any) -> "tokenizers.Tokenizer":
    trainer = trainers.BpeTrainer(vocab_size=800, show_progress=False, special_tokens=specials, **options)
    backend.train_from_iterator([library_text(60_000), WORLD * 5], trainer)
    return backend


def byte_level(**options: Any) -> "tokenizers.Tokenizer":
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(**{"add_prefix_space": False, **options})
    backend.decoder = decoders.ByteLevel()
    return trained(backend, NAMES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def trimming() -> "tokenizers.Tokenizer":
    backend = byte_level(add_prefix_space=True)
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    return backend


def like_llama3() -> "tokenizers.Tokenizer":
    backend = byte_level()
    sequence = [
        processors.ByteLevel(trim_offsets=True, add_prefix_space=True),
        processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]),
    ]
    backend.post_processor = processors.Sequence(sequence)
    return backend


def like_qwen() -> "tokenizers.Tokenizer":
    backend = byte_level()
    backend.normalizer = normalizers.NFC()
    backend.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    return backend


def roberta() -> "tokenizers.Tokenizer":
    backend = byte_level(add_prefix_space=True)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    return backend


def bert() -> "tokenizers.Tokenizer":
    backend = byte_level()
    backend.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    return backend


def template() -> "tokenizers.Tokenizer":
    backend = byte_level()
    backend.add_special_tokens(["<mask>"])
    backend.add_tokens([AddedToken("HTTP", normalized=False), AddedToken("<left>", lstrip=True, normalized=False)])
    backend.add_tokens([AddedToken("word", single_word=True), AddedToken("日本", normalized=True)])
    sequence = [
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> $B:1 </s>:1 </s>:1",
            special_tokens=[("<s>", 1), ("</s>", 2)],
        ),
    ]
    backend.post_processor = processors.Sequence(sequence)
    return backend


def swapped() -> "tokenizers.Tokenizer":
    """A template that puts the second text first, and counts from another type."""
    backend = byte_level()
    backend.post_processor = processors.TemplateProcessing(
        single="$A:2 </s>:3", pair="$B:1 <s> $A:0", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return backend


def llama() -> "tokenizers.Tokenizer":
    backend = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trained(backend, [*NAMES, *(f"<0x{b:02X}>" for b in range(256))], limit_alphabet=90)
    tree = json.loads(backend.to_str())
    # Byte tokens belong to the model alone, as in published files; as added tokens they would be found in text.
    tree["added_tokens"] = [t for t in tree["added_tokens"] if not t["content"].startswith("<0x")]
    backend = tokenizers.Tokenizer.from_str(json.dumps(tree))
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return backend


BUILT: dict[str, Callable[[], "tokenizers.Tokenizer"]] = {
    "byte-level": byte_level,
    "byte-level that trims offsets": trimming,
    "like Llama 3": like_llama3,
    "like Qwen": like_qwen,
    "RoBERTa": roberta,
    "BERT": bert,
    "template and added tokens": template,
    "template that swaps": swapped,
    "llama": llama,
}
KINDS = [*BUILT, "shared llama2", "shared qwen3", "shared deepseek_v3"]


@functools.cache
def backend_of_kind(kind: str) -> "tokenizers.Tokenizer":
    if kind in BUILT:
        return BUILT[kind]()
    data = shared("vocab", f"{kind.removeprefix('shared ')}.json")
    if data is None:
        pytest.skip("no shared vocabularies")
    return tokenizers.Tokenizer.from_str(data.decode())


def options_of_kind(kind: str) -> dict[str, Any]:
    if kind in BUILT:
        return dict(SPECIAL)
    pad = backend_of_kind(kind).id_to_token(2)
    return {"pad_token": pad}


@functools.cache
def pair(kind: str) -> Pair:
    """Both tokenizers of a kind; for tests that change nothing in them."""
    return fresh_pair(kind)


def fresh_pair(kind: str, **options: Any) -> Pair:
    backend, options = backend_of_kind(kind), options_of_kind(kind) | options
    return Pair(
        PreTrainedTokenizerFast(tokenizer_object=backend, **copy.deepcopy(options)),
        FissileTokenizer(tokenizer_object=backend, **copy.deepcopy(options)),
    )


def outcome(call: Callable[[], Any]) -> tuple[Any, Any]:
    """(result, None) or (None, (type, message) of what was raised); a panic of the other side is an error like others."""
    try:
        return call(), None
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return None, (type(error), str(error))


def plain(value: Any) -> Any:
    """Lists of arrays, tensors and lists of them: rows of different lengths are an array of arrays."""
    return [plain(item) for item in value] if getattr(value, "ndim", 0) or isinstance(value, list) else value


def assert_same_value(ours: Any, theirs: Any, where: str) -> None:
    assert type(ours) is type(theirs), (where, type(ours), type(theirs))
    for attribute in ("dtype", "shape"):
        assert getattr(ours, attribute, None) == getattr(theirs, attribute, None), where
    assert plain(ours) == plain(theirs), where


def assert_same_batch(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert list(ours) == list(theirs)
    for key in theirs:
        assert_same_value(ours[key], theirs[key], key)
    assert ours.is_fast and ours.n_sequences == theirs.n_sequences


def assert_same_encodings(ours: Any, theirs: Any) -> None:
    assert len(ours.encodings) == len(theirs.encodings)
    for our, their in zip(ours.encodings, theirs.encodings, strict=True):
        assert json.loads(our.__getstate__()) == json.loads(their.__getstate__())


def assert_same_call(tokenizers: Pair, *arguments: Any, **options: Any) -> Any:
    """The two tokenizers give the same for a call, or raise the same; returns what Fissile's gave."""
    theirs, error = outcome(lambda: tokenizers.theirs(*arguments, **options))
    ours, our_error = outcome(lambda: tokenizers.ours(*arguments, **options))
    assert our_error == error
    if error is None:
        assert_same_batch(ours, theirs)
    return ours
