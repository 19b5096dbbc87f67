"""One run of checks: the control first, then each check, and the control again after what may have broken something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mockserver.checks.context import (
    Answer,
    CheckContext,
    GoneError,
    RateLimitedError,
    ResponseBaseline,
    Variant,
    answer_of,
    comparable,
    seconds_of,
    status_of,
)
from mockserver.checks.diagnosis import diagnose
from mockserver.checks.effects import AccessError, Mark
from mockserver.checks.endpoint import ANSWER_TIME, BY_THE_CONTROL, LEAK_CHECKS, STILL_WELL, SURVIVES
from mockserver.checks.experiments import Batches, Experiment
from mockserver.checks.model import Check, CheckResult, FailOn, Finding, Judgement
from mockserver.checks.transport import Drip
from mockserver.delivery.event_loop import monotonic
from mockserver.errors import UsageError
from mockserver.model.messages import NEVER_CONNECTED
from mockserver.model.records import Delivery

#: How often the control is delivered to learn how the consumer answers.
_LEARNED = 2
#: The checks for which a body drips beside the others.
_DRIPPING = ("slow_sender", "slow_sender_blocks_others")
_SUSPECTED = (
    "forgeries were answered 2xx: --probe URL, a number that grows with each handled event, proves it either way"
)

T = TypeVar("T")

OnFinding = Callable[[Finding], None]
OnBegin = Callable[[Check], None]


class CheckRun:
    """Checks one consumer."""

    def __init__(
        self,
        context: CheckContext,
        checks: Sequence[Check],
        report: CheckResult,
        *,
        time_limit: float,
        diagnosing: bool = False,
        fail_on: FailOn = "suspected",
        on_begin: OnBegin = lambda _: None,
        on_finding: OnFinding = lambda _: None,
    ) -> None:
        self.report = report
        self._context = context
        self._checks = checks
        self._time_limit = time_limit
        self._diagnosing = diagnosing
        self._fail_on = fail_on
        self._batches = Batches(context, checks, self._begin_drip)
        self._on_begin = on_begin
        self._on_finding = on_finding
        self._down = ""
        self._learned = False

    async def run(self) -> CheckResult:
        """Make all checks; raises UsageError."""
        begun = monotonic()
        try:
            await self._run(begun + self._time_limit)
        except AccessError as error:  # before the first check that needs it: nothing would be proved without
            raise UsageError(str(error)) from None
        finally:
            if self._context.drip is not None:
                await self._context.drip.end()
            self._note_limits()
            self.report.seconds = monotonic() - begun
            self.report.deliveries = len(self._context.deliveries)
        return self.report

    async def _run(self, deadline: float) -> None:
        context = self._context
        before = await context.effects.mark() if context.effects.probed else None
        context.check = BY_THE_CONTROL[0].id
        control = await context.control(patient=False)
        if control.error is not None and control.error.kind in NEVER_CONNECTED:
            self.report.unreachable = control.error.message
            return
        if not control.delivered:
            self._down = f"a valid event {answer_of(control)} (PG001): what a refusal means is unknown"
        for check in self._checks:
            if check not in BY_THE_CONTROL and not self._learned and not self._down:
                await self._unless_limited(self._learn(before))
            await self._make(check, deadline)
        if not control.delivered and self._diagnosing:
            self.report.diagnosis = await diagnose(context)

    def _note_limits(self) -> None:
        met = ", ".join(f"{times} times {status}" for status, times in sorted(self._context.limits.items()))
        if met:
            self.report.notes.append(f"the consumer limits requests; the limit was hit ({met}) and waited out")
        suspected = any(each.verdict == "warn" and each.check.severity == "must" for each in self.report.findings)
        if suspected and not self._context.effects.probed:
            self.report.notes.append(_SUSPECTED)

    async def _unless_limited(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do something; None if the consumer limits the rate: then nothing more can be found out."""
        try:
            return await work
        except GoneError as error:
            self._down = str(error)
            return None
        except RateLimitedError as error:
            self._down = self.report.stopped = str(error)
            return None

    # ---------------------------------------------------------------- learning

    async def _learn(self, before: Mark | None) -> None:
        """Learn how the consumer answers, and what its effects are."""
        context = self._context
        self._learned = True
        context.same_second = before is None
        await context.deliver_all([Variant(event, event=event) for event in context.all_events[1:]])
        for event_type in context.events[:1] if context.slow else context.events:
            context.baselines[event_type] = await self._baseline(event_type)
        context.answer_seconds = tuple(map(seconds_of, context.deliveries))
        if before is not None and await context.effects.learn_pace(before):
            at_once = context.slow or context.effects.late
            await context.effects.learn_units(context.events, context.deliver_types, at_once=at_once)

    def _begin_drip(self) -> None:
        if not self._context.in_process and any(check.name in _DRIPPING for check in self._checks):
            self._context.drip = Drip(self._context)

    async def _baseline(self, event_type: str) -> ResponseBaseline:
        """Learn how the consumer answers an event that it does not know, and one that it knows."""

        async def twice() -> tuple[Answer | None, Answer | None]:
            event = self._context.event(event_type)
            fresh = comparable(await self._context.deliver(event))
            return fresh, comparable(await self._context.deliver(event))

        if self._context.slow:
            answers = list(await asyncio.gather(*(twice() for _ in range(_LEARNED))))
        else:
            answers = [await twice() for _ in range(_LEARNED)]
        return ResponseBaseline(_same([fresh for fresh, _ in answers]), _same([known for _, known in answers]))

    # ---------------------------------------------------------------- one check

    async def _make(self, check: Check, deadline: float) -> None:
        begun = monotonic()
        self._context.check = check.id
        self._on_begin(check)
        judgement = await self._judgement(check, deadline)
        finding = Finding(check, judgement, monotonic() - begun, self._fail_on)
        self.report.findings.append(finding)
        self._on_finding(finding)

    async def _judgement(self, check: Check, deadline: float) -> Judgement:
        if check.procedure is None:
            return Judgement("not tested", check.sends.removeprefix("Nothing: ").rstrip("."))
        not_made = self._not_made(check, deadline)
        if not_made is not None:
            return not_made
        return await self._unless_limited(self._made(check)) or Judgement("inconclusive", self._down)

    def _not_made(self, check: Check, deadline: float) -> Judgement | None:
        """Why a check is not made; None if it is."""
        always = check in (*BY_THE_CONTROL, *LEAK_CHECKS) or (self._learned and check in (STILL_WELL, SURVIVES))
        if self._down and not always:
            return Judgement("inconclusive", self._down)
        broken = [each.id for each in self.report.findings if each.id in check.after and each.verdict == "fail"]
        if broken:
            return Judgement("inconclusive", f"depends on {' and '.join(broken)}, which failed")
        missing = self._missing(check)
        if missing:
            return Judgement("not tested", missing)
        if check not in (*BY_THE_CONTROL, ANSWER_TIME) and monotonic() > deadline:
            if check.severity == "must":
                self.report.stopped = "time ran out before everything was checked"
            return Judgement("not tested", "time ran out; --time-limit allows more")
        return None

    def _missing(self, check: Check) -> str:
        context = self._context
        if check.level >= 1 and not context.effects.probed:
            return "needs --probe, to see the effect"
        if check.level >= 1 and not context.effects.known and check.name != "effect":
            return "the probe has seen no effect of any event (PG070)"
        if check.level == 2 and context.access.fail_once is None:
            return "needs --fail-once, to make the consumer fail"
        return ""

    async def _made(self, check: Check) -> Judgement:
        context = self._context
        made = len(context.deliveries)
        broken = ""
        try:
            if isinstance(check.procedure, Experiment):
                judgement = await self._batches.judgement(check, check.procedure)
            else:
                judgement = await check.procedure(context)
        except AccessError as error:
            broken = str(error)
            judgement = Judgement("inconclusive", broken)
        sent = [each for each in context.deliveries[made:] if each.source == check.id]
        if broken or any(status_of(each) >= 500 or _hangs(each) for each in sent):
            judgement, survived = await self._survived(check, judgement)
            self.report.unusable = self.report.unusable or (broken if survived else "")
        return judgement

    async def _survived(self, check: Check, judgement: Judgement) -> tuple[Judgement, bool]:
        """See whether the consumer still accepts a valid event; if not, this check broke it."""
        control = await self._context.control()
        if control.delivered or check == STILL_WELL:
            return judgement, control.delivered
        gone = f"{judgement.summary}; after that a valid event {answer_of(control)}"
        if not await self._context.recovers():
            self._down = f"the consumer has accepted no valid event since {check.id} ({check.title})"
        return Judgement("fail", gone, (*judgement.evidence, control)[:4], judgement.fix), False


def _hangs(delivery: Delivery) -> bool:
    return delivery.error is not None and delivery.error.kind not in ("closed", *NEVER_CONNECTED)


def _same(answers: Sequence[Answer | None]) -> Answer | None:
    """The answer, if it is the same each time."""
    return answers[0] if all(answer == answers[0] for answer in answers) else None
