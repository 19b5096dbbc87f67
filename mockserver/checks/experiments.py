"""Experiments: checks whose deliveries have a known effect together, so that it is waited for once for all of them.

An effect may come long after its answer, from a queue. To wait for it after each check would take minutes. So the
deliveries of many checks are made first: those that must have an effect in one batch, forgeries that must have none in
another. If the whole effect is the sum of what each must have, each has it. If not, each check is made again alone, and
what a single one says must be seen twice: an effect that comes late must not be counted as that of another check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from mockserver.checks.context import CheckContext, GoneError, Made, answer_of, status_of
from mockserver.checks.effects import Mark
from mockserver.checks.model import Check, Judgement
from mockserver.model.records import Delivery


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
    """Makes experiments: all of one kind together, and again alone what does not add up.

    Args:
        context: The context of the checks.
        checks: The checks that are made.
        on_begin: Called when the first deliveries that may have an effect are made.
    """

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
        """Make an experiment, and judge it.

        Args:
            check: The check.
            experiment: Its experiment.
        """
        for forged in (False, True):  # what is right first: what is wrong may break something
            if forged <= experiment.forged and forged not in self._begun:
                self._begun.add(forged)
                await self._run(forged=forged)
        self._context.check = check.id
        trial, change = self._ready.pop(check.id, (None, None))
        if trial is None and self._down:
            raise GoneError(self._down)
        if trial is None:
            trial, change = await measured(self._context, experiment)
            if change not in (
                None,
                trial.expected,
            ):  # once more, to be sure that it was not the effect of another check
                again, change_again = await measured(self._context, experiment)
                if change_again == again.expected:
                    trial, change = again, change_again
        self._context.check = check.id
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
        """Learn the effect of each event type again, where effects come late: one that was wrong makes all wrong."""
        effects = self._context.effects
        known = dict(effects.units)
        if effects.late:
            await effects.learn_units(self._context.events, self._context.deliver_types, at_once=False)
        return effects.units != known

    async def _clear(self, chosen: dict[str, Experiment], trials: dict[str, Trial]) -> None:
        """Make those again together that were not answered 2xx: most likely none of them had an effect."""
        quiet = {each: kind for each, kind in chosen.items() if not any(map(_accepted, trials[each].deliveries))}
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
        """After an error see whether the consumer still takes a valid event; if not, this check broke it."""
        if not any(status_of(each) >= 500 for each in trial.deliveries):
            return
        control = await self._context.control()
        if control.delivered:
            return
        self._broken[check] = control
        if not await self._context.recovers():
            self._down = f"the consumer takes no valid event any more since {check}"

    async def _adds_up(self, before: Mark, trials: dict[str, Trial]) -> bool:
        expected = sum(trial.expected for trial in trials.values())
        return await self._context.effects.change_since(before, expected) == expected

    def _note(self, trials: dict[str, Trial], *, seen: bool) -> None:
        self._ready.update({check: (trial, trial.expected if seen else None) for check, trial in trials.items()})


async def measured(context: CheckContext, experiment: Experiment) -> tuple[Trial, float | None]:
    """Make an experiment alone.

    Args:
        context: The context of the checks.
        experiment: The experiment.

    Returns:
        What was sent, and its effect; None where there is no probe.
    """
    if not context.effects.known:
        return await experiment.send(context), None
    before = await context.effects.mark()
    trial = await experiment.send(context)
    return trial, await context.effects.change_since(before, trial.expected)


def _accepted(delivery: Delivery) -> bool:
    return 200 <= status_of(delivery) < 300
