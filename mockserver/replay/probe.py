"""Probes: how the consumer's own state is read before and after a step, to prove an effect or that there is none."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from mockserver.delivery.event_loop import monotonic
from mockserver.model.expectations import Effect
from mockserver.model.json_values import NotJsonError, decode_json, find_all
from mockserver.model.messages import Request, Transport
from mockserver.model.settings import SenderHeaders, header_lines
from mockserver.model.targets import Routes

#: Real seconds between two checks of an effect that is still to come.
_INTERVAL = 0.02

ProbeFunction = Callable[[], Any] | Callable[[], Awaitable[Any]]


class ProbeError(Exception):
    """The consumer's state cannot be read; the message says why."""


class Prober:
    """Reads the consumer's state; what an async function of the test's returns is awaited by ``on_loop``."""

    def __init__(
        self,
        transport: Transport,
        apps: Transport,
        routes: Routes,
        sender: SenderHeaders,
        timeout: float,
        on_loop: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]] = lambda work: work,
    ) -> None:
        self._on_loop = on_loop
        self._transport = transport
        self._apps = apps
        self._routes = routes
        self._sender = sender
        self._timeout = timeout
        self.functions: dict[str, ProbeFunction] = {}

    async def read(self, effect: Effect) -> Any:
        """Return the value that an effect is about.

        Raises a ProbeError if the URL does not answer 2xx with JSON, the path finds nothing, or the function fails.
        """
        if effect.probe:
            return await self._call(effect.probe)
        return self._find(effect, await self._get(effect.url))

    async def why_not(self, effect: Effect, before: Any) -> str | None:
        """Say how the state differs from the one that is expected after a step; None if it is that.

        An effect with ``within`` may take that long to show; that there is none is checked when the time is over.
        """
        deadline = monotonic() + effect.within
        if effect.change == 0:
            await asyncio.sleep(effect.within)
        while True:
            unmet = effect.why_not(before, await self.read(effect))
            if unmet is None or monotonic() >= deadline:
                return unmet
            await asyncio.sleep(_INTERVAL)

    async def _call(self, name: str) -> Any:
        function = self.functions.get(name)
        if function is None:
            known = ", ".join(self.functions) or "none is"
            raise ProbeError(f"no probe {name!r} is registered ({known}): register it with mock.probe({name!r}, ...)")
        return await self.call(function, f"the probe {name!r}")

    async def call(self, function: Callable[..., Any], what: str, *arguments: Any) -> Any:
        """Call a function of the test's: a plain one in a thread, an async one where the test's own loop runs.

        A failure becomes a ProbeError, which calls the function ``what``.
        """
        try:
            if inspect.iscoroutinefunction(function):
                return await self._on_loop(function(*arguments))
            found = await asyncio.to_thread(function, *arguments)
            return await self._on_loop(found) if inspect.iscoroutine(found) else found
        except Exception as error:
            raise ProbeError(f"{what} fails: {type(error).__name__}: {error}") from error

    async def _get(self, url: str) -> Any:
        target = self._routes.resolve(url)
        head = (
            f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{header_lines(self._sender)}"
            "Accept: application/json\r\n\r\n"
        )
        transport = self._apps if target.app else self._transport
        exchange = await transport.exchange(Request(target, head.encode("ascii"), b""), self._timeout)
        if exchange.error is not None or exchange.response is None:
            why = exchange.error.message if exchange.error else "no answer"
            raise ProbeError(f"the probe {url} got no answer: {why}")
        if not exchange.response.ok:
            raise ProbeError(f"the probe {url} answered {exchange.response.status}")
        try:
            return decode_json(exchange.response.body)
        except NotJsonError as error:
            raise ProbeError(f"the probe {url} did not answer JSON: {error}") from None

    def _find(self, effect: Effect, document: Any) -> Any:
        try:
            found = find_all(effect.json, document)
        except ValueError as error:
            raise ProbeError(f"{error}, on the answer of {effect.url}") from None
        if len(found) != 1:
            raise ProbeError(f"{effect.json} finds {len(found)} values in the answer of {effect.url}, not one")
        return found[0]
