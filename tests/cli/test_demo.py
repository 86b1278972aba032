"""The demo's trainer against the definition, and the demo as it runs."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from fissile import demo
from fissile.cli import main


def test_trainer_merges_the_most_frequent_pair_first() -> None:
    # ab: 4 times, bc: 3 times; once ab is merged, abc: 3 times.
    ranks = demo.build_ranks(b"abc abc abc ab", 258)
    assert list(ranks)[256:] == [b"ab", b"abc"]


def test_trainer_equals_counting_anew_before_each_merge() -> None:
    text = Path(demo.__file__).read_bytes()[:3000]
    words = {word: [bytes([byte]) for byte in word] for word in demo._WORD.findall(text)}
    frequencies = Counter(demo._WORD.findall(text))
    tokens = list(demo.build_ranks(text, 400))
    for token in tokens[256:]:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, parts in words.items():
            for pair in pairwise(parts):
                pairs[pair] += frequencies[word]
        joined = [pair for pair in pairs if pair[0] + pair[1] == token]
        assert max(pairs[pair] for pair in joined) == max(pairs.values())
        best = max(joined, key=pairs.__getitem__)
        for word, parts in words.items():
            words[word] = _joined(parts, best)


def _joined(parts: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    joined = []
    while parts:
        size = 2 if tuple(parts[:2]) == pair else 1
        joined.append(b"".join(parts[:size]))
        parts = parts[size:]
    return joined


def test_trainer_stops_when_nothing_is_left_to_merge() -> None:
    assert list(demo.build_ranks(b"ab", 1000))[256:] == [b"ab"]


@pytest.mark.parametrize("text", [b"", b"a"])
def test_trainer_of_next_to_nothing_gives_the_bytes(text: bytes) -> None:
    assert list(demo.build_ranks(text, 1000)) == [bytes([byte]) for byte in range(256)]


def test_demo_encodes_real_text_and_gets_it_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SAMPLE_BYTES", 30_000)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "every byte came back" in out
    assert demo.SENTENCE in out


def test_demo_without_sources_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert main(["demo"]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_demo_fails_if_text_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SAMPLE_BYTES", 3_000)
    monkeypatch.setattr("fissile.tokenizer.Tokenizer.decode_bytes", lambda self, ids: b"other")
    assert main(["demo"]) == 1
    assert "not the text that was encoded" in capsys.readouterr().err
