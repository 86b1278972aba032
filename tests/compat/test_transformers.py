"""FissileTokenizer against PreTrainedTokenizerFast, call by call."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers", minversion="0.23")
pytest.importorskip("transformers", minversion="5")

from transformers import PreTrainedTokenizerFast

from compat.hf import KINDS, TEXTS, assert_same_call, fresh_pair, pair
from reference.texts import WORLD

# Windows over two long texts are as many as their product.
FIRSTS = [text[:60] for text in TEXTS]
SECONDS = [text[::-1] for text in FIRSTS[1:]] + ["the last"]
LENGTHS: list[dict[str, Any]] = [
    {},
    {"truncation": True, "max_length": 12},
    {"truncation": True, "max_length": 3},
    {"truncation": "only_first", "max_length": 20},
    {"truncation": "only_second", "max_length": 20},
    {"truncation": "longest_first", "max_length": 21},
    {"truncation": True, "max_length": 12, "stride": 4, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 100_000, "return_overflowing_tokens": True},
    {"truncation": True},
    {"max_length": 7},
]
# `tokenizers` raises, panics or wraps around.
SENSELESS: list[dict[str, Any]] = [
    {"truncation": True, "max_length": 1},
    {"truncation": True, "max_length": 0},
    {"truncation": True, "max_length": 4, "stride": 4},
    {"truncation": "only_second", "max_length": 3},
]
PADDINGS: list[dict[str, Any]] = [
    {},
    {"padding": True},
    {"padding": "max_length", "max_length": 16},
    {"padding": True, "pad_to_multiple_of": 8, "padding_side": "left"},
]
MASKS = {"return_token_type_ids": True, "return_special_tokens_mask": True, "return_length": True}


# Every way to cut with some way to pad, and every way to pad with some way to cut.
CALLS = [
    lengths | PADDINGS[i % len(PADDINGS)] | (MASKS if i % 2 else {})
    for i, lengths in enumerate([*LENGTHS, *LENGTHS[:7]])
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:`max_length` is ignored")
def test_batches_and_single_texts(kind: str) -> None:
    both = pair(kind)
    for options in CALLS:
        assert_same_call(both, TEXTS, **options)
        assert_same_call(both, TEXTS[3], **options)
        assert_same_call(both, "", **options)
        assert_same_call(both, TEXTS[:2], add_special_tokens=False, **options)
        assert_same_call(both, TEXTS[3], add_special_tokens=False, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:`max_length` is ignored")
def test_pairs(kind: str) -> None:
    both = pair(kind)
    for options in CALLS:
        assert_same_call(both, FIRSTS, SECONDS, **options)
        assert_same_call(both, FIRSTS[3], SECONDS[3], **options)
        assert_same_call(both, FIRSTS, SECONDS, add_special_tokens=False, **options)
        assert_same_call(both, list(zip(FIRSTS, SECONDS, strict=True)), **options)
        assert_same_call(both, "a first", "", **options)


@pytest.mark.parametrize("kind", ["byte-level", "template and added tokens"])
@pytest.mark.parametrize("options", SENSELESS)
def test_lengths_that_make_no_sense(kind: str, options: dict[str, Any]) -> None:
    both = pair(kind)
    for texts in (["a bit of text", ""], "a bit of text", ""):
        assert_same_call(both, texts, **options)
        assert_same_call(both, texts, texts, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_sides(kind: str, side: str) -> None:
    both = fresh_pair(kind, truncation_side=side, padding_side=side)
    for options in LENGTHS[1:7]:
        assert_same_call(both, FIRSTS, padding=True, **options)
        assert_same_call(both, FIRSTS, SECONDS, padding=True, **options)


@pytest.mark.parametrize("kind", ["byte-level", "template and added tokens", "llama"])
@pytest.mark.parametrize("tensors", ["np", "pt"])
@pytest.mark.filterwarnings("ignore:`max_length` is ignored")
def test_tensors(kind: str, tensors: str) -> None:
    if tensors == "pt":
        pytest.importorskip("torch")
    both = pair(kind)
    for call in CALLS:
        options = call | {"return_tensors": tensors}
        assert_same_call(both, TEXTS, **options)
        assert_same_call(both, TEXTS[3], **options)
        assert_same_call(both, TEXTS[0], **options, add_special_tokens=False)
        assert_same_call(both, FIRSTS, SECONDS, **options)
        assert_same_call(both, ["", ""], **options, add_special_tokens=False)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_call(kind: str, data: st.DataObject) -> None:
    both = pair(kind)
    text = st.text(max_size=30) | st.text(st.sampled_from(sorted(set(WORLD))), max_size=30) | st.sampled_from(FIRSTS)
    texts = data.draw(st.lists(text, min_size=1, max_size=4))
    seconds = data.draw(st.none() | st.lists(text, min_size=len(texts), max_size=len(texts)))
    options = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "truncation": st.sampled_from([True, False, "only_first", "only_second", "longest_first"]),
                "max_length": st.integers(10, 40),
                "stride": st.integers(0, 4),
                "return_overflowing_tokens": st.booleans(),
                "return_offsets_mapping": st.booleans(),
                "padding": st.sampled_from([True, False]),
                "pad_to_multiple_of": st.sampled_from([None, 4]),
                "padding_side": st.sampled_from(["left", "right"]),
                "add_special_tokens": st.booleans(),
                "return_special_tokens_mask": st.booleans(),
                "return_token_type_ids": st.booleans(),
                "return_attention_mask": st.booleans(),
                "split_special_tokens": st.booleans(),
                "return_tensors": st.sampled_from([None, "np"]),
                "verbose": st.just(False),
            },
        )
    )
    assert_same_call(both, texts, seconds, **options)
    assert_same_call(both, texts[0], seconds and seconds[0], **options)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(
    texts=st.lists(
        st.text(st.sampled_from("    \u0301e\u0323\u3000\t\n日ab가각ﬁ'"), max_size=12)
        | st.sampled_from([*FIRSTS, *TEXTS, "Ġ Ġa Ġ", "     a    "]),
        min_size=1,
        max_size=3,
    ),
    options=st.sampled_from(
        [{}, {"truncation": True, "max_length": 6, "stride": 1, "return_overflowing_tokens": True}]
    ),
)
def test_offsets(kind: str, texts: list[str], options: dict[str, Any]) -> None:
    assert_same_call(pair(kind), texts, return_offsets_mapping=True, **options)
    assert_same_call(pair(kind), [text + " " for text in texts], texts, return_offsets_mapping=True, padding=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["right", "left"])
def test_windows_over_one_text_of_pairs(kind: str, side: str) -> None:
    both = fresh_pair(kind, truncation_side=side)
    questions, contexts = ["What is it?", "Who?", "", " why "], [TEXTS[0] * 3, TEXTS[3], "short", ""]
    for options in (
        {"truncation": "only_second", "max_length": 40, "stride": 7, "padding": True},
        {"truncation": "only_second", "max_length": 41, "stride": 0, "return_offsets_mapping": True},
        {"truncation": "longest_first", "max_length": 50, "stride": 7, "return_token_type_ids": True},
    ):
        assert_same_call(both, questions, contexts, return_overflowing_tokens=True, **options)
        assert_same_call(both, questions[0], contexts[0], return_overflowing_tokens=True, **options)
        swapped = options | {"truncation": str(options["truncation"]).replace("second", "first")}
        assert_same_call(both, contexts, questions, return_overflowing_tokens=True, **swapped)


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({}, False),
        ({"padding": True, "return_tensors": "np"}, False),
        ({"padding": True, "truncation": True, "max_length": 6, "return_special_tokens_mask": True}, True),
        ({"truncation": True, "max_length": 6, "stride": 1, "return_overflowing_tokens": True}, False),
        ({"return_offsets_mapping": True, "truncation": True, "max_length": 6, "padding": True}, False),
        ({"return_offsets_mapping": True, "return_length": True}, True),
        ({"split_special_tokens": True}, False),
        ({"truncation": "only_second", "max_length": 45, "stride": 3, "return_overflowing_tokens": True}, True),
    ],
)
@pytest.mark.parametrize("kind", ["like Llama 3", "like Qwen", "BERT"])
def test_these_calls_do_not_reach_tokenizers(
    kind: str, options: dict[str, Any], pairs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = pair(kind).ours

    def fail(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("tokenizers encodes")

    monkeypatch.setattr(PreTrainedTokenizerFast, "_encode_plus", fail)
    firsts = [text[:3] for text in FIRSTS] if pairs else FIRSTS
    tokenizer(firsts, SECONDS if pairs else None, **options)
    tokenizer(firsts[0], SECONDS[0] if pairs else None, **options)
    with pytest.raises(AssertionError, match="tokenizers encodes"):
        tokenizer(["two", "words"], is_split_into_words=True)
