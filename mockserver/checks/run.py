"""One run of checks: the control first, then each check, and the control again after what may have broken something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from mockserver.checks.answer_comparison import Answer, ResponseBaseline, comparable
from mockserver.checks.context import CheckContext, RateLimitedError, answer_of, seconds_of, status_of
from mockserver.checks.diagnosis import diagnose
from mockserver.checks.effects import AccessError
from mockserver.checks.endpoint import BY_THE_CONTROL, STILL_WELL
from mockserver.checks.model import Check, CheckResult, Finding, Judgement, Procedure
from mockserver.checks.response_checks import ANSWER_TIME, LEAK_CHECKS
from mockserver.delivery.real_time import monotonic
from mockserver.errors import UsageError
from mockserver.model.messages import NEVER_CONNECTED
from mockserver.model.records import Delivery

#: How often the control is delivered to learn how the consumer answers.
_LEARNED = 2
#: Of a consumer that takes this many seconds for the first answer, less is learned.
_SLOW = 0.3
#: Real seconds that a consumer gets to come back: some are started again when they die.
_RECOVERY = 5.0
_RECOVERY_PAUSE = 0.25

T = TypeVar("T")

OnFinding = Callable[[Finding], None]
OnBegin = Callable[[Check], None]


class CheckRun:
    """Checks one consumer.

    Args:
        context: What makes the deliveries.
        checks: The checks, in the order in which they are made.
        report: What is filled as the run goes on.
        time_limit: Seconds after which no further check is begun.
        diagnosing: Whether to look for the reason when the control is refused.
        strict: Whether a must that is probably not met, and would be a warning, is a failure.
        on_begin: Called with each check before it is made.
        on_finding: Called with each finding.
    """

    def __init__(
        self,
        context: CheckContext,
        checks: Sequence[Check],
        report: CheckResult,
        *,
        time_limit: float,
        diagnosing: bool = False,
        strict: bool = False,
        on_begin: OnBegin = lambda _: None,
        on_finding: OnFinding = lambda _: None,
    ) -> None:
        self.report = report
        self._context = context
        self._checks = checks
        self._time_limit = time_limit
        self._diagnosing = diagnosing
        self._strict = strict
        self._on_begin = on_begin
        self._on_finding = on_finding
        self._down = ""
        self._learned = False

    async def run(self) -> CheckResult:
        """Make all checks.

        Returns:
            The report, with a finding for each check.

        Raises:
            UsageError: The probe or the hook that was given does not work.
        """
        begun = monotonic()
        try:
            await self._run(begun + self._time_limit)
        except AccessError as error:  # before the first check that needs it: nothing would be proved without
            raise UsageError(str(error)) from None
        finally:
            self.report.seconds = monotonic() - begun
            self.report.deliveries = len(self._context.deliveries)
        return self.report

    async def _run(self, deadline: float) -> None:
        context = self._context
        before = await context.effects.count() if context.effects.probed else None
        context.check = BY_THE_CONTROL[0].id
        control = await context.control(patient=False)
        if control.error is not None and control.error.kind in NEVER_CONNECTED:
            self.report.unreachable = control.error.message
            return
        if not control.delivered:
            self._down = f"a valid event {answer_of(control)} (PG001): what a refusal means cannot be known"
        for check in self._checks:
            if check not in BY_THE_CONTROL and not self._learned and not self._down:
                await self._unless_limited(self._learn(before))
            await self._make(check, deadline)
        if not control.delivered and self._diagnosing:
            self.report.diagnosis = await diagnose(context)

    async def _unless_limited(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do something; None if the consumer limits the rate: then nothing more can be found out."""
        try:
            return await work
        except RateLimitedError as error:
            self._down = self.report.stopped = str(error)
            return None

    # ---------------------------------------------------------------- learning

    async def _learn(self, before: float | None) -> None:
        """Learn how the consumer answers, and what its effects are.

        Args:
            before: The count before the control; None where there is no probe.
        """
        context = self._context
        self._learned = True
        if before is not None:
            await self._learn_effects(before)
        slow = seconds_of(context.deliveries[0]) > _SLOW
        for event_type in context.events[:1] if slow else context.events:
            context.baselines[event_type] = await self._baseline(event_type)
        context.answer_seconds = tuple(map(seconds_of, context.deliveries))

    async def _learn_effects(self, before: float) -> None:
        context = self._context
        for event_type in context.events[1:]:  # the control was one of the first
            await self._deliver_new(event_type)
        if await context.effects.learn_pace(before):
            for event_type in context.events:
                await context.effects.learn_unit(event_type, partial(self._deliver_new, event_type))

    async def _baseline(self, event_type: str) -> ResponseBaseline:
        """Learn how the consumer answers an event that it does not know, and one that it knows."""
        fresh: list[Answer | None] = []
        known: list[Answer | None] = []
        for _ in range(_LEARNED):
            event = self._context.event(event_type)
            fresh.append(comparable(await self._context.deliver(event)))
            known.append(comparable(await self._context.deliver(event)))
        return ResponseBaseline(_same(fresh), _same(known))

    async def _deliver_new(self, event_type: str) -> Delivery:
        return await self._context.deliver(self._context.event(event_type))

    # ---------------------------------------------------------------- one check

    async def _make(self, check: Check, deadline: float) -> None:
        begun = monotonic()
        self._context.check = check.id
        self._on_begin(check)
        judgement = await self._judgement(check, deadline)
        if self._strict and judgement.verdict == "warn" and check.severity == "must":
            judgement = msgspec.structs.replace(judgement, verdict="fail")
        finding = Finding(check, judgement, monotonic() - begun)
        self.report.findings.append(finding)
        self._on_finding(finding)

    async def _judgement(self, check: Check, deadline: float) -> Judgement:
        if check.procedure is None:
            return Judgement("not tested", check.sends.removeprefix("Nothing: ").rstrip("."))
        not_made = self._not_made(check, deadline)
        if not_made is not None:
            return not_made
        return await self._unless_limited(self._made(check, check.procedure)) or Judgement("inconclusive", self._down)

    def _not_made(self, check: Check, deadline: float) -> Judgement | None:
        """Why a check is not made; None if it is."""
        if self._down and check not in (*BY_THE_CONTROL, *LEAK_CHECKS) and not (self._learned and check == STILL_WELL):
            return Judgement("inconclusive", self._down)
        missing = self._missing(check)
        if missing:
            return Judgement("not tested", missing)
        if check not in (*BY_THE_CONTROL, ANSWER_TIME) and monotonic() > deadline:
            if check.severity == "must":
                self.report.stopped = "the time was up before all was checked"
            return Judgement("not tested", "the time was up; --time-limit gives more")
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

    async def _made(self, check: Check, procedure: Procedure) -> Judgement:
        made = len(self._context.deliveries)
        broken = ""
        try:
            judgement = await procedure(self._context)
        except AccessError as error:
            broken = str(error)
            judgement = Judgement("inconclusive", broken)
        sent = self._context.deliveries[made:]
        if sent and _is_gone(sent[0]) and check != STILL_WELL:
            self._down = f"the consumer was gone before {check.id} began ({answer_of(sent[0])})"
            return Judgement("inconclusive", self._down, tuple(sent[:1]))
        if broken or any(status_of(each) >= 500 or not status_of(each) for each in sent):
            judgement, survived = await self._survived(check, judgement)
            self.report.unusable = self.report.unusable or (broken if survived else "")
        return judgement

    async def _survived(self, check: Check, judgement: Judgement) -> tuple[Judgement, bool]:
        """See whether the consumer still takes a valid event; if not, this check is what broke it."""
        control = await self._context.control()
        if control.delivered or check == STILL_WELL:
            return judgement, control.delivered
        gone = f"{judgement.summary}; after that a valid event {answer_of(control)}"
        if not await self._recovered():
            self._down = f"the consumer takes no valid event any more since {check.id} ({check.title})"
        return Judgement("fail", gone, (*judgement.evidence, control)[:4], judgement.fix), False

    async def _recovered(self) -> bool:
        deadline = monotonic() + _RECOVERY
        while monotonic() < deadline:
            await asyncio.sleep(_RECOVERY_PAUSE)
            if (await self._context.control()).delivered:
                return True
        return False


def _is_gone(delivery: Delivery) -> bool:
    """Whether nothing took the connection; where an open one ended just then, this delivery may be the reason."""
    attempt = delivery.attempts[-1]
    return attempt.error is not None and attempt.error.kind in NEVER_CONNECTED and not attempt.exchange.resent


def _same(answers: Sequence[Answer | None]) -> Answer | None:
    """The answer, if it is the same each time."""
    return answers[0] if all(answer == answers[0] for answer in answers) else None
