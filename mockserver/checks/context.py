"""What checks work with: valid events, their delivery with defects or without, and the answers so far."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.checks.answer_comparison import ResponseBaseline
from mockserver.checks.effects import ConsumerAccess, Effects
from mockserver.faults.fault import ChosenFault
from mockserver.faults.reading import read_fault
from mockserver.faults.request_builder import build_request
from mockserver.model.durations import format_timestamp
from mockserver.model.events import Catalog, encode_payload
from mockserver.model.messages import Request, Transport
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.sender_headers import SenderHeaders
from mockserver.model.targets import Target

#: The type of an event that the vendor does not have.
UNKNOWN_EVENT = "mockserver.unknown"

_WEBHOOK_ID = "check"
#: Seconds that are waited after an answer 429, one after another.
_PAUSES = (0.5, 1.0, 2.0)
#: So far from now events happen at most, in seconds, by their timestamps: some consumers refuse others.
_SPAN = 115


class RateLimitedError(Exception):
    """The consumer takes no more requests for now, so nothing can be found out; the message says so."""


class CheckContext:
    """Makes the deliveries of checks.

    Args:
        target: Where they go.
        url: The consumer's URL, as it was given.
        secret: What it verifies with.
        events: The event types that it handles, the first of them for the controls.
        catalog: The event types with their samples.
        transport: What carries the requests.
        access: What else is known of the consumer.
        sender: The headers that say who sends the deliveries, and what the user adds.
        timeout: Seconds until an attempt must be answered.
        seed: Makes ids repeatable.
        effect_within: Seconds that an effect may take to show; None to learn it.

    Attributes:
        check: The id of the check that is going on, for the record.
        deliveries: Every delivery so far.
        baselines: How the consumer answers what is right, by event type.
        answer_seconds: How long the first answers took, all of them to valid events.
    """

    def __init__(  # noqa: PLR0913 - all of them are named by the caller
        self,
        *,
        target: Target,
        url: str,
        secret: str,
        events: Sequence[str],
        catalog: Catalog,
        transport: Transport,
        access: ConsumerAccess,
        sender: SenderHeaders,
        timeout: float,
        seed: int,
        effect_within: float | None = None,
    ) -> None:
        self.target = target
        self.url = url
        self.secret = secret
        self.events = tuple(events)
        self.access = access
        self.effects = Effects(access, effect_within)
        self.timeout = timeout
        self.check = ""
        self.deliveries: list[Delivery] = []
        self.baselines: dict[str, ResponseBaseline] = {}
        self.answer_seconds: tuple[float, ...] = ()
        self.seed = seed
        self._catalog = catalog
        self._began = time.time() - _SPAN
        self._seconds: dict[str, int] = {}
        self._transport = transport
        self._sender = sender
        self._chance = random.Random(f"check/{seed}")  # noqa: S311 - repeatable on purpose

    # ---------------------------------------------------------------- events

    @property
    def in_process(self) -> bool:
        """Whether the consumer is an application object: then nothing of the wire can be tested."""
        return bool(self.target.app)

    @property
    def event_with_effect(self) -> str:
        """An event type that has an effect, or whose answers reveal duplicates; failing that, the first one."""
        telling = [event for event, baseline in self.baselines.items() if baseline.tell_duplicates]
        return next(iter([*self.effects.units, *telling]), self.events[0])

    @property
    def events_in_question(self) -> tuple[str, ...]:
        """The event types that have an effect; all that the consumer handles, where no effect is known."""
        return tuple(self.effects.units) or self.events

    def object_field(self, event: str) -> str:
        """Return the key that holds the id of what an event is about."""
        known = self._catalog.get(event)
        return known.object_id if known else "id"

    def new_id(self, event: str) -> str:
        """Return an id that was not used before, as the vendor writes those of this type."""
        known = self._catalog.get(event)
        prefix = str(known.data[known.object_id]).partition("_")[0] if known else "obj"
        return f"{prefix}_{self._chance.getrandbits(48):012x}"

    def moments(self, *types: str) -> list[float]:
        """Return moments of about now at which no event of the same type happened, in seconds since 1970.

        Timestamps are written in seconds: a consumer that goes by them must not take two events for one, nor any for
        an old one.

        Args:
            types: For each event its type; they happen a second after one another.
        """
        first = max(self._seconds.get(event, 0) for event in types)
        if first + len(types) > 2 * _SPAN:
            first = 0
        self._seconds.update(dict.fromkeys(types, first + len(types)))
        return [self._began + first + place for place in range(len(types))]

    def event(
        self,
        event: str = "",
        *,
        object_id: str = "",
        at: float | None = None,
        change: Callable[[dict[str, Any]], Any] | None = None,
    ) -> Event:
        """Make a valid event about an object that is new.

        Args:
            event: Its type; empty for the one of the controls.
            object_id: The id of the object that it is about; empty for a new one.
            at: When it happened, in seconds since 1970; None for a moment of its own.
            change: Changes its data.
        """
        event = event or self.event_with_effect
        known = self._catalog.get(event)
        data: dict[str, Any] = copy.deepcopy(known.data) if known else {}
        data[self.object_field(event)] = object_id or self.new_id(event)
        if change is not None:
            change(data)
        timestamp = format_timestamp(self.moments(event)[0] if at is None else at)
        return Event(event, timestamp, encode_payload(event, timestamp, data))

    def story(self) -> list[str]:
        """Return the event types that have an effect in the order in which they happen to one object.

        Those about the same kind of object come first. A run fails here before it is completed, as one does that was
        started again.
        """
        types = sorted(self.effects.units, reverse=True)
        return sorted(types, key=lambda event: self.object_field(event) != self.object_field(types[0]))

    # ---------------------------------------------------------------- deliveries

    def request(self, event: Event, *faults: ChosenFault | str | Mapping[str, Any]) -> Request:
        """Make the request of an event: a valid one, but for the faults."""
        chosen = [fault if isinstance(fault, ChosenFault) else read_fault(fault) for fault in faults]
        chance = random.Random(f"{self.seed}/{len(self.deliveries)}")  # noqa: S311 - repeatable on purpose
        return build_request(event, self.target, self.secret, self._sender, chosen, chance)

    async def deliver(
        self,
        event: Event,
        *faults: ChosenFault | str | Mapping[str, Any],
        timeout: float | None = None,
        patient: bool = True,
    ) -> Delivery:
        """Deliver an event once; again, if the consumer answers that there are too many requests.

        Args:
            event: The event.
            faults: Its deliberate defects.
            timeout: Seconds until it must be answered; None for the usual time.
            patient: Whether 429 is waited out: it says nothing about the event. Otherwise it is an answer like others.

        Returns:
            The delivery with its outcome: delivered is one that was answered 2xx.

        Raises:
            RateLimitedError: The consumer still answers 429 after some waiting.
        """
        delivery = await self._deliver_once(event, faults, timeout)
        for pause in _PAUSES:
            if not patient or status_of(delivery) != 429:
                return delivery
            await asyncio.sleep(pause)
            delivery = await self._deliver_once(event, faults, timeout)
        if status_of(delivery) == 429:
            raise RateLimitedError("the consumer answers 429 even after some waiting: lift its rate limit for checks")
        return delivery

    async def _deliver_once(
        self, event: Event, faults: Sequence[ChosenFault | str | Mapping[str, Any]], timeout: float | None
    ) -> Delivery:
        request = self.request(event, *faults)
        delivery = Delivery(len(self.deliveries) + 1, event, _WEBHOOK_ID, self.url, self.check)
        delivery.faults = tuple(fault.name if isinstance(fault, ChosenFault) else _name(fault) for fault in faults)
        self.deliveries.append(delivery)
        self.effects.stirred = True
        at = time.time()
        exchange = await self._transport.exchange(request, timeout or self.timeout)
        delivery.attempts = (Attempt(1, at, request, exchange),)
        delivery.outcome = "delivered" if delivery.attempts[0].delivered else "failed"
        return delivery

    async def together(self, work: Sequence[Coroutine[Any, Any, Delivery]]) -> list[Delivery]:
        """Make deliveries at the same time."""
        return list(await asyncio.gather(*work))

    async def control(self, *, patient: bool = True) -> Delivery:
        """Deliver a valid event of the kind that was accepted at first; see :meth:`deliver`."""
        return await self.deliver(self.event(self.events[0]), patient=patient)


def _name(fault: str | Mapping[str, Any]) -> str:
    return read_fault(fault).name


def answer_of(delivery: Delivery) -> str:
    """Say in a few words what came back: ``answered 401``, ``gave no answer (closed ...)``."""
    if delivery.error is not None:
        return f"gave no answer ({delivery.error.message})"
    return f"answered {delivery.response.status}" if delivery.response else "gave no answer"


def status_of(delivery: Delivery) -> int:
    """Return the status of the answer; 0 if there was none."""
    response = delivery.response if delivery.error is None else None
    return response.status if response else 0


def seconds_of(delivery: Delivery) -> float:
    """Return how long the last attempt of a delivery took, in seconds; there must be one."""
    return delivery.attempts[-1].exchange.total_ms / 1000


class Variant(msgspec.Struct, frozen=True):
    """One of the deliveries of a check.

    Args:
        label: What is special about it, in a few words.
        faults: Its deliberate defects.
        event: Its type; empty for the one of the controls.
        change: Changes its data.
        raw: Its whole payload, signed as it is; None for the event's own.
    """

    label: str
    faults: tuple[ChosenFault | str | Mapping[str, Any], ...] = ()
    event: str = ""
    change: Callable[[dict[str, Any]], Any] | None = None
    raw: bytes | None = None

    def make(self, context: CheckContext, at: float | None = None) -> Event:
        """Make the event: about a new object each time.

        Args:
            context: The context of the checks.
            at: When it happened; None for a moment of its own.
        """
        event = context.event(self.event, change=self.change, at=at)
        return event if self.raw is None else msgspec.structs.replace(event, payload=self.raw)

    async def deliver(self, context: CheckContext) -> Delivery:
        """Make the event, and deliver it."""
        return await context.deliver(self.make(context), *self.faults)
