"""An Inspection printed: the table, and the colours of a terminal."""

import re
from itertools import pairwise

import pytest

from fissile.printable import printable
from reference.inspected import TEXTS, over_bytes

CODES = re.compile(r"\x1b\[([0-9;]*)m")


def spans(colored: str) -> list[tuple[str, str]]:
    """Stretches of text with the codes they are shown in; "" for none."""
    found = []
    codes = ""
    at = 0
    for match in [*CODES.finditer(colored), None]:
        stretch = colored[at : match.start() if match else len(colored)]
        if stretch:
            found.append((codes, stretch))
        if match:
            codes = "" if match[1] == "0" else match[1]
            at = match.end()
    return found


def test_a_table_has_a_line_a_token() -> None:
    lines = str(over_bytes().inspect("the <|end|>\n")).splitlines()
    ids = over_bytes().encode("the <|end|>\n", allowed_special="all").tolist()
    tokens = [over_bytes().token_bytes(id) for id in ids]
    assert lines[0] == "|".join(map(printable, tokens))
    assert lines[1].split() == ["id", "begin", "end", "token"]
    places = [(sum(map(len, tokens[:i])), sum(map(len, tokens[: i + 1]))) for i in range(len(tokens))]
    assert lines[2:-1] == [
        f"{id:>8} {begin:>8} {end:>8}  {printable(token)}"
        for id, (begin, end), token in zip(ids, places, tokens, strict=True)
    ]
    assert lines[-1] == f"{len(ids)} tokens, 12 bytes, {12 / len(ids):.2f} bytes a token"


def test_several_tables_have_titles_and_mark_what_differs() -> None:
    inspection = over_bytes().inspect("tokens", split="characters", seed=1)
    first, second = str(inspection).split("\n\n")
    assert first.splitlines()[0] == inspection.views[0].title == inspection.views[0].name
    title, _, _, *rows, last = second.splitlines()
    assert title == f"{inspection.views[0].name}, characters, seed 1"
    known = inspection.views[0].ranges.tolist()
    assert [row[26] == "*" for row in rows] == [[i, i + 1] not in known for i in range(6)]
    assert last.endswith(f", {sum(row[26] == '*' for row in rows)} differ (*)")


def test_a_limit_is_stated() -> None:
    inspection = over_bytes().inspect("tokens " * 1000, limit=10)
    *_, note, summary = str(inspection).splitlines()
    n = inspection.n_shown(inspection.views[0])
    assert note == f"the first {n} of {len(inspection.views[0].ids):,} tokens: those of the first 10 bytes"
    assert summary.startswith(f"{len(inspection.views[0].ids)} tokens, 7000 bytes")
    assert note in inspection.colored()
    assert len(inspection.colored()) < 1000


@pytest.mark.parametrize("text", TEXTS)
def test_colors_show_every_token_once(text: str) -> None:
    inspection = over_bytes().inspect(text)
    [view] = inspection.views
    colored = inspection.colored(width=10_000)
    *shown, ids, summary = colored.split("\n")
    assert all(character.isprintable() for character in CODES.sub("", colored.replace("\n", "")))
    expected = "".join(printable(token.token) for token in view.tokens())
    assert CODES.sub("", "".join(shown)).replace("\N{DOTTED CIRCLE}", "") == expected
    assert CODES.sub("", ids).split() == [str(id) for id in view.ids.tolist()]
    assert summary.startswith(f"{len(view.ids)} tokens")
    # Text and ids are coloured alike, and no neighbours are.
    of_ids = [codes for codes, _ in spans(ids)]
    assert len(of_ids) == len(view.ids)
    assert all(a != b for a, b in pairwise(of_ids))
    assert {codes for codes, _ in spans("".join(shown))} == set(of_ids)


def test_lines_of_the_text_are_lines_in_colors_and_end_uncolored() -> None:
    shown = over_bytes().inspect("the\nthe\n\n").colored().split("\n")[:-2]
    assert [CODES.sub("", line) for line in shown] == ["the\\n", "the\\n", "\\n"]
    assert all(line.endswith("\x1b[0m") for line in shown)


def test_a_mark_that_begins_a_token_stands_on_a_circle() -> None:
    inspection = over_bytes().inspect("e\u0301")
    assert [t.token.decode() for t in inspection.views[0].tokens()] == ["e", "\u0301"]
    assert [text for _, text in spans(inspection.colored().split("\n")[0])] == ["e", "\N{DOTTED CIRCLE}\u0301"]


def test_special_tokens_are_bold_and_others_underlined() -> None:
    inspection = over_bytes().inspect("tokens<|end|>", split="characters", seed=1)
    second = inspection.colored().split("\n\n")[1].split("\n")[1]
    styles = {text: codes.split(";") for codes, text in spans(second)}
    assert "1" in styles["<|end|>"] and "4" not in styles["<|end|>"]
    assert "4" in styles["k"] and "1" not in styles["k"]


def test_ids_are_not_cut_where_a_line_ends() -> None:
    inspection = over_bytes().inspect("the text of the tokens " * 20)
    lines = [CODES.sub("", line) for line in inspection.colored(width=30).split("\n")[1:-1]]
    assert " ".join(lines).split() == [str(id) for id in inspection.views[0].ids.tolist()]
    assert all(len(line) <= 30 for line in lines)
    assert all(len(line) + len(following.split()[0]) + 2 > 30 for line, following in pairwise(lines))
