import pytest

from fissile.printable import printable


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (b"", ""),
        (b" word", " word"),
        ("é東".encode(), "é東"),
        (b"\xc3", "<c3>"),
        (b"\xa9a", "<a9>a"),
        (b"\r\n\t\x00", "\\r\\n\\t\\x00"),
        ("\u200d\u00a0".encode(), "\\u200d\\xa0"),
        (b"\xed\xa0\x80", "<ed><a0><80>"),  # a surrogate is no character
        (b"\\", "\\"),
    ],
)
def test_printable_is_one_readable_line(token: bytes, shown: str) -> None:
    assert printable(token) == shown
