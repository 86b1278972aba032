"""The page in a browser: what shows when a token is pointed at or has the focus, on wide and narrow screens, light and dark.

Needs playwright (pip install playwright) and a Chromium: its own (playwright install chromium) or the system's.
"""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

import fissile
from reference.inspected import TEXTS, over_bytes, with_space_in_front

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TEXT = "the tokens of two texts <|end|>\n" * 6 + "\n".join(TEXTS)
SIZES = {"wide": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        system = next((path for path in map(shutil.which, names) if path), None)
        try:
            launched = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no Chromium to start: {str(error).splitlines()[0]}")
        yield launched
        launched.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    """Opens a page; anything it logs, such as a script that its policy stopped, fails the test."""
    opened, logged = [], []

    def show(content: str, size: str = "wide", scheme: str = "light") -> Any:
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.on("console", lambda message: logged.append(message.text))
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.on("request", lambda request: logged.append(f"asked for {request.url}"))
        opened.append(page)
        page.set_content(content)
        return page

    yield show
    for page in opened:
        page.close()
    assert logged == []


def tip(token: Any) -> str | None:
    """What shows beside a token, or None."""
    content = token.evaluate("token => getComputedStyle(token, '::after').content")
    if content == "none":
        return None
    return re.sub(r"\\(a |.)", lambda escape: "\n" if escape[1] == "a " else escape[1], content[1:-1])


def label(token: Any) -> str:
    return str(token.get_attribute("aria-label"))


def contrast(page: Any, selector: str) -> float:
    """Of the text of an element against what is behind it, as WCAG counts it; the least of all elements."""
    pairs = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(element => {
            let behind = element;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
            return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
        })""",
        selector,
    )

    def luminance(color: str) -> float:
        red_green_blue = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
        assert red_green_blue, color
        shares = [int(value) / 255 for value in red_green_blue.groups()]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ratios = []
    for colors in pairs:
        dark, light = sorted(map(luminance, colors))
        ratios.append((light + 0.05) / (dark + 0.05))
    return min(ratios)


def page_of_four() -> str:
    return over_bytes().inspect(TEXT, with_space_in_front(), split="stochastok:0.5", seed=1).html()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_its_screen_and_reads_well(show: Any, size: str, scheme: str) -> None:
    page = show(page_of_four(), size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    boxes = [view.bounding_box() for view in page.locator(".view").all()]
    assert len(boxes) == 4
    side_by_side = boxes[0]["y"] == boxes[1]["y"]
    assert side_by_side == (size == "wide")
    for selector in (".t", ".name", ".count", ".how", "h1", "p"):
        assert contrast(page, selector) >= 4.5, selector
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("size", SIZES)
def test_pointing_shows_what_a_token_is(show: Any, size: str) -> None:
    page = show(page_of_four(), size)
    tokens = page.locator(".view").first.locator(".t")
    assert tip(tokens.nth(4)) is None
    for i in (0, 4, tokens.count() // 2, tokens.count() - 1):
        token = tokens.nth(i)
        token.hover()
        assert tip(token) == label(token)
        # The tip lies within the screen: pointing at a token makes nothing to scroll to.
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert tip(tokens.nth(0)) is None


def test_arrow_keys_walk_through_the_tokens(show: Any) -> None:
    page = show(page_of_four())
    views = page.locator(".view")
    first, second = views.nth(0).locator(".t"), views.nth(1).locator(".t")
    focused = "document.activeElement.getAttribute('aria-label')"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == label(first.nth(0))
    for key, i in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", first.count() - 1),
        ("ArrowRight", -1),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(focused) == label(first.nth(i % first.count()))
        assert tip(page.locator(".t:focus")) == page.evaluate(focused)
    page.keyboard.press("Tab")  # to the list of ids
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == label(second.nth(0))
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == label(first.nth(first.count() - 1))  # where it was left
    first.nth(3).click()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == label(first.nth(4))


def test_the_same_bytes_are_marked_in_the_other_views(show: Any) -> None:
    page = show(page_of_four())
    views = page.locator(".view")
    token = views.nth(0).locator(".t").nth(5)
    token.hover()
    begin, end = (int(token.get_attribute(f"data-{name}") or 0) for name in ("begin", "end"))
    for i in range(1, 4):
        marked = page.evaluate(
            "i => [...document.querySelectorAll('.view')[i].querySelectorAll('.t')].map("
            "t => [+t.dataset.begin, +t.dataset.end, t.classList.contains('o')])",
            i,
        )
        assert any(o for _, _, o in marked)
        assert all(o == (b < end and begin < e) for b, e, o in marked)
    page.locator("h1").hover()
    assert page.locator(".o").count() == 0


def test_a_fragment_works_without_scripts(show: Any) -> None:
    page = show(f"<body>{over_bytes().inspect(TEXT, split='characters', seed=1)._repr_html_()}</body>")
    token = page.locator(".t").nth(2)
    token.hover()
    assert tip(token) == label(token)
    page.mouse.move(0, 0)
    assert tip(token) is None
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == label(page.locator(".t").nth(1))
    assert tip(page.locator(".t").nth(1)) == label(page.locator(".t").nth(1))


@pytest.mark.parametrize(("theme", "is_dark"), [("true", False), ("false", True)])
def test_a_fragment_takes_the_notebooks_theme(show: Any, theme: str, is_dark: bool) -> None:
    fragment = over_bytes().inspect("tokens")._repr_html_()
    page = show(f'<body data-jp-theme-light="{theme}">{fragment}</body>', scheme="light" if is_dark else "dark")
    color = page.evaluate("getComputedStyle(document.querySelector('.t')).color")
    assert (color == "rgb(242, 244, 246)") == is_dark


def test_no_text_runs_as_a_script(show: Any) -> None:
    text = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\"><svg onload=window.ran=1>"
    tokenizer = fissile.train(iter([text * 20]), 400, "none")  # so that tokens hold whole tags
    assert any(b"<script>" in tokenizer.token_bytes(id) for id in tokenizer.encode(text).tolist())
    page = show(tokenizer.inspect(text).html())
    assert page.evaluate("window.ran") is None
    assert page.locator(".text img, .text svg, .text script").count() == 0
    assert page.locator(".text").inner_text() == text


def test_lines_run_in_the_direction_of_their_text(show: Any) -> None:
    page = show(fissile.train(iter(["a"]), 256, "gpt2").inspect("left\n").html())
    box = page.locator(".text").bounding_box()
    assert page.locator(".t").nth(0).bounding_box()["x"] == box["x"]
    hebrew = fissile.train(iter(["שלום עולם " * 9]), 280, "gpt2")
    page = show(hebrew.inspect("שלום\nleft").html())
    tokens = page.locator(".t").all()
    boxes = [token.bounding_box() for token in tokens]
    box = page.locator(".text").bounding_box()
    assert abs(boxes[0]["x"] + boxes[0]["width"] - box["x"] - box["width"]) < 1  # at the right
    assert boxes[-1]["x"] < box["x"] + box["width"] / 2
