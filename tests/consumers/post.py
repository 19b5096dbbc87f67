"""A small client for tests that send exact bytes: nothing is added to a request but what HTTP needs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from contextlib import closing
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
    signed = [] if signature is None else [("X-Playgent-Signature", signature)]
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)) as connection:
        connection.putrequest(method, urlsplit(url).path, skip_accept_encoding=True)
        for name, value in [*signed, *headers]:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        else:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(iter(body), encode_chunked=True)
        response = connection.getresponse()
        answer = response.read()
    is_json = answer and response.headers.get_content_type() == "application/json"
    return Answer(response.status, response.headers, json.loads(answer) if is_json else None)
