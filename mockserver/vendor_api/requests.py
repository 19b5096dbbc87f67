"""What a request says: its API key and its JSON body, or why they cannot be used."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from aiohttp import StreamReader, web

from mockserver.vendor_api.envelope import ApiError

_JSON = "application/json"
#: Seconds without a byte after which a body is given up.
BODY_PATIENCE = 10.0

_CHALLENGE = (("WWW-Authenticate", "Bearer"),)

_decode = msgspec.json.Decoder().decode


class Call(NamedTuple):
    """One request, as far as an operation needs it; missing headers are empty."""

    method: str
    path: str
    authorization: str
    content_type: str
    content_encoding: str
    body: bytes
    #: Why the body could not be read to its end, if so.
    unreadable: ApiError | None
    #: Whose call it is; empty unless each API key is an account.
    account: str = ""


async def read_body(request: web.Request, limit: int) -> tuple[bytes, ApiError | None]:
    """Read a request body, but never more of it than is allowed.

    Args:
        request: The request.
        limit: The largest body allowed, in bytes.

    Returns:
        What was read, at most ``limit`` bytes, and what is wrong with it, if anything.
    """
    if (request.content_length or 0) > limit:
        return b"", _too_large(limit)
    content = request.content
    try:
        # A small body has come with the header, and needs no waiting.
        body = content.read_nowait() if content.is_eof() else await _read_on(content, limit)
    except web.RequestPayloadError:
        return b"", ApiError(400, "The request body is not framed as HTTP/1.1 says")
    except asyncio.TimeoutError:
        return b"", ApiError(400, f"The request body did not come to its end: nothing for {BODY_PATIENCE:g} s")
    return (body, None) if len(body) <= limit else (body[:limit], _too_large(limit))


async def _read_on(content: StreamReader, limit: int) -> bytes:
    """Read until the end, or until one piece over the limit."""
    body = bytearray()
    while len(body) <= limit and (chunk := await _next_piece(content)):
        body += chunk
    return bytes(body)


async def _next_piece(content: StreamReader) -> bytes:
    # aiohttp leaves a reader waiting for ever when chunks turn out to be malformed; hence the time-out. A timer alone,
    # as wait_for makes a task of each wait up to Python 3.11.
    timer = asyncio.get_running_loop().call_later(BODY_PATIENCE, content.set_exception, asyncio.TimeoutError())
    try:
        return await content.readany()
    finally:
        timer.cancel()


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"The request body is larger than the {limit} bytes that are allowed")


def bearer_token(authorization: str) -> str:
    """Return the token of an ``Authorization`` header, or an empty string if it carries none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Keys:
    """The API keys that are accepted.

    Args:
        keys: The keys; none accepts any token that is not empty.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def check(self, authorization: str) -> None:
        """Accept or refuse an ``Authorization`` header.

        Raises:
            ApiError: There is no key in it, or one that is not accepted (401).
        """
        token = bearer_token(authorization)
        if not token:
            problem = "Missing API key" if not authorization else "The Authorization header carries no API key"
            raise ApiError(401, f"{problem}: send it as 'Authorization: Bearer <api key>'", _CHALLENGE)
        if self._keys and not self._accepts(token.encode("utf-8", "surrogateescape")):
            raise ApiError(401, "Invalid API key: it is none of the keys that this server accepts", _CHALLENGE)

    def _accepts(self, token: bytes) -> bool:
        # Every key is compared, whatever the others gave, so that the time reveals nothing.
        return any([hmac.compare_digest(token, key) for key in self._keys])  # noqa: C419 - a generator would stop early


def read_json(call: Call) -> Any:
    """Decode the JSON body of a call. Of a key that occurs twice the last one counts, as usual.

    Raises:
        ApiError: It is not JSON in UTF-8, or is declared as something else (400). No Content-Type at all is accepted.
    """
    media_type = call.content_type.partition(";")[0].strip().lower()
    if media_type not in ("", _JSON):
        raise ApiError(400, f"Content-Type must be {_JSON}, not {call.content_type[:80]!r}")
    if call.content_encoding.strip().lower() not in ("", "identity"):
        raise ApiError(400, f"Content-Encoding must be left out: {call.content_encoding[:80]!r} is not supported")
    try:
        return _decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"The request body is not valid JSON: {_why_malformed(call.body, error)}") from None


def _why_malformed(body: bytes, error: Exception) -> str:
    if not body:
        return "it is empty"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    try:
        # Python's own parser knows the line and the column; it is slower, and only asked once something is wrong.
        json.loads(body.decode())
    except json.JSONDecodeError as wrong:
        return f"{wrong.msg} (line {wrong.lineno}, column {wrong.colno})"
    except UnicodeDecodeError as wrong:
        return f"byte {wrong.start} is not UTF-8"
    except (ValueError, RecursionError):
        return str(error)
    return str(error)  # what Python takes, but JSON is not: NaN, numbers without limit, half a surrogate pair
