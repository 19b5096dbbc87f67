"""Checks of what a consumer must accept (2xx), and of what it may refuse but must not break at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from mockserver.checks.context import CheckContext, Made, Variant, answer_of, status_of
from mockserver.checks.experiments import Experiment, Trial, measured
from mockserver.checks.model import Judgement
from mockserver.model.records import Delivery

#: The most variants that are named in a summary.
_NAMED = 4
#: The most variants that are tried alone to find those without an effect.
_TRIED = 8


def accepting(*variants: Variant) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be accepted.

    Args:
        variants: The deliveries.
    """
    return accepting_all(lambda _: variants)


def accepting_each(variants: Callable[[CheckContext, str], Iterable[Variant]]) -> Experiment:
    """Return the experiment of a check that makes deliveries of each event type, which must all be accepted.

    Args:
        variants: Makes the deliveries of one event type.
    """
    return accepting_all(
        lambda context: [each for event in context.events_in_question for each in variants(context, event)]
    )


def accepting_all(
    variants: Callable[[CheckContext], Iterable[Variant]], cause: Callable[[set[str]], str] = lambda _: ""
) -> Experiment:
    """Return the experiment of a check that makes deliveries which must all be accepted, and have their effects.

    Args:
        variants: Makes them.
        cause: Says what the labels of those that were refused show of the mistake.
    """

    async def send(context: CheckContext) -> Trial:
        return await sent(context, variants(context))

    async def judge(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
        judgement = await judge_effects(context, trial, change)
        refused = {variant.label for variant, delivery in trial.made if not delivery.delivered}
        mistake = cause(refused) if refused else ""
        if not mistake:
            return judgement
        return Judgement(judgement.verdict, f"{judgement.summary}; {mistake}", judgement.evidence, judgement.fix)

    return Experiment(send, judge)


async def sent(context: CheckContext, variants: Iterable[Variant]) -> Trial:
    """Make deliveries that must all be accepted, each with the effect of its type.

    Args:
        context: The context of the checks.
        variants: The deliveries.
    """
    made = await context.deliver_all(list(variants))
    accepted = [delivery for _, delivery in made if delivery.delivered]
    return Trial(made, sum(context.effects.unit(delivery.event.type) for delivery in accepted))


async def judge_effects(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    """Judge deliveries that must be accepted by their answers, and by their effects where a probe sees them.

    Args:
        context: The context of the checks.
        trial: What was sent.
        change: The effect; None where there is no probe.
    """
    if not trial.made:
        return Judgement("not tested", "no event of the consumer's has a text to change")
    judgement = judge_accepted(trial.made)
    if judgement.verdict != "pass" or change in (None, trial.expected) or context.by_moment:
        return judgement
    lost: list[Made] = []
    for variant, _ in trial.made[:_TRIED]:
        again, effect = await measured(context, accepting(variant))
        lost += again.made if effect != again.expected else []
    if not lost:
        seen = f"the effect of all was {change:g}, not {trial.expected:g}, and of each alone as it must be"
        return Judgement("inconclusive", f"{seen}: something else changes the count", _deliveries(trial.made))
    labels = _listed(variant.label for variant, _ in lost)
    return Judgement("fail", f"answered 2xx, but without the effect of an event: {labels}", _deliveries(lost))


def enduring(*variants: Variant, times: int = 1) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries which may be refused, but always in the same way.

    Args:
        variants: The deliveries, signed correctly.
        times: How many times each is made.
    """

    async def procedure(context: CheckContext) -> Judgement:
        made = await context.deliver_all([variant for variant in variants for _ in range(times)])
        return judge_endured([made[at : at + times] for at in range(0, len(made), times)])

    return procedure


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
        again = ": a 5xx is tried again, and never gets better" if status_of(once[0][1]) else ""
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
