"""Experiments: checks whose deliveries have a known effect in total, so that one wait is enough for all of them.

An effect may come long after its answer, from a queue. To wait for it after each check would take minutes. So the
deliveries of many checks are made first: those that must have an effect in one batch, forgeries that must have none in
another. If the whole effect is the sum of what each must have, each has it. If not, each check is made again alone, and
what a single one says must be seen twice: an effect that comes late must not be counted as that of another check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from mockserver.checks.context import (
    CheckContext,
    GoneError,
    Made,
    ResponseBaseline,
    Variant,
    answer_of,
    comparable,
    status_of,
)
from mockserver.checks.effects import Mark
from mockserver.checks.model import Check, Judgement, Verdict
from mockserver.faults.fault import ChosenFault
from mockserver.model.records import Delivery, Event

# ---------------------------------------------------------------- experiments


class Trial(msgspec.Struct):
    """What a check has sent.

    Args:
        made: The deliveries, with what each was.
        expected: The effect that they must have.
        more: What the judgement needs beside.
    """

    made: Sequence[Made]
    expected: float = 0.0
    more: Any = None

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries."""
        return tuple(delivery for _, delivery in self.made)


class Experiment(msgspec.Struct, frozen=True):
    """A check in two steps, between which effects are waited for.

    Args:
        send: Makes the deliveries.
        judge: Judges them; it takes the context, the trial and the effect, which is None where none is seen.
        forged: Whether the deliveries must have no effect at all.
    """

    send: Callable[[CheckContext], Awaitable[Trial]]
    judge: Callable[[CheckContext, Trial, float | None], Awaitable[Judgement]]
    forged: bool = False


class Batches:
    """Makes experiments: all of one kind together, and again alone what does not add up."""

    def __init__(
        self, context: CheckContext, checks: Sequence[Check], on_begin: Callable[[], None] = lambda: None
    ) -> None:
        self._on_begin = on_begin
        self._context = context
        self._checks = checks
        self._begun: set[bool] = set()
        self._ready: dict[str, tuple[Trial, float | None]] = {}
        self._broken: dict[str, Delivery] = {}
        self._down = ""

    async def judgement(self, check: Check, experiment: Experiment) -> Judgement:
        """Make an experiment, and judge it."""
        for forged in (False, True):  # valid events first: wrong ones may break something
            if forged <= experiment.forged and forged not in self._begun:
                self._begun.add(forged)
                await self._run(forged=forged)
        self._context.check = check.id
        trial, change = self._ready.pop(check.id, (None, None))
        if trial is None and self._down:
            raise GoneError(self._down)
        if trial is None:
            trial, change = await measured(self._context, experiment)
            if change not in (None, trial.expected):  # once more: was it the effect of another check?
                again, change_again = await measured(self._context, experiment)
                if change_again == again.expected:
                    trial, change = again, change_again
        judgement = await experiment.judge(self._context, trial, change)
        control = self._broken.get(check.id)
        if control is None:
            return judgement
        summary = f"{judgement.summary}; after that a valid event {answer_of(control)}"
        return Judgement("fail", summary, (*judgement.evidence[:3], control), judgement.fix)

    async def _run(self, *, forged: bool) -> None:
        """Make the deliveries of all experiments of a kind; what adds up is ready to be judged."""
        chosen = self._experiments(forged=forged)
        if not chosen:
            return
        before = await self._mark()
        if not forged:
            self._on_begin()
        trials = await self._sent(chosen)
        fits = before is None or bool(self._down) or await self._adds_up(before, trials)
        if not fits and not forged and await self._units_were_wrong():
            before = await self._mark()
            trials = await self._sent(chosen)
            fits = before is None or await self._adds_up(before, trials)
        if fits:
            self._note(trials, seen=before is not None and not self._down)
        elif forged:
            await self._clear(chosen, trials)

    async def _units_were_wrong(self) -> bool:
        """Learn the effect of each event type again, where effects come late: one that is wrong makes all wrong."""
        effects = self._context.effects
        known = dict(effects.units)
        if effects.late:
            await effects.learn_units(self._context.events, self._context.deliver_types, at_once=False)
        return effects.units != known

    async def _clear(self, chosen: dict[str, Experiment], trials: dict[str, Trial]) -> None:
        """Repeat those that were not answered 2xx, together: most likely none of them had an effect."""
        quiet = {
            each: kind for each, kind in chosen.items() if not any(one.delivered for one in trials[each].deliveries)
        }
        before = await self._mark() if quiet and len(quiet) < len(chosen) else None
        if before is not None:
            again = await self._sent(quiet)
            if await self._adds_up(before, again):
                self._note(again, seen=True)

    def _experiments(self, *, forged: bool) -> dict[str, Experiment]:
        effects = self._context.effects
        return {
            check.id: check.procedure
            for check in self._checks
            if isinstance(check.procedure, Experiment)
            and check.procedure.forged == forged
            and (check.level == 0 or (check.level == 1 and effects.known))
        }

    async def _mark(self) -> Mark | None:
        return await self._context.effects.mark() if self._context.effects.known else None

    async def _sent(self, experiments: dict[str, Experiment]) -> dict[str, Trial]:
        async def sent(check: str) -> Trial:
            self._context.check = check
            return await experiments[check].send(self._context)

        if not self._context.slow:
            trials: dict[str, Trial] = {}
            for check in experiments:
                if not self._down:
                    trials[check] = await sent(check)
                    await self._look_after(check, trials[check])
            return trials
        made = await asyncio.gather(*(asyncio.ensure_future(sent(check)) for check in experiments))
        return dict(zip(experiments, made, strict=True))

    async def _look_after(self, check: str, trial: Trial) -> None:
        """After an error, see whether the consumer still accepts a valid event; if not, this check broke it."""
        if not any(status_of(each) >= 500 for each in trial.deliveries):
            return
        control = await self._context.control()
        if control.delivered:
            return
        self._broken[check] = control
        if not await self._context.recovers():
            self._down = f"the consumer has accepted no valid event since {check}"

    async def _adds_up(self, before: Mark, trials: dict[str, Trial]) -> bool:
        expected = sum(trial.expected for trial in trials.values())
        return await self._context.effects.change_since(before, expected) == expected

    def _note(self, trials: dict[str, Trial], *, seen: bool) -> None:
        self._ready.update({check: (trial, trial.expected if seen else None) for check, trial in trials.items()})


async def measured(context: CheckContext, experiment: Experiment) -> tuple[Trial, float | None]:
    """Make an experiment alone."""
    if not context.effects.known:
        return await experiment.send(context), None
    before = await context.effects.mark()
    trial = await experiment.send(context)
    return trial, await context.effects.change_since(before, trial.expected)


#: The most variants that are named in a summary.
_NAMED = 4
#: The most variants that are tried alone to find those without an effect.
_TRIED = 8


def accepting(*variants: Variant) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be accepted."""
    return accepting_all(lambda _: variants)


def accepting_each(variants: Callable[[CheckContext, str], Iterable[Variant]]) -> Experiment:
    """Return the experiment of a check that makes deliveries of each event type, which must all be accepted."""
    return accepting_all(partial(_of_each_type, variants))


def _of_each_type(
    variants: Callable[[CheckContext, str], Iterable[Variant]], context: CheckContext
) -> Sequence[Variant]:
    return [each for event in context.events_in_question for each in variants(context, event)]


def accepting_all(
    variants: Callable[[CheckContext], Iterable[Variant]], cause: Callable[[set[str]], str] = lambda _: ""
) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be accepted, and have their effects."""
    return Experiment(partial(_send_all, variants), partial(_judge_all, cause))


async def _send_all(variants: Callable[[CheckContext], Iterable[Variant]], context: CheckContext) -> Trial:
    return await sent(context, variants(context))


async def _judge_all(
    cause: Callable[[set[str]], str], context: CheckContext, trial: Trial, change: float | None
) -> Judgement:
    judgement = await judge_effects(context, trial, change)
    refused = {variant.label for variant, delivery in trial.made if not delivery.delivered}
    mistake = cause(refused) if refused else ""
    return msgspec.structs.replace(judgement, summary=f"{judgement.summary}; {mistake}") if mistake else judgement


async def sent(context: CheckContext, variants: Iterable[Variant]) -> Trial:
    """Make deliveries that must all be accepted, each with the effect of its type."""
    made = await context.deliver_all(list(variants))
    accepted = [delivery for _, delivery in made if delivery.delivered]
    return Trial(made, sum(context.effects.unit(delivery.event.type) for delivery in accepted))


async def judge_effects(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    """Judge deliveries that must be accepted by their answers, and by their effects where a probe sees them."""
    if not trial.made:
        return Judgement("not tested", "none of the consumer's events has text to change")
    judgement = judge_accepted(trial.made)
    if judgement.verdict != "pass" or change in (None, trial.expected) or context.by_moment:
        return judgement
    lost: list[Made] = []
    for variant, _ in trial.made[:_TRIED]:
        again, effect = await measured(context, accepting(variant))
        lost += again.made if effect != again.expected else []
    if not lost:
        seen = f"the effect of all was {change:g}, not {trial.expected:g}, and each alone had the right one"
        return Judgement("inconclusive", f"{seen}: something else changes the count", _deliveries(trial.made))
    labels = _listed(variant.label for variant, _ in lost)
    return Judgement("fail", f"answered 2xx, but without the effect of an event: {labels}", _deliveries(lost))


def enduring(*variants: Variant, times: int = 1) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries which may be refused, but always in the same way."""
    return partial(_endured, variants, times)


async def _endured(variants: Sequence[Variant], times: int, context: CheckContext) -> Judgement:
    made = await context.deliver_all([variant for variant in variants for _ in range(times)])
    return judge_endured([made[at : at + times] for at in range(0, len(made), times)])


def judge_accepted(made: Sequence[Made]) -> Judgement:
    """Judge deliveries that must be accepted: each must have been answered 2xx."""
    refused = [each for each in made if not each[1].delivered]
    if refused:
        bad = {variant.label for variant, _ in refused}
        accepted = [variant.label for variant, _ in made if variant.label not in bad]
        but = f"; accepted: {_listed(accepted)}" if accepted else ""
        return Judgement("fail", named(refused) + but, _deliveries(refused))
    labels = ", ".join(dict.fromkeys(variant.label for variant, _ in made))
    return Judgement("pass", f"accepted: {labels}", _deliveries(made[:1]))


def judge_endured(made: Sequence[Sequence[Made]]) -> Judgement:
    """Judge deliveries that may be refused: no 5xx, no missing answer, and the same answer each time."""
    broken = [each for group in made for each in group if not 200 <= status_of(each[1]) < 500]
    if broken:
        once = list({each[0].label: each for each in reversed(broken)}.values())[::-1]  # the first time of each
        again = ": senders retry a 5xx, and it never gets better" if status_of(once[0][1]) else ""
        return Judgement("fail", f"{named(once)}{again}", _deliveries(once))
    unstable = [group for group in made if len({status_of(delivery) for _, delivery in group}) > 1]
    if unstable:
        group = unstable[0]
        statuses = ", ".join(str(status_of(delivery)) for _, delivery in group)
        return Judgement("fail", f"{group[0][0].label}: answered {statuses} to the same thing", _deliveries(group))
    answers = ", ".join(f"{group[0][0].label} {status_of(group[0][1])}" for group in made)
    return Judgement("pass", answers, _deliveries([group[0] for group in made][:1]))


def named(made: Sequence[Made]) -> str:
    """Name deliveries with what came back: ``answered 401: spaced, pretty; gave no answer (...): sorted keys``."""
    by_answer: dict[str, list[str]] = {}
    for variant, delivery in made:
        by_answer.setdefault(answer_of(delivery), []).append(variant.label)
    return "; ".join(f"{answer}: {_listed(labels)}" for answer, labels in by_answer.items())


def _listed(names: Iterable[str]) -> str:
    labels = list(dict.fromkeys(names))
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _deliveries(made: Sequence[Made]) -> tuple[Delivery, ...]:
    return tuple(delivery for _, delivery in made[:_NAMED])


# ---------------------------------------------------------------- what must be refused

#: What becomes of one that should have been refused; None where that cannot be seen.
_Fate = Literal["handled", "dropped"] | None

#: The most variants that are named in a summary.
_MOST_REFUSALS = 3

#: The causes that many findings have in common.
_CRASHED = "refused, but with an error: answer 400, 401 or 403, because senders retry a 5xx"
_ENDED = "it ended the consumer (PG007)"
_NOT_REFUSED = "neither accepted nor refused with a 4xx"
_EFFECT = "it had an effect, as if genuine"
_NO_EFFECT = "it was dropped, as the probe saw no effect"
_SHOWN_BY_DUPLICATE = "the genuine event after it was answered as a duplicate, so it was handled"
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
    """
    return refusing_all(partial(_defective_of_each_type, label, fault))


def _defective_of_each_type(label: str, fault: ChosenFault | str, context: CheckContext) -> Sequence[Variant]:
    return [Variant(label.format(event=each), (fault,), each) for each in context.events_in_question]


def refusing_all(
    variants: Callable[[CheckContext], Sequence[Variant]], accepted: Verdict = "fail", refusals: Sequence[int] = ()
) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be refused."""
    return Experiment(partial(_send_forged, variants), partial(_judge_forged, accepted, refusals), forged=True)


async def _send_forged(variants: Callable[[CheckContext], Sequence[Variant]], context: CheckContext) -> Trial:
    return Trial(await context.deliver_all(variants(context)))


async def _judge_forged(
    accepted: Verdict, refusals: Sequence[int], context: CheckContext, trial: Trial, change: float | None
) -> Judgement:
    """Judge the answers and the effects of deliveries that must be refused."""
    sent = [_Sent(*each) for each in trial.made]
    taken = [each for each in sent if each.delivery.delivered]
    if change:
        return await _judge_effect(context, sent, taken, change, accepted)
    left = [each for each in sent if status_of(each.delivery) not in refusals and not _is_cut_off(context, each)]
    crashed = [each for each in left if status_of(each.delivery) >= 500 or not status_of(each.delivery)]
    if crashed:
        ended = any(ending.delivery in [each.delivery for each in crashed] for ending in context.endings)
        return _judged(accepted, crashed, _ENDED if ended else _CRASHED)
    if taken:
        return await _judge_taken(context, taken, len(sent), accepted)
    odd = [each for each in left if status_of(each.delivery) < 400]
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
        return _judged(accepted, [each], _SHOWN_BY_DUPLICATE)
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
    if not baseline.reveals_duplicates:
        return None
    twin = comparable(await context.deliver(_as_sent(sent)))
    if twin == baseline.known:
        return "handled"
    return "dropped" if twin == baseline.fresh else None


async def _is_taken_for_genuine(context: CheckContext, sent: _Sent) -> bool:
    """Whether the answer is the one to a genuine event, and the consumer does not give it to everything."""
    baseline, answer = context.baselines[sent.event.type], comparable(sent.delivery)
    if answer is None or answer != baseline.fresh or not answer.body:
        return False
    nonsense = msgspec.structs.replace(sent.event, payload=b"this is not an event")
    return comparable(await context.deliver(nonsense, "missing_signature")) != answer


def _as_sent(sent: _Sent) -> Event:
    """The event in the body as it was sent: after tampering it may be about another object."""
    request = sent.delivery.attempts[-1].request
    return msgspec.structs.replace(sent.event, payload=request.body) if request else sent.event


def _judged(verdict: Verdict, sent: Sequence[_Sent], cause: str) -> Judgement:
    return Judgement(verdict, f"{_named(sent)}: {cause}", _evidence(sent), cause=cause)


def _evidence(sent: Sequence[_Sent]) -> tuple[Delivery, ...]:
    return tuple({each.delivery.number: each.delivery for each in sent}.values())[:_MOST_REFUSALS]


def _named(sent: Sequence[_Sent]) -> str:
    more = len(sent) - _MOST_REFUSALS
    return "; ".join(each.what for each in sent[:_MOST_REFUSALS]) + (f" and {more} more" if more > 0 else "")
