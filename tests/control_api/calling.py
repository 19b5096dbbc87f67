"""A client of the control API, for tests: it calls a real server and reads what comes back."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from mockserver import MockServer
from tests.receiving import SECRET

AUTH = {"Authorization": "Bearer pk_live_private"}


@dataclass
class Answer:
    """An answer that was read."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The message of an error; fails if it is not our envelope, with the code that belongs to the status."""
        codes = {
            400: "invalid_request",
            403: "forbidden",
            404: "not_found",
            405: "method_not_allowed",
            408: "request_timeout",
        }
        error = self.json["error"]
        assert error["code"] == codes.get(self.status, "payload_too_large")
        assert self.headers["Content-Type"] == "application/json"
        assert "Traceback" not in error["message"]
        return str(error["message"])

    def fails(self, status: int = 400) -> str:
        """The message, if it is an error of this status."""
        assert self.status == status, self.body
        return self.problem


class Control:
    """Calls one mock."""

    def __init__(self, mock: MockServer, session: aiohttp.ClientSession) -> None:
        self.mock = mock
        self.url = mock.url
        self.session = session

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call an operation; bytes and text are sent as they are, anything else as JSON."""
        if body is not None:
            text = body if isinstance(body, (bytes, str)) else json.dumps(body)
            options["data"] = io.BytesIO(text.encode() if isinstance(text, str) else text)
        url = self.url + (path if path.startswith("/v1") else f"/_mock{path}")
        async with self.session.request(method, url, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str) -> Any:
        """The JSON of an answer that must be 200."""
        answer = await self.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """The JSON of an answer that must have this status; None if it has none."""
        answer = await self.call("POST", path, body)
        assert answer.status == status, answer.body
        return answer.json if answer.body else None

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        """Ask until something is so, as a consumer suite in another language does; the answer."""
        answer = None
        for _ in range(5000):
            if condition(answer := await self.get(path)):
                return answer
        raise AssertionError(f"it never came to be at {path}: {answer}")

    async def event(self, event: str = "run.failed", **step: Any) -> dict[str, Any]:
        """The only delivery of an event."""
        (delivery,) = (await self.post("/events", {"event": event, **step}))["deliveries"]
        return dict(delivery)

    async def register(self, url: str, *events: str, secret: str = SECRET) -> str:
        """Register a webhook as an application would; its id."""
        body = {"url": url, "events": events or ["run.failed", "run.completed"], "secret": secret}
        answer = await self.call("POST", "/v1/webhooks", body, headers={**AUTH, "Content-Type": "application/json"})
        assert answer.status == 201, answer.body
        return str(answer.json["webhook_id"])


#: Starts a mock with chosen settings.
Start = Callable[..., Awaitable[Control]]


@asynccontextmanager
async def controlling(**settings: Any) -> AsyncIterator[Control]:
    """A running mock, and a client of its control API."""
    async with MockServer(**{"strict_deliveries": False, **settings}) as mock, aiohttp.ClientSession() as session:
        yield Control(mock, session)


async def exchange(port: int, request: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return answer
