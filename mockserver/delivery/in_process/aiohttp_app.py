"""aiohttp applications, which are neither ASGI nor WSGI: each is served on a free loopback port.

This module, and with it aiohttp, is imported only where there is such an application.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from mockserver.delivery.event_loop import PATIENCE, monotonic
from mockserver.delivery.in_process.call import RawHeaders, app_error, may_be_ctrl_c, parse_head
from mockserver.delivery.in_process.host import LoopHost
from mockserver.model.messages import Exchange, ExchangeError, Request, Transport
from mockserver.model.targets import Target

_HOST = "127.0.0.1"
#: Seconds that requests in progress get to finish. Not 0, which aiohttp reads as "no limit".
_GRACE = 0.05

_OTHER_LOOP = "; an aiohttp application lives on one event loop: make a new one for each test"

#: What the application raised, by the headers of the request.
Failures = dict[RawHeaders, ExchangeError]


class AiohttpHost(LoopHost):
    """Serves an aiohttp application on one event loop, on a port that ``network`` carries requests to."""

    def __init__(self, app: web.Application, loop: asyncio.AbstractEventLoop, network: Transport) -> None:
        super().__init__(loop)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE)
        self._network = network
        self._serving: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._port = 0
        self._failures: Failures = {}

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request to the port that the application is served on."""
        started = monotonic()
        problem = await self.start(timeout)
        if problem is not None:
            return Exchange(error=problem, total_ms=(monotonic() - started) * 1000)
        return await self._deliver(request, max(started + timeout - monotonic(), 0.001))

    async def _deliver(self, request: Request, timeout: float) -> Exchange:
        target = Target("http", _HOST, self._port, request.target.path)
        exchange = await self._network.exchange(msgspec.structs.replace(request, target=target), timeout)
        failure = self._failures.pop(parse_head(request.head)[2], None)
        return exchange if failure is None else msgspec.structs.replace(exchange, error=failure)

    async def _start(self) -> ExchangeError | None:
        try:
            await self._runner.setup()
        except RuntimeError as error:
            if "different loop" not in str(error):
                raise
            return ExchangeError("app", f"the application did not start: {error}{_OTHER_LOOP}")
        server = await self.loop.create_server(self._connect, _HOST, 0)
        self._port = server.sockets[0].getsockname()[1]
        self._serving = self.loop.create_task(self._serve(server))
        return None

    async def _serve(self, server: asyncio.AbstractServer) -> None:
        """Serve until stopped, or until the loop ends: then this is cancelled, and cleans up as well."""
        try:
            await self._stopping.wait()
        finally:
            server.close()
            await asyncio.wait_for(self._runner.cleanup(), PATIENCE)

    async def _shut_down(self) -> None:
        self._stopping.set()
        await (self._serving or asyncio.wait_for(self._runner.cleanup(), PATIENCE))

    def _connect(self) -> _Connection:
        manager = self._runner.server
        assert manager is not None  # noqa: S101 - there is one from before the first connection until after the last
        return _Connection(manager, self._failures, loop=self.loop, access_log=None)


class _ExitError(Exception):
    """The application raised what would end the program; that is the cause of this."""


async def _without_exits(handler: Callable[..., Awaitable[Any]], request: web.BaseRequest) -> Any:
    """Handle a request so that an application that exits fails the request, and not the loop that it runs on."""
    try:
        return await handler(request)
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        if may_be_ctrl_c(error):
            raise
        raise _ExitError from error


class _Connection(web.RequestHandler):
    """One connection of aiohttp's, which notes what the application raises before it becomes a 500."""

    __slots__ = ("_failures",)

    def __init__(self, manager: web.Server, failures: Failures, **options: Any) -> None:
        super().__init__(manager, **options)
        self._request_handler = functools.partial(_without_exits, manager.request_handler)
        self._failures = failures

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Note the exception; the rest is aiohttp's."""
        if exc is not None and status == 500:
            self._failures[tuple(request.raw_headers)] = app_error(
                exc.__cause__ if isinstance(exc, _ExitError) and exc.__cause__ else exc
            )
        return super().handle_error(request, status, exc, message)
