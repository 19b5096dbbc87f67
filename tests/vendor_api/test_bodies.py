"""Request bodies that are not what they should be."""

import gzip
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.tables import each_row
from tests.vendor_api.serving import REGISTRATION, Answered, Mock, Start, exchange

GOOD = json.dumps(REGISTRATION).encode()


async def post(mock: Mock, body: Any, **headers: str) -> Answered:
    """Post bytes with chosen headers, underscores for hyphens."""
    named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    data = io.BytesIO(body) if isinstance(body, bytes) else body
    return await mock.call("POST", "/v1/webhooks", data=data, headers=named)


@each_row(
    ("body", "message"),
    [
        (b"", "it is empty"),
        (b"{", "(line 1, column 2)"),
        (b'{"url":\n  tru}', "Expecting value (line 2, column 3)"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"{} x", "Extra data (line 1, column 4)"),
        (b"[NaN]", "invalid character (byte 1)"),
        (b'{"secret": "\xff"}', "byte 12 is not UTF-8"),
        (b'{"secret": "\xed\xa0\x80"}', "byte 12 is not UTF-8"),
        ('{"secret": "é"}'.encode("latin-1"), "byte 12 is not UTF-8"),
        ('{"secret": "x"}'.encode("utf-16"), "byte 0 is not UTF-8"),
        (b'{"secret": "\\ud800 alone"}', "surrogate"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b"1" * 5_000, "out of range"),
        (b"1e999", "out of range"),
        (b"url=https://a.b", "Expecting value (line 1, column 1)"),
    ],
)
async def test_malformed_json_is_refused_with_the_place(mock: Mock, body: bytes, message: str) -> None:
    """The message says what is wrong, and at which byte."""
    status, code, text = (await post(mock, body)).error
    assert (status, code) == (400, "invalid_request")
    assert text.startswith("The request body is not valid JSON: ")
    assert message in text
    assert len(mock.registry) == 0


@each_row("body", [b"null", b"[]", b'"text"', b"1", b"1.5", b"true"])
async def test_json_that_is_no_object_is_refused(mock: Mock, body: bytes) -> None:
    """Any other JSON value is named for what it is."""
    assert "The request body must be a JSON object, not " in (await post(mock, body)).error[2]


async def test_of_a_key_given_twice_the_last_counts(mock: Mock) -> None:
    """Duplicate keys are read as most JSON parsers read them."""
    answer = await post(mock, GOOD[:-1] + b', "url": "https://second.example"}')
    assert answer.json["url"] == "https://second.example"


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"])
async def test_json_may_be_declared_in_any_spelling(mock: Mock, media_type: str) -> None:
    """Parameters and case of the media type do not matter."""
    assert (await post(mock, GOOD, Content_Type=media_type)).status == 201


@each_row("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "é"])
async def test_another_content_type_is_refused(mock: Mock, media_type: str) -> None:
    """The message names the header and the type that is wanted."""
    status, code, text = (await post(mock, GOOD, Content_Type=media_type)).error
    assert (status, code) == (400, "invalid_request")
    assert f"Content-Type must be application/json, not {media_type!r}" in text


def test_no_content_type_is_accepted(threaded: Mock) -> None:
    """The vendor says nothing about it, and the body is JSON all the same."""
    head = "POST /v1/webhooks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nConnection: close\r\n"
    request = f"{head}Content-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD
    assert exchange(threaded.port, request).startswith(b"HTTP/1.1 201 ")


async def test_a_compressed_body_is_refused(mock: Mock) -> None:
    """Compression is not supported, and the message says so."""
    answer = await post(mock, gzip.compress(GOOD), Content_Encoding="gzip")
    assert "Content-Encoding must be left out: 'gzip'" in answer.error[2]


async def test_a_body_of_exactly_the_limit_is_read(start: Start) -> None:
    """The limit itself is allowed, one byte more is not."""
    mock = await start(max_request_bytes=1000)
    assert (await post(mock, GOOD.ljust(1000))).status == 201
    answer = await post(mock, GOOD.ljust(1001))
    assert answer.error == (413, "payload_too_large", "The request body is larger than the 1000 bytes that are allowed")
    assert len(mock.registry) == 1
    assert mock.calls.calls[-1].body == b""


async def test_the_default_limit_is_a_mebibyte(mock: Mock) -> None:
    """A client that sends two sees 413, with the headers of every answer."""
    answer = await post(mock, GOOD.ljust(2 * 1024 * 1024))
    assert answer.error[:2] == (413, "payload_too_large")
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert answer.headers["Connection"] == "close"


async def test_a_chunked_body_is_cut_off_at_the_limit(start: Start) -> None:
    """An endless body is answered once the limit is passed, and the record holds what was read of it."""
    mock = await start(max_request_bytes=100_000)

    async def endless() -> AsyncIterator[Any]:
        while not mock.calls.calls:
            yield b" " * 10_000
        yield b" "

    answer = await post(mock, endless())
    assert answer.error[:2] == (413, "payload_too_large")
    assert mock.calls.calls[0].body == b" " * 100_000


async def test_a_chunked_body_is_read(mock: Mock) -> None:
    """A body without a declared length is as good as any other."""

    async def pieces() -> AsyncIterator[Any]:
        for byte in GOOD:
            yield bytes([byte])

    assert (await post(mock, pieces())).status == 201
    assert mock.calls.calls[0].body == GOOD
