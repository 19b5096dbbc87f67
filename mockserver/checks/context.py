"""What checks work with: valid events, their delivery with or without defects, and the answers so far."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import hashlib
import hmac
import random
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.checks.effects import ConsumerAccess, Effects
from mockserver.delivery.address_guard import why_refused
from mockserver.delivery.event_loop import monotonic
from mockserver.faults.fault import ChosenFault, Fault, Stage
from mockserver.faults.registry import FAULTS, read_fault
from mockserver.faults.request_builder import Draft, build_request
from mockserver.model.events import Catalog, encode_payload
from mockserver.model.messages import NEVER_CONNECTED, Request, Transport
from mockserver.model.quantities import format_timestamp
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.settings import SenderHeaders
from mockserver.model.signing import PREFIX, SIGNATURE_HEADER, sign
from mockserver.model.targets import Target

# ---------------------------------------------------------------- comparing answers

#: What changes from answer to answer: moments, UUIDs and other long hexadecimal ids, numbers.
_VARYING = re.compile(rb"[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+(?:[.:T-]\d+)*Z?")
_TEXT = re.compile(rb'"([^"\\]{4,})"')


class Answer(msgspec.Struct, frozen=True):
    """What is compared of an answer: its status, and its body without what varies."""

    status: int
    body: bytes


def comparable(delivery: Delivery) -> Answer | None:
    """Return what is compared of the last answer to a delivery; None if there was none."""
    response = delivery.response if delivery.error is None else None
    if response is None:
        return None
    return Answer(response.status, _VARYING.sub(b"#", _without_values(response.body, delivery.event)))


def _without_values(body: bytes, event: Event) -> bytes:
    """An answer without what it repeats of the event."""
    if not body:
        return body
    values = sorted({found[1] for found in _TEXT.finditer(event.payload) if any(map(_is_digit, found[1]))}, key=len)
    for value in reversed(values):
        body = body.replace(value, b"#")
    return body


def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


class ResponseBaseline(msgspec.Struct, frozen=True):
    """How a consumer answers what is known to be right, learned from the controls.

    Args:
        fresh: Its answer to a valid event that it did not know; None if that is not the same every time.
        known: Its answer to one that it knew already.
    """

    fresh: Answer | None = None
    known: Answer | None = None

    @property
    def reveals_duplicates(self) -> bool:
        """Whether the answer says if an event was known already."""
        return self.fresh is not None and self.known is not None and self.fresh != self.known


# ---------------------------------------------------------------- defects that only checks make

#: After every fault of the registry, so that these have the last word.
_LAST = len(FAULTS)


def defect(name: str, stage: Stage, apply: Callable[[Draft], None]) -> ChosenFault:
    """Make a fault that is not in the registry."""
    fault = Fault(name=name, layer="signature", doc="", stage=stage, apply=apply, position=_LAST)
    return ChosenFault(fault, {})


def signature(name: str, form: Callable[[bytes, str], str]) -> ChosenFault:
    """Make a fault of the signature."""

    def apply(draft: Draft) -> None:
        draft.set_header(SIGNATURE_HEADER, form(draft.payload, draft.secret).encode("latin-1"))

    return defect(name, "headers", apply)


def digest(payload: bytes, secret: str, algorithm: str = "sha256") -> str:
    """Return the digest of a payload in hex, without the prefix."""
    if algorithm == "sha256":
        return sign(payload, secret).removeprefix(PREFIX)
    return hmac.new(secret.encode("utf-8", "surrogateescape"), payload, getattr(hashlib, algorithm)).hexdigest()


def tampered_id() -> ChosenFault:
    """Change one character of the id of the event's object after signing: the result is still a valid event."""

    def apply(draft: Draft) -> None:
        payload = draft.payload
        begin = payload.index(b':"', payload.index(b'"data":')) + 2  # the data of our events begin with the id
        at = payload.index(b'"', begin) - 1
        draft.body = payload[:at] + (b"1" if payload[at : at + 1] == b"0" else b"0") + payload[at + 1 :]

    return defect("tampered_body", "body", apply)


def method(name: str) -> ChosenFault:
    """Make a request with a method other than POST."""

    def apply(draft: Draft) -> None:
        draft.opening = [name.encode("ascii") + step[4:] if isinstance(step, bytes) else step for step in draft.opening]

    return defect(f"method {name}", "wire", apply)


def header_case(name: str, change: Callable[[str], str]) -> ChosenFault:
    """Write the names of the headers in another case."""

    def apply(draft: Draft) -> None:
        draft.headers = [(change(header), value) for header, value in draft.headers]

    return defect(name, "framing", apply)


# ---------------------------------------------------------------- the context

#: The type of an event that the vendor does not have.
UNKNOWN_EVENT = "mockserver.unknown"

_WEBHOOK_ID = "check"
#: Seconds that are waited after an answer that says "too much at once", one after another.
_PAUSES = (0.3, 1.0, 2.0, 4.0)
#: A longer Retry-After is not waited for.
_LONGEST_PAUSE = 10.0
#: Seconds between two deliveries to a consumer that has a limit: at first, and at most.
_PACE, _SLOWEST_PACE = 0.05, 1.0
#: Seconds between the timestamp of an event and now, at most.
_SPAN = 280
#: Statuses that may mean "too much at once" (RFC 6585, 4; RFC 9110, 15.6.4).
LIMITS = (429, 503)
#: The most deliveries at once for a consumer whose handler is slow.
_AT_ONCE = 16
#: A consumer that takes this many seconds for an answer is slow.
_SLOW = 0.3
#: Real seconds that a consumer gets to come back: some are restarted when they end.
_RECOVERY, _RECOVERY_PAUSE = 5.0, 0.25
#: Seconds until a consumer that gave no answer is asked whether it still runs, and within which it may end afterwards.
_MOMENT, _AFTERMATH = 0.05, 1.0


class RateLimitedError(Exception):
    """The consumer accepts no more requests for now, so nothing can be found out; the message says so."""


class GoneError(Exception):
    """The consumer has ended and did not come back, so nothing more can be found out; the message says since when."""


class Ending(msgspec.Struct, frozen=True):
    """A request that ended the consumer.

    Args:
        delivery: The delivery that did it.
        check: The check that it belongs to.
        came_back: Whether the consumer was there again after a while.
    """

    delivery: Delivery
    check: str
    came_back: bool


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
        large_body: The size of a forged body that is sent, in bytes; 0 for none.

    Attributes:
        deliveries: Every delivery so far.
        baselines: How the consumer answers what is right, by event type.
        answer_seconds: How long the first answers took, all of them to valid events.
        first: The first delivery of each event type.
        limits: The answers that said "too much at once", by status.
        endings: The requests that ended the consumer.
        drip: A delivery whose body drips beside the other checks, and an ordinary one; None where there is none.
        by_moment: Whether the consumer takes timestamps for ids: then effects say nothing of other mistakes.
        same_second: Whether events of one type may have the same timestamp, as far as is known.
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
        large_body: int = 0,
    ) -> None:
        self.target = target
        self.url = url
        self.secret = secret
        self.all_events = tuple(events)
        self.access = access
        self.effects = Effects(access, effect_within)
        self.timeout = timeout
        self.large_body = large_body
        self._check = contextvars.ContextVar("check", default="")
        self.deliveries: list[Delivery] = []
        self.baselines: dict[str, ResponseBaseline] = {}
        self.answer_seconds: tuple[float, ...] = ()
        self.seed = seed
        self._catalog = catalog
        self._used: dict[str, set[int]] = {}
        self._transport = transport
        self._sender = sender
        self._chance = random.Random(f"check/{seed}")  # noqa: S311 - repeatable on purpose
        self.first: dict[str, Delivery] = {}
        self.limits: dict[int, int] = {}
        self.endings: list[Ending] = []
        self.same_second = True
        self.by_moment = False
        self.drip: Any = None
        self._own_answers: set[tuple[int, tuple[str, ...]]] = set()
        self._pace = 0.0
        self._next = 0.0
        self._gone = ""
        self._recent: list[tuple[float, Delivery, bool]] = []
        self._room = asyncio.Semaphore(_AT_ONCE)

    # ---------------------------------------------------------------- events

    @property
    def check(self) -> str:
        """The id of the check that is going on, for the record; each task has its own."""
        return self._check.get()

    @check.setter
    def check(self, check: str) -> None:
        self._check.set(check)

    @property
    def events(self) -> tuple[str, ...]:
        """The event types that the consumer accepts, as far as is known: the other checks use these."""
        refused = {event for event, delivery in self.first.items() if not delivery.delivered}
        return tuple(event for event in self.all_events if event not in refused) or self.all_events

    @property
    def slow(self) -> bool:
        """Whether the handler is slow: then deliveries are made at the same time."""
        first = self.deliveries[0] if self.deliveries else None
        return first is not None and seconds_of(first) > _SLOW

    @property
    def in_process(self) -> bool:
        """Whether the consumer is an application object: then nothing of the wire can be tested."""
        return bool(self.target.app)

    @property
    def event_with_effect(self) -> str:
        """An event type that has an effect, or whose answers reveal duplicates; failing that, the first one."""
        telling = [event for event, baseline in self.baselines.items() if baseline.reveals_duplicates]
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
        """Return moments a second apart, the last of them now, at which events happen one after another."""
        now = _present()
        return [float(now - len(types) + 1 + place) for place in range(len(types))]

    def _moment(self, event: str) -> float:
        """Now; where a consumer may take timestamps for ids, the last second at which no event of the type happened."""
        now = _present()
        if self.same_second:
            return float(now)
        used = self._used.get(event, set())
        return float(next((now - back for back in range(_SPAN) if now - back not in used), now))

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
            at: When it happened, in seconds since 1970; None for now.
            change: Changes its data.
        """
        event = event or self.event_with_effect
        known = self._catalog.get(event)
        data: dict[str, Any] = copy.deepcopy(known.data) if known else {}
        data[self.object_field(event)] = object_id or self.new_id(event)
        if change is not None:
            change(data)
        moment = self._moment(event) if at is None else at
        self._used.setdefault(event, set()).add(int(moment))
        timestamp = format_timestamp(moment)
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
        """Make the request of an event, valid except for the faults."""
        chosen = [fault if isinstance(fault, ChosenFault) else read_fault(fault) for fault in faults]
        chance = random.Random(f"{self.seed}/{len(self.deliveries)}")  # noqa: S311 - repeatable on purpose
        return build_request(event, self.target, self.secret, self._sender, chosen, chance)

    async def deliver(
        self,
        event: Event,
        *faults: ChosenFault | str | Mapping[str, Any],
        timeout: float | None = None,
        patient: bool = True,
        odd: bool = False,
    ) -> Delivery:
        """Deliver an event once; again, if the consumer answers that there are too many requests.

        After a delivery without an answer, the consumer is asked whether it still runs.

        Args:
            event: The event.
            faults: Its deliberate defects.
            timeout: Seconds until it must be answered; None for the usual time.
            patient: Whether to wait and ask again where an answer, or none, may say nothing about the event.
            odd: Whether the event is unusual, beside its faults.

        Returns:
            The delivery with its outcome: delivered is one that was answered 2xx.

        Raises:
            RateLimitedError: The consumer still takes no more requests after some waiting.
            GoneError: The consumer has ended.
        """
        if self._gone:
            raise GoneError(self._gone)
        delivery = await self._deliver_once(event, faults, timeout, odd=odd)
        if not patient or not any(first.delivered for first in self.first.values()):
            return delivery
        if self._is_limited(delivery):
            return await self._wait_out(delivery, faults, timeout)
        if delivery.error is not None and delivery.error.kind in _ENDED and not self.in_process:
            return await self._look_after(delivery, faults, timeout)
        return delivery

    async def deliver_all(self, variants: Iterable[Variant]) -> list[Made]:
        """Make the deliveries of a check, one after another; at the same time, where the handler is slow."""
        if not self.slow:
            return [await each.made(self) for each in variants]
        return list(await asyncio.gather(*(each.made(self) for each in variants)))

    async def deliver_types(self, types: Sequence[str]) -> None:
        """Deliver one valid event of each of some types."""
        await self.deliver_all([Variant(event, event=event) for event in types])

    async def _deliver_once(
        self,
        event: Event,
        faults: Sequence[ChosenFault | str | Mapping[str, Any]],
        timeout: float | None,
        *,
        odd: bool = False,
    ) -> Delivery:
        request = self.request(event, *faults)
        delivery = Delivery(len(self.deliveries) + 1, event, _WEBHOOK_ID, self.url, self.check)
        delivery.faults = tuple(fault.name if isinstance(fault, ChosenFault) else _name(fault) for fault in faults)
        self.deliveries.append(delivery)
        self.effects.stirred = True
        async with self._room:
            await self._in_turn()
            at = time.time()
            exchange = await self._transport.exchange(request, timeout or self.timeout)
        delivery.attempts = (Attempt(1, at, request, exchange),)
        delivery.outcome = "delivered" if delivery.attempts[0].delivered else "failed"
        if not faults and not odd:
            self.first.setdefault(event.type, delivery)
        if not _never_came(delivery):
            self._recent = [*self._recent[-_AT_ONCE:], (monotonic(), delivery, odd or bool(faults))]
        return delivery

    async def _in_turn(self) -> None:
        """Wait for as long as a consumer with a limit needs between two requests."""
        if self._pace:
            now = monotonic()
            self._next = max(now, self._next + self._pace)
            await asyncio.sleep(self._next - now)

    def outside(self, delivery: Delivery) -> str:
        """Return the address that a delivery went to, if it is neither of this machine nor of a private network."""
        exchange = delivery.attempts[-1].exchange
        never = exchange.error is not None and exchange.error.kind in NEVER_CONNECTED
        if self.in_process or never:
            return ""
        address = exchange.address.rpartition(":")[0].strip("[]")
        if not address:
            return "an unknown address"
        return address if why_refused(address, address) else ""

    # ---------------------------------------------------------------- limits

    def _is_limited(self, delivery: Delivery) -> bool:
        status = status_of(delivery)
        return status in LIMITS and (status, delivery.faults) not in self._own_answers

    async def _wait_out(
        self, delivery: Delivery, faults: Sequence[ChosenFault | str | Mapping[str, Any]], timeout: float | None
    ) -> Delivery:
        """Try again, slower; a request answered so while a valid event is accepted is answered so for its own sake."""
        for pause in _PAUSES:
            status = status_of(delivery)
            await asyncio.sleep(min(_retry_after(delivery) or pause, _LONGEST_PAUSE))
            delivery = await self._deliver_once(delivery.event, faults, timeout)
            if not self._is_limited(delivery):
                self.limits[status] = self.limits.get(status, 0) + 1
                self._pace = min(max(2 * self._pace, _PACE), _SLOWEST_PACE)
                return delivery
            if faults and (await self._aside()).delivered:
                self._own_answers.add((status_of(delivery), delivery.faults))
                return delivery
        status = status_of(delivery)
        self.limits[status] = self.limits.get(status, 0) + 1
        raise RateLimitedError(f"the consumer answers {status} even after some waiting: lift its rate limit for checks")

    # ---------------------------------------------------------------- a consumer that ends

    async def _look_after(
        self, delivery: Delivery, faults: Sequence[ChosenFault | str | Mapping[str, Any]], timeout: float | None
    ) -> Delivery:
        """See whether a consumer that gave no answer still runs; if not, note what ended it, and wait for it."""
        if not _never_came(delivery):
            for _ in range(3):  # it may take a moment to end
                await asyncio.sleep(_MOMENT)
                control = await self._aside()
                if status_of(control):
                    return delivery
                if _never_came(control):
                    break
        killer = self._culprit(delivery)
        came_back = await self._returns()
        self.endings.append(Ending(killer, killer.source, came_back))
        if not came_back:
            self._gone = f"the consumer has been gone since a request of {killer.source or 'this run'} ended it (PG007)"
        if _never_came(delivery) and came_back:
            return await self._deliver_once(delivery.event, faults, timeout)
        return delivery

    def _culprit(self, delivery: Delivery) -> Delivery:
        """The request that ended the consumer: the last unusual one that reached it, shortly before; else the last."""
        since = monotonic() - _AFTERMATH - _RECOVERY_PAUSE
        reached = [(each, odd) for at, each, odd in self._recent if at >= since and each.event.type]
        unusual = [each for each, odd in reached if odd]
        others = [each for _, each, _ in self._recent]
        return (unusual or [each for each, _ in reached] or others or [delivery])[-1]

    async def recovers(self) -> bool:
        """Wait for a while until the consumer accepts a valid event again."""
        deadline = monotonic() + _RECOVERY
        while monotonic() < deadline:
            await asyncio.sleep(_RECOVERY_PAUSE)
            if (await self.control()).delivered:
                return True
        return False

    async def _returns(self) -> bool:
        deadline = monotonic() + _RECOVERY
        while monotonic() < deadline:
            await asyncio.sleep(_RECOVERY_PAUSE)
            if status_of(await self._aside()):
                return True
        return False

    async def _aside(self) -> Delivery:
        """Deliver a valid event beside what is measured."""
        control = await self._deliver_once(self.event(self.events[0]), (), None)
        self.effects.aside += self.effects.unit(control.event.type) if control.delivered else 0.0
        return control

    async def together(self, work: Sequence[Coroutine[Any, Any, Delivery]]) -> list[Delivery]:
        """Make deliveries at the same time."""
        return list(await asyncio.gather(*work))

    async def control(self, *, patient: bool = True) -> Delivery:
        """Deliver a valid event of the kind that was accepted at first, beside what is measured."""
        control = await self.deliver(self.event(self.events[0]), patient=patient)
        self.effects.aside += self.effects.unit(control.event.type) if control.delivered else 0.0
        return control


#: The kinds of error that may mean that the consumer has ended.
_ENDED = (*NEVER_CONNECTED, "closed")


def _present() -> int:
    """Give the second that every clock has reached: the one of time(2) is some milliseconds behind."""
    return int(time.time() - 0.02)


def _never_came(delivery: Delivery) -> bool:
    """Whether no byte of a delivery reached a consumer."""
    attempt = delivery.attempts[-1]
    return attempt.error is not None and attempt.error.kind in NEVER_CONNECTED and not attempt.exchange.resent


def _retry_after(delivery: Delivery) -> float:
    """The seconds after which an answer asks to try again; 0 if it does not."""
    headers = delivery.response.headers if delivery.response else ()
    value = next((value for name, value in headers if name == "retry-after"), "")
    return float(value) if value.isdecimal() else 0.0


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
        """Make the event: about a new object each time."""
        event = context.event(self.event, change=self.change, at=at)
        return event if self.raw is None else msgspec.structs.replace(event, payload=self.raw)

    async def deliver(self, context: CheckContext) -> Delivery:
        """Make the event, and deliver it."""
        return await context.deliver(self.make(context), *self.faults, odd=self.raw is not None)

    async def made(self, context: CheckContext) -> Made:
        """Make the event, deliver it, and return what it was with what came of it."""
        return self, await self.deliver(context)


#: What one of the deliveries was, and what came of it.
Made = tuple[Variant, Delivery]
