"""Writing a request by its plan: in pieces, with pauses, with a wait for ``100 Continue``, or not to its end."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Iterator

from mockserver.delivery.http1.answer import Answer
from mockserver.model.messages import AwaitContinue, Close, Pause, WireStep

#: Over TLS, seconds that the other side has for its goodbye when we close on purpose.
_GOODBYE = 0.25
#: Makes closing a socket reset the connection: linger, for no time.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class PlannedWrite:
    """Writes one request on one connection.

    Args:
        loop: The running loop.
        transport: The connection's transport.
        answer: What is read on the connection; it knows of a ``100 Continue``.
        plan: The steps.

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
