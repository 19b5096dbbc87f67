"""JSON from outside, which may be anything, and JSONPath: what is found, and what is refused as it might never end."""

import contextlib
from typing import Any

import pytest

from mockserver.model.json_values import NotJsonError, check_path, decode_json, find_all
from tests.tables import each_row


@each_row(
    ("raw", "reason"),
    [
        (b"", "truncated"),
        (b"{'a': 1}", "malformed"),
        (b'{"status":"caf\xe9"}', "not UTF-8"),
        (b'"\\udc00"', "surrogate"),
        (b"[" * 30_000, "nested more than 200 levels deep"),
        (b"[" * 201 + b"]" * 201, "nested more than 200 levels deep"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested more than 200 levels deep"),
        (b"1" * 5_000, "out of range"),
        (b"1e999", "out of range"),
        (b"\xff\xfe1\x00", "malformed"),
    ],
)
def test_what_is_not_json_says_why(raw: bytes, reason: str) -> None:
    """Whatever it is, there is one error with one line."""
    with pytest.raises(NotJsonError, match=reason) as caught:
        decode_json(raw)
    assert "\n" not in str(caught.value)


def test_json_is_decoded() -> None:
    """What is wide, or as deep as is allowed, is fine."""
    assert decode_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}
    assert decode_json(b"[" * 200 + b"]" * 200)
    assert len(decode_json(b"[" + b",".join([b"[[]]"] * 1000) + b"]")) == 1000


DOCUMENT = {"orders": [{"id": 1, "state": "paid"}, {"id": 2, "state": "open"}], "count": 2}


@each_row(
    ("path", "found"),
    [
        ("$", [DOCUMENT]),
        ("$.count", [2]),
        ("$.orders[?@.state == 'paid'].id", [1]),
        ("$..id", [1, 2]),
        ("$.orders[?(@.state != '$..a..b')].id", [1, 2]),
        ("$.nothing", []),
    ],
)
def test_values_are_found(path: str, found: list[Any]) -> None:
    """By key, by filter, at any depth."""
    assert find_all(path, DOCUMENT) == found


@each_row(
    ("path", "why"),
    [
        ("$.a[?match(@.b, '(a+)+$')]", r"\w"),
        ("$.a[?search(@.b, '(a+)+$')]", r"\w"),
        ("$.a[?@.b =~ /(a+)+$/]", "regular expressions are not allowed"),
        ("$..a..b", "only one"),
        ("$..[?@..a]", "only one"),
        ("$[*][?$[*].a]", "at the beginning only"),
        ("$." + "a." * 600, "at most 1000 characters"),
        ("$[?" + "(" * 900, r"\w"),
        ("$[", r"\w"),
    ],
)
def test_what_might_never_end_is_refused(path: str, why: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=why):
        check_path(path)


def test_a_deep_answer_is_no_crash() -> None:
    """The answer is the consumer's: however deep, it is searched or refused."""
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    with contextlib.suppress(ValueError):
        assert find_all("$..x", deep) == []
