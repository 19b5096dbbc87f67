"""The transport over the network: one method sends a request, one closes every connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection

from mockserver.delivery.event_loop import monotonic
from mockserver.delivery.http1.connection import Connection, Key, Pool
from mockserver.delivery.http1.dial import Dial, NameLookup
from mockserver.model.messages import Exchange, ExchangeError, Request, Response

# asyncio reads into a new block of 256 KiB each time. For that glibc asks the system, and gives it back, until a larger
# block was freed once: from then on it keeps them. On asyncio's loop this saves a third of what a delivery costs.
bytes(512 * 1024)


class Http1Transport:
    """Sends requests over HTTP/1.1, byte for byte, on kept-alive connections.

    It belongs to the event loop on which it is first used, until :meth:`close`.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
        record_limit: int = 65536,
        idle_seconds: float = 1.0,
    ) -> None:
        self._allowed_hosts = frozenset(allowed_hosts)
        self._tls = tls
        self._record_limit = record_limit
        self._pool: Pool = Pool(idle_seconds)
        self._lookup = NameLookup()
        self._known: dict[bytes, Response] = {}
        self._closings = 0

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Send one request and wait for its answer. Never raises, except for cancellation, which closes the connection.

        A request is never sent again if it may have arrived. Only where a kept connection turns out to have been closed
        before the request came to it, so that the other side cannot have read it, is it sent on a fresh one; a probe's
        GET also where it cannot be known (RFC 9110, section 9.2.2). A request with a plan gets a fresh connection at
        once. The time includes resolving and connecting.
        """
        started = monotonic()
        target = request.target
        key = (target.scheme, target.host, target.port)
        connection = None if request.plan else self._pool.take(key, started)
        if connection is None:
            return await self._exchange_on_fresh(request, key, started, timeout)
        closings = self._closings
        waiter = connection.begin(request, started, started + timeout)
        try:
            exchange = await waiter
        except asyncio.CancelledError:
            connection.abandon(waiter)
            raise
        if exchange.error is None or not _may_repeat(request, exchange):
            return exchange
        if closings != self._closings:
            return Exchange(error=ExchangeError("stopped", "interrupted before the request was sent"))
        return await self._exchange_on_fresh(request, key, started, timeout, resent=True)

    async def close(self) -> None:
        """Close every connection; exchanges in flight end with the error ``stopped``. It may be used again."""
        self._closings += 1
        await self._pool.close()

    async def _exchange_on_fresh(
        self,
        request: Request,
        key: Key,
        started: float,
        timeout: float,
        *,
        resent: bool = False,
    ) -> Exchange:
        dial = Dial(request.target, self._allowed_hosts, self._context(request), self._lookup)
        connection = Connection(asyncio.get_running_loop(), self._pool, key, self._record_limit, dial, self._known)
        waiter = connection.open(request, started, started + timeout, resent=resent)
        try:
            exchange = await waiter
        except asyncio.CancelledError:
            connection.abandon(waiter)
            raise
        return exchange

    def _context(self, request: Request) -> ssl.SSLContext | None:
        if request.target.scheme == "http":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _may_repeat(request: Request, exchange: Exchange) -> bool:
    """Whether a safe request was lost with a kept connection: it changes nothing, however often it arrives."""
    lost = exchange.error is not None and exchange.error.kind == "closed" and exchange.response is None
    return lost and request.head.startswith((b"GET ", b"HEAD "))
