"""Texts that find mistakes, and vocabularies that any machine can build."""

import base64
import functools
import itertools
import lzma
import random
import re
import sysconfig
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@functools.cache
def shared(kind: str, name: str) -> bytes | None:
    """Contents of shared/KIND/NAME.xz, or None where there is none."""
    path = SHARED / kind / f"{name}.xz"
    return lzma.decompress(path.read_bytes()) if path.is_file() else None


def shared_corpora() -> list[str]:
    """Names of the shared texts."""
    folder = SHARED / "corpus"
    return sorted(path.name.removesuffix(".xz") for path in folder.glob("*.xz")) if folder.is_dir() else []


@functools.cache
def library_text(max_chars: int = 300_000) -> str:
    """Source text of the standard library: real text that every machine has."""
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    names = ("argparse.py", "tarfile.py", "typing.py", "turtle.py", "inspect.py", "_pydecimal.py")
    return "".join((stdlib / name).read_text("utf-8") for name in names if (stdlib / name).is_file())[:max_chars]


WORLD = (
    "Häuser, naïve café – “quoted” text… It's what they'd've SAID: don't!\r\n\r\n\tIndented\t text;  two  spaces   \n"
    "日本語のテキストです。全角　スペース、カタカナとCalcの混在、ABC日本DEF。中文没有空格，標點符號。한국어 문장입니다.\n"
    "Русский текст, Ελληνικά ΚΕΦΑΛΑΙΑ, עברית עם נִקּוּד, العربية مَعَ تَشْكِيل, हिन्दी में क्षेत्र, ไทยไม่มีช่องว่าง\n"
    "1234567890 3.14159 1,000,000 ٣٤٥٦٧ ⅷ ½ x² 'ſ 'S 'LL İstanbul ǅungla camelCaseHTTPServer snake_case_name\n"
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽 Z͑ͫ̓a̴l̶g̷o e\u0301 \u0301start \x00\x01\x7f\u0085\u2028\ufeff https://example.org/a//b?c=d#e\n//comment\n/\n!/\n\n"
)

CHINESE_WORDS = [
    "中国",
    "人民",
    "我们",
    "可以",
    "工作",
    "时间",
    "问题",
    "发展",
    "社会",
    "经济",
    "文件",
    "选择",
    "单元",
    "使用",
    "输入",
    "对话",
    "显示",
    "如果",
    "函数",
    "数据",
]


@functools.cache
def chinese_sentences() -> str:
    """The Chinese of the shared text without all that stands between, or nothing."""
    return re.sub(r"[^\u4e00-\u9fff]+", "", (shared("corpus", "help_zh-cn.txt") or b"").decode())


def adversarial(size: int) -> dict[str, str]:
    """Hostile texts of about `size` bytes each, by name; the same in every run."""
    rng = random.Random(11)

    def draw(alphabet: str | list[str], width: int) -> str:
        return "".join(rng.choices(alphabet, k=max(1, size // width)))

    def any_char(end: int) -> str:
        while 0xD800 <= (c := rng.randrange(32, end)) < 0xE000:
            pass
        return chr(c)

    people = ["👩", "👨", "👧", "👦", "🧑", "💻", "🚀", "❤️", "🏳️", "🌈", "⚕️", "👍"]
    tones = ["🏻", "🏼", "🏽", "🏾", "🏿", ""]

    def family() -> str:
        return "\u200d".join(rng.choice(people) + rng.choice(tones) for _ in range(rng.randrange(1, 5)))

    def marked() -> str:
        return rng.choice("abcdefghij klmno") + "".join(rng.choices(marks, k=rng.randrange(12)))

    marks = [chr(c) for c in range(0x300, 0x370)]
    return {
        "one letter": "a" * size,
        "spaces": " " * size,
        "newlines": "\n" * size,
        "digits": draw("0123456789", 1),
        "punctuation": draw("!@#$%^&*()_+-=[]{}|;:'\",.<>/?`~\\", 1),
        "base64": base64.b64encode(rng.randbytes(size * 3 // 4)).decode(),
        "hex": rng.randbytes(size // 2).hex(),
        "two letters in turn": "ab" * (size // 2),
        "long words": " ".join(draw("etaoinshrdlucmfwyp", 50) for _ in range(50)),
        "unbroken Chinese": draw([chr(c) for c in range(0x4E00, 0x9FA5)], 3),
        "unbroken Chinese that means something": chinese_sentences()[: size // 3] or draw(CHINESE_WORDS, 6),
        "unbroken Thai": draw([chr(c) for c in range(0xE01, 0xE2E)], 3),
        "joined emoji": "".join(family() for _ in range(size // 32)),
        "combining marks": "".join(marked() for _ in range(size // 14)),
        "white space of all kinds": draw(["\t", "\r\n", " ", "\n", "\r", "\u00a0", "\u2003", "\u3000", "x"], 2),
        "contractions": "'s't're've'm'll'd'S'T'RE'VE'LL'D I'm you'Re he'LL\u017fs'\u017f " * (size // 60),
        "capitals": draw(["camelCase", "HTTPServer", "İstanbul", "ǅungla", "ΣΊΣΥΦΟΣ", "ABCdef", "日本A", "ßtraße"], 9),
        "special tokens": "<|endoftext|> hello <|im_start|>user<|im_end|> <s></s> <|fim_prefix|>" * (size // 70),
        "any characters": "".join(any_char(0x110000) for _ in range(size // 4)),
        "any characters of two or three bytes": "".join(any_char(0xD7FF) for _ in range(size // 3)),
        "printable ASCII": "".join(chr(rng.randrange(32, 127)) for _ in range(size)),
        "NUL": "\0" * size,
        "slashes and newlines": draw("/\n!a ", 1),
        "nothing": "",
    }


@functools.cache
def small_ranks(n_tokens: int = 1000) -> dict[bytes, int]:
    """Ranks of a small vocabulary, trained on library_text and WORLD by counting pairs again after every merge."""
    words: dict[bytes, int] = {}
    for word in (library_text(60_000) + WORLD * 20).replace(" ", "\0 ").replace("\n", "\0\n\0").split("\0"):
        words[word.encode()] = words.get(word.encode(), 0) + 1
    frequent = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:1500]
    split = [([bytes([b]) for b in word], count) for word, count in frequent]
    ranks = {bytes([b]): b for b in range(256)}
    while len(ranks) < n_tokens:
        pairs: dict[tuple[bytes, bytes], int] = {}
        for parts, count in split:
            for pair in itertools.pairwise(parts):
                pairs[pair] = pairs.get(pair, 0) + count
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        ranks[left + right] = len(ranks)
        for parts, _ in split:
            i = 0
            while i + 1 < len(parts):
                if parts[i] == left and parts[i + 1] == right:
                    parts[i : i + 2] = [left + right]
                i += 1
    return ranks
