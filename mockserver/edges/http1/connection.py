"""One connection: it carries one exchange at a time, and between two of them it waits in the pool.

How an exchange ends
    Exactly one *waiter* (a future) stands for the exchange in flight. It is resolved once, by whatever comes first: the
    answer, the end of the connection, the timer, a failure to connect, or the pool's ``close``. Everything after that
    finds no waiter and is ignored. Nothing on the way raises, so the waiter never holds an exception.

Time-outs
    A timer for each request, made and cancelled, would cost more than the rest of this class. So a connection has one
    timer that lags behind: a request only moves the deadline, and when the timer fires early it is set again for what
    is left.

Faults on the wire
    ``_write`` is the only place where bytes of a request leave. A fault that concerns the wire (a dripping body, a
    body that ends too early, a wait for ``100 Continue``) has its home there: a *write plan*, handed to ``begin``
    beside the request, that is a sequence of byte strings with a pause, an interim answer or the end of the connection
    between them. ``_write`` would write the first and leave the rest to a ``call_later`` of this connection, which
    ``_drop`` cancels. A request without a plan goes out as it does now, in one write.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, cast

from mockserver.core.durations import format_duration
from mockserver.core.messages import ErrorKind, Exchange, ExchangeError, Request
from mockserver.edges.http1.answer import Answer

if TYPE_CHECKING:
    from mockserver.edges.http1.dial import Dial
    from mockserver.edges.http1.pool import Key, Pool

#: What a waiter gets: the exchange, or None when a reused connection turned out to be dead before it began.
Waiter = asyncio.Future["Exchange | None"]

#: No timer is set for longer, in seconds: event loops differ in what they can count.
_LONGEST_TIMER = 3600.0


class Connection(asyncio.Protocol):
    """A TCP or TLS connection to a consumer.

    Args:
        loop: The running loop.
        pool: Where it lives and waits.
        key: What it is good for: scheme, host and port.
        record_limit: How many bytes of an answer's body are kept.
    """

    __slots__ = (
        "_answer",
        "_connect_ms",
        "_deadline",
        "_dial",
        "_first_byte_at",
        "_loop",
        "_pool",
        "_request",
        "_resent",
        "_reused",
        "_sent_at",
        "_started",
        "_timer",
        "_timer_due",
        "_transport",
        "_waiter",
        "address",
        "idle_since",
        "key",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool, key: Key, record_limit: int) -> None:
        self._loop = loop
        self._pool = pool
        self._answer = Answer(record_limit)
        self._dial: Dial | None = None
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._waiter: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = self._deadline = 0.0
        self._started = self._sent_at = self._first_byte_at = self._connect_ms = 0.0
        self._reused = self._resent = False
        self.key = key
        self.address = ""
        self.idle_since = 0.0

    # --- what the transport does

    def open(self, dial: Dial, request: Request, started: float, deadline: float, *, resent: bool) -> Waiter:
        """Begin the first exchange: connect, then write the request.

        Args:
            dial: How to connect.
            request: What to send.
            started: When the exchange began, by ``perf_counter``.
            deadline: When its time is up, by ``perf_counter``.
            resent: Whether the request was written once before, on a connection that was dead.
        """
        self._request = request
        self._resent = resent
        self._dial = dial
        self._pool.add(self)
        waiter = self._wait(started, deadline)
        self._sent_at = perf_counter()  # until there is a connection: when dialling began
        dial.start(self)
        return waiter

    def begin(self, request: Request, started: float, deadline: float) -> Waiter:
        """Begin another exchange on the open connection. The arguments are those of :meth:`open`."""
        self._reused = True
        self._resent = False
        self._connect_ms = self._first_byte_at = 0.0
        waiter = self._wait(started, deadline)
        self._sent_at = started
        self._write(request)
        return waiter

    def abandon(self, waiter: Waiter) -> None:
        """Nobody waits for this exchange any longer. Closes the connection, unless it has gone on to another one."""
        if self._waiter is waiter:
            self._waiter = None
            self.drop()

    def fail(self, kind: ErrorKind, message: str) -> None:
        """End the exchange in flight, if there is one, with an error; close the connection."""
        if self._transport is None:
            self._connect_ms = (perf_counter() - self._sent_at) * 1000
        if self._waiter is not None:
            self._resolve(ExchangeError(kind, message))
        self.drop()

    def drop(self) -> None:
        """Close the connection now. What was not yet written is not written any more."""
        if self._transport is not None:
            # abort() of a plain connection whose data has been written ends it as close() does; but close() would
            # wait for what cannot be written any more, and with TLS for the goodbye of the other side.
            self._transport.abort()
        elif self._dial is not None:
            self._dial.stop()

    def dialled(self) -> None:
        """Dialling is over, well or not."""
        self._dial = None
        self._gone_if_closed()

    def _wait(self, started: float, deadline: float) -> Waiter:
        self._started = started
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_due:
            self._set_timer(deadline - perf_counter())
        waiter: Waiter = self._loop.create_future()
        self._waiter = waiter
        return waiter

    def _write(self, request: Request) -> None:
        cast("asyncio.Transport", self._transport).write(request.head + request.body)

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write the first request. A server may speak first, so this cannot wait for another turn of the loop."""
        self._transport = cast("asyncio.Transport", transport)
        request, self._request = self._request, None
        if self._waiter is None or request is None:  # given up in the meantime
            self.drop()
            return
        now = perf_counter()
        self._connect_ms = (now - self._sent_at) * 1000
        self._sent_at = now
        self._write(request)

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer. What comes when nothing was asked belongs to nobody: the connection is closed."""
        if self._waiter is None:
            self._pool.remove(self)
            self.drop()
            return
        if not self._first_byte_at:
            self._first_byte_at = perf_counter()
        if self._answer.feed(data):
            self._finish()

    def eof_received(self) -> None:
        """The other side closed. Said before ``connection_lost``, which waits for what is not yet written."""
        self._ended("closed")
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._ended(_how_lost(exc))
        self._transport = None
        self._gone_if_closed()

    def _gone_if_closed(self) -> None:
        """Leave the pool once neither a socket nor a task is left, and no timer either."""
        if self._transport is None and self._dial is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._answer.release()
            self._pool.forget(self)

    # --- how an exchange ends

    def _finish(self) -> None:
        """The answer is settled: resolve the waiter, and keep the connection if it may be used again."""
        answer = self._answer
        self._resolve(answer.error)
        transport = cast("asyncio.Transport", self._transport)
        # An answer may come before the whole request is written; the rest of it is then still to go.
        if answer.reusable and not transport.get_write_buffer_size():
            answer.reset()
            self._pool.give(self)
        else:
            self.drop()

    def _ended(self, how: str) -> None:
        self._pool.remove(self)
        if self._waiter is None:
            return
        if self._reused and not self._answer.received:
            self._settle(None)
        else:
            self._answer.end(how)
            self._resolve(self._answer.error)

    def _resolve(self, error: ExchangeError | None) -> None:
        self.idle_since = now = perf_counter()
        self._settle(
            Exchange(
                self._answer.response,
                error,
                self.address,
                self._reused,
                self._resent,
                self._connect_ms,
                (self._first_byte_at - self._sent_at) * 1000 if self._first_byte_at else 0.0,
                (now - self._started) * 1000,
            )
        )

    def _settle(self, exchange: Exchange | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():  # done: cancelled, but its task has not yet had its turn
            waiter.set_result(exchange)

    # --- time

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._deadline
        self._timer = self._loop.call_later(min(max(seconds, 0.0), _LONGEST_TIMER), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        left = self._deadline - perf_counter()
        if left > 0:
            self._set_timer(left)
        else:
            self._time_out()

    def _time_out(self) -> None:
        within = format_duration(self._deadline - self._started)
        if self._transport is None and self._dial is not None:
            self.fail(*self._dial.unfinished(within))
        elif self._answer.received:
            self.fail("timeout", f"no complete answer within {within}: {self._answer.extent} came")
        else:
            self.fail("timeout", f"no answer within {within}")


def _how_lost(error: Exception | None) -> str:
    if error is None:
        return "closed"
    return "was reset" if isinstance(error, ConnectionError) else f"broke ({error})"
