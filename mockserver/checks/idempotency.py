"""Checks of effects: every event has one, and only one, however it comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mockserver.checks.context import CheckContext, answer_of, status_of
from mockserver.checks.effects import in_words
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery, Event

_COPIES = 10
_AT_ONCE = 20
_ONCE = (
    "before the effect, and in the same transaction, insert the key of the event (its type with the id of its object)"
    " under a unique constraint; when it is there already, answer 2xx and do nothing"
)

_Deliver = Callable[[], Awaitable[list[Delivery]]]


async def _effect(context: CheckContext) -> Judgement:
    units = context.effects.units
    if units:
        seen = ", ".join(f"{event} {change:+g}" for event, change in units.items())
        return Judgement("pass", f"the probe sees it: {seen}")
    waited = f"within {context.effects.patience:g} s (--effect-within gives more time)"
    return Judgement(
        "fail", f"valid events were answered 2xx, and the probe saw no effect {waited}", tuple(context.deliveries[:1])
    )


async def _duplicate_accepted(context: CheckContext) -> Judgement:
    event = context.event()
    first, again = await context.deliver(event), await context.deliver(event)
    if not first.delivered:
        return Judgement("inconclusive", f"the first delivery {answer_of(first)}", (first,))
    summary = f"the same delivery again {answer_of(again)}"
    return Judgement("pass" if again.delivered else "fail", summary, (first, again))


async def _duplicate_effect(context: CheckContext) -> Judgement:
    event = context.event()

    async def twice() -> list[Delivery]:
        return [await context.deliver(event) for _ in range(2)]

    return await _one_effect(context, event, "two deliveries of one event", twice)


async def _concurrent_duplicates(context: CheckContext) -> Judgement:
    event = context.event()

    async def copies() -> list[Delivery]:
        return await context.together([context.deliver(event, patient=False) for _ in range(_COPIES)])

    return await _one_effect(context, event, f"{_COPIES} copies at the same time", copies)


async def _lost_answer(context: CheckContext) -> Judgement:
    event = context.event()

    async def twice() -> list[Delivery]:
        before = await context.effects.settled_count()
        lost = await context.deliver(event, "disconnect")
        # The retry comes when the first is over, or was broken off: copies at the same time are another check.
        await context.effects.change_since(before, context.effects.units[event.type])
        return [lost, await context.deliver(event)]

    return await _one_effect(context, event, "a delivery whose answer was lost, and the next", twice)


async def _one_effect(context: CheckContext, event: Event, title: str, deliver: _Deliver) -> Judgement:
    unit = context.effects.units[event.type]
    before = await context.effects.settled_count()
    deliveries = await deliver()
    change = await context.effects.change_since(before, unit)
    evidence = tuple(deliveries[:3])
    broken = [each for each in deliveries if status_of(each) >= 500]
    if change != unit:
        return Judgement("fail", f"{title} had {in_words(change, unit)}", evidence)
    if broken:
        return Judgement("fail", f"{title}: one effect, but {len(broken)} {answer_of(broken[0])}", tuple(broken[:3]))
    return Judgement("pass", f"{title} had one effect", evidence[:1])


async def _object_with_two_events(context: CheckContext) -> Judgement:
    pair = _pair(context)
    if pair is None:
        return Judgement("not tested", "needs two event types about the same kind of object that have an effect")
    object_id = context.new_id(pair[0])
    events = [context.event(event, object_id=object_id) for event in pair]
    return await _all_effects(context, events, f"{pair[0]} and {pair[1]} about one {context.object_field(pair[0])}")


def _pair(context: CheckContext) -> tuple[str, str] | None:
    types = context.story()
    for place, first in enumerate(types):
        for second in types[place + 1 :]:
            if context.object_field(first) == context.object_field(second):
                return first, second
    return None


async def _moment_with_two_objects(context: CheckContext) -> Judgement:
    moment = context.moments(context.event_with_effect)[0]
    events = [context.event(at=moment) for _ in range(2)]
    return await _all_effects(context, events, "two events of one type about two objects at the same moment")


async def _all_effects(context: CheckContext, events: list[Event], title: str) -> Judgement:
    return _judge_all(title, *await _deliver_all(context, events))


async def _concurrent_events(context: CheckContext) -> Judgement:
    events = [context.event() for _ in range(_AT_ONCE)]
    deliveries, change, expected = await _deliver_all(context, events, together=True)
    failed = [delivery for delivery in deliveries if not delivery.delivered]
    if failed:
        return Judgement("inconclusive", f"{len(failed)} of {_AT_ONCE} {answer_of(failed[0])}", tuple(failed[:3]))
    return _judge_all(f"{_AT_ONCE} different events at the same time", deliveries, change, expected)


async def _deliver_all(
    context: CheckContext, events: list[Event], *, together: bool = False
) -> tuple[list[Delivery], float, float]:
    """Deliver different events; the answer is the deliveries, their effect, and the effect that they should have."""
    expected = sum(context.effects.units[event.type] for event in events)
    before = await context.effects.settled_count()
    if together:
        deliveries = await context.together([context.deliver(event, patient=False) for event in events])
    else:
        deliveries = [await context.deliver(event) for event in events]
    return deliveries, await context.effects.change_since(before, expected), expected


def _judge_all(title: str, deliveries: list[Delivery], change: float, expected: float) -> Judgement:
    evidence = tuple(deliveries[:3])
    if change != expected:
        return Judgement("fail", f"{title}: the effect is {change:g}, not {expected:g}", evidence)
    refused = [delivery for delivery in deliveries if not delivery.delivered]
    if refused:
        return Judgement("fail", f"{title}: handled, but one {answer_of(refused[0])}", tuple(refused[:3]))
    return Judgement("pass", f"{title}: each had its effect", evidence[:1])


EFFECT_CHECKS = (
    Check(
        id="PG070",
        name="effect",
        severity="must",
        level=1,
        sends="A valid event of each type, one after another.",
        good="at least one type has an effect that the probe sees",
        why="A consumer that takes events and does nothing passes every test of its refusals.",
        fix="see whether the probe reads the right number, and whether the handler does its work; with the --seed of"
        " an earlier run it may know the events already",
        procedure=_effect,
    ),
    Check(
        id="PG071",
        name="duplicate_accepted",
        severity="must",
        sends="The same delivery twice, byte for byte.",
        good="2xx both times",
        why="Every sender of webhooks delivers some events twice. An error in answer to the second says that the"
        " event was not taken: it tries again, for days.",
        fix="answer 2xx to what was handled already",
        procedure=_duplicate_accepted,
    ),
    Check(
        id="PG072",
        name="duplicate_effect",
        severity="must",
        level=1,
        sends="The same delivery twice, byte for byte.",
        good="one effect",
        why="Every sender of webhooks delivers some events twice: after a time-out it cannot know that the first was"
        " taken. The payload has no event id, so the key is the event type with the id of its object.",
        fix=_ONCE,
        procedure=_duplicate_effect,
    ),
    Check(
        id="PG073",
        name="concurrent_duplicates",
        severity="must",
        level=1,
        sends=f"{_COPIES} copies of one delivery, released together.",
        good="one effect, no 5xx",
        why="To look first and write then is not enough: two copies look at the same time, and both find nothing.",
        fix=_ONCE,
        procedure=_concurrent_duplicates,
    ),
    Check(
        id="PG074",
        name="object_with_two_events",
        severity="must",
        level=1,
        sends="Two events of different types about one object.",
        good="both have their effect",
        why="A consumer that recognises duplicates by the id of the object alone loses the second event about it.",
        fix="make the event type part of the key",
        procedure=_object_with_two_events,
    ),
    Check(
        id="PG075",
        name="moment_with_two_objects",
        severity="must",
        level=1,
        sends="Two events of one type with the same timestamp about two objects.",
        good="both have their effect",
        why="Timestamps are no ids: many runs end in the same second.",
        fix="make the id of the object, and not the timestamp, part of the key",
        procedure=_moment_with_two_objects,
    ),
    Check(
        id="PG076",
        name="concurrent_events",
        severity="must",
        level=1,
        sends=f"{_AT_ONCE} different events at the same time.",
        good="each has its effect",
        why="A counter that is read, raised and written back loses what was counted in between.",
        fix="let the database do it in one statement, or lock the row",
        procedure=_concurrent_events,
    ),
    Check(
        id="PG077",
        name="lost_answer",
        severity="must",
        level=1,
        sends="A valid event whose answer is not read, because the connection ends; then the same again.",
        good="one effect, and 2xx to the second",
        why="This is how duplicates come about in earnest: the event was handled, and the sender does not know it.",
        fix=_ONCE,
        procedure=_lost_answer,
    ),
)
