"""Splits written as text: what they mean, and what is said of those that mean nothing."""

import pytest

from fissile import BPEDropout, StochasTok, UniformSplit
from fissile.stochastic import parse_split


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("stochastok:0.1", StochasTok(0.1)),
        ("dropout:0", BPEDropout(0.0)),
        ("uniform:1", UniformSplit(1.0)),
        ("characters", "characters"),
    ],
)
def test_what_a_text_means(text: str, split: object) -> None:
    assert parse_split(text) == split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"split '': there is no sampler ''; expected stochastok:P, dropout:P, uniform:P or characters"),
        ("bpe:0.1", r"split 'bpe:0.1': there is no sampler 'bpe'; expected stochastok:P"),
        ("characters:0.1", r"there is no sampler 'characters'"),
        ("stochastok", r"split 'stochastok' does not say how much to split; expected such as stochastok:0.1"),
        ("stochastok:", r"split 'stochastok:': P is ''; expected .* with P from 0 to 1"),
        ("dropout:x", r"P is 'x'"),
        ("dropout:nan", r"P is 'nan'"),
        ("uniform:-0.1", r"P is '-0.1'"),
        ("uniform:1.1", r"P is '1.1'"),
    ],
)
def test_what_means_nothing_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_split(text)
