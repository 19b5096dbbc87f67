"""The plan of a load: which event is sent when and with which content, decided by numbers alone.

A *play* is one pass through the script, under ids of its own. Its name holds the seed, and decides every byte but the
timestamp: the same seed gives the same events however many workers send them, and no two plays send the same event by
accident.
"""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import msgspec

from mockserver.delivery.address_guard import why_refused
from mockserver.errors import UsageError
from mockserver.faults.delivery import DeliveryPlan, delivery_plan
from mockserver.faults.fault import ChosenFault
from mockserver.faults.registry import read_fault
from mockserver.faults.request_builder import build_request
from mockserver.model.events import Catalog, encode_payload
from mockserver.model.expectations import DELIVERED, UNJUDGED, matches_status
from mockserver.model.quantities import format_timestamp, parse_duration
from mockserver.model.records import Event
from mockserver.model.settings import SenderHeaders, Settings, sender_headers
from mockserver.model.signing import SIGNATURE_HEADER, sign
from mockserver.model.targets import Target
from mockserver.script.model import AwaitStep, EventStep, PauseStep, Script, TogetherStep, expectation_for
from mockserver.script.package_files import find_script, load_catalog, read_script_file
from mockserver.script.reader import read_script
from mockserver.script.templates import Moment

#: What an accepted event does to the consumer: it has an effect, it must have none, or no one can say.
Effect = Literal["one", "none", "unknown"]

#: Other spellings of the same event, signed as they are sent: a correct consumer handles them as usual.
_RESPELLED = frozenset(
    {"sorted_keys", "spaced_json", "pretty_json", "escaped_unicode", "trailing_newline", "extra_fields", "stale"}
)
#: Odd signature headers that hold the right digest: accepting one is no forgery.
_RIGHT_DIGEST = frozenset({"signature_without_prefix"})
_COPIES = frozenset({"duplicate", "concurrent_duplicates"})
#: Transport faults that Locust's client can make.
_SLOW = "slow_body"
_IMPOSSIBLE = frozenset({"duplicate_signature_header", "swap_with_next"})


_ORDINARY = DeliveryPlan()


class PlannedEvent(msgspec.Struct, frozen=True):
    """One event of a play, before it is rendered.

    Args:
        step: The step of the script.
        index: Which repeat of the step, from 0.
        after: Seconds of the script's time since the event before it in the same play.
    """

    step: EventStep
    index: int
    after: float


class SignedEvent(msgspec.Struct, frozen=True):
    """An event as it goes over the wire.

    Args:
        name: The event type, with the faults in brackets where it has any: a row of Locust's table.
        identity: What a consumer recognises it by: the event type and the id of its object.
        headers: The headers to send, without those that the client writes itself.
        body: The bytes that are signed and sent.
        accepted: The statuses that are right.
        forged: Whether it must be refused, as its signature proves nothing.
        effect: What an accepted one does to the consumer.
        copies: How often the same bytes are sent.
        together: Whether the copies are released at the same time.
        body_seconds: How many seconds the body takes; 0 for one write.
    """

    name: str
    identity: str
    headers: dict[str, str]
    body: bytes
    accepted: tuple[str, ...]
    forged: bool
    effect: Effect
    copies: int = 1
    together: bool = False
    body_seconds: float = 0.0

    def is_right(self, status: int) -> bool:
        """Whether an answer is the expected one; 0 is no answer."""
        if self.accepted == DELIVERED.status:  # nearly all are, and this is the hot path
            return 200 <= status < 300
        return bool(status) and matches_status(self.accepted, status)


class FaultShare(msgspec.Struct, frozen=True):
    """A fault that a share of the events gets, whatever the script says of them."""

    fault: ChosenFault
    share: float


def read_shares(faults: Mapping[str, float]) -> tuple[FaultShare, ...]:
    """Read the shares of faults that a user class asks for; raises UsageError."""
    shares = []
    for name, share in faults.items():
        try:
            fault = read_fault(name)
        except ValueError as error:
            raise UsageError(f"faults: {error}") from None
        if not 0 <= share <= 1:
            raise UsageError(f"faults: {name!r} has the share {share}; a share is a number from 0 to 1")
        _check_fault(fault, "faults")
        shares.append(FaultShare(fault, share))
    if (total := math.fsum(each.share for each in shares)) > 1:
        raise UsageError(f"faults: the shares add up to {total:.16g}; 1 is all of the events")
    return tuple(shares)


class LoadPlan:
    """The events of a script, any number of times over.

    Args:
        script: The script; its pauses and its times count only for users without a rate.
        catalog: The event types, which say what holds the id of an event's object.
        target: Where the events go.
        secret: Signs them.
        sender: The headers that say who sends them, and what the user adds.
        shares: Faults beside those of the script.
        counted: The event types that the probe counts; None for all of them.

    Raises:
        UsageError: The script sends nothing, or has a fault that cannot be sent under load.
    """

    def __init__(
        self,
        script: Script,
        catalog: Catalog,
        target: Target,
        secret: str,
        sender: SenderHeaders,
        *,
        shares: Sequence[FaultShare] = (),
        counted: Sequence[str] | None = None,
    ) -> None:
        self._script = script
        self._target = target
        self._secret = secret
        self._sender = sender
        self._shares = shares
        self._counted = counted
        self._object_ids = {each.event: each.object_id for each in catalog.all()}
        self._id_keys = frozenset(self._object_ids.values())
        for step in script.event_steps():
            for fault in step.faults:
                _check_fault(fault, f"{script.source}:{step.line}")
        self.events = tuple(_planned(script))
        if not self.events:
            raise UsageError(f"{script.source} sends no event")
        plain = build_request(Event("", "", b""), target, secret, sender)
        self._headers = _headers(plain.head)
        self._repeats: frozenset[int] = frozenset()
        self._repeats = self._find_repeats()

    def _find_repeats(self) -> frozenset[int]:
        """The events of a play that are an earlier one again, which a consumer handles once."""
        seen: set[str] = set()
        repeats = set()
        for number in range(len(self.events)):
            event = self.event("repeats", number, 0.0)
            if event is not None and event.effect == "one":
                if event.identity in seen:
                    repeats.add(number)
                seen.add(event.identity)
        return frozenset(repeats)

    def event(self, play: str, number: int, now: float) -> SignedEvent | None:
        """Make one event."""
        planned = self.events[number]
        step = planned.step
        seed = f"{play}/{number}"
        faults = step.faults or self._drawn(seed)
        plan = delivery_plan(faults) if faults else _ORDINARY
        if plan.lost:
            return None
        timestamp = format_timestamp(now - plan.stale)
        data = dict(step.data.render(Moment(planned.index, timestamp, seed)))
        self._own_ids(data, play, planned)
        payload = encode_payload(step.event, timestamp, data)
        identity = f"{step.event} {data.get(self._object_ids.get(step.event, ''), seed)}"
        effect = "none" if number in self._repeats else self._effect(step, faults)
        if not faults:
            headers = {**self._headers, SIGNATURE_HEADER: sign(payload, self._secret)}
            return SignedEvent(step.event, identity, headers, payload, step.expect.status, False, effect)
        event = Event(step.event, timestamp, payload)
        return self._signed(step, event, faults, plan, identity=identity, effect=effect, seed=seed)

    def _drawn(self, seed: str) -> tuple[ChosenFault, ...]:
        """The fault that chance gives an event, always the same one."""
        if not self._shares:
            return ()
        left = random.Random(f"fault/{seed}").random()  # noqa: S311 - repeatable on purpose
        for each in self._shares:
            left -= each.share
            if left < 0:
                return (each.fault,)
        return ()

    def _own_ids(self, data: dict[str, Any], play: str, planned: PlannedEvent) -> None:
        """Give the objects ids of this play; the same id in two steps stays one object."""
        for key in self._id_keys & data.keys():
            original = str(data[key])
            token = f"{play}/{original}/{planned.index}"
            data[key] = f"{original.partition('_')[0]}_{blake2b(token.encode(), digest_size=8).hexdigest()}"

    def _signed(
        self,
        step: EventStep,
        event: Event,
        faults: tuple[ChosenFault, ...],
        plan: DeliveryPlan,
        *,
        identity: str,
        effect: Effect,
        seed: str,
    ) -> SignedEvent:
        names = [fault.name for fault in faults]
        slow = next((fault.values for fault in faults if fault.name == _SLOW), None)
        chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        made = tuple(fault for fault in faults if fault.name != _SLOW)
        request = build_request(event, self._target, self._secret, self._sender, made, chance)
        accepted = step.expect.status if step.faults else expectation_for(faults).status
        if accepted == UNJUDGED and set(names) <= _RESPELLED | _COPIES | {_SLOW}:
            accepted = ("2xx",)
        return SignedEvent(
            f"{step.event} [{', '.join(names)}]",
            identity,
            _headers(request.head),
            request.body,
            accepted,
            _is_forged(faults),
            effect,
            plan.copies,
            plan.together,
            float(next(iter(slow.values()))) if slow else 0.0,
        )

    def _effect(self, step: EventStep, faults: Sequence[ChosenFault]) -> Effect:
        if self._counted is not None and step.event not in self._counted:
            return "none"
        if not faults:
            return "one"
        if _is_forged(faults):
            return "none"
        return "one" if {fault.name for fault in faults} <= _RESPELLED | _COPIES | {_SLOW} else "unknown"


def _is_forged(faults: Sequence[ChosenFault]) -> bool:
    names = {fault.name for fault in faults}
    defective = "tampered_body" in names or any(fault.fault.layer == "signature" for fault in faults)
    return defective and not names & _RIGHT_DIGEST


def _planned(script: Script) -> Iterator[PlannedEvent]:
    waited = 0.0
    for step in script.steps:
        if isinstance(step, (PauseStep, AwaitStep)):
            waited += step.seconds
            continue
        waited += step.after
        for inner in step.steps if isinstance(step, TogetherStep) else (step,):
            for index in range(inner.repeat):
                yield PlannedEvent(inner, index, waited + (inner.every if index else 0.0))
                waited = 0.0


def _check_fault(chosen: ChosenFault, where: str) -> None:
    impossible = chosen.name in _IMPOSSIBLE or (chosen.fault.layer == "transport" and chosen.name != _SLOW)
    if impossible:
        raise UsageError(
            f"{where}: the fault {chosen.name!r} cannot be sent under load; use faults of the signature or the body, "
            f"duplicate, concurrent_duplicates, stale, lost or {_SLOW}"
        )


def _headers(head: bytes) -> dict[str, str]:
    """The headers of a request, without those that Locust's client writes itself."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    pairs = (line.partition(": ") for line in lines)
    kept = {name: value for name, _, value in pairs if name not in ("Host", "Content-Length")}
    return {**kept, "Accept-Encoding": "identity"}


# ---------------------------------------------------------------- what a user class asks for


class UserAttributes:
    """The attributes that a user class may set; :class:`~mockserver.load.user.WebhookUser` describes each of them."""

    host: str | None = None
    path: str = "/"
    secret: str = ""
    script: str = "run_completed"
    rate: float | None = None
    speed: float | str = "max"
    seed: int | None = None
    faults: Mapping[str, float] = {}
    headers: Sequence[str] = ()
    probe: str | None = None
    probe_json: str | None = None
    counted: Sequence[str] | None = None
    drain_within: float = 60.0
    max_backlog: int = 10_000
    max_p99: float | str | None = None
    max_failures: float | None = None
    timeout: float | str = 10.0
    allow_hosts: Sequence[str] = ()


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a user class asks for.

    Args:
        name: The class's name.
        plan: The events.
        events: The event types that occur.
        target: Where they go.
        rate: Events a second over all users and workers; None for Locust's own pacing.
        max_backlog: How many events that are due may wait in one process.
        timeout: Seconds until an answer must be there.
        max_p99: Seconds that the 99th percentile may reach; None for any.
        max_failures: The share of the events (0 to 1) that may fail; None for any.
    """

    name: str
    plan: LoadPlan
    events: tuple[str, ...]
    target: Target
    rate: float | None
    max_backlog: int
    timeout: float
    max_p99: float | None
    max_failures: float | None


def read_settings(user: type[UserAttributes], host: str | None) -> LoadSettings:
    """Read what a user class asks for; raises UsageError or ScriptError."""
    name = user.__name__
    if not host:
        raise UsageError(f"{name} has no host: set host = 'http://localhost:3000', or start Locust with --host")
    if not user.secret:
        raise UsageError(f"{name} has no secret: set secret to the one that the consumer verifies with")
    if user.rate is not None and not 0 < user.rate <= 1_000_000:
        raise UsageError(f"{name}.rate is {user.rate!r}: a number of events a second above 0 is allowed, or None")
    path = find_script(str(user.script))
    catalog = load_catalog()
    script = read_script(read_script_file(path), catalog, Path(path).name)
    target = Target.parse(host.rstrip("/") + user.path)
    sender = sender_headers(Settings().user_agent, user.headers)
    plan = LoadPlan(script, catalog, target, user.secret, sender, shares=read_shares(user.faults), counted=user.counted)
    return LoadSettings(
        name=name,
        plan=plan,
        events=script.events,
        target=target,
        rate=user.rate,
        max_backlog=user.max_backlog,
        timeout=_seconds(name, "timeout", user.timeout),
        max_p99=None if user.max_p99 is None else _seconds(name, "max_p99", user.max_p99),
        max_failures=user.max_failures,
    )


def check_address(target: Target, allowed_hosts: Collection[str]) -> None:
    """Refuse a target outside this machine and its private networks, unless its host is allowed by name.

    Raises UsageError.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"the host {target.host!r} is not known here: {error.strerror or error}") from None
    for address in dict.fromkeys(str(info[4][0]) for info in found):
        if refusal := why_refused(address, target.host, allowed_hosts):
            advice = f"allow it with allow_hosts = ({target.host!r},)"
            raise UsageError(refusal.replace(f"allow it with --allow-host {target.host}", advice))


def _seconds(name: str, attribute: str, value: float | str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{name}.{attribute}: {error}") from None
