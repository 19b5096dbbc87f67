"""A vendor API on a real port, for tests: on the test's own loop, or on one in a thread."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp

from mockserver.delivery.event_loop import LoopThread
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.settings import Settings, read_settings
from mockserver.model.webhooks import RegistrationRules, Webhook, WebhookRegistry
from mockserver.replay.clock import RealClock
from mockserver.replay.dispatcher import Dispatcher
from mockserver.script.package_files import load_catalog
from mockserver.server.http_host import HttpHost, Part
from mockserver.vendor_api.calls import AnswerPlan, CallLog
from mockserver.vendor_api.flows.engine import FlowEngine, Publishing
from mockserver.vendor_api.routes import VendorApi

EVENTS = ("run.completed", "run.failed", "evaluation.completed", "optimization.completed")
REGISTRATION = {"url": "https://your-app.com/webhooks/playgent", "events": ["run.failed"], "secret": "whsec_private"}
AUTH = {"Authorization": "Bearer pk_live_private"}
NOW = 1_702_728_000.25


class NowhereToPublish:
    """What a flow needs of a mock, without a webhook."""

    catalog = load_catalog()
    retry: RetryPolicy | None = None

    def webhooks_of(self, _: str) -> WebhookRegistry:
        return WebhookRegistry()

    def clock_of_flow(self) -> RealClock:
        return RealClock()


@dataclass
class Mock:
    """A vendor API and everything around it."""

    settings: Settings
    registry: WebhookRegistry
    calls: CallLog
    plan: AnswerPlan
    time: float = NOW
    url: str = ""
    port: int = 0
    on_registered: Callable[[Webhook], None] | None = None
    parts: tuple[Part, ...] = ()
    session: Any = None
    api: Any = None
    flows: Any = None
    server: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, **settings: Any) -> "Mock":
        chosen = read_settings(**settings)
        return cls(chosen, WebhookRegistry(chosen.max_webhooks), CallLog(chosen.max_requests), AnswerPlan())

    async def start(self) -> None:
        self.api = VendorApi(
            registry=self.registry,
            rules=RegistrationRules((*EVENTS, *self.settings.extra_events), self.settings.strict),
            settings=self.settings,
            calls=self.calls,
            plan=self.plan,
            now=lambda: self.time,
            flows=self._flows,
            on_registered=self.on_registered,
        )
        self.server = HttpHost(self.api, *self.parts)
        await self.server.start("127.0.0.1", 0)
        self.url, self.port = self.server.url, self.server.port

    def _flows(self) -> FlowEngine:
        """Flows whose events go nowhere."""
        if self.flows is None:
            around, nobody = cast("Publishing", NowhereToPublish()), cast("Dispatcher", None)
            self.flows = FlowEngine(around, nobody, max_resources=1000, budget=MemoryBudget(), seed=0)
        engine: FlowEngine = self.flows
        return engine

    async def call(self, method: str, path: str, **options: Any) -> "Answered":
        """Make a request with the test's API key, and read the answer."""
        options["headers"] = {**AUTH, **options.get("headers", {})}
        async with self.session.request(method, self.url + path, **options) as response:
            body = await response.read()
            return Answered(response.status, response.headers, body)


@dataclass
class Answered:
    """An answer that was read."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return aiohttp.typedefs.DEFAULT_JSON_DECODER(self.body.decode())

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message; fails if it is not exactly the documented envelope."""
        envelope = self.json
        assert list(envelope) == ["error"]
        assert list(envelope["error"]) == ["code", "message"]
        return self.status, envelope["error"]["code"], envelope["error"]["message"]


#: Starts a vendor API with chosen settings.
Start = Callable[..., Awaitable[Mock]]


@asynccontextmanager
async def serve(mock: Mock) -> AsyncIterator[Mock]:
    """Serve on the running loop."""
    await mock.start()
    async with aiohttp.ClientSession() as session:
        mock.session = session
        yield mock
    await mock.server.stop()


@contextmanager
def loop_in_thread() -> Iterator[Callable[..., Any]]:
    """A function that runs coroutines on a loop in a thread, for tests that block."""
    thread = LoopThread("vendor API", asyncio.new_event_loop())
    try:
        yield lambda work: thread.wait(work, 60)
    finally:
        thread.close()


@contextmanager
def serve_in_thread(mock: Mock) -> Iterator[Mock]:
    """Serve on a loop in a thread."""
    with loop_in_thread() as wait:
        wait(mock.start())
        yield mock
        wait(mock.server.stop())


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer
