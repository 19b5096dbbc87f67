"""Redaction: no secret is in a report, however it got there."""

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from mockserver.model.redaction import Redactor

SECRET = 'whsec_a"b\\c/d&e <f> é'


@pytest.mark.parametrize(
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
def test_a_secret_is_hidden_in_every_spelling(spelling):
    """As it is, in JSON, in a Python literal, in a URL and in HTML."""
    assert Redactor([SECRET]).text(f"before {spelling} after") == "before *** after"


def test_the_longer_of_two_secrets_goes_first():
    """A secret that begins with another one is hidden as a whole."""
    assert Redactor(["whsec_abc", "whsec_abc_and_more"]).text("whsec_abc_and_more, whsec_abc") == "***, ***"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("got 'whsec_0123456789abc...", "got '***..."),
        ("whsec_0123456789abcde", "***"),
        ("a... whsec_0123456...b", "a... ***...b"),
        ("whsec_01234", "whsec_01234"),
        ("whsec_0123456 and more", "whsec_0123456 and more"),
    ],
)
def test_what_is_left_of_a_secret_that_was_cut_off_is_hidden(text, redacted):
    """Its beginning before an ellipsis or the end, if it is long enough to tell something."""
    assert Redactor(["whsec_0123456789abcdef"]).text(text) == redacted


def test_a_short_secret_is_hidden_where_it_is_a_word():
    """A secret of one letter does not make a report unreadable."""
    assert Redactor(["s"]).text("steps: s, 's', s_x, 5s") == "steps: ***, '***', s_x, 5s"


def test_headers_that_are_private_are_hidden_whatever_they_hold():
    """Authorization, cookies and API keys, in any case; other headers are searched for secrets."""
    private = ["Authorization", "proxy-authorization", "COOKIE", "Set-Cookie", "X-API-Key", "x-auth-token"]
    headers = (*((name, "value") for name in private), ("X-Echo", "my whsec_1234"), ("X-Other", "value"))
    assert Redactor(["whsec_1234"]).headers(headers) == [
        *((name, "***") for name in private),
        ("X-Echo", "my ***"),
        ("X-Other", "value"),
    ]


def test_json_is_redacted_all_through():
    """Values and keys, at any depth; what is no text stays."""
    value = {"whsec_1234": [1, None, True, ("x whsec_1234",)], "deep": {"a": {"b": "whsec_1234"}}}
    assert Redactor(["whsec_1234"]).value(value) == {"***": [1, None, True, ["x ***"]], "deep": {"a": {"b": "***"}}}


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_secrets_nothing_changes(secrets):
    """No secret, or an empty one, hides nothing."""
    assert Redactor(secrets).text("all of it...") == "all of it..."
