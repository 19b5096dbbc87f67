"""A small client for tests that send exact bytes: nothing is added to a request but what HTTP needs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_TIMEOUT = 30.0  # seconds; the limit of a hanging test, not a measure of anything


class Answer(NamedTuple):
    """A consumer's answer; ``json`` is None when the body is not JSON or empty."""

    status: int
    headers: http.client.HTTPMessage
    json: Any


Headers = Sequence[tuple[str, str | bytes]]


def post(
    url: str,
    body: bytes | Sequence[bytes],
    signature: str | bytes | None = None,
    *,
    headers: Headers = (),
    method: str = "POST",
) -> Answer:
    """Send one request on a connection of its own.

    Args:
        url: Where to.
        body: The body with its length, or its chunks, which then go with ``Transfer-Encoding: chunked``.
        signature: The value of ``X-Playgent-Signature``; None leaves the header out.
        headers: More headers.
        method: The method.

    Returns:
        The answer.
    """
    with _connect(url) as connection:
        connection.putrequest(method, urlsplit(url).path, skip_accept_encoding=True)
        for name, value in [*_signature_header(signature), *headers]:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        else:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(iter(body), encode_chunked=True)
        return _read_answer(connection.getresponse())


@contextmanager
def _connect(url: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to a consumer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)
    connection.connect()
    try:
        yield connection
    finally:
        connection.close()


def _read_answer(response: http.client.HTTPResponse) -> Answer:
    """Read a whole answer."""
    body = response.read()
    is_json = body and response.headers.get_content_type() == "application/json"
    return Answer(response.status, response.headers, json.loads(body) if is_json else None)


def _signature_header(signature: str | bytes | None) -> list[tuple[str, str | bytes]]:
    return [] if signature is None else [("X-Playgent-Signature", signature)]
