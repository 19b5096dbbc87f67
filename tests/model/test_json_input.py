"""Bytes from outside, which may be anything."""

import pytest

from mockserver.model.json_values import NotJsonError, decode_json
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
def test_what_is_not_json_says_why(raw, reason):
    """Whatever it is, there is one error with one line."""
    with pytest.raises(NotJsonError, match=reason) as caught:
        decode_json(raw)
    assert "\n" not in str(caught.value)


def test_json_is_decoded():
    """What is wide, or as deep as is allowed, is fine."""
    assert decode_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}
    assert decode_json(b"[" * 200 + b"]" * 200)
    assert len(decode_json(b"[" + b",".join([b"[[]]"] * 1000) + b"]")) == 1000
