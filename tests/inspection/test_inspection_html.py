"""The page and the fragment of an Inspection, parsed again: what they hold, and that no text gets out of its place."""

import base64
import hashlib
import html.parser
import re
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fissile
from fissile.inspection import Inspection
from fissile.printable import parts
from reference.inspected import TEXTS, TOKENIZERS, over_bytes

VOID = {"meta", "br"}
FRAGMENT_TAGS = {"style", "div", "section", "span", "br", "details", "summary"}
PAGE_TAGS = FRAGMENT_TAGS | {"html", "head", "meta", "title", "body", "h1", "p", "script"}
ATTRIBUTES = {"class", "role", "tabindex", "data-begin", "data-end", "aria-label", "dir"}
PAGE_ATTRIBUTES = ATTRIBUTES | {"lang", "charset", "http-equiv", "content", "name"}


@dataclass
class ParsedToken:
    """A token's element: its attributes, and the text in it with <br> as a newline."""

    attributes: dict[str, str]
    text: str = ""


@dataclass
class Parsed(html.parser.HTMLParser):
    """What is in a page; every element must be closed where it was opened."""

    tags: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    views: list[list[ParsedToken]] = field(default_factory=list)
    contents: dict[str, list[str]] = field(default_factory=dict)  # text by class, or by tag where there is no class
    policy: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, ParsedToken | None, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs)
        self.tags.append(tag)
        self.attributes |= set(attributes)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        name = attributes.get("class", tag)
        if name == "text":
            self.views.append([])
        if name.startswith("t "):
            self.views[-1].append(ParsedToken(attributes))
        if tag in VOID:
            self.handle_data("\n" if tag == "br" else "")
            return
        self.contents.setdefault(name, []).append("")
        inner = self.views[-1][-1] if name.startswith("t ") else self.open[-1][1] if self.open else None
        self.open.append((tag, inner, name))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not self.open:
            assert data.isspace()
            return
        _, token, name = self.open[-1]
        self.contents[name][-1] += data
        if token is not None:
            token.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def parse(page: str) -> Parsed:
    parsed = Parsed()
    parsed.feed(page)
    parsed.close()
    assert not parsed.open
    return parsed


def plain_text(token: bytes) -> str:
    """What a token's element shows."""
    shown = ""
    for part in parts(token):
        shown += "\N{DOTTED CIRCLE}" * (part.kind == "mark") + part.shown + "\n" * (part == ("escape", "\\n"))
    return shown or "empty"


def assert_holds(page: str, inspection: Inspection) -> Parsed:
    """The page shows the tokens of an inspection and nothing else that could do harm."""
    assert all(character.isprintable() or character == "\n" for character in page)
    page.encode("utf-8")
    parsed = parse(page)
    assert len(parsed.views) == len(inspection.views)
    for shown, view in zip(parsed.views, inspection.views, strict=True):
        tokens = list(view.tokens(inspection.n_shown(view)))
        assert [element.text for element in shown] == [plain_text(token.token) for token in tokens]
        for element, token in zip(shown, tokens, strict=True):
            attributes = element.attributes
            assert (attributes["data-begin"], attributes["data-end"]) == (str(token.begin), str(token.end))
            lines = attributes["aria-label"].split("\n")
            assert lines[0].split(",")[0] == f"id {token.id}"
            assert ("special" in lines[0], "d" in attributes["class"].split()) == (token.special, token.differs)
            assert lines[1].startswith(f"bytes {token.token[:32].hex(' ')}")
            first, last = inspection.chars(token.begin, token.end)
            assert lines[2:4] == [f"at bytes {token.begin} to {token.end}", f"at characters {first} to {last}"]
            assert attributes["tabindex"] == "0"
        colors = [element.attributes["class"].split()[1] for element in shown]
        assert all(a != b for a, b in pairwise(colors))
        assert "[" + ", ".join(str(token.id) for token in tokens) + "]" in parsed.contents["ids"]
    return parsed


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_page_shows_the_tokens(kind: str, text: str) -> None:
    inspection = TOKENIZERS[kind]().inspect(text, over_bytes(), split=fissile.StochasTok(0.5), seed=1)
    parsed = assert_holds(inspection.html(), inspection)
    assert set(parsed.tags) <= PAGE_TAGS
    assert parsed.attributes <= PAGE_ATTRIBUTES
    parsed = assert_holds(f"<div>{inspection._repr_html_()}</div>", inspection)
    assert set(parsed.tags) <= FRAGMENT_TAGS
    assert parsed.attributes <= ATTRIBUTES


HOSTILE = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "&",
            '"',
            "'",
            "`",
            "=",
            "/",
            "-->",
            "<!--",
            "]]>",
            "</style>",
            "</span>",
            "</script><script>",
            "&lt;",
            "\0",
            "\r",
            "\n",
            "\x1b[0m",
            "\u202e",
            "\u2066",
            "\u200b",
            "\ufeff",
            "\u2028",
            " onfocus=alert(1) ",
        ]
    )
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
).map(lambda pieces: "".join(pieces).encode())


@given(text=HOSTILE | st.binary(max_size=20))
def test_no_text_leaves_its_place(text: bytes) -> None:
    inspection = over_bytes().inspect(text, split="characters", seed=1)
    parsed = assert_holds(inspection.html(), inspection)
    quiet = parse(over_bytes().inspect("a", split="characters", seed=1).html())
    for tag in set(quiet.tags) - {"span", "br"}:
        assert parsed.tags.count(tag) == quiet.tags.count(tag)
    assert parsed.contents["script"] == quiet.contents["script"]
    assert parsed.contents["style"] == quiet.contents["style"]


def test_the_policy_allows_the_pages_own_style_and_script_alone() -> None:
    parsed = parse(over_bytes().inspect("a").html())

    def digest(source: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

    [style], [script] = parsed.contents["style"], parsed.contents["script"]
    assert parsed.policy == f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}"
    assert not re.search(r"url\(|@import|https?:", style + script)


def test_names_of_tokenizers_are_escaped() -> None:
    tokenizer = fissile.Tokenizer(over_bytes()._spec._replace(source="<b>\u202e&\"'\n.json"))
    parsed = parse(tokenizer.inspect("a").html())
    assert parsed.contents["name"] == ["<b>\\u202e&\"'\\n.json"]


def labels(text: "str | bytes", tokenizer: fissile.Tokenizer) -> list[list[str]]:
    [view] = parse(tokenizer.inspect(text).html()).views
    return [token.attributes["aria-label"].split("\n")[4:] for token in view]


def test_labels_name_what_is_hard_to_see() -> None:
    assert labels("\u200d", fissile.train(iter(["a"]), 256, "gpt2")) == [["holds part of U+200D ZERO WIDTH JOINER"]] * 3
    assert labels("\u0301", over_bytes()) == [["U+0301 COMBINING ACUTE ACCENT"]]
    assert labels(b"\xff", over_bytes()) == [[]]
    assert labels("x", over_bytes()) == [["x U+0078 LATIN SMALL LETTER X"]]


def test_labels_say_what_a_rewritten_token_stands_for() -> None:
    tokenizer = TOKENIZERS["rewriting"]()
    assert [token.token for token in tokenizer.inspect("Ａﬁ").views[0].tokens()] == [b"a", b"fi"]
    assert labels("Ａﬁ", tokenizer) == [["for 'Ａ' in the text"], ["for 'ﬁ' in the text"]]
    assert labels("\ta", TOKENIZERS["space in front"]())[0] == ["for nothing in the text"]


def test_long_tokens_are_bounded() -> None:
    tokenizer = fissile.train(iter(["x" * 1000]), 266, "none")
    [view] = parse(tokenizer.inspect("x" * 1000).html()).views
    longest = max((token.attributes["aria-label"].split("\n")[1] for token in view), key=len)
    assert longest.startswith("bytes " + "78 " * 32 + "… (")
    assert len(longest) < 130


def test_a_long_text_is_bounded_and_says_so() -> None:
    text = "the text of the tokens " * 100_000
    inspection = over_bytes().inspect(text)
    page = inspection.html()
    assert len(page) < 2_000_000
    parsed = assert_holds(page, inspection)
    n, n_shown = len(inspection.views[0].ids), len(parsed.views[0])
    assert n_shown < 10_000 < n
    counted = f"Shown: the first {n_shown:,} of {n:,} tokens: those of the first 10,000 bytes"
    assert counted in parsed.contents["count"][0]


def test_notebooks_find_the_fragment() -> None:
    inspection = over_bytes().inspect("tokens")
    assert inspection._repr_html_().count('<section class="view">') == 1
    assert repr(inspection) == str(inspection)
