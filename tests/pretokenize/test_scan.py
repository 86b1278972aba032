"""Scanners of every ISA against the plain one, and that against regular expressions."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fissile import _core
from reference.pretokenize import PATTERNS, known, pretokens
from reference.texts import WORLD, adversarial, library_text, shared, shared_corpora

testing = _core._testing
ISAS = [isa for isa in testing.isas() if isa != "scalar"]
# Eight characters a row: letters of both cases, quotes, white space, digits, marks, characters of every width.
ALPHABETS = [
    "aA's \n1!",
    "aé日\u0301 'sS",
    "A日bあ'\u0301! ",
    "a/\n!\r/ b",
    "\u3000 \t\na1'x",
    "12٣ !a\n日",
    "'ſlLrReE",
    "ア・゛\u3099\u3097日\na",
    "a!\x01\u200b\u0301 é\n",
    "(é“😀 \n/a",
    " \u3000\n1日!a龦",
    "ªA'sſ日 1",
    "々〇⺀日a!1 ",
    "⺀\u0301日'sA\n𖿰",
]

# Runs of which a pretoken is longer than a block.
FILLERS = [
    "x",
    "日",
    "é",
    "ア",
    "e\u0301",
    "、",
    "/",
    "12",
    "-",
    "-\u0301",
    " ",
    "\t",
    "\n",
    "\u3000",
    " \n",
    "\u200b",
    "⺀",
    "!⺀",
]


# Scanners that take each line for a text of its own.
LINE_PATTERNS = [pattern for pattern in PATTERNS if pattern not in ("none", "superbpe")]


def ends(pattern: str, text: bytes, isa: str, capacity: int = 256, lines: bool = False) -> list[int]:
    return testing.scan(pattern, text, isa, capacity, lines).tolist()


def expected_ends(pattern: str, text: str) -> list[int]:
    return list(itertools.accumulate(len(piece.encode()) for piece in pretokens(pattern, text)))


def assert_definition(pattern: str, text: str) -> None:
    assert ends(pattern, text.encode(), "scalar") == expected_ends(pattern, text), repr(text[:200])


def assert_isas_agree(pattern: str, text: bytes) -> None:
    wanted = testing.scan(pattern, text, "scalar").tobytes()
    for isa in ISAS:
        assert testing.scan(pattern, text, isa).tobytes() == wanted, (isa, text[:200], ends(pattern, text, isa))


def assert_lines(pattern: str, text: bytes) -> None:
    wanted, begin = [], 0
    for line in text.split(b"\n"):
        ending = b"\n" if begin + len(line) < len(text) else b""
        wanted += [begin + end for end in ends(pattern, line + ending, "scalar")]
        begin += len(line) + len(ending)
    for isa in testing.isas():
        found = ends(pattern, text, isa, lines=True)
        assert found == wanted, (isa, text[:200], found, wanted)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_short_text_is_split_as_the_regex_does(pattern: str, alphabet: str) -> None:
    for length in range(1, 5):
        for text in map("".join, itertools.product(alphabet, repeat=length)):
            assert_definition(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_real_text_is_split_as_the_regex_does(pattern: str) -> None:
    assert_definition(pattern, known(WORLD * 3))
    assert_definition(pattern, known(library_text(100_000)))


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text(st.sampled_from(sorted({c for a in ALPHABETS for c in a} | set(known(WORLD)))), max_size=120))
def test_mixed_text_is_split_as_the_regex_does(pattern: str, text: str) -> None:
    assert_definition(pattern, text)
    assert_isas_agree(pattern, text.encode())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_isa_splits_alike_at_every_place_of_a_block(pattern: str) -> None:
    rng = random.Random(7)
    for alphabet in ALPHABETS:
        for _ in range(300):
            filler = rng.choice(FILLERS) * rng.randrange(150 if rng.randrange(2) else 70)
            text = (
                rng.choice(["", " ", "!", "A", "'", "a'"])
                + filler
                + "".join(rng.choices(alphabet, k=rng.randrange(1, 150)))
            )
            assert_isas_agree(pattern, text.encode())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_isa_splits_every_short_text_alike(pattern: str, alphabet: str, pytestconfig: pytest.Config) -> None:
    longest = 6 if pytestconfig.getoption("--exhaustive") else 4
    letters = [letter.encode() for letter in alphabet]
    for length in range(1, longest + 1):
        for text in map(b"".join, itertools.product(letters, repeat=length)):
            assert_isas_agree(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_isa_splits_alike_wherever_a_block_ends(pattern: str, alphabet: str) -> None:
    """A block begins at the beginning of text, and a long run is not cut before its end."""
    pairs = [a + b for a, b in itertools.product(alphabet, repeat=2)]
    for n_bytes in range(52, 68):
        for filler, pair in itertools.product(["x" * n_bytes, "!" * n_bytes, "!" + "x" * n_bytes], pairs):
            for tail in ("", "y", "!", " \n", "日"):
                assert_isas_agree(pattern, (filler + pair + tail).encode())


@pytest.mark.parametrize("pattern", LINE_PATTERNS)
@pytest.mark.parametrize("alphabet", [" \n\ra", "!\n\r/", "\n1日A", "'s\n ", "\u3000\n \u0301", "あ\n日 "])
def test_every_short_text_is_split_by_lines(pattern: str, alphabet: str) -> None:
    for length in range(1, 6):
        for text in map("".join, itertools.product(alphabet, repeat=length)):
            assert_lines(pattern, text.encode())


@pytest.mark.parametrize("pattern", LINE_PATTERNS)
def test_lines_are_split_alike_at_every_place_of_a_block(pattern: str) -> None:
    rng = random.Random(8)
    for alphabet in ALPHABETS:
        for _ in range(150):
            filler = rng.choice(FILLERS) * rng.randrange(150 if rng.randrange(2) else 70)
            text = filler + "".join(rng.choices(alphabet + "\n", k=rng.randrange(1, 150)))
            assert_lines(pattern, text.encode())
    for _ in range(150):
        assert_lines(pattern, bytes(rng.choices(b"\xe4\xb8\xad\xc3\xa9 a\n\r!/'\xcc\x81\xe3\x80", k=200)))


@pytest.mark.parametrize("pattern", LINE_PATTERNS)
@pytest.mark.parametrize("filler", FILLERS)
def test_lines_end_a_long_run(pattern: str, filler: str) -> None:
    """Of more than a block, and of more than the scalar scanner looks ahead for a line's end."""
    for head, n, tail in itertools.product(
        ("", " ", "!"), (*range(58, 68), 250, 256, 262), ("\n", "\r\n", "\n\n ", " \n a")
    ):
        assert_lines(pattern, (head + filler * n + tail + "b").encode())


@pytest.mark.parametrize("name", shared_corpora())
def test_shared_text_is_split_by_lines(name: str) -> None:
    text = (shared("corpus", name) or b"")[:300_000]
    for pattern in LINE_PATTERNS:
        assert_lines(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("filler", FILLERS)
def test_every_isa_ends_a_long_run_alike(pattern: str, filler: str) -> None:
    tails = ("", " ", "\n", "a", "A", "'s", "!", "1", "日", "\u0301", " a", " 1", "\n ", "\n!")
    near_a_block_end = [n for n in range(18, 140) if (n * len(filler.encode()) + 12) % 64 < 22]
    for head, n, tail in itertools.product(("", " ", "!", "a", "\n"), near_a_block_end, tails):
        assert_isas_agree(pattern, (head + filler * n + tail).encode())


@pytest.mark.parametrize("template", ["a{}{}1{} {}A", "!{}b ", " {}\n", "日{}あ{}!", "{}{}1"])
def test_every_isa_knows_every_character(template: str) -> None:
    """Masks know groups of characters by their bytes; the tables that the plain scanner asks know each by itself."""
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for start in range(0, len(characters), 100_000):
        text = "\n".join(template.format(c, c, c, c) for c in characters[start : start + 100_000]).encode()
        for pattern in PATTERNS:
            assert_isas_agree(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_isa_splits_any_bytes_alike(pattern: str) -> None:
    rng = random.Random(5)
    for _ in range(300):
        assert_isas_agree(pattern, rng.randbytes(rng.randrange(300)))
        assert_isas_agree(pattern, bytes(rng.choices(b"\xe4\xb8\xad\xc3\xa9 a\n'\xcc\x81", k=200)))
        assert_isas_agree(pattern, bytes(rng.choices(b"\xe3\xe4\xe9\x81\x83\xb8\xbe\xbf\xa5\xa6a!\n", k=200)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_hostile_text_is_split_alike_by_every_isa(pattern: str) -> None:
    for text in adversarial(5000).values():
        assert_isas_agree(pattern, text.encode())


@pytest.mark.parametrize("name", shared_corpora())
def test_shared_text_is_split_alike_by_every_isa(name: str) -> None:
    text = (shared("corpus", name) or b"")[:1_000_000]
    for pattern in PATTERNS:
        assert_isas_agree(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_stopping_and_going_on_changes_nothing(pattern: str) -> None:
    text = (WORLD * 20).encode()
    for isa in testing.isas():
        assert ends(pattern, text, isa, 64) == ends(pattern, text, isa, 4096)


@pytest.mark.parametrize(
    ("expression", "probe"),
    [
        # A class as tiktoken's regular expressions have it, and a text whose split by a pattern of ours shows it.
        (r"\p{L}", ("gpt2", "a{}")),  # joins a letter
        (r"\p{N}", ("gpt2", "1{}")),  # joins a digit
        (r"\s", ("gpt2", "\t{}")),  # joins white space
        (r"[^\s\p{L}\p{N}]", ("gpt2", "!{}")),  # joins punctuation
        (r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", ("o200k", "a{}")),  # goes on after a small letter
        (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", ("o200k", "A{}")),  # goes on after a capital, as Ll does
    ],
)
def test_classes_of_every_code_point_are_tiktokens(expression: str, probe: tuple[str, str]) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    # tiktoken leaves text out that its pattern does not match, so a pattern of one class gives the class.
    encoding = tiktoken.Encoding("class", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    members = set(encoding.decode(encoding.encode_ordinary("".join(characters))))
    pattern, template = probe
    if template == "A{}":
        small = tiktoken.Encoding("small", pat_str=r"\p{Ll}", mergeable_ranks=ranks, special_tokens={})
        members |= set(small.decode(small.encode_ordinary("".join(characters))))
    joined = {c for c in characters if ends(pattern, template.format(c).encode(), "scalar")[0] > 1}
    assert joined == members
