"""Strings without end that find mistakes: fragments of every family a pattern tells apart, from all planes of Unicode.

Hypothesis finds a small example among hundreds; this makes a hundred thousand strings in seconds, the same for a seed.
"""

import functools
import random
import unicodedata
from collections.abc import Callable

from reference.texts import WORLD

Fragment = Callable[[random.Random], str]


@functools.cache
def categories() -> dict[str, list[str]]:
    """Characters by general category: L, N, Nd, ...; surrogates left out."""
    table: dict[str, list[str]] = {}
    for code_point in range(0x110000):
        kind = unicodedata.category(chr(code_point))
        if kind != "Cs":
            table.setdefault(kind, []).append(chr(code_point))
    return table


def run_of(*kinds: str) -> Fragment:
    return lambda rng: "".join(rng.choice(categories()[rng.choice(kinds)]) for _ in range(rng.randrange(1, 7)))


def any_plane(rng: random.Random) -> str:
    found = []
    for _ in range(rng.randrange(1, 5)):
        code_point = rng.randrange(17) << 16 | rng.randrange(0x10000)
        found.append(chr(code_point) if not 0xD800 <= code_point < 0xE000 else "\uffff")
    return "".join(found)


def any_script(rng: random.Random) -> str:
    """Neighbours in the first planes: letters, marks, digits and holes of one script."""
    start = rng.choice((rng.randrange(0x80, 0x3400), rng.randrange(0x80, 0xD780), rng.randrange(0x10000, 0x1FA00)))
    return "".join(chr(start + rng.randrange(48)) for _ in range(rng.randrange(1, 7)))


def contraction(rng: random.Random) -> str:
    """With letters of odd case: U+017F folds to s, U+212A to k, U+0130 and U+0131 to no i that counts."""
    quote = rng.choice("''''''''’ʼ＇`\"")
    letters = rng.choice(
        ("s", "t", "re", "ve", "m", "ll", "d", "ſ", "l", "r", "v", "k", "\u212a", "ı", "İ", "ss", "rE")
    )
    return rng.choice(("", "I", "they", "日", "1", " ", "!")) + quote + "".join(map(odd_case, letters, [rng] * 9))


def odd_case(letter: str, rng: random.Random) -> str:
    return rng.choice((letter, letter.upper(), letter.lower()))


def combining(rng: random.Random) -> str:
    marks = categories()[rng.choice(("Mn", "Mn", "Mc", "Me"))]
    return rng.choice(("", "a", "E", " ", "\n", "1", "日", "!", "'s")) + "".join(
        rng.choices(marks, k=rng.randrange(1, 5))
    )


def emoji(rng: random.Random) -> str:
    people = ("👩", "👨", "👧", "🧑", "💻", "❤️", "🏳️", "🌈", "🇩", "🇪", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")
    tones = ("", "", "🏻", "🏿", "\ufe0f")
    return "\u200d".join(rng.choice(people) + rng.choice(tones) for _ in range(rng.randrange(1, 5)))


def one_of(*alphabet: str, longest: int = 6) -> Fragment:
    return lambda rng: "".join(rng.choices(alphabet, k=rng.randrange(1, longest + 1)))


def word(rng: random.Random) -> str:
    letters = "".join(rng.choices("etaoinshrdlucmfwypvbgkjqxz", k=rng.randrange(1, 12)))
    shape = rng.choice(
        (str, str, str.title, str.upper, lambda w: w[:3] + w[3:].title(), lambda w: w[:2].upper() + w[2:])
    )
    return rng.choice(("", " ", " ", "  ", "_", "-", "(", "\t", "$")) + shape(letters)


def repeated(rng: random.Random) -> str:
    """Across blocks of 64 bytes."""
    return rng.choice(
        ["a", "A", " ", "\n", "1", "!", "日", "é", "\u0301", "\t", "ab", "/", "\r\n", "'s", "😀"]
    ) * rng.randrange(1, 80)


def slice_of_world(rng: random.Random) -> str:
    start = rng.randrange(len(WORLD))
    return WORLD[start : start + rng.randrange(1, 12)]


FAMILIES: tuple[Fragment, ...] = (
    any_plane,
    any_script,
    contraction,
    contraction,
    combining,
    emoji,
    word,
    word,
    slice_of_world,
    repeated,
    run_of("Lu", "Ll", "Lt", "Lm", "Lo"),
    run_of("Lu", "Ll"),
    run_of("Nd", "Nl", "No"),
    run_of("Nd"),
    run_of("Zs", "Cc", "Cf", "Zl", "Zp"),
    run_of("Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So"),
    run_of("Lo", "Mn", "Mc"),
    run_of("Cn", "Co", "Cc"),
    one_of("0", "1", "9", "12", "345", " ", ",", "."),
    one_of("\n", "\r", "\r\n", " ", "\t", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", longest=8),
    one_of(" ", " ", " ", "\u00a0", "\u2003", "\u3000", "\u200b", "\ufeff", "\t", "x", longest=9),
    one_of(*"!@#$%^&*()_+-=[]{}|;:'\",.<>/?`~\\\n/ ", longest=10),
    one_of("日", "本", "語", "の", "カ", "ー", "。", "、", "中", "文", "한", "국", "ไ", "ท", "ย", "龥", "龦", "ヿ", longest=9),
    one_of("<|endoftext|>", "<|im_start|>", "<s>", "</s>", "<unk>", "<|fim_prefix|>", "<|endof", "text|>", "<0x41>", "▁", longest=3),
    one_of("İ", "ı", "ſ", "ß", "ẞ", "ǅ", "ǆ", "Σ", "ς", "ﬁ", "Å", "A\u030a", "\u1e9b\u0323", "각", "ᄀ", "ᅡ", "ᆨ", longest=5),
)  # fmt: skip


def strings(seed: int, n: int) -> list[str]:
    """n strings of one to twelve fragments each."""
    rng = random.Random(seed)
    return [
        "".join(rng.choice(FAMILIES)(rng) for _ in range(min(rng.randrange(1, 13), rng.randrange(1, 13))))
        for _ in range(n)
    ]


def byte_strings(seed: int, n: int) -> list[bytes]:
    """n strings of bytes: random ones, and UTF-8 with bytes changed, cut out or cut short."""
    rng = random.Random(seed)
    found = []
    for text in strings(seed, n):
        if rng.randrange(4) == 0:
            found.append(rng.randbytes(rng.randrange(100)))
            continue
        data = bytearray(text.encode())
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data) + 1)
            change = rng.randrange(3)
            if change == 0:
                data.insert(at, rng.choice((0xFF, 0xC3, 0xE4, 0xED, 0xF0, 0xF4, 0x80, 0xA0, rng.randrange(256))))
            elif change == 1:
                del data[at : at + rng.randrange(1, 3)]
            elif rng.randrange(4) == 0:
                del data[at:]
        found.append(bytes(data))
    return found
