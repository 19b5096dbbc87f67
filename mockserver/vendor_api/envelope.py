"""Answers of the vendor API, and its documented error envelope ``{"error": {"code", "message"}}``.

Documented is one code, ``invalid_request``. The others are ours, as are the statuses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec

from mockserver.model.messages import Headers

CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    429: "rate_limited",
    500: "internal_error",
}

_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """What the API answers, but for the headers that every answer has.

    Args:
        status: The HTTP status.
        body: The JSON; empty for 204.
        headers: Headers of this answer alone.
        problem: Of an error that we word, its code and its message.
        before: What is waited for before it is sent; None for nothing.
        after: What is done once it was sent; None for nothing.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    problem: str = ""
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], None] | None = None


class ApiError(Exception):
    """A request that is refused; it becomes the envelope.

    Args:
        status: The HTTP status.
        message: For the developer of the application: what is wrong, and what is allowed.
        headers: Headers that belong to this error, such as ``Allow``.
    """

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def answer(self) -> Answer:
        """The error as an answer."""
        return error_answer(self.status, self.message, self.headers)


def error_answer(status: int, message: str, headers: Headers) -> Answer:
    """Return an error in the documented envelope."""
    return Answer(status, error_body(status, message), headers, f"{code_of(status)}: {message}")


def ok(status: int, value: Any) -> Answer:
    """Return an answer that carries a value as JSON."""
    return Answer(status, _encode(value))


def code_of(status: int) -> str:
    """Return the error code of a status; one that the API itself never uses is named as in HTTP."""
    if status in CODES:
        return CODES[status]
    try:
        return HTTPStatus(status).name.lower()
    except ValueError:
        return "error"


def error_body(status: int, message: str) -> bytes:
    """Return the documented envelope."""
    # A path or header may hold bytes that are no text; JSON cannot, so they are shown escaped.
    printable = message.encode("utf-8", "backslashreplace").decode()
    return _encode({"error": {"code": code_of(status), "message": printable}})
