"""What else people do with a tokenizer of transformers: decode, add tokens, save, pickle, hand to workers."""

import concurrent.futures
import copy
import json
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", minversion="0.23")
pytest.importorskip("transformers", minversion="5")
import tokenizers
from tokenizers import AddedToken, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import fissile
from compat.hf import (
    BUILT,
    KINDS,
    SPECIAL,
    TEXTS,
    Pair,
    assert_same_batch,
    assert_same_call,
    assert_same_encodings,
    backend_of_kind,
    fresh_pair,
    outcome,
    pair,
)
from fissile.compat.hf_backend import backend_of
from fissile.compat.transformers import FissileTokenizer

CHAT = (
    "{% for m in messages %}{{ '<s>' + m['role'] + '\n' }}{% generation %}{{ m['content'] + '</s>' }}{% endgeneration %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)
MESSAGES = [{"role": "user", "content": "Hello, who are you?"}, {"role": "assistant", "content": "A naïve program."}]


def both(tokenizers: Pair, call: Any) -> Any:
    """The same outcome for both; returns it."""
    theirs, ours = outcome(lambda: call(tokenizers.theirs)), outcome(lambda: call(tokenizers.ours))
    assert ours == theirs
    return ours[0]


# --- calls that return other things than batches ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_encode_tokenize_and_convert(kind: str) -> None:
    tokenizers = pair(kind)
    for text in TEXTS:
        ids = both(tokenizers, lambda t, text=text: t.encode(text))
        both(tokenizers, lambda t, text=text: t.encode(text, text, truncation=True, max_length=20))
        tokens = both(tokenizers, lambda t, text=text: t.tokenize(text))
        both(tokenizers, lambda t, text=text: t.tokenize(text, add_special_tokens=True))
        both(tokenizers, lambda t, ids=ids: t.convert_ids_to_tokens(ids))
        both(tokenizers, lambda t, tokens=tokens: t.convert_tokens_to_ids(tokens))
        both(tokenizers, lambda t, tokens=tokens: t.convert_tokens_to_string(tokens))
    both(tokenizers, lambda t: (len(t), t.vocab_size, t.get_vocab() == t.vocab, t.all_special_ids, t.pad_token_id))
    both(tokenizers, lambda t: t.get_special_tokens_mask(t.encode(TEXTS[0]), already_has_special_tokens=True))


@pytest.mark.parametrize("kind", KINDS)
def test_decoding(kind: str) -> None:
    tokenizers = pair(kind)
    batch = tokenizers.theirs(TEXTS)["input_ids"]
    padded = tokenizers.theirs(TEXTS, padding=True, return_tensors="np")["input_ids"]
    for skip in (False, True):
        assert both(tokenizers, lambda t, skip=skip: t.batch_decode(batch, skip_special_tokens=skip))
        both(tokenizers, lambda t, skip=skip: t.batch_decode(padded, skip_special_tokens=skip))
        both(tokenizers, lambda t, skip=skip: t.decode(padded[0], skip_special_tokens=skip))
        both(tokenizers, lambda t, skip=skip: t.decode(batch[0], skip, clean_up_tokenization_spaces=True))
        for ids in ([], 5, [5], [1, 2, 3], list(range(260)), [10**6], [5, 10**9], [-1], ["a"], [1.0], [[5, 6], [7]]):
            both(tokenizers, lambda t, ids=ids, skip=skip: t.decode(ids, skip_special_tokens=skip))
            both(tokenizers, lambda t, ids=ids, skip=skip: t.batch_decode(ids, skip_special_tokens=skip))


def test_a_file_without_decoder_is_decoded_as_before() -> None:
    backend = copy.deepcopy(backend_of_kind("byte-level"))
    tree = json.loads(backend.to_str())
    tree["decoder"] = None
    backend = tokenizers.Tokenizer.from_str(json.dumps(tree))
    tokenizer = FissileTokenizer(tokenizer_object=backend)
    assert tokenizer.decode([40, 50]) == PreTrainedTokenizerFast(tokenizer_object=backend).decode([40, 50])


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_and_encodings(kind: str) -> None:
    tokenizers = pair(kind)
    for options in (
        {},
        {"padding": True, "truncation": True, "max_length": 12, "return_tensors": "np"},
        {"truncation": True, "max_length": 12, "stride": 2, "return_overflowing_tokens": True},
        {"add_special_tokens": False, "padding": "max_length", "max_length": 6, "padding_side": "left"},
    ):
        for texts in ((TEXTS,), (TEXTS, TEXTS[::-1]), (TEXTS[3],), (TEXTS[0], TEXTS[3])):
            if len(texts) == 2 and "stride" in options:
                continue
            ours, theirs = tokenizers.ours(*texts, **options), tokenizers.theirs(*texts, **options)
            assert_same_encodings(ours, theirs)
            assert_same_encodings(pickle.loads(pickle.dumps(ours)), theirs)
            assert_same_call(tokenizers, *texts, return_offsets_mapping=True, **options)
    ours, theirs = tokenizers.ours(TEXTS[3]), tokenizers.theirs(TEXTS[3])
    for name in ("tokens", "word_ids", "sequence_ids"):
        assert getattr(ours, name)() == getattr(theirs, name)()
    assert ours.char_to_token(4) == theirs.char_to_token(4) and ours[0].tokens == theirs[0].tokens


def test_encodings_are_made_when_asked_for_and_leave_the_backend_alone() -> None:
    tokenizer = fresh_pair("byte-level").ours
    batch = tokenizer(["some text"], truncation=True, max_length=1, padding=True)
    assert batch.encodings._made is None
    assert len(batch.tokens()) == 1
    assert tokenizer._tokenizer.truncation is None and tokenizer._tokenizer.padding is None


def test_encodings_of_a_tokenizer_that_changed_since_are_refused() -> None:
    tokenizer = fresh_pair("byte-level").ours
    batch = tokenizer("some text")
    tokenizer.add_tokens(["some"])
    with pytest.raises(RuntimeError, match="was changed since"):
        batch.tokens()


@pytest.mark.parametrize("kind", ["byte-level", "template and added tokens", "llama"])
def test_words_and_what_is_no_text(kind: str) -> None:
    tokenizers = pair(kind)
    assert_same_call(tokenizers, ["split", "into", "words"], is_split_into_words=True)
    assert_same_call(tokenizers, [["split", "into"], ["words"]], is_split_into_words=True, padding=True)
    for text in ([], (), None, 5, b"bytes", ["a", None], ["a", 5], [["a"]], [("a", "b")], ["a", ("b", "c")], "\ud800"):
        assert_same_call(tokenizers, text)
        assert_same_call(tokenizers, text, return_tensors="np")
    for texts in (
        ("a", ["b"]),
        (["a"], "b"),
        (["a"], ["b", "c"]),
        ("a", 5),
        (["a", "\udfff"], ["b", "c"]),
        (["a"], [None]),
    ):
        assert_same_call(tokenizers, *texts)
    assert_same_call(tokenizers, ("a", "b"))
    assert_same_call(tokenizers, text_target=["a target"], text=["a text"])


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_as_text(kind: str) -> None:
    tokenizers = fresh_pair(kind)
    texts = ["<s>a</s> <pad> <left> HTTP word", "<|im_start|>user <|im", TEXTS[4]]
    assert_same_call(tokenizers, texts, split_special_tokens=True)
    assert_same_call(tokenizers, texts[0], split_special_tokens=True)
    assert_same_call(tokenizers, texts)
    tokenizers.ours.split_special_tokens = tokenizers.theirs.split_special_tokens = True
    assert_same_call(tokenizers, texts)


def test_chat_templates() -> None:
    pytest.importorskip("jinja2")
    tokenizers = fresh_pair("template and added tokens", chat_template=CHAT)
    for options in (
        {"tokenize": False},
        {"return_dict": False},
        {"return_dict": False, "add_generation_prompt": True},
        {"continue_final_message": True, "return_dict": False},
    ):
        both(tokenizers, lambda t, options=options: t.apply_chat_template(MESSAGES, **options))
    for options in ({}, {"padding": True, "return_tensors": "np"}, {"return_assistant_tokens_mask": True}):
        for chats in (MESSAGES, [MESSAGES, MESSAGES[:1]]):
            theirs = tokenizers.theirs.apply_chat_template(chats, return_dict=True, **options)
            assert_same_batch(tokenizers.ours.apply_chat_template(chats, return_dict=True, **options), theirs)


def test_long_texts_are_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    messages = []
    for tokenizer in fresh_pair("byte-level", model_max_length=3, verbose=True):
        caplog.clear()
        tokenizer.deprecation_warnings.clear()
        import transformers.utils.logging as logging

        logging.enable_propagation()
        try:
            tokenizer(["ab", "a text that is too long", "another one that is too long, too"])
            tokenizer("a text that is too long")
        finally:
            logging.disable_propagation()
        messages.append([record.getMessage() for record in caplog.records])
    assert messages[0] == messages[1] and messages[0]


# --- a tokenizer that changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_added_tokens(kind: str) -> None:
    tokenizers = fresh_pair(kind)
    texts = [*TEXTS, "a new token and a <new> one; Hello", "the<new>the"]
    assert_same_call(tokenizers, texts)
    for change in (
        lambda t: t.add_tokens(["new token", "<new>"]),
        lambda t: t.add_tokens(AddedToken("<new>", lstrip=True, rstrip=True)),  # other flags, the same tokens
        lambda t: t.add_special_tokens({"cls_token": "<cls>", "extra_special_tokens": ["<a>", "<b>"]}),
        lambda t: t.add_tokens([t.convert_ids_to_tokens(300)], special_tokens=True),  # one of the model's
        lambda t: t.backend_tokenizer.add_tokens(["Hello"]),
        lambda t: t.backend_tokenizer.add_special_tokens(["the"]),
    ):
        both(tokenizers, change)
        assert_same_call(tokenizers, texts)
        both(tokenizers, len)
        both(tokenizers, lambda t: t.batch_decode(t(texts)["input_ids"], skip_special_tokens=True))


def test_changed_nodes() -> None:
    tokenizers = fresh_pair("template and added tokens")
    assert_same_call(tokenizers, TEXTS)

    def space_in_front(tokenizer: Any) -> None:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)

    def another_template(tokenizer: Any) -> None:
        tokenizer.backend_tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))

    def in_place(tokenizer: Any) -> None:
        tokenizer.backend_tokenizer.pre_tokenizer.add_prefix_space = False

    def end(tokenizer: Any) -> None:
        tokenizer.add_eos_token = True

    for change in (space_in_front, another_template, in_place, end):
        for tokenizer in tokenizers:
            change(tokenizer)
        assert_same_call(tokenizers, TEXTS)
        assert_same_call(tokenizers, TEXTS, TEXTS, padding=True)


def test_a_backend_is_encoded_for_by_one_tokenizer_until_it_changes() -> None:
    tokenizer = fresh_pair("byte-level").ours
    first = tokenizer.fissile
    assert tokenizer.fissile is first and isinstance(first, fissile.Tokenizer)
    tokenizer.add_tokens(["<s>"], special_tokens=True)  # is there
    assert tokenizer.fissile is first
    tokenizer.add_tokens(["something"])
    assert tokenizer.fissile is not first
    backend_of(tokenizer._tokenizer).forget()
    assert tokenizer.fissile == tokenizer.fissile


def test_what_fissile_does_not_do_is_refused(tmp_path: Path) -> None:
    words = FissileTokenizer(
        tokenizer_object=tokenizers.Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    )
    words.save_pretrained(tmp_path)
    for call in (lambda: words("a"), lambda: words.fissile, lambda: FissileTokenizer.from_pretrained(tmp_path)):
        with pytest.raises(fissile.TokenizerFileError, match=r"model\.type: expected BPE, found 'WordLevel'"):
            call()
    tokenizer = fresh_pair("byte-level").ours
    tokenizer.backend_tokenizer.model.dropout = 0.5
    with pytest.raises(fissile.TokenizerFileError, match="dropout"):
        tokenizer("a")
    with pytest.raises(TypeError, match=r"expected a tokenizers\.Tokenizer, found builtins\.str"):
        backend_of("a")


# --- on disk and on the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUILT)
def test_saving_and_loading(kind: str, tmp_path: Path) -> None:
    tokenizers = fresh_pair(kind, model_max_length=77, chat_template=CHAT)
    for tokenizer, name in zip(tokenizers, ("theirs", "ours"), strict=True):
        tokenizer.add_tokens(["kept token"])
        tokenizer(TEXTS, truncation=True, max_length=5)
        tokenizer.save_pretrained(tmp_path / name)
    saved = json.loads((tmp_path / "ours" / "tokenizer_config.json").read_text())
    assert saved.pop("tokenizer_class") == "FissileTokenizer"
    wanted = json.loads((tmp_path / "theirs" / "tokenizer_config.json").read_text())
    assert saved == wanted | {"tokenizer_class": saved.get("tokenizer_class")} or saved.items() <= wanted.items()

    again = FissileTokenizer.from_pretrained(tmp_path / "ours")
    automatic = AutoTokenizer.from_pretrained(tmp_path / "ours")
    assert type(again) is type(automatic) is FissileTokenizer
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path / "ours")
    for loaded in (again, automatic):
        assert loaded.model_max_length == 77 and loaded.chat_template == CHAT
        assert_same_call(Pair(plain, loaded), [*TEXTS, "a kept token"], verbose=False)
        assert_same_call(Pair(tokenizers.theirs, loaded), [*TEXTS, "a kept token"], padding=True, verbose=False)
    other = FissileTokenizer.from_pretrained(tmp_path / "theirs")
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path / "theirs")
    assert_same_call(Pair(plain, other), TEXTS, verbose=False)


@pytest.mark.parametrize("kind", ["template and added tokens", "llama"])
def test_copies(kind: str) -> None:
    tokenizers = fresh_pair(kind)
    for copied in (copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))):
        pair_of_copies = Pair(tokenizers.theirs, copied(tokenizers.ours))
        assert type(pair_of_copies.ours) is FissileTokenizer
        assert_same_call(pair_of_copies, TEXTS, padding=True)
    before = pickle.dumps(tokenizers.ours)
    tokenizers.ours(TEXTS, truncation=True, max_length=4, padding=True)
    assert pickle.dumps(tokenizers.ours) == before  # a key for caches that calls do not change


def _encode(tokenizer: Any, texts: list[str]) -> Any:
    return tokenizer(texts, truncation=True, max_length=10)["input_ids"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    tokenizers = fresh_pair("template and added tokens")
    wanted = _encode(tokenizers.theirs, TEXTS)
    assert _encode(tokenizers.ours, TEXTS) == wanted
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(_encode, [tokenizers.ours] * 3, [TEXTS] * 3)) == [wanted] * 3


def test_threads_share_a_tokenizer() -> None:
    tokenizers = fresh_pair("byte-level")
    calls: list[dict[str, Any]] = [{"truncation": True, "max_length": n, "padding": "max_length"} for n in range(3, 20)]
    wanted = [tokenizers.theirs(TEXTS, **options).data for options in calls]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda options: tokenizers.ours(TEXTS, **options).data, calls * 5))
    assert got == wanted * 5


@pytest.mark.parametrize("variable", ["TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1", "RAYON_NUM_THREADS=junk"])
def test_variables_of_tokenizers_set_the_number_of_threads(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizers = pair("byte-level")
    wanted = tokenizers.ours(TEXTS).data
    monkeypatch.setenv(*variable.split("="))
    assert tokenizers.ours(TEXTS).data == wanted


def test_datasets_map() -> None:
    datasets = pytest.importorskip("datasets")
    tokenizers = fresh_pair("template and added tokens")
    dataset = datasets.Dataset.from_dict({"text": TEXTS * 3})
    mapped = [
        dataset.map(lambda rows, t=t: t(rows["text"], truncation=True, max_length=16), batched=True, batch_size=4)
        for t in tokenizers
    ]
    assert mapped[0].to_dict() == mapped[1].to_dict()


def test_a_small_model_learns(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import DataCollatorForLanguageModeling

    from reference.texts import library_text

    tokenizers, losses = fresh_pair("llama"), []
    lines = [line for line in library_text(20_000).splitlines() if line.strip()]
    for tokenizer in tokenizers:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Embedding(len(tokenizer), 16), torch.nn.Linear(16, len(tokenizer)))
        collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
        rows = tokenizer(lines, truncation=True, max_length=32)["input_ids"]
        loader = torch.utils.data.DataLoader(
            rows, batch_size=16, collate_fn=lambda b, c=collate: c([{"input_ids": r} for r in b])
        )
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        of_this = []
        for batch in loader:
            loss = torch.nn.functional.cross_entropy(
                model(batch["input_ids"])[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            of_this.append(loss.item())
        losses.append(of_this)
    assert losses[0] == losses[1] and losses[1][-1] < losses[1][0]


def test_settings_of_a_pair() -> None:
    """What the tests stand on: both have the same special tokens."""
    tokenizers = pair("byte-level")
    both(tokenizers, lambda t: t.special_tokens_map)
    assert tokenizers.ours.special_tokens_map == SPECIAL
