"""The headers that a user adds for a gateway in front of the consumer: how they are read, and what is refused."""

import pytest

from mockserver.model.settings import header_lines, read_header, sender_headers
from tests.tables import each_row


@each_row(
    ("line", "header"),
    [
        ("X-Api-Key: abc", ("X-Api-Key", "abc")),
        ("x-api-key:abc", ("x-api-key", "abc")),
        (" Authorization :  Bearer a:b ", ("Authorization", "Bearer a:b")),
        ("!#$%&'*+-.^_`|~9: e", ("!#$%&'*+-.^_`|~9", "e")),
    ],
)
def test_a_header_is_a_name_and_a_value(line, header):
    """Blanks around them do not count; the first colon parts them."""
    assert read_header(line) == header


@each_row("line", ["", "X-Api-Key", "X-Api-Key abc", ": abc", "X Api: abc", "X-Ä: abc", "[X]: abc"])
def test_what_is_no_header(line):
    """The message shows how one is written."""
    with pytest.raises(ValueError, match=r"a header is written as NAME: VALUE, such as X-Api-Key: abc"):
        read_header(line)


@each_row("value", ["", "  ", "a\r\nX-Other: b", "a\0b", "é", "a\tb"])
def test_a_value_that_cannot_be_sent(value):
    """The message names the header, and does not show a value that may be a secret."""
    with pytest.raises(ValueError, match=r"^the value of X-Api-Key must be printable ASCII, and not empty$"):
        read_header(f"X-Api-Key: {value}")


@each_row("name", ["Host", "content-length", "X-Playgent-Signature", "x-playgent-signature"])
def test_what_every_delivery_has_cannot_be_added(name):
    """Faults are there for wrong ones."""
    with pytest.raises(ValueError, match=f"^{name} is written by the mock itself: `fault` in a script"):
        read_header(f"{name}: abc")


def test_the_sender_says_who_it_is_unless_the_user_does():
    """The headers keep their order."""
    assert sender_headers("mock", ["A: 1", "A: 2"]) == (("User-Agent", "mock"), ("A", "1"), ("A", "2"))
    assert sender_headers("mock", ["A: 1", "user-agent: me"]) == (("A", "1"), ("user-agent", "me"))
    assert header_lines((("A", "1"), ("B", "2"))) == "A: 1\r\nB: 2\r\n"
