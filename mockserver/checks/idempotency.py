"""Checks of effects: every event has exactly one, however often it comes, also after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mockserver.checks.context import LIMITS, CheckContext, Made, Variant, answer_of, status_of
from mockserver.checks.effects import AccessError, in_words
from mockserver.checks.experiments import Experiment, Trial
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery, Event

_COPIES = 10
_AT_ONCE = 20
_ONCE = (
    "insert the key of the event (its type with the id of its object) under a unique constraint, before the effect and"
    " in the same transaction; if the key is already there, answer 2xx and do nothing"
)


async def _effect(context: CheckContext) -> Judgement:
    units = context.effects.units
    if units:
        seen = ", ".join(f"{event} {change:+g}" for event, change in units.items())
        return Judgement("pass", f"the probe sees it: {seen}")
    waited = f"within {context.effects.patience:g} s (--effect-within gives more time)"
    return Judgement(
        "fail", f"valid events were answered 2xx, and the probe saw no effect {waited}", tuple(context.deliveries[:1])
    )


def _copy(*deliveries: Delivery) -> list[Made]:
    return [(_EVENT, delivery) for delivery in deliveries]


_EVENT = Variant("the event")


async def _twice(context: CheckContext) -> Trial:
    event = context.event()
    made = _copy(await context.deliver(event), await context.deliver(event))
    return Trial(made, context.effects.unit(event.type))


async def _duplicate_accepted(_: CheckContext, trial: Trial, __: float | None) -> Judgement:
    first, again = trial.deliveries
    if not first.delivered:
        return Judgement("inconclusive", f"the first delivery {answer_of(first)}", (first,))
    summary = f"the same delivery again {answer_of(again)}"
    return Judgement("pass" if again.delivered else "fail", summary, trial.deliveries)


async def _copies(context: CheckContext) -> Trial:
    event = context.event()
    copies = await context.together([context.deliver(event, patient=False) for _ in range(_COPIES)])
    return Trial(_copy(*copies), context.effects.unit(event.type))


async def _lost_answer(context: CheckContext) -> Trial:
    event = context.event()
    lost = await context.deliver(event, "disconnect")
    # The retry comes when the first is over, or was broken off: copies at the same time are another check.
    await asyncio.sleep(2 * max(context.answer_seconds) + context.effects.quiet)
    return Trial(_copy(lost, await context.deliver(event)), context.effects.unit(event.type))


def _one_effect(title: str) -> Callable[[CheckContext, Trial, float | None], Awaitable[Judgement]]:
    async def judge(_: CheckContext, trial: Trial, change: float | None) -> Judgement:
        evidence = trial.deliveries[:3]
        broken = [each for each in trial.deliveries if status_of(each) >= 500 and status_of(each) not in LIMITS]
        if change != trial.expected:
            return Judgement("fail", f"{title} had {in_words(change or 0, trial.expected)}", evidence)
        if broken:
            summary = f"{title}: one effect, but {len(broken)} {answer_of(broken[0])}"
            return Judgement("fail", summary, tuple(broken[:3]))
        return Judgement("pass", f"{title} had one effect", evidence[:1])

    return judge


async def _object_with_two_events(context: CheckContext) -> Trial:
    pair = _pair(context)
    if pair is None:
        return Trial(())
    object_id = context.new_id(pair[0])
    events = [context.event(event, object_id=object_id) for event in pair]
    return await _all_of(context, events, f"{pair[0]} and {pair[1]} about one {context.object_field(pair[0])}")


def _pair(context: CheckContext) -> tuple[str, str] | None:
    types = context.story()
    for place, first in enumerate(types):
        for second in types[place + 1 :]:
            if context.object_field(first) == context.object_field(second):
                return first, second
    return None


async def _moment_with_two_objects(context: CheckContext) -> Trial:
    moment = context.moments(context.event_with_effect)[0]
    events = [context.event(at=moment) for _ in range(2)]
    return await _all_of(context, events, "two events of one type about two objects at the same moment")


async def _concurrent_events(context: CheckContext) -> Trial:
    events = [context.event() for _ in range(_AT_ONCE)]
    title = f"{_AT_ONCE} different events at the same time"
    return await _all_of(context, events, title, together=True)


async def _all_of(context: CheckContext, events: list[Event], title: str, *, together: bool = False) -> Trial:
    """Deliver different events, each of which must have its effect."""
    if together:
        deliveries = await context.together([context.deliver(event, patient=False) for event in events])
    else:
        deliveries = [await context.deliver(event) for event in events]
    missed = [each for each in deliveries if not each.delivered and status_of(each) in (0, *LIMITS)]
    taken = [each for each in deliveries if each not in missed] if together else deliveries
    return Trial(_copy(*deliveries), sum(context.effects.unit(each.event.type) for each in taken), title)


async def _judge_all(_: CheckContext, trial: Trial, change: float | None) -> Judgement:
    if not trial.made:
        return Judgement("not tested", "needs two event types about the same kind of object that have an effect")
    evidence = trial.deliveries[:3]
    refused = [delivery for delivery in trial.deliveries if not delivery.delivered]
    if refused and len(trial.made) == _AT_ONCE:
        return Judgement("inconclusive", f"{len(refused)} of {_AT_ONCE} {answer_of(refused[0])}", tuple(refused[:3]))
    if change != trial.expected:
        return Judgement("fail", f"{trial.more}: the effect is {change or 0:g}, not {trial.expected:g}", evidence)
    if refused:
        return Judgement("fail", f"{trial.more}: handled, but one {answer_of(refused[0])}", tuple(refused[:3]))
    return Judgement("pass", f"{trial.more}: each had its effect", evidence[:1])


async def _judge_moment(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    judgement = await _judge_all(context, trial, change)
    context.same_second, context.by_moment = judgement.verdict == "pass", judgement.verdict == "fail"
    return judgement


EFFECT_CHECKS = (
    Check(
        id="PG070",
        name="effect",
        severity="must",
        level=1,
        sends="A valid event of each type, one after another.",
        good="at least one type has an effect that the probe sees",
        why="A consumer that accepts events and does nothing passes every check that expects a refusal.",
        fix="check that the probe reads the right number, and that the handler does its work; with the --seed of an"
        " earlier run the consumer may know the events already; a cache in front of the probe may repeat an old"
        " number (let the probe answer `Cache-Control: no-store`)",
        procedure=_effect,
    ),
    Check(
        id="PG071",
        name="duplicate_accepted",
        severity="must",
        sends="The same delivery twice, byte for byte.",
        good="2xx both times",
        why="Every sender of webhooks delivers some events twice. An error in answer to the second delivery says"
        " that the event was not accepted, so the sender tries again, for days.",
        fix="answer 2xx to events that were handled already",
        procedure=Experiment(_twice, _duplicate_accepted),
    ),
    Check(
        id="PG072",
        name="duplicate_effect",
        severity="must",
        level=1,
        sends="The same delivery twice, byte for byte.",
        good="one effect",
        why="Every sender of webhooks delivers some events twice: after a timeout it cannot know whether the first"
        " delivery was accepted. The payload has no event id, so the key is the event type with the id of its"
        " object.",
        fix=_ONCE,
        procedure=Experiment(_twice, _one_effect("two deliveries of one event")),
    ),
    Check(
        id="PG073",
        name="concurrent_duplicates",
        severity="must",
        level=1,
        after=("PG072",),
        sends=f"{_COPIES} copies of one delivery, released together.",
        good="one effect, no 5xx",
        why="Looking first and writing afterwards is not enough: two copies look at the same time, and both find"
        " nothing.",
        fix=_ONCE,
        procedure=Experiment(_copies, _one_effect(f"{_COPIES} copies at the same time")),
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
        procedure=Experiment(_object_with_two_events, _judge_all),
    ),
    Check(
        id="PG075",
        name="moment_with_two_objects",
        severity="must",
        level=1,
        sends="Two events of one type with the same timestamp about two objects.",
        good="both have their effect",
        why="Timestamps are not ids: many runs end in the same second.",
        fix="make the id of the object part of the key, not the timestamp",
        procedure=Experiment(_moment_with_two_objects, _judge_moment),
    ),
    Check(
        id="PG076",
        name="concurrent_events",
        severity="must",
        level=1,
        after=("PG075",),
        sends=f"{_AT_ONCE} different events at the same time.",
        good="each has its effect",
        why="A counter that is read, incremented and written back loses whatever was counted in between.",
        fix="let the database do it in one statement, or lock the row",
        procedure=Experiment(_concurrent_events, _judge_all),
    ),
    Check(
        id="PG077",
        name="lost_answer",
        severity="must",
        level=1,
        after=("PG072",),
        sends="A valid event whose answer is lost because the connection ends; then the same event again.",
        good="one effect, and 2xx to the second",
        why="This is how duplicates really arise: the event was handled, but the sender does not know it.",
        fix=_ONCE,
        procedure=Experiment(_lost_answer, _one_effect("a delivery whose answer was lost, and the next")),
    ),
)

# ---------------------------------------------------------------- after a failure


async def _failing(context: CheckContext) -> tuple[Event, Delivery]:
    """Make the consumer fail, and deliver an event."""
    if context.access.fail_once is None:
        raise AccessError("nothing was given that makes the consumer fail")
    await context.access.fail_once()
    event = context.event()
    return event, await context.deliver(event, patient=False)  # a 503 is what it was to answer


async def _failure_is_reported(context: CheckContext) -> Judgement:
    before = await context.effects.mark()
    event, failed = await _failing(context)
    unit = context.effects.units[event.type]
    if not failed.delivered:
        return Judgement("pass", f"the failing handler {answer_of(failed)}", (failed,))
    change = await context.effects.change_since(before, unit)
    if change == unit:
        raise _did_not_fail(failed)
    summary = f"the failing handler {answer_of(failed)}, and the effect is {change:g}, not {unit:g}: the event is lost"
    return Judgement("fail", summary, (failed,))


async def _retry_after_failure(context: CheckContext) -> Judgement:
    before = await context.effects.mark()
    event, failed = await _failing(context)
    unit = context.effects.units[event.type]
    if failed.delivered:
        if await context.effects.change_since(before, unit) == unit:
            raise _did_not_fail(failed)
        return Judgement("inconclusive", f"the failing handler {answer_of(failed)}: no sender tries again", (failed,))
    again = await context.deliver(event)
    change = await context.effects.change_since(before, unit)
    story = f"{answer_of(failed)}, then {answer_of(again)}"
    if again.delivered and change == unit:
        return Judgement("pass", f"{story}: one effect", (failed, again))
    if not again.delivered:
        return Judgement("fail", f"{story}: the event is never handled", (failed, again))
    return Judgement("fail", f"{story}: {in_words(change, unit)}", (failed, again))


def _did_not_fail(delivery: Delivery) -> AccessError:
    return AccessError(f"the consumer was supposed to fail, but {answer_of(delivery)}: check what --fail-once does")


FAILURE_CHECKS = (
    Check(
        id="PG080",
        name="failure_is_reported",
        severity="must",
        level=2,
        sends="A valid event while the consumer is made to fail.",
        good="a 5xx, so that the sender tries again",
        why="A handler that catches every error, logs it and answers 200 loses the event: the sender will not send"
        " it again.",
        fix="answer temporary errors with a 5xx",
        procedure=_failure_is_reported,
    ),
    Check(
        id="PG081",
        name="retry_after_failure",
        severity="must",
        level=2,
        sends="A valid event while the consumer is made to fail, then the same event again.",
        good="an error, then 2xx, and exactly one effect",
        why="A consumer that marks an event as seen before it has handled it drops the retry as a duplicate; one"
        " that fails after half of the effect has that half twice.",
        fix="record the mark and the effect in one transaction, so that either both happen or neither does",
        procedure=_retry_after_failure,
    ),
)
