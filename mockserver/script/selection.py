"""Parts of a script: some of its steps alone, or all of them with nothing expected."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from mockserver.errors import UsageError
from mockserver.model.expectations import UNJUDGED, Expectation
from mockserver.script.model import AwaitStep, EventStep, PauseStep, Script, Step, TogetherStep


def only_steps(script: Script, numbers: Collection[str]) -> Script:
    """Return a script with some of its steps; the others are neither sent nor planned.

    The steps that are left keep their numbers, their lines and their times, as far as the script says them: what comes
    before the first of them is not waited for (the script starts that much later), what lies between two of them is.
    So their events have the bytes that they have in the whole script.

    Args:
        script: The script.
        numbers: The numbers of the steps, such as ``3`` or ``3.1``; that of a ``together`` means all that is in it.

    Raises:
        UsageError: The script has no step of such a number.
    """
    there = dict.fromkeys(_numbers(script.steps))
    for number in numbers:
        if number not in there:
            raise UsageError(f"{script.source} has no step {number!r}; its steps are {', '.join(there)}")
    before = gap = 0.0
    steps: list[Step] = []
    for step in script.steps:
        left = _left_of(step, numbers)
        if left is None:
            gap += step.seconds
            continue
        if not steps:
            before, gap = gap, 0.0
        steps.append(_later(left, gap))
        # What is waited for in an await step is the application: the time between goes to the step after it.
        gap = step.seconds - left.seconds + (gap if isinstance(left, AwaitStep) else 0.0)
    start = None if script.start is None else script.start + before
    return replace(script, steps=tuple(steps), start=start)


def unjudged(script: Script) -> Script:
    """Return a script that expects nothing of the consumer: for a dry run, in which there is none."""
    anything = Expectation(status=UNJUDGED)

    def each(step: Step) -> Step:
        if isinstance(step, TogetherStep):
            return replace(step, steps=tuple(replace(inner, expect=anything) for inner in step.steps))
        return replace(step, expect=anything) if isinstance(step, EventStep) else step

    return replace(script, steps=tuple(map(each, script.steps)))


def _numbers(steps: Collection[Step]) -> Iterator[str]:
    for step in steps:
        yield step.number
        if isinstance(step, TogetherStep):
            yield from _numbers(step.steps)


def _left_of(step: Step, numbers: Collection[str]) -> Step | None:
    """What is left of a step when only those of some numbers are."""
    if step.number in numbers or not isinstance(step, TogetherStep):
        return step if step.number in numbers else None
    inner = tuple(each for each in step.steps if each.number in numbers)
    return replace(step, steps=inner) if inner else None


def _later(step: Step, seconds: float) -> Step:
    if isinstance(step, PauseStep):
        return replace(step, seconds=step.seconds + seconds)
    return step if isinstance(step, AwaitStep) else replace(step, after=step.after + seconds)
