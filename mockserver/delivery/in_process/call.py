"""One request to an application, and what is recorded of its answer, or of what it raised.

The application answers on one thread while the mock waits on another. Only ``done`` is shared between them in both
directions; everything else is written on the application's side, and read on the mock's when that is over.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http
import threading
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType

from mockserver.delivery.event_loop import monotonic
from mockserver.delivery.http1.answer import READ_LIMIT
from mockserver.model.messages import Close, Exchange, ExchangeError, Headers, Request, Response, size_of
from mockserver.model.quantities import format_duration

#: The name of the thread of applications that are called from sync code.
APP_THREAD = "mockserver-app"

_OURS = "mockserver.delivery.in_process"


def app_error(error: BaseException, prefix: str = "") -> ExchangeError:
    """Return an exception of an application as the error of an exchange, with something to say before it.

    A group with one exception in it, as task groups raise it, counts as that exception.
    """
    error = _only_one(error)
    lines = str(error).splitlines() or [""]
    message = f"{prefix}{type(error).__name__}: {lines[0]}{' …' if len(lines) > 1 else ''}"
    shown = traceback.format_exception(type(error), error, _theirs(error.__traceback__))
    return ExchangeError("app", message.removesuffix(": "), "".join(shown))


def may_be_ctrl_c(error: BaseException) -> bool:
    """Whether what an application raised may be the user's Ctrl-C, which never comes on the thread of applications."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread().name != APP_THREAD


def _only_one(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _only_one(inner[0]) if len(inner) == 1 else error


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that lead from here to the application."""
    first = trace
    while first is not None and str(first.tb_frame.f_globals.get("__name__", "")).startswith(_OURS):
        first = first.tb_next
    return first or trace


#: Where requests seem to come from: an address and a port.
CLIENT = ("127.0.0.1", 123)

#: How many bytes of an answer's body are kept, as of one that came over the network.
RECORD_LIMIT = 65536

RawHeaders = tuple[tuple[bytes, bytes], ...]


class IncompleteAnswerError(Exception):
    """The application has ended without a complete answer; the message says what was missing."""


class Call:
    """One request to an application.

    Attributes:
        method: The method, as it would be sent.
        path: The request target up to the question mark, percent-encoded as it would be sent.
        query: What follows the question mark.
        headers: The names and values, as they would be sent, in that order.
        closing: The end of the connection that a fault asks for. Other faults of the wire do not show in a process.
        done: Resolved when the application has finished with it.
        starting: Whether the application is still being started.
        cancel: Ends the application's work on this, from any thread.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.method, target, self.headers = parse_head(request.head)
        self.path, _, self.query = target.partition(b"?")
        self.closing = next((step for step in request.plan if isinstance(step, Close)), None)
        self.starting = False
        self.cancel: Callable[[], None] = lambda: None
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.done.set_running_or_notify_cancel()  # a caller that stops waiting does not cancel it
        self._error: ExchangeError | None = None
        self._given_up = False
        self._status = 0
        self._reason = ""
        self._headers: Headers = ()
        self._body = bytearray()
        self._size = 0
        self._started = monotonic()
        self._first_byte_at = self._ended_at = 0.0

    # --- the application's side

    @property
    def cut_short(self) -> bool:
        """Whether the body is shorter than its header says."""
        lengths = [int(value) for name, value in self.headers if name.lower() == b"content-length"]
        return bool(lengths) and lengths[0] > len(self.request.body)

    @property
    def begun(self) -> bool:
        """Whether the status of an answer came."""
        return self._status != 0

    @property
    def complete(self) -> bool:
        """Whether the whole answer came, or as much as is read of one."""
        return self._ended_at != 0

    @property
    def wanted(self) -> bool:
        """Whether the answer is still waited for."""
        return not (self._given_up or self.done.done())

    @property
    def body_size(self) -> int:
        """How many bytes of body came."""
        return self._size

    def begin(self, status: int, reason: str | None, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Note the status, reason phrase (None for the usual one) and headers of the answer."""
        self._headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        self._reason = _usual_reason(status) if reason is None else reason
        self._first_byte_at = self._first_byte_at or monotonic()
        self._status = status

    def add(self, part: bytes) -> bool:
        """Note a part of the body, and return whether more is wanted.

        An endless answer is cut off, and so is one that is waited for no longer.
        """
        if not self.wanted:
            return False
        part = part[: READ_LIMIT - self._size]
        self._size += len(part)
        self._body += part[: RECORD_LIMIT - len(self._body)]
        return self._size < READ_LIMIT

    def end(self) -> None:
        """Note that the answer is complete."""
        self._ended_at = monotonic()

    def finish(self, error: ExchangeError | None = None) -> None:
        """Note that the application has finished with it, well or not. Only the first time counts."""
        if not self.done.done():
            self._error = error
            with contextlib.suppress(concurrent.futures.InvalidStateError):  # the mock was stopped at this moment
                self.done.set_result(None)

    # --- the mock's side

    def give_up(self) -> None:
        """Wait no longer: end the application's work on it. What it does after its answer may go on."""
        if not self.done.done():
            self._given_up = True
            if not self.complete:
                self.cancel()

    def exchange(self, timeout: float) -> Exchange:
        """Return what became of it; ``timeout`` is how long it was waited for."""
        error = self._error
        if self._given_up and not self.complete:
            error = ExchangeError("timeout", self._unfinished(format_duration(timeout)))
        if self.closing is not None:
            error = ExchangeError("closed", self.closing.message, error.detail if error else "")
        return Exchange(
            response=self._response() if self.closing is None else None,
            error=error,
            first_byte_ms=self._milliseconds(self._first_byte_at) if self._first_byte_at else 0.0,
            total_ms=self._milliseconds(self._ended_at or monotonic()),
        )

    def _unfinished(self, within: str) -> str:
        if self.starting:
            return f"the application did not start within {within}"
        if self.begun:
            return f"no complete answer within {within}: {self._size} bytes of body came"
        return f"no answer within {within}"

    def _response(self) -> Response | None:
        if not self.begun:
            return None
        headers = self._headers
        return Response(self._status, self._reason, headers, bytes(self._body), self._size, size_of(headers))

    def _milliseconds(self, moment: float) -> float:
        return (moment - self._started) * 1000


def parse_head(head: bytes) -> tuple[str, bytes, RawHeaders]:
    """Return the method, the request target and the headers of a request's head."""
    opening, *lines = head.split(b"\r\n")
    method, target, _ = opening.split(b" ", 2)
    fields = (line.partition(b":") for line in lines if line)
    return method.decode("ascii"), target, tuple((name, value.strip(b" \t")) for name, _, value in fields)


def _usual_reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
