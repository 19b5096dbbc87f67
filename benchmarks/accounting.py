"""Accounting for every event of an endurance run: the mock's record, its report, and the consumer's own books.

What the report counts as delivered, the consumer has accepted. What the consumer has accepted and the report does not
count as delivered, was an answer of which the mock has on record that it did not come whole: a consumer cannot know
whether its answer arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any

import psutil

from benchmarks.chaotic_consumer import Ledger, number_in
from mockserver.model.expectations import DELIVERED
from mockserver.model.records import Delivery
from mockserver.replay.report import INTERRUPTED, Report
from mockserver.script.model import Script

#: The waits before each attempt of a delivery, in seconds: the retry policy of the script.
RETRY = (0.0, 1.0, 4.0)

#: How many problems of one kind are shown.
_TOLD = 10
_MARKS = 10


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        rows: The rows of its table.
        problems: What is wrong; nothing may be.
    """

    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max((len(name) for name, _ in self.rows), default=0)
        lines = [self.title, *(f"  {name.ljust(width)}  {value}" for name, value in self.rows)]
        return "\n".join([*lines, *(f"  WRONG: {problem}" for problem in self.problems)])


@dataclass
class Observed:
    """What is on the mock's record, event by event, beside its report; it stays small however many events there are.

    Args:
        events: How many events there are.

    Attributes:
        begun: How many deliveries of each event there were.
        delivered: How many of them arrived.
        unanswered: How many attempts of them got no complete answer.
        attempts: How many attempts of them there were, up to 255.
        interrupted: How many of them were in flight when the replay was stopped.
        outcomes: How many deliveries came to what.
        problems: What is wrong.
    """

    events: int
    begun: bytearray = field(init=False)
    delivered: bytearray = field(init=False)
    unanswered: bytearray = field(init=False)
    interrupted: bytearray = field(init=False)
    attempts: bytearray = field(init=False)
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make room."""
        self.begun, self.delivered, self.unanswered = (bytearray(self.events) for _ in range(3))
        self.interrupted, self.attempts = bytearray(self.events), bytearray(self.events)

    def count(self, number: int, *, outcome: str, attempts: int, unanswered: int, result: str) -> None:
        """Count a delivery that has its outcome."""
        self.attempts[number] = min(self.attempts[number] + attempts, 255)
        if outcome != "not_sent":
            self.begun[number] += 1
        self.delivered[number] += outcome == "delivered"
        self.interrupted[number] += outcome == "interrupted"
        self.unanswered[number] = min(self.unanswered[number] + unanswered, 255)
        self.outcomes[f"failed: {result}" if outcome == "failed" else outcome] += 1

    def problem(self, text: str) -> None:
        """Note what is wrong; of very much, the first."""
        if len(self.problems) < _TOLD:
            self.problems.append(text)

    def disagreements(self, ledger: Ledger) -> tuple[list[str], int]:
        """Compare with the consumer's books.

        Returns:
            What does not agree, and how many accepted answers did not arrive, which may be.
        """
        wrong, lost = [], 0
        for number, (attempts, received) in enumerate(zip(self.attempts, ledger.received, strict=True)):
            if received > attempts:
                wrong.append(f"event {number}: received {received} times, in {attempts} attempts on record")
        for number, (delivered, accepted) in enumerate(zip(self.delivered, ledger.accepted, strict=True)):
            if delivered == accepted:
                continue
            lost += accepted - delivered
            if not 0 < accepted - delivered <= self.unanswered[number]:
                wrong.append(
                    f"event {number}: {delivered} times delivered by the report, {accepted} times accepted by the"
                    f" consumer, and {self.unanswered[number]} attempts without a complete answer"
                )
        return wrong[:_TOLD], lost


def observed_in(report: dict[str, Any], events: int) -> Observed:
    """Count the deliveries that a report in JSON holds.

    Args:
        report: What ``mockserver replay --json`` wrote.
        events: How many events there are.
    """
    observed = Observed(events)
    for delivery in report["deliveries"]:
        attempts = delivery["attempts"]
        last = attempts[-1] if attempts else {"error": {"kind": "no attempt"}}
        observed.count(
            sum(delivery["payload"]["data"]["number"]),
            outcome=delivery["outcome"],
            attempts=len(attempts),
            unanswered=sum(attempt["error"] is not None for attempt in attempts),
            result=last["error"]["kind"] if last["error"] else str(last["response"]["status"]),
        )
        if [attempt["number"] for attempt in attempts] != list(range(1, len(attempts) + 1)):
            observed.problem(f"{delivery['delivery_id']}: the attempts are not in order")
    return observed


class Watch:
    """Listens to a replay: checks every delivery that ends, counts it, and looks at the memory now and then.

    Args:
        script: What is replayed.

    Attributes:
        observed: What was counted.
        marks: Resident memory in MB, at each tenth of the events.
        moments: The time on the wall and the processor time of this process, in seconds, when it began and at each
            tenth.
        ended: How many deliveries have ended.
        at: What to do when that many have.
    """

    def __init__(self, script: Script) -> None:
        self.observed = Observed(script.planned)
        self.marks: list[float] = []
        self.ended = 0
        self.at: dict[int, Callable[[], object]] = {}
        self._process = psutil.Process()
        self._mark_every = max(1, script.planned // _MARKS)
        self.moments = [(perf_counter(), process_time())]

    def note(self, delivery: Delivery) -> None:
        """Check a delivery that has its outcome, and count it."""
        attempts = delivery.attempts
        number = number_in(delivery.event.payload)
        assert number is not None
        self.ended += 1
        if not attempts:
            self.observed.count(number, outcome=delivery.outcome, attempts=0, unanswered=0, result="")
            return
        last = attempts[-1]
        if delivery.delivered != last.delivered or len(attempts) > len(RETRY):
            self.observed.problem(f"{delivery} has {len(attempts)} attempts, the last of which came to {last.result}")
        if len(attempts) > 1 or last.number != 1:
            self._check_order(delivery)
        self.observed.count(
            number,
            outcome=delivery.outcome,
            attempts=len(attempts),
            unanswered=sum(attempt.error is not None for attempt in attempts),
            result=last.error.kind if last.error else str(last.response.status if last.response else 0),
        )
        if self.ended % self._mark_every == 0:
            self.marks.append(self._process.memory_info().rss / 1e6)
            self.moments.append((perf_counter(), process_time()))
        if self.ended in self.at:
            self.at.pop(self.ended)()

    def costs(self) -> list[tuple[float, float]]:
        """Return what a delivery of each tenth took, in microseconds: on the wall, and of the processor."""
        per_delivery = 1e6 / self._mark_every
        return [
            ((later[0] - earlier[0]) * per_delivery, (later[1] - earlier[1]) * per_delivery)
            for earlier, later in zip(self.moments, self.moments[1:], strict=False)
        ]

    def _check_order(self, delivery: Delivery) -> None:
        moments = [attempt.at for attempt in delivery.attempts]
        # Moments are seconds since 1970: they are exact to a microsecond, not more.
        waited = all(
            later - earlier > wait - 1e-5 for earlier, later, wait in zip(moments, moments[1:], RETRY[1:], strict=False)
        )
        numbers = [attempt.number for attempt in delivery.attempts]
        if not waited or numbers != list(range(1, len(numbers) + 1)):
            self.observed.problem(f"{delivery}: attempts {numbers} at {moments} are not in order")
        if any(attempt.request is not delivery.attempts[0].request for attempt in delivery.attempts):
            self.observed.problem(f"{delivery}: a retry is not the very request of the first attempt")


def judge_report(outcome: Outcome, script: Script, report: Report, observed: Observed) -> None:
    """See whether a report adds up, and each step agrees with its deliveries, which were counted one by one.

    Args:
        outcome: Where it is noted.
        script: The script; the numbers of its events follow the order of its steps.
        report: The report of its replay.
        observed: What was counted.
    """
    judge_sum(outcome, report.planned, report.delivered, report.failed, report.not_sent, report.reasons)
    first = 0
    for event_step in script.event_steps():
        step = report.step(event_step.number)
        numbers = range(first, first + step.planned)
        first += step.planned
        sent = [number for number in numbers if observed.begun[number]]
        delivered = sum(observed.delivered[number] == observed.begun[number] for number in sent)
        interrupted = sum(observed.interrupted[number] > 0 for number in sent)
        reported = (step.delivered, step.failed, step.not_sent.get(INTERRUPTED, 0))
        counted = (delivered, len(sent) - delivered - interrupted, interrupted)
        if reported != counted:
            outcome.problems.append(
                f"step {step.number}: reported as delivered, failed, interrupted {reported}, counted {counted}"
            )
        if event_step.expect == DELIVERED and step.unmet != step.failed:
            outcome.problems.append(f"step {step.number}: {step.failed} failed, but {step.unmet} expectations not met")


def judge_sum(
    outcome: Outcome, planned: int, delivered: int, failed: int, not_sent: int, reasons: dict[str, int]
) -> None:
    """See whether the counts of a report add up, and each event that was not sent has a reason."""
    outcome.rows.append(
        ("events", f"{planned:,} planned = {delivered:,} delivered + {failed:,} failed + {not_sent:,} not sent")
    )
    outcome.rows += [(f"not sent: {reason}", f"{count:,}") for reason, count in reasons.items()]
    if planned != delivered + failed + not_sent or sum(reasons.values()) != not_sent or not all(reasons):
        outcome.problems.append(f"the report does not add up: {reasons} were not sent")


def judge_books(outcome: Outcome, observed: Observed, ledger: Ledger) -> None:
    """See whether what was counted agrees with the consumer's own books."""
    wrong, lost = observed.disagreements(ledger)
    outcome.rows += [(name, f"{count:,} deliveries") for name, count in observed.outcomes.most_common()]
    ways = (f"{name} {count:,}" for name, count in ledger.counts().items() if count)
    outcome.rows += [
        ("the consumer", " · ".join(ways)),
        ("accepted, but lost", f"{lost:,} answers that the mock has on record as not complete"),
    ]
    outcome.problems += observed.problems + wrong
