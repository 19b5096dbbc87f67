"""Settings and headers for a gateway in front of the consumer: what is allowed, and what a wrong one says."""

from typing import Any

import pytest

from mockserver.errors import UsageError
from mockserver.model.settings import header_lines, read_header, read_settings, sender_headers
from mockserver.model.webhooks import Registration, WebhookRegistry
from mockserver.script.model import WebhookSpec
from tests.tables import each_row


def test_defaults_are_those_of_the_fidelity_table() -> None:
    """Where the vendor is silent, the defaults are the documented ones of ours."""
    settings = read_settings()
    assert (settings.created_status, settings.timeout, settings.json_style) == (201, 10.0, "compact")
    assert (settings.host, settings.strict, settings.enforce_rate_limit, settings.rate_limit) == (
        "127.0.0.1",
        False,
        False,
        100,
    )
    assert (settings.max_request_bytes, settings.max_webhooks) == (1024 * 1024, 100_000)


def test_lists_are_fine_where_tuples_are_meant() -> None:
    """A caller need not know how settings are kept."""
    assert read_settings(api_keys=["a"], speed=2).api_keys == ("a",)
    assert read_settings(speed="max").speed == "max"
    assert read_settings(headers={"A": "1", "B": "2"}) == read_settings(headers=["A: 1", "B: 2"])
    assert read_settings(headers={}) == read_settings()


@each_row(
    ("chosen", "message"),
    [
        ({"sped": 1}, "unknown setting 'sped'; known are .*; did you mean 'speed'?"),
        ({"port": "x"}, "invalid setting port: Expected `int`, got `str`"),
        ({"port": 70000}, "port must be from 0 to 65535"),
        ({"speed": 0}, "speed must be more than 0, 'max' or 'stepped'"),
        ({"speed": "fast"}, "speed"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"max_webhooks": -1}, "max_webhooks must be more than 0"),
        ({"created_status": 404}, "created_status must be a 2xx status"),
        ({"user_agent": "a\r\nb"}, "printable ASCII"),
        ({"user_agent": "é"}, "printable ASCII"),
        ({"json_style": "wide"}, "json_style"),
        ({"headers": ["X-Api-Key"]}, "invalid setting: headers: a header is written as NAME: VALUE"),
        ({"headers": {"Host": "x"}}, "invalid setting: headers: Host is written by the mock itself"),
    ],
)
def test_wrong_settings(chosen: dict[str, Any], message: str) -> None:
    """Each is refused with a sentence that names it."""
    with pytest.raises(UsageError, match=message):
        read_settings(**chosen)


def test_secrets_are_in_no_repr() -> None:
    """What a debugger or a failing assertion prints holds no secret."""
    settings = read_settings(api_keys=["key-123"], headers={"X-Api-Key": "123"})
    registration = Registration("https://a/", ("run.failed",), "whsec_123")
    webhook = WebhookRegistry().add(registration)
    shown = repr([settings, registration, webhook, WebhookSpec("http://a/", "whsec_123")])
    assert "123" not in shown
    assert "timeout=10.0" in shown
    assert "api_keys=()" in repr(read_settings())


@each_row(
    ("line", "header"),
    [
        ("X-Api-Key: abc", ("X-Api-Key", "abc")),
        ("x-api-key:abc", ("x-api-key", "abc")),
        (" Authorization :  Bearer a:b ", ("Authorization", "Bearer a:b")),
        ("!#$%&'*+-.^_`|~9: e", ("!#$%&'*+-.^_`|~9", "e")),
    ],
)
def test_a_header_is_a_name_and_a_value(line: str, header: tuple[str, str]) -> None:
    """Blanks around them do not count; the first colon parts them."""
    assert read_header(line) == header


@each_row("line", ["", "X-Api-Key", "X-Api-Key abc", ": abc", "X Api: abc", "X-Ä: abc", "[X]: abc"])
def test_what_is_no_header(line: str) -> None:
    """The message shows how one is written."""
    with pytest.raises(ValueError, match=r"a header is written as NAME: VALUE, such as X-Api-Key: abc"):
        read_header(line)


@each_row("value", ["", "  ", "a\r\nX-Other: b", "a\0b", "é", "a\tb"])
def test_a_value_that_cannot_be_sent(value: str) -> None:
    """The message names the header, and does not show a value that may be a secret."""
    with pytest.raises(ValueError, match=r"^the value of X-Api-Key must be printable ASCII, and not empty$"):
        read_header(f"X-Api-Key: {value}")


@each_row("name", ["Host", "content-length", "X-Playgent-Signature", "x-playgent-signature"])
def test_what_every_delivery_has_cannot_be_added(name: str) -> None:
    """Faults are there for wrong ones."""
    with pytest.raises(ValueError, match=f"^{name} is written by the mock itself: `fault` in a script"):
        read_header(f"{name}: abc")


def test_the_sender_says_who_it_is_unless_the_user_does() -> None:
    """The headers keep their order."""
    assert sender_headers("mock", ["A: 1", "A: 2"]) == (("User-Agent", "mock"), ("A", "1"), ("A", "2"))
    assert sender_headers("mock", ["A: 1", "user-agent: me"]) == (("A", "1"), ("user-agent", "me"))
    assert header_lines((("A", "1"), ("B", "2"))) == "A: 1\r\nB: 2\r\n"
