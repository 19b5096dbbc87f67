"""Connections: each carries one exchange at a time, and between two of them it waits in the pool.

How an exchange ends
    Exactly one *waiter* (a future) represents the exchange in flight. It is resolved once, by whatever comes first: the
    answer, the end of the connection, the timer, a failure to connect, or the pool's ``close``. Everything after that
    finds no waiter and is ignored. Nothing on the way raises, so the waiter never holds an exception.

Never twice
    A request that was written to a kept connection whose other side closed it is not written again: it may have been
    read. Not even the system knows better: a side that has closed its half may still read, and reset the connection
    then. So the attempt has failed, and says whether the close came first. The pool keeps no connections to a server
    that closes them again and again as soon as it has answered.

Answers that are known
    Most answers of a consumer are the same, byte for byte. What was read once, as a whole answer in one piece, needs no
    second reading: the parser is between two messages, so that the same bytes give the same answer.

Time-outs
    A timer for each request, made and cancelled, would cost more than the rest of this class. So a connection has one
    timer that lags behind: a request only moves the deadline, and when the timer fires early it is set again for what
    is left.

Faults on the wire
    A request may have a plan (a dripping body, a body that ends too early, a wait for ``100 Continue``). It is then
    written by a :class:`PlannedWrite`, stopped when the exchange ends,
    in whatever way. Such a request gets a connection of its own, which is kept only if the request was written to its
    end. A request without a plan goes out in one write.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from mockserver.delivery.event_loop import monotonic
from mockserver.delivery.http1.answer import Answer
from mockserver.delivery.http1.dial import Dial, Undialled, hostport
from mockserver.model.messages import AwaitContinue, Close, Exchange, ExchangeError, Pause, Request, Response, WireStep
from mockserver.model.quantities import format_duration

#: Over TLS, seconds that the other side has to end TLS when we close on purpose.
_GOODBYE = 0.25
#: Makes closing a socket reset the connection: linger, for no time.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class PlannedWrite:
    """Writes one request on one connection.

    Attributes:
        unsent: How many bytes have not been handed to the transport.
        closed: Once the plan has closed the connection: what the exchange's error says of it.
    """

    __slots__ = ("_answer", "_loop", "_steps", "_timer", "_transport", "_waiting", "closed", "unsent")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        answer: Answer,
        plan: tuple[WireStep, ...],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._answer = answer
        self._steps: Iterator[WireStep] = iter(plan)
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False
        self.unsent = sum(len(step) for step in plan if isinstance(step, bytes))
        self.closed = ""

    def go_on(self) -> None:
        """Take the next steps, up to the next one that takes time."""
        self._waiting = False
        for step in self._steps:
            if isinstance(step, bytes):
                self._transport.write(step)
                self.unsent -= len(step)
            elif not self._at_once(step):
                break

    def heard(self) -> None:
        """Something came from the other side: perhaps what the plan waits for."""
        if self._waiting and self._answer.continued:
            self.stop()
            self.go_on()

    def stop(self) -> None:
        """Take no more steps: the one that is waited for does not come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _at_once(self, step: Pause | AwaitContinue | Close) -> bool:
        """Take a step that is not bytes, and say whether the next one may follow without waiting."""
        if isinstance(step, Close):
            self._close(step)
            return False
        if isinstance(step, AwaitContinue):
            if self._answer.continued:
                return True
            self._waiting = True
        self._timer = self._loop.call_later(step.seconds, self.go_on)
        return False

    def _close(self, step: Close) -> None:
        """Close the connection; what was handed to the transport is still written, within the exchange's time."""
        self.closed = step.message
        if step.reset:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:  # with TLS, it is gone as soon as the other side has hung up
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.close()
        if self._transport.get_extra_info("sslcontext") is not None:  # an end of TLS waits for the other side's
            self._timer = self._loop.call_later(_GOODBYE, self._transport.abort)


#: What a kept-alive connection is good for: scheme, host and port.
Key = tuple[str, str, int]


#: A connection that the other side closes within this many seconds after an answer was not meant to be kept.
_AT_ONCE = 0.5

#: After this many connections in a row that a server closes at once, its connections are no longer kept.
_PATIENCE = 3

#: For how many servers that is remembered, and for how many seconds after the last delivery.
_MOST_REMEMBERED = 1000
_REMEMBERED = 10.0

#: A connection that has been idle for longer, in seconds, is checked before it is used: it may have been closed.
_TRUSTED = 0.05


class Pool:
    """Keeps idle connections for a moment; the one that was used last is used first.

    Servers close idle connections too (Node.js after five seconds). Dropping ours earlier makes it rare that a request
    is written to a connection that the server is just closing.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._idle: dict[Key, list[Connection]] = {}
        self._live: set[Connection] = set()
        self._closed_at_once: dict[Key, tuple[int, float]] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    def take(self, key: Key, now: float) -> Connection | None:
        """Return an idle connection, which is then in use, or None."""
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if not connection.is_closing() and (now - connection.idle_since < _TRUSTED or connection.is_alive()):
                return connection
            self.note_closed(key, now - connection.idle_since)
            connection.drop()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over, unless its server closes what is kept."""
        if self._closed_at_once and self._is_closed_at_once(connection):
            connection.drop()
            return
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = []
        idle.append(connection)
        if self._sweep_timer is None:
            self._set_timer(self._idle_seconds)

    def remove(self, connection: Connection) -> None:
        """No longer offer a connection, if it is idle: its other side has closed it."""
        idle = self._idle.get(connection.key)
        if idle and connection in idle:
            idle.remove(connection)
            self.note_closed(connection.key, monotonic() - connection.idle_since)

    def note_closed(self, key: Key, idle: float) -> None:
        """Note that a server closed a kept connection, and for how many seconds it had been idle when that was seen."""
        if idle < _AT_ONCE:
            if len(self._closed_at_once) >= _MOST_REMEMBERED:
                self._closed_at_once.clear()
            self._closed_at_once[key] = (self._closed_at_once.get(key, (0, 0.0))[0] + 1, monotonic())

    def _is_closed_at_once(self, connection: Connection) -> bool:
        key, now = connection.key, monotonic()
        closed, last = self._closed_at_once.get(key, (0, 0.0))
        if connection.reused or now - last > _REMEMBERED:
            self._closed_at_once.pop(key, None)
            return False
        if closed >= _PATIENCE:
            self._closed_at_once[key] = (closed, now)
        return closed >= _PATIENCE

    def add(self, connection: Connection) -> None:
        """Take in a new connection, before it connects, so that ``close`` finds it."""
        self._live.add(connection)

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self._live.discard(connection)
        if not self._live and self._emptied is not None:
            self._emptied.set()
            self._emptied = None

    async def close(self) -> None:
        """Close every connection and return when the last is gone."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        self._idle.clear()
        if not self._live:
            return
        emptied = self._emptied = self._emptied or asyncio.Event()
        for connection in tuple(self._live):
            connection.fail(ExchangeError("stopped", "interrupted before the answer was complete: outcome unknown"))
        await emptied.wait()
        # The loop closes a socket in the turn in which it reports that the connection is lost, or in the next.
        await asyncio.sleep(0)

    def _set_timer(self, seconds: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Drop what has been idle for too long. The oldest of each list is its first."""
        self._sweep_timer = None
        now = monotonic()
        for key, idle in tuple(self._idle.items()):
            while idle and now - idle[0].idle_since >= self._idle_seconds:
                idle.pop(0).drop()
            if not idle:
                del self._idle[key]
        if self._idle:
            oldest = min(idle[0].idle_since for idle in self._idle.values())
            self._set_timer(max(0.0, oldest + self._idle_seconds - now))


_QUICK_ACKNOWLEDGEMENT: int | None = getattr(socket, "TCP_QUICKACK", None)

#: Answers up to this size, in bytes, are remembered; and how many of them.
_KNOWN_SIZE = 1024
_MOST_KNOWN = 256

#: What is waited for.
Waiter = asyncio.Future[Exchange]

_CLOSED_BEFORE = (
    "the other side closed the connection, which it had kept after an earlier answer, just before the request came: it "
    "should say so in the answer (Connection: close), or keep idle connections for longer"
)


class Connection(asyncio.Protocol):
    """A TCP or TLS connection to a consumer; ``known`` are answers that need no second reading, by their bytes."""

    __slots__ = (
        "_answer",
        "_connect_ms",
        "_deadline",
        "_dial",
        "_dialling",
        "_first_byte_at",
        "_known",
        "_last",
        "_loop",
        "_planned",
        "_pool",
        "_request",
        "_resent",
        "_sent_at",
        "_started",
        "_timer",
        "_timer_due",
        "_transport",
        "_waiter",
        "address",
        "idle_since",
        "key",
        "reused",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        key: Key,
        record_limit: int,
        dial: Dial,
        known: dict[bytes, Response],
    ) -> None:
        self._loop = loop
        self._known = known
        self._pool = pool
        self._answer = Answer(record_limit)
        self._dial = dial
        self._dialling: asyncio.Task[Undialled | None]
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._waiter: Waiter | None = None
        self._planned: PlannedWrite | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = self._deadline = 0.0
        self._started = self._sent_at = self._first_byte_at = self._connect_ms = 0.0
        self.reused = self._resent = self._last = False
        self.key = key
        self.address = ""
        self.idle_since = 0.0

    # --- what the transport does

    def open(self, request: Request, started: float, deadline: float, *, resent: bool) -> Waiter:
        """Begin the first exchange: connect, then write the request. Moments are by ``monotonic``."""
        self._request = request
        self._resent = resent
        self._pool.add(self)
        waiter = self._wait(started, deadline)
        self._sent_at = monotonic()  # until there is a connection: when dialling began
        self._dialling = self._loop.create_task(self._dial.connect(lambda: self))
        self._dialling.add_done_callback(self._dialled)
        return waiter

    def begin(self, request: Request, started: float, deadline: float) -> Waiter:
        """Begin another exchange on the open connection: of a request without a plan. Arguments as for :meth:`open`."""
        self.reused = True
        self._resent = False
        self._connect_ms = self._first_byte_at = 0.0
        self._last = request.last
        waiter = self._wait(started, deadline)
        self._sent_at = started
        assert self._transport is not None  # noqa: S101 - it is open; a cast would be a call
        self._transport.write(request.head + request.body)
        return waiter

    def is_closing(self) -> bool:
        """Whether the transport is ending."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return True
        if self.key[0] == "http":
            return False
        # Only a private attribute of Python 3.10 shows that the other side has ended TLS: what is written goes nowhere.
        return bool(getattr(getattr(transport, "_ssl_protocol", None), "_in_shutdown", False))

    def is_alive(self) -> bool:
        """Whether the other side has neither closed the connection nor said anything, as far as the system knows."""
        sock = cast("asyncio.Transport", self._transport).get_extra_info("socket")
        try:
            return not _has_news(sock.fileno())
        except (AttributeError, OSError, ValueError):  # the socket is gone
            return False

    def abandon(self, waiter: Waiter) -> None:
        """Stop waiting for this exchange, and close the connection, unless it has gone on to another exchange."""
        if self._waiter is waiter:
            self._waiter = None
            self.drop()

    def fail(self, error: ExchangeError) -> None:
        """End the exchange in flight, if there is one, with an error; close the connection."""
        if self._transport is None:
            self._connect_ms = (monotonic() - self._sent_at) * 1000
        if self._waiter is not None:
            self._resolve(error, self._answer.response, monotonic())
        self.drop()

    def drop(self) -> None:
        """Close the connection now. What was not yet written never will be."""
        if self._planned is not None:
            self._planned.stop()
        if self._transport is not None:
            # abort() of a plain connection whose data has been written ends it as close() does; but close() would
            # wait for what can no longer be written, and with TLS for the other side to end it.
            self._transport.abort()
        else:
            self._dialling.cancel()

    def _wait(self, started: float, deadline: float) -> Waiter:
        self._started = started
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_due:
            self._set_timer(deadline - monotonic())
        waiter: Waiter = self._loop.create_future()
        self._waiter = waiter
        return waiter

    def _write(self, request: Request) -> None:
        transport = cast("asyncio.Transport", self._transport)
        self._last = request.last
        if request.plan:
            self._planned = PlannedWrite(self._loop, transport, self._answer, request.plan)
            self._planned.go_on()
        else:
            transport.write(request.head + request.body)

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write the first request. A server may speak first, so this cannot wait for another turn of the loop."""
        if self._waiter is None or self._request is None:
            # Given up in the meantime. This is not yet our transport: uvloop may not say that it is lost.
            cast("asyncio.Transport", transport).abort()
            return
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if not peer:
            self.fail(ExchangeError("closed", "the connection was reset before an answer came"))
            return
        self.address = hostport(peer[0], peer[1])
        refusal = self._dial.why_refused(peer, transport.get_extra_info("sockname"))
        if refusal is not None:
            self.fail(refusal)
            return
        request, self._request = self._request, None
        now = monotonic()
        self._connect_ms = (now - self._sent_at) * 1000
        self._sent_at = now
        self._write(request)

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer. Data that nothing asked for closes the connection."""
        if self._waiter is None:
            self._pool.remove(self)
            self.drop()
            return
        if not self._first_byte_at:
            self._first_byte_at = now = monotonic()
            response = self._known.get(data) if len(data) <= _KNOWN_SIZE else None
            if response is not None and self._planned is None:  # the parser need not see it
                self._resolve(None, response, now)
                self._keep()
                return
        if self._answer.feed(data):
            self._finish(data)
            return
        self._acknowledge()
        if self._planned is not None:
            self._planned.heard()

    def eof_received(self) -> None:
        """The other side closed. Said before ``connection_lost``, which waits for what is not yet written."""
        self._ended("closed")
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        self._ended(_how_lost(exc))
        self.drop()  # the connection is gone, but a TLS transport of Python 3.10 must be closed all the same
        self._transport = None
        self._leave_if_closed()

    def _dialled(self, dialling: asyncio.Task[Undialled | None]) -> None:
        undialled = None if dialling.cancelled() else dialling.result()
        if undialled is not None:
            self.address = undialled.address or self.address
            self.fail(undialled.error)
        self._leave_if_closed()

    def _leave_if_closed(self) -> None:
        """Leave the pool once neither a socket nor a task is left, and no timer either."""
        if self._transport is None and self._dialling.done():
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._answer.release()
            self._pool.forget(self)

    def _acknowledge(self) -> None:
        """Acknowledge a part of an answer now, where the system can (Linux): otherwise TCP waits for 40 ms.

        During that time a server that writes the head and the body apart holds the body back, unless it has switched
        off the algorithm of RFC 896. The system forgets the setting by itself, so it is made each time.
        """
        if _QUICK_ACKNOWLEDGEMENT is not None:
            sock = cast("asyncio.Transport", self._transport).get_extra_info("socket")
            with suppress(OSError):  # a system that is emulated may not know it
                sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)

    # --- how an exchange ends

    def _finish(self, data: bytes) -> None:
        """The answer is settled with this data: resolve the waiter, and keep the connection if it may be used again."""
        answer = self._answer
        response = answer.response
        self._resolve(answer.error, response, monotonic())
        if answer.reusable and response is not None:
            if answer.received == len(data) <= _KNOWN_SIZE:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[bytes(data)] = response
            answer.reset()
            self._keep()
        else:
            self.drop()

    def _keep(self) -> None:
        # An answer may come before the whole request is written; the rest of it is then still to go.
        assert self._transport is not None  # noqa: S101 - as above
        written = not self._transport.get_write_buffer_size()
        if written and not self._last and (self._planned is None or not self._planned.unsent):
            self._planned = None
            self._pool.give(self)
        else:
            self.drop()

    def _ended(self, how: str) -> None:
        if self._waiter is None:
            self._pool.remove(self)
            return
        error, response = self._why_ended(how)
        self._resolve(error, response, monotonic())

    def _why_ended(self, how: str) -> tuple[ExchangeError | None, Response | None]:
        """What the end of the connection makes of the exchange: an error, and as much of an answer as came."""
        answer = self._answer
        if self.reused and not answer.received:
            self._pool.note_closed(self.key, self._sent_at - self.idle_since)
            if self._was_closed_before():
                return ExchangeError("closed", _CLOSED_BEFORE), None
        if self._planned is not None and self._planned.closed and how == "closed":
            return ExchangeError("closed", self._planned.closed), answer.response
        answer.end(how)
        return answer.error, answer.response

    def _was_closed_before(self) -> bool:
        """Whether the other side had closed its half before the request came to it: a reset came after the close."""
        sock = cast("asyncio.Transport", self._transport).get_extra_info("socket")
        try:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EPIPE)
        except (AttributeError, OSError):  # the socket is gone
            return False

    def _resolve(self, error: ExchangeError | None, response: Response | None, now: float) -> None:
        self.idle_since, unsent = now, 0
        if self._planned is not None:
            unsent = self._planned.unsent
            self._planned.stop()
        exchange = Exchange(
            response,
            error,
            self.address,
            self.reused,
            self._resent,
            self._connect_ms,
            (self._first_byte_at - self._sent_at) * 1000 if self._first_byte_at else 0.0,
            (now - self._started) * 1000,
            unsent,
        )
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():  # done: cancelled, but its task has not yet had its turn
            waiter.set_result(exchange)

    # --- time

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._deadline
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        left = self._deadline - monotonic()
        if left > 0:
            self._set_timer(left)
        else:
            self._time_out()

    def _time_out(self) -> None:
        within = format_duration(self._deadline - self._started)
        if self._transport is None:
            self.fail(self._dial.unfinished(within))
        elif self._answer.received:
            self.fail(ExchangeError("timeout", f"no complete answer within {within}: {self._answer.extent} came"))
        elif self._planned is not None and self._planned.unsent:
            left = f"{self._planned.unsent} bytes of the request were still to be written, as its faults make it slow"
            self.fail(ExchangeError("timeout", f"no answer within {within}: {left}"))
        else:
            self.fail(ExchangeError("timeout", f"no answer within {within}"))


def _has_news(descriptor: int) -> bool:
    """Whether there is anything to read, the end of the connection included."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _how_lost(error: Exception | None) -> str:
    if error is None:
        return "closed"
    return "was reset" if isinstance(error, ConnectionError) else f"broke ({error})"
