"""Redaction: no secret is in a report, however it got there."""

import json
import time
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from mockserver.model.redaction import Redactor
from mockserver.model.settings import read_settings
from tests.tables import each_row

SECRET = 'whsec_a"b\\c/d&e <f> é'


@each_row(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        escape(SECRET),
        escape(SECRET, quote=False),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(spelling: str) -> None:
    """As it is, in JSON, in a Python literal, in a URL and in HTML."""
    assert Redactor([SECRET]).text(f"before {spelling} after") == "before *** after"


def test_tokens_in_urls_are_hidden_and_the_sentence_stays() -> None:
    """What closes a bracket or ends a sentence after a URL is not a part of it."""
    text = "to http://a.example/h?token=ab.c&x=1: failed (Location: https://b.example/?access_token=def)."
    expected = "to http://a.example/h?token=***&x=1: failed (Location: https://b.example/?access_token=***)."
    assert Redactor().text(text) == expected
    assert Redactor().text("http://a.example/?key=a: failed") == "http://a.example/?key=***: failed"


def test_the_longer_of_two_secrets_goes_first() -> None:
    """A secret that begins with another one is hidden as a whole."""
    assert Redactor(["whsec_abc", "whsec_abc_and_more"]).text("whsec_abc_and_more, whsec_abc") == "***, ***"


@each_row(
    ("text", "redacted"),
    [
        ("got 'whsec_0123456789abc...", "got '***..."),
        ("whsec_0123456789abcde", "***"),
        ("a... whsec_0123456...b", "a... ***...b"),
        ("whsec_01234", "whsec_01234"),
        ("whsec_0123456 and more", "whsec_0123456 and more"),
    ],
)
def test_what_is_left_of_a_secret_that_was_cut_off_is_hidden(text: str, redacted: str) -> None:
    """Its beginning before an ellipsis or the end, if it is long enough to tell something."""
    assert Redactor(["whsec_0123456789abcdef"]).text(text) == redacted


@each_row(
    ("text", "redacted"),
    [
        ('{"status": "failed", "failed": 1}', '{"status": "***", "failed": 1}'),
        ("X-Key: failed", "X-Key: ***"),
        ("/hooks?key2=failed&x=1", "/hooks?key2=***&x=1"),
        ("it failed: 3 failed", "it failed: 3 failed"),
    ],
)
def test_a_short_secret_is_hidden_where_it_is_a_value(text: str, redacted: str) -> None:
    """A secret that is an ordinary word does not make a report unreadable."""
    assert Redactor(["failed"]).message_text(text) == redacted
    assert Redactor(["failed"]).text("1 failed: failed") == "1 failed: failed"


def test_what_users_add_to_requests_is_hidden_by_name_and_value() -> None:
    """Keys for a gateway, wherever they are echoed; the name of the sender is no secret."""
    settings = read_settings(headers=("X-Gate: Bearer gate-key-123", "User-Agent: ours"))
    redactor = Redactor.of(settings, "whsec_1234")
    assert redactor.headers((("x-gate", "anything"), ("user-agent", "ours"))) == [
        ("x-gate", "***"),
        ("user-agent", "ours"),
    ]
    assert redactor.text("bad key gate-key-123 of whsec_1234") == "bad key *** of ***"


def test_redaction_takes_linear_time() -> None:
    """A long secret, and an answer made to slow it down."""
    begun = time.process_time()
    Redactor(["whsec_" + "a" * 1018]).text("whsec_aaaaaaaaaaaa" + "." * 65_536 + "a" * 65_536)
    assert time.process_time() - begun < 5  # of this process alone, whatever else the machine does


def test_headers_that_are_private_are_hidden_whatever_they_hold() -> None:
    """Authorization, cookies and API keys, in any case; other headers are searched for secrets."""
    private = ["Authorization", "proxy-authorization", "COOKIE", "Set-Cookie", "X-API-Key", "x-auth-token"]
    headers = (*((name, "value") for name in private), ("X-Echo", "my whsec_1234"), ("X-Other", "value"))
    assert Redactor(["whsec_1234"]).headers(headers) == [
        *((name, "***") for name in private),
        ("X-Echo", "my ***"),
        ("X-Other", "value"),
    ]


def test_json_is_redacted_all_through() -> None:
    """Values and keys, at any depth; what is no text stays."""
    value = {"whsec_1234": [1, None, True, ("x whsec_1234",)], "deep": {"a": {"b": "whsec_1234"}}}
    assert Redactor(["whsec_1234"]).value(value) == {"***": [1, None, True, ["x ***"]], "deep": {"a": {"b": "***"}}}


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_secrets_nothing_changes(secrets: list[str]) -> None:
    """No secret, or an empty one, hides nothing."""
    assert Redactor(secrets).text("all of it...") == "all of it..."
