"""What an Inspection holds, against Tokenizer.encode and offsets, and plain definitions."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fissile
from reference.inspected import TEXTS, TOKENIZERS, over_bytes, with_space_in_front

SPLITS = [fissile.StochasTok(0.5), fissile.BPEDropout(0.5), fissile.UniformSplit(0.7), "characters"]


def plain_split_ranges(
    tokenizer: fissile.Tokenizer, text: bytes, ids: list[int], ranges: list[list[int]], drawn: list[int]
) -> list[list[int]]:
    """Where a split's tokens lie: from a range of the text for every byte that the canonical tokens spell."""
    of_bytes: list[tuple[int, int]] = []
    for id, (begin, end) in zip(ids, ranges, strict=True):
        token = tokenizer.token_bytes(id)
        put_in_front = len(token) - (end - begin)
        if put_in_front >= 0 and token.endswith(text[begin:end]):
            of_bytes += [(begin, begin)] * put_in_front + [(i, i + 1) for i in range(begin, end)]
        else:
            of_bytes += [(begin, end)] * len(token)
    found, at = [], 0
    for id in drawn:
        n = len(tokenizer.token_bytes(id))
        found.append([of_bytes[at][0], of_bytes[at + n - 1][1]])
        at += n
    assert at == len(of_bytes)
    return found


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_canonical_tokens_are_those_of_encode_and_offsets(kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    inspection = tokenizer.inspect(text)
    [view] = inspection.views
    ids = tokenizer.encode(text, allowed_special="all")
    ranges = tokenizer.offsets(text, "byte", allowed_special="all")
    special = set(tokenizer.special_tokens.values())
    assert inspection.text == text.encode()
    assert [(t.id, t.begin, t.end) for t in view.tokens()] == [
        (id, *place) for id, place in zip(ids.tolist(), ranges.tolist(), strict=True)
    ]
    assert [t.token for t in view.tokens()] == [tokenizer.token_bytes(id) for id in ids.tolist()]
    assert [t.special for t in view.tokens()] == [id in special for id in ids.tolist()]
    assert not any(t.differs for t in view.tokens())


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_split_tokens_lie_where_their_bytes_come_from(kind: str, split: fissile.stochastic.Split) -> None:
    tokenizer = TOKENIZERS[kind]()
    for text in TEXTS:
        canonical, drawn = tokenizer.inspect(text, split=split, seed=7, epoch=2).views
        expected = tokenizer.encode(text, allowed_special="all", split=split, seed=7, epoch=2)
        assert np.array_equal(drawn.ids, expected)
        ranges = canonical.ranges.tolist()
        places = plain_split_ranges(tokenizer, text.encode(), canonical.ids.tolist(), ranges, expected.tolist())
        assert drawn.ranges.tolist() == places
        assert drawn.differs.tolist() == [place not in ranges for place in places]


def test_tokens_of_another_tokenizer_are_compared_with_the_first() -> None:
    first, second = over_bytes(), with_space_in_front()
    views = first.inspect("lo two 東京", second, split="stochastok:1", seed=1).views
    assert [view.tokenizer for view in views] == [first, first, second, second]
    assert [view.name for view in views] == [first._spec.source] * 2 + ["characters.json"] * 2
    known = views[0].ranges.tolist()
    for view in views:
        assert view.differs.tolist() == [place not in known for place in view.ranges.tolist()]
    assert views[2].differs.any() and not views[2].differs.all()


@given(data=st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)))
def test_characters_are_counted_as_offsets_counts_them(data: bytes) -> None:
    tokenizer = over_bytes()
    inspection = tokenizer.inspect(data)
    [view] = inspection.views
    expected = tokenizer.offsets(data, "char", allowed_special="all")
    assert [list(inspection.chars(begin, end)) for begin, end in view.ranges.tolist()] == expected.tolist()


@given(data=st.binary(max_size=30), limit=st.integers(0, 35))
def test_limit_shows_tokens_that_begin_before_it(data: bytes, limit: int) -> None:
    inspection = over_bytes().inspect(data, split="characters", limit=limit)
    for view in inspection.views:
        assert inspection.n_shown(view) == sum(begin < limit for begin in view.ranges[:, 0].tolist())
        for token in view.tokens(inspection.n_shown(view)):  # of a text that is cut, as of the whole
            whole = over_bytes().inspect(data, limit=None).chars(token.begin, token.end)
            assert inspection.chars(token.begin, token.end) == whole


def test_a_cut_character_is_named_whole() -> None:
    inspection = over_bytes().inspect("a東".encode() + b"\xff")
    assert inspection.part_of(0, 1) == b""
    assert inspection.part_of(1, 2) == inspection.part_of(2, 4) == "東".encode()
    assert inspection.part_of(1, 4) == inspection.part_of(4, 5) == b""


def test_a_seed_that_nobody_chose_is_shown_and_repeats() -> None:
    tokenizer = over_bytes()
    text = "the text of the tokens " * 5
    drawn = tokenizer.inspect(text, split=fissile.StochasTok(0.5)).views[1]
    assert drawn.how.startswith("StochasTok(p=0.5), seed ")
    again = tokenizer.inspect(text, split=fissile.StochasTok(0.5), seed=int(drawn.how.rpartition(" ")[2])).views[1]
    assert np.array_equal(drawn.ids, again.ids)


@pytest.mark.parametrize(
    ("split", "options", "how"),
    [
        ("dropout:0.1", {"seed": 3}, "BPEDropout(p=0.1), seed 3"),
        (fissile.BPEDropout(0.1), {"seed": 3, "epoch": 2}, "BPEDropout(p=0.1), seed 3, epoch 2"),
        (fissile.BPEDropout(0.1, law="tokenizers"), {"seed": 0}, "BPEDropout(p=0.1, law='tokenizers'), seed 0"),
        ("characters", {"seed": 1}, "characters, seed 1"),
    ],
)
def test_a_view_says_how_it_was_drawn(split: fissile.stochastic.Split, options: dict[str, int], how: str) -> None:
    assert over_bytes().inspect("a", split=split, **options).views[1].how == how  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["tokens", b"tokens", bytearray(b"tokens"), memoryview(b"tokens")], ids=lambda t: type(t).__name__
)
def test_any_text_is_taken(text: "str | bytes | bytearray | memoryview") -> None:
    assert over_bytes().inspect(text).text == b"tokens"


def test_wrong_arguments_are_named() -> None:
    inspect = functools.partial(over_bytes().inspect, "a")
    with pytest.raises(ValueError, match="limit must be at least 0, not -1"):
        inspect(limit=-1)
    with pytest.raises(ValueError, match="there is no sampler 'bpe'"):
        inspect(split="bpe:1")
    with pytest.raises(ValueError, match="seed must be from 0"):
        inspect(split="characters", seed=-1)
    with pytest.raises(TypeError, match="text"):
        over_bytes().inspect(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="surrogate"):
        over_bytes().inspect("\ud800")
