"""Requests to the vendor API: who may send them, their API key, rate limit and body; and its answers.

A web page must not drive what the mock serves. A page can send requests to this machine in two ways: from its own
origin, which the browser names in ``Origin``, or with a name of its own that it lets point here (DNS rebinding), which
the browser names in ``Host``. A numeric address cannot be made to point elsewhere, nor can ``localhost``, so a request
that names one is safe as far as its Host goes.

Documented: the error envelope ``{"error": {"code", "message"}}``; 100 requests a minute on the Standard plan, and three
headers on every response (page "api-reference/introduction"). Ours: the minute begins with the first request of a key,
and ends sixty seconds later.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import StreamReader, web
from multidict import MultiMapping

from mockserver.model.messages import Headers
from mockserver.model.settings import Settings
from mockserver.model.targets import read_address
from mockserver.vendor_api.operations import CODES

#: A host as the Host header spells it: a name or an IPv4 address, or an IPv6 address in brackets; then the port.
_AUTHORITY = r"(?P<host>[^\s:/@\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?"

_ADVICE = "allow a name with --control-host NAME or MockServer(control_hosts=[...])"


def why_foreign(headers: MultiMapping[str], scheme: str, settings: Settings) -> str | None:
    """Say why a request to this server, whose URLs begin with ``scheme``, is refused; None when it is welcome."""
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    own, allowed = settings.host, settings.control_hosts
    if len(hosts) != 1 or not _is_own(hosts[0].lower(), own, allowed):
        named = " and ".join(map(ascii, hosts)) or "missing"
        return f"the Host header must be a loopback address or localhost; it is {named}: {_ADVICE}"
    if not origins or (
        len(origins) == 1 and _is_own_page(origins[0].lower(), f"{scheme}://{hosts[0]}".lower(), allowed)
    ):
        return None
    return f"web pages of other origins may not call the mock; Origin is {' and '.join(map(ascii, origins))}: {_ADVICE}"


@lru_cache(64)  # callers name the server in one way, again and again
def _is_own(authority: str, own_host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the value of a Host header, in lower case, means this server and nothing else."""
    match = re.fullmatch(_AUTHORITY, authority)
    host = match["host"].strip("[]") if match else ""
    if host == "localhost" or host.endswith(".localhost") or host in (each.lower() for each in (own_host, *allowed)):
        return bool(host)
    address, own = read_address(host), read_address(own_host)
    # A server that listens everywhere is called by any address of its machine.
    return address is not None and (address.is_loopback or (own is not None and own.is_unspecified))


def _is_own_page(origin: str, own: str, allowed: tuple[str, ...]) -> bool:
    scheme, _, authority = origin.partition("://")
    match = re.fullmatch(_AUTHORITY, authority) if scheme in ("http", "https") else None
    return origin == own or (match is not None and match["host"] in (each.lower() for each in allowed))


_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """What the API answers, except for the headers that every answer has.

    ``problem`` is the code and message of an error that we word; ``before`` is waited for before it is sent, ``after``
    done once it was sent.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    problem: str = ""
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], None] | None = None


class ApiError(Exception):
    """A request that is refused, with a message for the application's developer; it becomes the envelope."""

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


WINDOW_SECONDS = 60.0


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """What a key may still do in its current minute: of ``limit`` requests, ``used`` until ``now``.

    ``end`` is when the next minute begins. Moments are in Unix seconds.
    """

    limit: int
    used: int
    now: float
    end: float

    @property
    def allowed(self) -> bool:
        """Whether the request that was just counted is within the limit."""
        return self.used <= self.limit

    @property
    def remaining(self) -> int:
        """How many more there may be."""
        return max(self.limit - self.used, 0)

    @property
    def reset(self) -> int:
        """When the next minute begins, in whole Unix seconds."""
        return math.ceil(self.end)

    @property
    def wait(self) -> int:
        """The value for ``Retry-After``: whole seconds until then, at least 1."""
        return max(math.ceil(self.end - self.now), 1)


class RateLimit:
    """Counts requests in fixed windows of one minute for each API key.

    Of more keys than ``max_keys``, the one that came first is forgotten.
    """

    def __init__(self, limit: int, max_keys: int = 1_000) -> None:
        self._limit = limit
        self._max_keys = max_keys
        self._windows: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, key: str, now: float) -> Allowance:
        """Count one request (the key is empty for one without), and return what the key has left.

        A clock that was set back begins a new window.
        """
        start, used = self._windows.get(key, (now, 0))
        if not 0 <= now - start < WINDOW_SECONDS:
            start, used = now, 0
        if key not in self._windows and len(self._windows) >= self._max_keys:
            del self._windows[next(iter(self._windows))]
        used += 1
        self._windows[key] = (start, used)
        return Allowance(self._limit, used, now, start + WINDOW_SECONDS)

    def clear(self) -> None:
        """Forget every count."""
        self._windows.clear()


_JSON = "application/json"
#: Seconds without a byte after which a body is given up.
BODY_PATIENCE = 10.0

_CHALLENGE = (("WWW-Authenticate", "Bearer"),)

_decode = msgspec.json.Decoder().decode


class Call(msgspec.Struct, frozen=True):
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
    """Read a request body, but never more of it than is allowed, and what is wrong with it, if anything."""
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
    # aiohttp leaves a reader waiting forever when chunks turn out to be malformed; hence the time-out. A timer alone,
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
    """The API keys that are accepted; without any, every token that is not empty is."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def check(self, authorization: str) -> None:
        """Raise an ApiError (401) for an ``Authorization`` header with no key in it, or one that is not accepted."""
        token = bearer_token(authorization)
        if not token:
            problem = "Missing API key" if not authorization else "The Authorization header carries no API key"
            raise ApiError(401, f"{problem}: send it as 'Authorization: Bearer <api key>'", _CHALLENGE)
        if self._keys and not self._accepts(token.encode("utf-8", "surrogateescape")):
            raise ApiError(401, "Invalid API key: it is none of the keys that this server accepts", _CHALLENGE)

    def _accepts(self, token: bytes) -> bool:
        # Imported here: most mocks accept any key.
        from hmac import compare_digest  # noqa: PLC0415 - start-up does without

        # Every key is compared, whatever the others gave, so that the time reveals nothing.
        return any([compare_digest(token, key) for key in self._keys])  # noqa: C419 - a generator would stop early


def read_json(call: Call) -> Any:
    """Decode the JSON body of a call. Of a key that occurs twice the last one counts, as usual.

    Raises an ApiError (400) if it is not JSON in UTF-8, or is declared as something else. No Content-Type at all is
    accepted.
    """
    if call.content_type not in ("", _JSON) and _media_type(call.content_type) not in ("", _JSON):
        raise ApiError(400, f"Content-Type must be {_JSON}, not {call.content_type[:80]!r}")
    if call.content_encoding and call.content_encoding.strip().lower() not in ("", "identity"):
        raise ApiError(400, f"Content-Encoding must be left out: {call.content_encoding[:80]!r} is not supported")
    try:
        return _decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"The request body is not valid JSON: {_why_malformed(call.body, error)}") from None


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


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
