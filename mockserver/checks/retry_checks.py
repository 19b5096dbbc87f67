"""Checks of failure: what a consumer that fails once makes of the event."""

from __future__ import annotations

from mockserver.checks.context import CheckContext, answer_of
from mockserver.checks.effects import AccessError, in_words
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery, Event


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
    return AccessError(f"the consumer was to fail, and {answer_of(delivery)}: see what --fail-once does")


FAILURE_CHECKS = (
    Check(
        id="PG080",
        name="failure_is_reported",
        severity="must",
        level=2,
        sends="A valid event while the consumer is made to fail.",
        good="a 5xx, so that the sender tries again",
        why="A handler that catches every error, writes it to the log and answers 200 loses the event: no one will send"
        " it again.",
        fix="let errors that may pass become a 5xx",
        procedure=_failure_is_reported,
    ),
    Check(
        id="PG081",
        name="retry_after_failure",
        severity="must",
        level=2,
        sends="A valid event while the consumer is made to fail, then the same once more.",
        good="an error, then 2xx, and exactly one effect",
        why="A consumer that marks an event as seen before it has handled it drops the retry as a duplicate; one that"
        " had half of the effect before it failed has it twice.",
        fix="make the mark and the effect in one transaction, so that both come about or none",
        procedure=_retry_after_failure,
    ),
)
