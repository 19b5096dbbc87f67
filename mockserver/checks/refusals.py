"""Checks of what a consumer must refuse: a 4xx, and nothing may come of it.

A 2xx alone proves little: a consumer may answer so and drop the event. So the effect is looked at where a probe was
given. Without one, the consumer's own answers are evidence: where it recognises duplicates, the genuine event is
delivered after the forged one, and if that is answered as a duplicate, the forged one was handled.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from mockserver.checks.answer_comparison import ResponseBaseline, comparable
from mockserver.checks.context import CheckContext, Variant, answer_of, status_of
from mockserver.checks.model import Judgement, Verdict
from mockserver.faults.fault import ChosenFault
from mockserver.model.records import Delivery, Event

#: What becomes of one that should have been refused.
_Fate = Literal["handled", "dropped", "unknown"]

#: The most variants that are named in a summary.
_NAMED = 3

#: What many findings have in common.
_CRASHED = "it must be refused with 400, 401 or 403, and the sender tries a 5xx again"
_NOT_REFUSED = "neither taken nor refused with a 4xx"
_EFFECT = "it had an effect, as if genuine"
_NO_EFFECT = "nothing came of it, but a 2xx says to the sender that it was genuine"
_TOLD_BY_DUPLICATE = "the genuine event after it was answered as a duplicate, so it was handled"
_DROPPED = "it was dropped: the genuine event after it was taken as new"
_AS_GENUINE = "the answer is the one that a genuine event gets"
_UNKNOWN = "whether it was handled cannot be seen without --probe; refuse with 400, 401 or 403"


class _Sent(msgspec.Struct, frozen=True):
    variant: Variant
    event: Event
    delivery: Delivery

    @property
    def what(self) -> str:
        return f"{self.variant.label} ({answer_of(self.delivery)})"


def refusing(
    *variants: Variant, accepted: Verdict = "fail", refusals: Sequence[int] = ()
) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries which must all be refused.

    Args:
        variants: The deliveries.
        accepted: What it is to handle one: ``fail``, or ``warn`` where that is harmless.
        refusals: Statuses that are refusals too, beside every 4xx.
    """

    async def procedure(context: CheckContext) -> Judgement:
        return await judge_refusals(context, variants, accepted, refusals)

    return procedure


def refusing_each(label: str, fault: ChosenFault | str) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes one delivery of each event type, which must all be refused.

    Some consumers verify in the branch of one event type only.

    Args:
        label: What is special about them, with ``{event}`` for the type.
        fault: Their deliberate defect.
    """

    async def procedure(context: CheckContext) -> Judgement:
        types = context.events_in_question
        return await judge_refusals(context, [Variant(label.format(event=each), (fault,), each) for each in types])

    return procedure


async def judge_refusals(
    context: CheckContext, variants: Sequence[Variant], accepted: Verdict = "fail", refusals: Sequence[int] = ()
) -> Judgement:
    """Make deliveries that must be refused, and judge the answers and the effects.

    Args:
        context: The context of the checks.
        variants: The deliveries.
        accepted: What it is to handle one.
        refusals: Statuses that are refusals too, beside every 4xx.
    """
    sent, change = await _deliver(context, variants)
    if change:
        return await _judge_effect(context, sent, change, accepted)
    left = [each for each in sent if status_of(each.delivery) not in refusals]
    crashed = [each for each in left if status_of(each.delivery) >= 500 or not status_of(each.delivery)]
    if crashed:
        return _judged(accepted, crashed, _CRASHED)
    taken = [each for each in sent if 200 <= status_of(each.delivery) < 300]
    if taken:
        return await _judge_taken(context, taken, len(sent), accepted)
    odd = [each for each in left if not 400 <= status_of(each.delivery) < 500]
    if odd:
        return _judged("warn", odd, _NOT_REFUSED)
    statuses = sorted({status_of(each.delivery) for each in sent})
    return Judgement("pass", f"refused with {' or '.join(map(str, statuses))}", _evidence(sent[:1]))


async def _deliver(context: CheckContext, variants: Sequence[Variant]) -> tuple[list[_Sent], float]:
    """Make all deliveries; the change of the count is 0 where there is no probe."""
    before = await context.effects.settled_count() if context.effects.known else 0.0
    sent = []
    for variant in variants:
        event = variant.make(context, time.time())  # nothing comes of it: it needs no moment of its own
        sent.append(_Sent(variant, event, await context.deliver(event, *variant.faults)))
    return sent, await context.effects.change_since(before, 0) if context.effects.known else 0.0


async def _judge_effect(context: CheckContext, sent: Sequence[_Sent], change: float, accepted: Verdict) -> Judgement:
    """Find out which of the deliveries have an effect: each is made once more, alone."""
    handled = []
    for each in sent:
        again, effect = await _deliver(context, [each.variant])
        handled += again if effect else []
    if handled:
        return _judged(accepted, handled, _EFFECT)
    summary = f"the count changed by {change:g} meanwhile, but not when all was sent again: something else changes it"
    return Judgement("inconclusive", summary, _evidence(sent))


async def _judge_taken(context: CheckContext, taken: Sequence[_Sent], made: int, accepted: Verdict) -> Judgement:
    if context.effects.known:
        return _judged("warn", taken, _NO_EFFECT)
    fates = [await _fate(context, each) for each in taken]
    if "handled" in fates:
        each = taken[fates.index("handled")]
        return _judged(accepted, [each], _TOLD_BY_DUPLICATE)
    if set(fates) == {"dropped"}:
        return _judged("warn", taken, _DROPPED)
    # That one event type is answered so and another is refused means nothing: it may be one that is ignored unread.
    known = [each for each in taken if each.event.type in context.baselines]
    if len(taken) == made and known and all([await _is_taken_for_genuine(context, each) for each in known]):
        return _judged(accepted, taken, _AS_GENUINE)
    return _judged("warn", taken, _UNKNOWN)


async def _fate(context: CheckContext, sent: _Sent) -> _Fate:
    """Find out what became of a delivery that was answered 2xx, where answers reveal duplicates."""
    baseline = context.baselines.get(sent.event.type, ResponseBaseline())
    if not baseline.tell_duplicates:
        return "unknown"
    twin = comparable(await context.deliver(_as_sent(sent)))
    if twin == baseline.known:
        return "handled"
    return "dropped" if twin == baseline.fresh else "unknown"


async def _is_taken_for_genuine(context: CheckContext, sent: _Sent) -> bool:
    """Whether the answer is that to a genuine event, of a consumer that does not answer everything so."""
    baseline, answer = context.baselines[sent.event.type], comparable(sent.delivery)
    if answer is None or answer != baseline.fresh or not answer.body:
        return False
    nonsense = msgspec.structs.replace(sent.event, payload=b"this is not an event")
    return comparable(await context.deliver(nonsense, "missing_signature")) != answer


def _as_sent(sent: _Sent) -> Event:
    """The event as its body had it: one that was tampered with may be about another object."""
    request = sent.delivery.attempts[-1].request
    return msgspec.structs.replace(sent.event, payload=request.body) if request else sent.event


def _judged(verdict: Verdict, sent: Sequence[_Sent], cause: str) -> Judgement:
    return Judgement(verdict, f"{_named(sent)}: {cause}", _evidence(sent), cause=cause)


def _evidence(sent: Sequence[_Sent]) -> tuple[Delivery, ...]:
    return tuple({each.delivery.number: each.delivery for each in sent}.values())[:_NAMED]


def _named(sent: Sequence[_Sent]) -> str:
    more = len(sent) - _NAMED
    return "; ".join(each.what for each in sent[:_NAMED]) + (f" and {more} more" if more > 0 else "")
