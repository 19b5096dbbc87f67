"""``--wait-for-target`` and ``--wait-for``: the application takes a moment to start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.model.messages import NEVER_CONNECTED
from mockserver.model.quantities import format_duration
from mockserver.model.records import Delivery
from mockserver.model.targets import Target

if TYPE_CHECKING:
    from mockserver.server.mock import Mock

#: Seconds to wait for the URL of ``--wait-for`` if nothing else is said.
_DEFAULT = 30.0
#: Seconds between two requests.
_PAUSE = 0.2
#: The longest time for the answer to one of them, in seconds.
_LONGEST = 5.0


class Readiness(msgspec.Struct, frozen=True):
    """What to wait for before anything is sent.

    Args:
        within: The longest time to wait, in seconds; None does not wait.
        url: The URL that must answer with 2xx; None waits until the target accepts connections.
    """

    within: float | None = None
    url: str | None = None

    @staticmethod
    def of(options: dict[str, Any]) -> Readiness:
        """Take the options of waiting out of those of a command; raises UsageError."""
        within, url = options.pop("wait_for_target"), options.pop("wait_for")
        if url is not None:
            Target.parse(url)
            within = _DEFAULT if within is None else within
        return Readiness(within, url)

    @property
    def note(self) -> list[str]:
        """What to print while waiting, as lines."""
        if self.within is None:
            return []
        what = f"{self.url} to answer with 2xx" if self.url else "the target to accept connections"
        return [f"waiting up to {format_duration(self.within)} for {what}"]

    async def why_not(self, mock: Mock, targets: Iterable[Target]) -> str:
        """Wait, and return why the consumer is not ready in time; empty when it is."""
        if self.within is None:
            return ""
        if self.url is not None:
            return await self._why_no_answer(mock, mock.routes.resolve(self.url), self.within)
        # Imported here: most runs wait for nothing.
        from mockserver.delivery.http1.dial import why_unreachable  # noqa: PLC0415 - start-up does without

        for target in targets:
            if reason := await why_unreachable(target, self.within, mock.settings.allow_hosts):
                return reason
        return ""

    async def _why_no_answer(self, mock: Mock, target: Target, within: float) -> str:
        from mockserver.model.messages import Request  # noqa: PLC0415 - as above
        from mockserver.model.settings import header_lines  # noqa: PLC0415 - as above

        head = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{header_lines(mock.settings.sender)}\r\n"
        request = Request(target, head.encode("ascii"), b"")
        now = asyncio.get_running_loop().time
        deadline = now() + within
        while True:
            exchange = await mock.transport_to(target).exchange(request, min(max(deadline - now(), _PAUSE), _LONGEST))
            if exchange.error is None and exchange.response is not None and exchange.response.ok:
                return ""
            if now() + _PAUSE > deadline:
                reason = exchange.error.message if exchange.error else ""
                reason = reason or f"it answered {exchange.response.status if exchange.response else 'nothing'}"
                return f"{self.url} did not answer with 2xx within {format_duration(within)} ({reason})"
            await asyncio.sleep(_PAUSE)


class Reach:
    """Whether deliveries come to a consumer at all.

    Attributes:
        why_not: Why not one did; empty as long as there was none, or one of them connected.
    """

    def __init__(self) -> None:
        self.why_not = ""
        self._connected = False

    def note(self, delivery: Delivery) -> None:
        """Note a delivery that has its outcome."""
        if self._connected:
            return
        error = delivery.error
        if error is None or error.kind not in NEVER_CONNECTED:
            self._connected = True
            self.why_not = ""
        elif not self.why_not:
            self.why_not = f"the target could not be reached: {error.message}"
