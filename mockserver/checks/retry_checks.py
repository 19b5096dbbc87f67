"""Checks of failure: what a consumer that fails once makes of the event."""

from __future__ import annotations

from mockserver.checks.context import Bench, answer_of
from mockserver.checks.effects import AccessError, in_words
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery, Event


async def _failing(bench: Bench) -> tuple[Event, Delivery]:
    """Make the consumer fail, and deliver an event."""
    if bench.access.fail_once is None:
        raise AccessError("nothing was given that makes the consumer fail")
    await bench.access.fail_once()
    event = bench.event()
    return event, await bench.deliver(event)


async def _failure_is_told(bench: Bench) -> Judgement:
    before = await bench.effects.baseline()
    event, failed = await _failing(bench)
    unit = bench.effects.units[event.type]
    if not failed.delivered:
        return Judgement("pass", f"the failing handler {answer_of(failed)}", (failed,))
    change = await bench.effects.change_since(before, unit)
    if change == unit:
        raise _did_not_fail(failed)
    summary = f"the failing handler {answer_of(failed)}, and the effect is {change:g}, not {unit:g}: the event is lost"
    return Judgement("fail", summary, (failed,))


async def _retry_after_failure(bench: Bench) -> Judgement:
    before = await bench.effects.baseline()
    event, failed = await _failing(bench)
    unit = bench.effects.units[event.type]
    if failed.delivered:
        if await bench.effects.change_since(before, unit) == unit:
            raise _did_not_fail(failed)
        return Judgement("inconclusive", f"the failing handler {answer_of(failed)}: no sender tries again", (failed,))
    again = await bench.deliver(event)
    change = await bench.effects.change_since(before, unit)
    story = f"{answer_of(failed)}, then {answer_of(again)}"
    if again.delivered and change == unit:
        return Judgement("pass", f"{story}: one effect", (failed, again))
    if not again.delivered:
        return Judgement("fail", f"{story}: the event is never handled", (failed, again))
    return Judgement("fail", f"{story}: {in_words(change, unit)}", (failed, again))


def _did_not_fail(delivery: Delivery) -> AccessError:
    return AccessError(f"the consumer was told to fail, and {answer_of(delivery)}: see what --fail-once does")


FAILURE_CHECKS = (
    Check(
        id="PG080",
        name="failure_is_told",
        severity="must",
        level=2,
        sends="A valid event while the consumer is made to fail.",
        good="a 5xx, so that the sender tries again",
        why="A handler that catches every error, writes it to the log and answers 200 loses the event: nobody will send"
        " it again.",
        mend="let errors that may pass become a 5xx",
        procedure=_failure_is_told,
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
        mend="make the mark and the effect in one transaction, so that both come about or none",
        procedure=_retry_after_failure,
    ),
)
