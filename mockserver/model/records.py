"""What happened: deliveries with their attempts, kept within limits."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.messages import Exchange, ExchangeError, Request, Response
from mockserver.model.webhooks import Webhook

#: What became of a delivery.
#:
#: ``pending`` until the last attempt is over · ``delivered`` answered 2xx · ``failed`` answered otherwise, or not
#: answered at all · ``interrupted`` stopped while an attempt waited for its answer: the consumer may have it or not ·
#: ``not_sent`` stopped before its first attempt.
Outcome = Literal["pending", "delivered", "failed", "interrupted", "not_sent"]

#: How the source of a delivery begins that repeats another.
RESENT = "resend of "

#: The id of the webhook that a script brings along, in deliveries to it.
OWN_WEBHOOK = "script"

#: What one delivery costs in memory beside the bytes it holds; measured, rounded up.
_OVERHEAD = 1024


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened.

    Args:
        type: The event type, such as ``run.failed``.
        timestamp: When, as the payload says it.
        payload: The JSON that reports it: the body of every delivery of this event.
    """

    type: str
    timestamp: str
    payload: bytes


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request of a delivery, with what came back.

    Args:
        number: Which one it is, from 1.
        at: When it was made, by the mock's clock, in seconds since 1970.
        request: The exact bytes sent. None when no request could be made for the webhook's URL.
        exchange: What became of it.
        real_at: When it was made by the clock on the wall, in seconds since 1970; 0 where it was not noted.
    """

    number: int
    at: float
    request: Request | None
    exchange: Exchange
    real_at: float = 0.0

    @property
    def delivered(self) -> bool:
        """Whether a complete answer with a 2xx status came."""
        exchange = self.exchange
        # As Response.ok, written out: each delivery asks several times.
        return exchange.error is None and exchange.response is not None and 200 <= exchange.response.status < 300

    @property
    def response(self) -> Response | None:
        """The consumer's answer, or as much of it as came."""
        return self.exchange.response

    @property
    def error(self) -> ExchangeError | None:
        """Why there is no complete answer."""
        return self.exchange.error

    @property
    def result(self) -> str:
        """The result in a few words: a status such as ``200``, or why there is none."""
        if self.exchange.error is not None:
            return self.exchange.error.message
        return self.exchange.response.result if self.exchange.response else "no answer"


class Delivery(msgspec.Struct, gc=False):
    """One event on its way to one webhook.

    Args:
        number: Its place among all deliveries of this mock, from 1.
        event: The event.
        webhook_id: The webhook it goes to.
        url: The webhook's URL, as registered.
        source: What caused it: ``send``, or the script and line of a step.
        attempts: The attempts so far.
        outcome: What became of it, see :data:`Outcome`.
        size: Bytes of memory that the record of it takes, about; counted when it is over.
        seen: Whether anyone has looked at its outcome.
        faults: The names of its deliberate defects.
        unmet: In which points it does not meet what its step expects.
        account: Whose webhook it goes to; empty unless each API key is an account.
        keepers: How many shares of the memory budget hold it.
    """

    number: int
    event: Event
    webhook_id: str
    url: str
    source: str
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome = "pending"
    size: int = 0
    seen: bool = False
    faults: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    account: str = ""
    keepers: int = 0

    @property
    def delivery_id(self) -> str:
        """Its id, ours: the vendor documents none and sends none."""
        return f"dlv_{self.number:06d}"

    @property
    def delivered(self) -> bool:
        """Whether the consumer accepted it."""
        return self.outcome == "delivered"

    @property
    def response(self) -> Response | None:
        """The answer to the last attempt."""
        return self.attempts[-1].response if self.attempts else None

    @property
    def error(self) -> ExchangeError | None:
        """Why the last attempt got no complete answer."""
        return self.attempts[-1].error if self.attempts else None

    @property
    def payload(self) -> Any:
        """The event's payload, decoded."""
        return msgspec.json.decode(self.event.payload)

    @property
    def data(self) -> Any:
        """The ``data`` of the payload."""
        return self.payload["data"]

    def __str__(self) -> str:
        result = self.attempts[-1].result if self.attempts else "no attempt"
        tries = f" after {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        took = f"{self.attempts[-1].exchange.total_ms:.1f} ms" if self.attempts else ""
        outcome = f"{self.delivery_id} {self.event.type} to {self.url}: {self.outcome.replace('_', ' ')}{tries}"
        if self.error is not None:
            return f"{outcome} ({took}): {result}"
        return f"{outcome}, {result} in {took}" if took else f"{outcome}, {result}"


def what_is_unmet(delivery: Delivery) -> str:
    """Return what a delivery does not meet, to be shown beside it: why there is no answer it says itself."""
    reason = f": {delivery.error.message}" if delivery.error is not None else ""
    return "; ".join(unmet.removesuffix(reason) for unmet in delivery.unmet)


def seen(deliveries: Iterable[Delivery]) -> tuple[Delivery, ...]:
    """Return deliveries, noting that their outcome is looked at."""
    looked_at = tuple(deliveries)
    for delivery in looked_at:
        delivery.seen = True
    return looked_at


Listener = Callable[[Delivery], None]

#: Called with a delivery whose next attempt has to wait: the seconds, and the moment, by the clock of its replay.
WaitListener = Callable[[Delivery, float, float], None]


class RecordStore:
    """The deliveries of one mock. At a limit the oldest go, and :attr:`dropped` counts them."""

    def __init__(self, max_deliveries: int = 10_000, budget: MemoryBudget | None = None) -> None:
        self._max_deliveries = max_deliveries
        self._share = (budget or MemoryBudget()).share(self._drop_oldest)
        self._deliveries: deque[Delivery] = deque()  # by number
        self._pending: dict[int, Delivery] = {}
        self._listeners: list[Listener] = []
        self._begin_listeners: list[Listener] = []
        self._wait_listeners: list[WaitListener] = []
        self._begun = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._deliveries)

    def begin(self, event: Event, webhook: Webhook, source: str) -> Delivery:
        """Note that a delivery is about to be made."""
        self._begun += 1
        delivery = Delivery(self._begun, event, webhook.webhook_id, webhook.url, source, account=webhook.account)
        self._deliveries.append(delivery)
        self._pending[delivery.number] = delivery
        if len(self._deliveries) > self._max_deliveries:
            self._drop_oldest()
        for listener in self._begin_listeners:
            listener(delivery)
        return delivery

    def finish(self, delivery: Delivery) -> None:
        """Note that a delivery has its final outcome, and show it to the listeners."""
        delivery.size = size_of_delivery(delivery)
        if self._pending.get(delivery.number) is not delivery:
            return  # begun before the record was cleared: it does not concern the present listeners
        del self._pending[delivery.number]
        if delivery.number >= self._deliveries[0].number:  # else it was dropped before it was over
            self._share.keep(delivery)
        if self._listeners:
            for listener in tuple(self._listeners):
                listener(delivery)

    def postpone(self, delivery: Delivery, wait: float, moment: float) -> None:
        """Show the listeners a delivery whose next attempt has to wait."""
        for listener in self._wait_listeners:
            listener(delivery, wait, moment)

    def all(self) -> tuple[Delivery, ...]:
        """Return the deliveries on record, the oldest first."""
        return tuple(self._deliveries)

    def get(self, number: int) -> Delivery | None:
        """Return the delivery with this number, if it is on record."""
        place = bisect_left(self._deliveries, number, key=lambda delivery: delivery.number)
        found = self._deliveries[place] if place < len(self._deliveries) else None
        return found if found is not None and found.number == number else None

    def forget(self, account: str) -> None:
        """Forget the deliveries of one account; numbers go on."""
        for delivery in [each for each in self._deliveries if each.account == account]:
            self._let_go(delivery)
            self._pending.pop(delivery.number, None)
        self._deliveries = deque(each for each in self._deliveries if each.account != account)

    def clear(self) -> None:
        """Forget every delivery, and restart the numbering."""
        for delivery in self._deliveries:
            self._let_go(delivery)
        self._deliveries.clear()
        self._pending.clear()
        self._begun = self.dropped = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a function with each delivery that gets its final outcome; what is returned ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def subscribe_to_begins(self, listener: Listener) -> Callable[[], None]:
        """Call a function with each delivery that is about to be made; what is returned ends the subscription."""
        self._begin_listeners.append(listener)
        return lambda: self._begin_listeners.remove(listener)

    def subscribe_to_waits(self, listener: WaitListener) -> Callable[[], None]:
        """Call a function with each delivery whose next attempt has to wait; what is returned ends the subscription."""
        self._wait_listeners.append(listener)
        return lambda: self._wait_listeners.remove(listener)

    def _drop_oldest(self) -> None:
        self._let_go(self._deliveries.popleft())
        self.dropped += 1

    def _let_go(self, delivery: Delivery) -> None:
        if self._pending.get(delivery.number) is not delivery:  # what is under way does not count yet
            self._share.release(delivery)


def size_of_delivery(delivery: Delivery) -> int:
    """Return how many bytes of memory the record of a delivery takes, about."""
    size = _OVERHEAD
    for attempt in delivery.attempts:
        request, response = attempt.request, attempt.exchange.response
        if request is not None:
            size += request.size if request.plan else len(request.head) + len(request.body)
        if response is not None:
            size += len(response.body) + response.head_size
    return size
