"""Checks of what a consumer must accept (2xx), and of what it may refuse but must not break at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from mockserver.checks.context import CheckContext, Variant, answer_of, status_of
from mockserver.checks.model import Judgement
from mockserver.model.records import Delivery

#: What one of the deliveries was, and what came of it.
Made = tuple[Variant, Delivery]

#: The most variants that are named in a summary.
_NAMED = 4


def accepting(*variants: Variant) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries which must all be accepted.

    Args:
        variants: The deliveries.
    """

    async def procedure(context: CheckContext) -> Judgement:
        return await deliver_accepted(context, variants)

    return procedure


def accepting_each(
    variants: Callable[[CheckContext, str], Iterable[Variant]],
) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries of each event type, which must all be accepted.

    Args:
        variants: Makes the deliveries of one event type.
    """

    async def procedure(context: CheckContext) -> Judgement:
        return await deliver_accepted(
            context, [each for event in context.events_in_question for each in variants(context, event)]
        )

    return procedure


async def deliver_accepted(context: CheckContext, variants: Iterable[Variant]) -> Judgement:
    """Make deliveries that must all be accepted, and judge them."""
    made = [(variant, await variant.deliver(context)) for variant in variants]
    return judge_accepted(made) if made else Judgement("not tested", "no event of the consumer's has a text to change")


def enduring(*variants: Variant, times: int = 1) -> Callable[[CheckContext], Awaitable[Judgement]]:
    """Return the procedure of a check that makes deliveries which may be refused, but always in the same way.

    Args:
        variants: The deliveries, signed correctly.
        times: How many times each is made.
    """

    async def procedure(context: CheckContext) -> Judgement:
        return judge_endured([await _repeated(context, variant, times) for variant in variants])

    return procedure


async def _repeated(context: CheckContext, variant: Variant, times: int) -> list[Made]:
    return [(variant, await variant.deliver(context)) for _ in range(times)]


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
