"""The report of a replay: what was planned, and what became of each event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import msgspec

from mockserver.errors import DeliveryError, UsageError
from mockserver.model.memory_budget import MemoryBudget, Share
from mockserver.model.records import Delivery, seen, what_is_unmet
from mockserver.model.redaction import Redactor
from mockserver.script.model import AwaitStep, EventStep, PauseStep, Script, Step, TogetherStep

#: Why an event with the fault of this name was not sent.
LOST = "lost on purpose"

#: Why an event that was in flight when the replay was stopped has no outcome.
INTERRUPTED = "interrupted, outcome unknown"

#: Why an event that had not begun when the replay was stopped was not sent.
STOPPED = "the replay was stopped"

#: Why the events of a step that must have an effect were not sent.
NO_STATE = "the consumer's state could not be read before"

#: How many sentences of a step are kept as evidence; all unmet expectations are counted.
_EVIDENCE = 20


class StepReport(msgspec.Struct, kw_only=True):
    """What became of the events of one step.

    Args:
        number: The step's number in the script, such as ``3`` or ``3.1``.
        line: Its line in the script.
        what: The event type with its faults, or what the step does instead.
        planned: How many events it was to make happen.
        delivered: How many of them every webhook accepted.
        failed: How many of them at least one webhook did not accept.
        not_sent: How many of them have no outcome, by reason: they were not sent, or interrupted.
        unmet: How many of them did not meet what the step expects.
        evidence: The first sentences on what was not met: the event's deliveries, what was expected, what came.
        seconds: How long the step took in real time, from its first event to the end of its last.
    """

    number: str
    line: int
    what: str
    planned: int = 0
    delivered: int = 0
    failed: int = 0
    not_sent: dict[str, int] = {}
    unmet: int = 0
    evidence: list[str] = []
    seconds: float = 0.0

    @property
    def missing(self) -> int:
        """How many events have no outcome yet."""
        return self.planned - self.delivered - self.failed - sum(self.not_sent.values())

    def count(self, deliveries: Sequence[Delivery]) -> bool:
        """Count an event by its deliveries, and return whether each was accepted, and as expected."""
        if len(deliveries) == 1 and deliveries[0].outcome == "delivered" and not deliveries[0].unmet:  # nearly always
            self.delivered += 1
            return True
        outcomes = {delivery.outcome for delivery in deliveries}
        if outcomes == {"delivered"}:
            self.delivered += 1
        elif "failed" in outcomes:
            self.failed += 1
        else:
            self.count_not_sent(INTERRUPTED if outcomes - {"not_sent"} else STOPPED)
        unmet = [delivery for delivery in deliveries if delivery.unmet]
        if unmet:
            self.count_unmet(*(f"{what_is_unmet(delivery)} ({delivery})" for delivery in unmet))
        return outcomes == {"delivered"} and not unmet

    def count_unmet(self, *evidence: str) -> None:
        """Count an event, or an effect of the whole step, that does not meet what is expected."""
        self.unmet += 1
        self.evidence += evidence[: _EVIDENCE - len(self.evidence)]

    def count_not_sent(self, reason: str, events: int = 1) -> None:
        """Count events that went nowhere; of too many different reasons, the later ones are put together."""
        if reason not in self.not_sent and len(self.not_sent) >= _EVIDENCE:
            reason = "other reasons"
        self.not_sent[reason] = self.not_sent.get(reason, 0) + events


class Report:
    """What a replay did: planned = delivered + failed + not sent, where interrupted events count as not sent.

    Args:
        script: The script that was replayed.
        max_deliveries: How many deliveries the report itself holds; the oldest go, the counts stay.
        budget: The bytes that they may take, until :meth:`leave_budget`; None for the default.

    Attributes:
        steps: What became of each step.
        halted_at: The number of the step that could not be gone beyond, if that is why.
        first_unmet: The number of the first step that had a problem; empty while none has.
        began: When the replay began, in seconds since 1970, by the real time; 0 if it never did.
        seconds: How long it took.
        scripted_seconds: How long it took by the script's clock.
        page: Makes the page of it: who starts the replay hands it in, and knows what is secret.
        looked_at: Whether someone has asked how it ended.
        timeouts_in_a_row: How many events up to the last one timed out, without any that was answered between them.
    """

    def __init__(self, script: Script, max_deliveries: int = 10_000, budget: MemoryBudget | None = None) -> None:
        self.script = script
        self.steps = tuple(_step_reports(script.steps))
        self.looked_at = False
        self._halted = ""
        self.halted_at = ""
        self.first_unmet = ""
        self.began = 0.0
        self.seconds = 0.0
        self.scripted_seconds = 0.0
        self.timeouts_in_a_row = 0
        self._by_number = {step.number: step for step in self.steps}
        self._deliveries: deque[Delivery] = deque()
        self._max_deliveries = max_deliveries
        self._budget = budget or MemoryBudget()
        self._share: Share | None = None
        self.page: Callable[[Report], str] | None = None
        self._redactor: Redactor | None = None
        self._clean_deliveries: tuple[Delivery, ...] | None = None

    @property
    def planned(self) -> int:
        """How many events the script makes happen."""
        return sum(step.planned for step in self.steps)

    @property
    def delivered(self) -> int:
        """How many events every webhook that they went to accepted."""
        self.looked_at = True
        return sum(step.delivered for step in self.steps)

    @property
    def failed(self) -> int:
        """How many events at least one webhook did not accept."""
        self.looked_at = True
        return sum(step.failed for step in self.steps)

    @property
    def not_sent(self) -> int:
        """How many events have no outcome: they were not sent, or :attr:`interrupted`."""
        self.looked_at = True
        return sum(self.reasons.values())

    @property
    def interrupted(self) -> int:
        """How many events were in flight when the replay was stopped: the consumer may have them or not."""
        return self.reasons.get(INTERRUPTED, 0)

    @property
    def reasons(self) -> dict[str, int]:
        """Why events went nowhere, and how many."""
        reasons: dict[str, int] = {}
        for step in self.steps:
            for reason, events in step.not_sent.items():
                reasons[reason] = reasons.get(reason, 0) + events
        return reasons

    @property
    def unmet(self) -> int:
        """How many events, and effects of steps, did not meet what is expected of them."""
        self.looked_at = True
        return sum(step.unmet for step in self.steps)

    @property
    def ok(self) -> bool:
        """Whether every planned event was sent, unless it was lost on purpose, and met what is expected of it."""
        self.looked_at = True
        seen(self._deliveries)
        return not self.broken

    @property
    def broken(self) -> bool:
        """The opposite of :attr:`ok`, for code that only passes the report on: that does not count as a look at it."""
        unmet = any(step.unmet for step in self.steps)
        return bool(self._halted or unmet or self.reasons.keys() - {LOST})

    @property
    def halted(self) -> str:
        """Why the replay ended before its last step; empty if it did not."""
        self.looked_at = True
        return self._halted

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries, the oldest first; of very many, the last ones."""
        self.looked_at = True
        found = seen(sorted(self._deliveries, key=lambda delivery: delivery.number))
        if self._redactor is not None and self._clean_deliveries is None:
            self._clean_deliveries = tuple(map(self._redactor.delivery, found))
        return found if self._clean_deliveries is None else self._clean_deliveries

    @property
    def webhook_ids(self) -> frozenset[str]:
        """The ids of the webhooks that its deliveries went to; asking for them is no look at an outcome."""
        return frozenset(delivery.webhook_id for delivery in self._deliveries)

    @property
    def delivery_ids(self) -> tuple[str, ...]:
        """The ids of :attr:`deliveries`; asking for them alone does not count as a look at an outcome."""
        return tuple(delivery.delivery_id for delivery in self._deliveries)

    def step(self, number: str) -> StepReport:
        """Return the report of a step by its number, such as ``3`` or ``3.1``."""
        self.looked_at = True
        return self._by_number[number]

    def count(self, number: str, deliveries: Sequence[Delivery]) -> None:
        """Count an event of a step by its deliveries."""
        step, share, kept = self._by_number[number], self._share, self._deliveries
        if step.count(deliveries):
            self.timeouts_in_a_row = 0
        else:
            if step.unmet:
                self._note_problem(number)
            self.timeouts_in_a_row = self.timeouts_in_a_row + 1 if any(map(_timed_out, deliveries)) else 0
        if share is None:
            share = self._share = self._budget.share(self._drop_oldest)
        for delivery in deliveries:
            kept.append(delivery)
            share.keep(delivery)
        while len(kept) > self._max_deliveries:
            self._drop_oldest()

    def leave_budget(self) -> None:
        """Stop counting its deliveries: it is over, and belongs to whatever asked for it."""
        if self._share is not None:
            self._share.close(self._deliveries)
            self._share = None

    def _drop_oldest(self) -> None:
        assert self._share is not None  # noqa: S101 - what it holds is counted
        self._share.release(self._deliveries.popleft())

    def count_not_sent(self, number: str, reason: str) -> None:
        """Count an event of a step that went nowhere."""
        self._by_number[number].count_not_sent(reason)
        if reason != LOST:
            self._note_problem(number)

    def took(self, number: str, seconds: float) -> None:
        """Note how long a step took in real time."""
        self._by_number[number].seconds = seconds

    def explain(self, number: str, sentence: str) -> None:
        """Note that the effect of a step is not the one that is expected."""
        self._by_number[number].count_unmet(sentence)
        self._note_problem(number)

    def halt(self, reason: str, number: str = "") -> None:
        """Note that the replay ends early: what was not sent by now is not a problem of its own.

        Args:
            reason: Why.
            number: The step that it cannot go beyond; empty when no step is at fault, or the report knows it already.
        """
        self._halted, self.halted_at = reason, number

    def _note_problem(self, number: str) -> None:
        self.first_unmet = self.first_unmet or number

    def give_up(self, number: str, reason: str) -> None:
        """Account for the events of a step that does not happen: they were not sent, for this reason."""
        step = self._by_number[number]
        step.count_not_sent(reason, step.missing)

    def close(self, reason: str) -> None:
        """Account for every event that has no outcome: it was not sent, for this reason."""
        for step in self.steps:
            if step.missing:
                step.count_not_sent(reason, step.missing)

    def raise_for_failures(self) -> None:
        """Do nothing if the report is :attr:`ok`.

        Raises:
            DeliveryError: It is not; the message says which events did not meet what is expected, and what came back.
        """
        if not self.ok:
            raise DeliveryError("\n".join([self.summary, *self.explanations()]))

    def clean(self, redactor: Redactor) -> Report:
        """Return the report without secrets: the one door through which it gets into any file or output."""
        text, clean = redactor.text, copy(self)
        clean.script = msgspec.structs.replace(
            self.script, name=text(self.script.name), source=text(self.script.source)
        )
        clean.steps = tuple(
            msgspec.structs.replace(
                step,
                what=text(step.what),
                not_sent={text(reason): events for reason, events in step.not_sent.items()},
                evidence=list(map(text, step.evidence)),
            )
            for step in self.steps
        )
        clean._by_number = {step.number: step for step in clean.steps}  # noqa: SLF001 - a report as well
        clean._halted = text(self._halted)  # noqa: SLF001 - a report as well
        clean._redactor = redactor  # noqa: SLF001 - a report as well
        return clean

    def html(self) -> str:
        """Return the report as one page of HTML, without secrets: to write to a file, to open, or to attach.

        Raises:
            UsageError: It does not come from a mock, which knows what is secret.
        """
        if self.page is None:
            raise UsageError("only the report of a replay by a mock can be shown as a page")
        return self.page(self)

    @property
    def summary(self) -> str:
        """One line: how many events were planned, delivered, failed and not sent."""
        return f"{self.script.name}: {self.counts}"

    @property
    def counts(self) -> str:
        """The counts in words: planned = delivered + failed + not sent, and the expectations that were not met."""
        return counts_of([self])

    def explanations(self) -> list[str]:
        """Return a line for each expectation that was not met, and each reason for which events were not sent."""
        lines = []
        for step in self.steps:
            where = f"{self.script.source}:{step.line}: step {step.number} ({step.what})"
            problems = self.problems(step)
            lines += [problem if problem == self.halted else f"{where}: {problem}" for problem in problems]
        return [*lines, self.halted] if self.halted and not self.halted_at else lines

    def problems(self, step: StepReport) -> list[str]:
        """Return what is wrong with a step, a sentence each: expectations that were not met, events not sent.

        Events that were lost on purpose, or not sent because the replay was halted by another step, are not among it.
        """
        more = step.unmet - len(step.evidence)
        others = {LOST, self.halted}
        return [
            *([self.halted] if self.halted and step.number == self.halted_at else []),
            *step.evidence,
            *([f"{more} more expectations not met"] if more > 0 else []),
            *(
                f"{events} {reason}" if reason == INTERRUPTED else f"{events} not sent: {reason}"
                for reason, events in step.not_sent.items()
                if reason not in others
            ),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values: the counts, the steps, and each failure's explanation."""
        return {
            "script": self.script.source,
            "name": self.script.name,
            "ok": self.ok,
            "planned": self.planned,
            "delivered": self.delivered,
            "failed": self.failed,
            "not_sent": self.not_sent,
            "interrupted": self.interrupted,
            "unmet": self.unmet,
            "reasons": self.reasons,
            "halted": self.halted or None,
            "seconds": round(self.seconds, 6),
            "scripted_seconds": round(self.scripted_seconds, 6),
            "steps": [
                {
                    "number": step.number,
                    "line": step.line,
                    "what": step.what,
                    "planned": step.planned,
                    "delivered": step.delivered,
                    "failed": step.failed,
                    "not_sent": step.not_sent,
                    "unmet": step.unmet,
                }
                for step in self.steps
            ],
            "explanations": self.explanations(),
        }

    def __repr__(self) -> str:
        return f"<Report {self.summary}>"


def counts_of(reports: Sequence[Report]) -> str:
    """Return the counts of reports in words, added up."""
    planned, delivered, failed, not_sent, interrupted, unmet = (
        sum(getattr(report, name) for report in reports)
        for name in ("planned", "delivered", "failed", "not_sent", "interrupted", "unmet")
    )
    sent = f"{delivered} delivered + {failed} failed + {not_sent - interrupted} not sent"
    sent += f" + {interrupted} interrupted (outcome unknown)" if interrupted else ""
    return f"{planned} planned = {sent}" + (f"; {unmet} expectation{'s' * (unmet != 1)} not met" if unmet else "")


def _timed_out(delivery: Delivery) -> bool:
    return delivery.outcome == "failed" and delivery.error is not None and delivery.error.kind == "timeout"


def _step_reports(steps: Sequence[Step]) -> list[StepReport]:
    reports: list[StepReport] = []
    for step in steps:
        if isinstance(step, TogetherStep):
            reports += _step_reports(step.steps)
        else:
            reports.append(StepReport(number=step.number, line=step.line, what=_what(step), planned=step.planned))
    return reports


def _what(step: EventStep | PauseStep | AwaitStep) -> str:
    if isinstance(step, EventStep):
        faults = ", ".join(chosen.name for chosen in step.faults)
        return f"{step.event} [{faults}]" if faults else step.event
    return "pause" if isinstance(step, PauseStep) else "await registration"
