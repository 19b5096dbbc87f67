"""Checks of what a consumer must refuse: a 4xx, and nothing may come of it.

A 2xx alone proves little: a consumer may answer so and drop the event. So the effect is looked at where a probe was
given. Without one, the consumer's own answers are evidence: where it recognises duplicates, the genuine event is
delivered after the forged one, and if that is answered as a duplicate, the forged one was handled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from mockserver.checks.answer_comparison import ResponseBaseline, comparable
from mockserver.checks.context import CheckContext, Variant, answer_of, status_of
from mockserver.checks.experiments import Experiment, Trial, measured
from mockserver.checks.model import Judgement, Verdict
from mockserver.faults.fault import ChosenFault
from mockserver.model.records import Delivery, Event

#: What becomes of one that should have been refused.
_Fate = Literal["handled", "dropped", "unknown"]

#: The most variants that are named in a summary.
_NAMED = 3

#: What many findings have in common.
_CRASHED = "refused, but as an error: answer 400, 401 or 403, as senders try a 5xx again"
_ENDED = "it ended the consumer (PG007)"
_NOT_REFUSED = "neither taken nor refused with a 4xx"
_EFFECT = "it had an effect, as if genuine"
_NO_EFFECT = "it was dropped, as the probe saw no effect"
_TOLD_BY_DUPLICATE = "the genuine event after it was answered as a duplicate, so it was handled"
_DROPPED = "it was dropped: the genuine event after it was taken as new"
_AS_GENUINE = "the answer is the one that a genuine event gets; --probe would prove it either way"
_UNKNOWN = "only --probe can show whether it was handled; refuse with 400, 401 or 403"


class _Sent(msgspec.Struct, frozen=True):
    variant: Variant
    delivery: Delivery

    @property
    def event(self) -> Event:
        return self.delivery.event

    @property
    def what(self) -> str:
        return f"{self.variant.label} ({answer_of(self.delivery)})"


def refusing(*variants: Variant, accepted: Verdict = "fail", refusals: Sequence[int] = ()) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be refused.

    Args:
        variants: The deliveries.
        accepted: What it is to handle one: ``fail``, or ``warn`` where that is harmless.
        refusals: Statuses that are refusals too, beside every 4xx.
    """
    return refusing_all(lambda _: variants, accepted, refusals)


def refusing_each(label: str, fault: ChosenFault | str) -> Experiment:
    """Return the experiment of a check that makes one delivery of each event type, which must all be refused.

    Some consumers verify in the branch of one event type only.

    Args:
        label: What is special about them, with ``{event}`` for the type.
        fault: Their deliberate defect.
    """
    return refusing_all(
        lambda context: [Variant(label.format(event=each), (fault,), each) for each in context.events_in_question]
    )


def refusing_all(
    variants: Callable[[CheckContext], Sequence[Variant]], accepted: Verdict = "fail", refusals: Sequence[int] = ()
) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be refused.

    Args:
        variants: Makes the deliveries.
        accepted: What it is to handle one.
        refusals: Statuses that are refusals too, beside every 4xx.
    """

    async def send(context: CheckContext) -> Trial:
        return Trial(await context.deliver_all(variants(context)))

    async def judge(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
        return await judge_refusals(context, [_Sent(*each) for each in trial.made], change, accepted, refusals)

    return Experiment(send, judge, forged=True)


async def judge_refusals(
    context: CheckContext,
    sent: Sequence[_Sent],
    change: float | None,
    accepted: Verdict = "fail",
    refusals: Sequence[int] = (),
) -> Judgement:
    """Judge the answers and the effects of deliveries that must be refused.

    Args:
        context: The context of the checks.
        sent: The deliveries.
        change: Their effect; None where there is no probe.
        accepted: What it is to handle one.
        refusals: Statuses that are refusals too, beside every 4xx.
    """
    taken = [each for each in sent if 200 <= status_of(each.delivery) < 300]
    if change:
        return await _judge_effect(context, sent, taken, change, accepted)
    left = [each for each in sent if status_of(each.delivery) not in refusals and not _is_cut_off(context, each)]
    crashed = [each for each in left if status_of(each.delivery) >= 500 or not status_of(each.delivery)]
    if crashed:
        ended = any(ending.delivery in [each.delivery for each in crashed] for ending in context.endings)
        return _judged(accepted, crashed, _ENDED if ended else _CRASHED)
    if taken:
        return await _judge_taken(context, taken, len(sent), accepted)
    odd = [each for each in left if not 400 <= status_of(each.delivery) < 500]
    if odd:
        return _judged("warn", odd, _NOT_REFUSED)
    ways = [f"with {status}" for status in sorted({status_of(each.delivery) for each in sent} - {0})]
    ways += ["by closing the connection"] if any(not status_of(each.delivery) for each in sent) else []
    return Judgement("pass", f"refused {' or '.join(ways)}", _evidence(sent[:1]))


def _is_cut_off(context: CheckContext, sent: _Sent) -> bool:
    """Whether the connection of a delivery was closed without an answer, and the next one was served: a refusal."""
    error = sent.delivery.error
    ended = any(ending.delivery is sent.delivery for ending in context.endings)
    return error is not None and error.kind == "closed" and not status_of(sent.delivery) and not ended


async def _judge_effect(
    context: CheckContext, sent: Sequence[_Sent], taken: Sequence[_Sent], change: float, accepted: Verdict
) -> Judgement:
    """Find out which of the deliveries have an effect: each is made once more, alone, unless the sum shows it."""
    if taken and change == sum(context.effects.unit(each.delivery.event.type) for each in taken):
        return _judged(accepted, taken, _EFFECT)
    handled = []
    for each in sent:
        trial, effect = await measured(context, refusing(each.variant))
        handled += [_Sent(*one) for one in trial.made] if effect else []
    if handled:
        return _judged(accepted, handled, _EFFECT)
    summary = f"the count changed by {change:g} meanwhile, but not when all was sent again: something else changes it"
    return Judgement("inconclusive", summary, _evidence(sent))


async def _judge_taken(context: CheckContext, taken: Sequence[_Sent], made: int, accepted: Verdict) -> Judgement:
    if context.effects.known:
        return Judgement("pass", f"{_named(taken)}: {_NO_EFFECT}", _evidence(taken))
    fates = [await _fate(context, each) for each in taken]
    if "handled" in fates:
        each = taken[fates.index("handled")]
        return _judged(accepted, [each], _TOLD_BY_DUPLICATE)
    if set(fates) == {"dropped"}:
        return Judgement("pass", f"{_named(taken)}: {_DROPPED}", _evidence(taken))
    # That one event type is answered so and another is refused means nothing: it may be one that is ignored unread.
    known = [each for each in taken if each.event.type in context.baselines]
    if len(taken) == made and known and all([await _is_taken_for_genuine(context, each) for each in known]):
        return _judged("warn", taken, _AS_GENUINE)
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
