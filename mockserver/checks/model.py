"""What a check is, what it finds, and the report of all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from mockserver.model.records import Delivery

#: How much it matters: ``must`` fails a build, ``should`` is a defect that you can live with, ``note`` is good to know.
Severity = Literal["must", "should", "note"]

#: What a check came to.
#:
#: ``pass`` the consumer does it right · ``fail`` it does not, and the evidence proves it · ``warn`` it probably does
#: not, but that cannot be proved from here · ``inconclusive`` the check was made and says nothing, because something
#: else went wrong · ``not tested`` it was not made: something that it needs was not given, or it cannot be made from
#: outside at all.
Verdict = Literal["pass", "fail", "warn", "inconclusive", "not tested"]

#: What a check needs: 0 only the URL and the secret, 1 a probe that reads the consumer's state as well, 2 also a way to
#: make the consumer fail once.
Level = Literal[0, 1, 2]


class Judgement(msgspec.Struct, frozen=True):
    """What a check came to.

    Args:
        verdict: The verdict.
        summary: One line: what was seen, such as ``answered 200 to an event without a signature, and handled it``.
        evidence: The deliveries that prove it, in the order in which they were made; none where there is nothing to
            show.
        fix: What to do about it, where that is more than the check says of itself.
        cause: The end of the summary, where findings of other checks may have the same: they are shown together.
    """

    verdict: Verdict
    summary: str
    evidence: tuple[Delivery, ...] = ()
    fix: str = ""
    cause: str = ""


#: From which finding on a build fails: a ``must`` that is proved not to be met, one that seems not to be met, or a
#: ``should`` that is not met as well.
FailOn = Literal["proven", "suspected", "should"]

#: Makes the deliveries of a check and judges them; it takes a :class:`mockserver.checks.context.CheckContext`.
Procedure = Callable[[Any], Awaitable[Judgement]]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a consumer must get right.

    Args:
        id: Stable, such as ``PG012``.
        name: A few words in snake case, such as ``wrong_secret``.
        severity: How much it matters.
        level: What it needs.
        sends: The deliveries that it makes, in one sentence.
        good: What a correct consumer does, in a few words.
        why: Why it matters, in one paragraph.
        fix: How to fix a consumer that gets it wrong.
        procedure: Makes the deliveries and judges them; an ``Experiment`` where their effects are waited
            for; None for what cannot be tested from outside.
        after: Checks without whose success this one means nothing.
    """

    id: str
    name: str
    severity: Severity
    level: Level = 0
    sends: str
    good: str
    why: str
    fix: str
    procedure: Any = None
    after: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name as words: ``wrong secret``."""
        return self.name.replace("_", " ")


class Finding(msgspec.Struct, frozen=True):
    """What a check found out about a consumer.

    Args:
        check: The check.
        judgement: What it came to.
        seconds: How long it took.
        fail_on: From which finding on a build fails.
    """

    check: Check
    judgement: Judgement
    seconds: float = 0.0
    fail_on: FailOn = "suspected"

    @property
    def id(self) -> str:
        """The id of the check, such as ``PG012``."""
        return self.check.id

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict

    @property
    def summary(self) -> str:
        """One line: what was seen."""
        return self.judgement.summary

    @property
    def cause(self) -> str:
        """What it may share with other findings; the id of the check where that is nothing."""
        return self.judgement.cause or self.check.id

    @property
    def particular(self) -> str:
        """The summary without the cause."""
        return self.summary.removesuffix(self.judgement.cause).rstrip(" ,:;")

    def told_after(self, first: str) -> str:
        """Return what was seen, without a cause that was shown before.

        Args:
            first: The id of the check whose finding was the first with this cause; it may be this one.
        """
        return self.summary if first == self.check.id else f"{self.particular}: as {first}"

    @property
    def evidence(self) -> tuple[Delivery, ...]:
        """The deliveries that prove it."""
        return self.judgement.evidence

    @property
    def fix(self) -> str:
        """What to do about it."""
        return self.judgement.fix or self.check.fix

    @property
    def breaks(self) -> bool:
        """Whether it fails a build."""
        if self.check.severity == "must":
            return self.verdict == "fail" or (self.verdict == "warn" and self.fail_on != "proven")
        return self.verdict == "fail" and self.check.severity == "should" and self.fail_on == "should"

    def __str__(self) -> str:
        return f"{self.check.id} {self.check.title}: {self.verdict}, {self.summary}"

    def __repr__(self) -> str:  # shown where an assertion on it fails: whole deliveries would hide it
        return f"<{self}>"


class Diagnosis(msgspec.Struct, frozen=True):
    """What would explain that a correct delivery is refused.

    Args:
        explanation: One line: the mistake that the consumer probably makes, or what else is known when there is no
            evidence.
        fix: What to do about it.
        tried: How many wrong forms were tried.
        evidence: Wrong deliveries that it took, or that passed its verification; empty where something else than a
            wrong form is the reason.
    """

    explanation: str
    fix: str
    tried: int
    evidence: tuple[Delivery, ...] = ()


class CheckResult:
    """What is known of a consumer when all checks are over, as data that each report shows in its own way.

    Args:
        target: The consumer's URL.
        seed: What makes the ids and orders of this run repeatable.
        began: When it began, in seconds since 1970.

    Attributes:
        findings: One for each check that was chosen, in the order of the registry; complete when the run is over.
        diagnosis: What would explain that the consumer refuses correct deliveries, if that was asked for.
        deliveries: How many deliveries were made in all.
        seconds: How long it took.
        unreachable: Why the consumer could not be reached at all; empty if it could.
        unusable: What was given and does not work, such as a probe; empty if all does.
        notes: What else is to be known of the run, such as a limit that the consumer has.
        stopped: Why it ended before its end, such as ``the run was stopped``; empty if it did not.
        looked_at: Whether a caller has asked how it ended.
    """

    def __init__(self, target: str = "", seed: int = 0, began: float = 0.0) -> None:
        self.target = target
        self.seed = seed
        self.began = began
        self.findings: list[Finding] = []
        self.diagnosis: Diagnosis | None = None
        self.deliveries = 0
        self.seconds = 0.0
        self.unreachable = ""
        self.unusable = ""
        self.stopped = ""
        self.notes: list[str] = []
        self.looked_at = False

    @property
    def ok(self) -> bool:
        """Whether the checks could be made, and nothing that the consumer must get right is wrong."""
        self.looked_at = True
        return not self.broken

    @property
    def broken(self) -> bool:
        """The opposite of :attr:`ok`, for callers that only pass the report on: they have not looked at it."""
        return bool(self.problems) or any(finding.breaks for finding in self.findings)

    @property
    def problems(self) -> Mapping[str, str]:
        """What kept the checks from being made, by its kind: ``unreachable``, ``unusable``, ``stopped``."""
        kinds = {"unreachable": self.unreachable, "unusable": self.unusable, "stopped": self.stopped}
        return {kind: why for kind, why in kinds.items() if why}

    def stop(self, why: str, checks: Iterable[Check]) -> None:
        """Note that the run ended before its end: what has no finding yet was not tested.

        Args:
            why: What happened.
            checks: All checks that were chosen.
        """
        self.stopped = why
        made = {finding.check.id for finding in self.findings}
        self.findings += [Finding(check, Judgement("not tested", why)) for check in checks if check.id not in made]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that fail a build."""
        self.looked_at = True
        return tuple(finding for finding in self.findings if finding.breaks)

    def finding(self, check: str) -> Finding:
        """Return what a check found.

        Args:
            check: Its id or name.

        Raises:
            KeyError: It was not among those chosen.
        """
        self.looked_at = True
        for finding in self.findings:
            if check in (finding.check.id, finding.check.name):
                return finding
        raise KeyError(f"no finding of {check!r}; there are {', '.join(each.check.id for each in self.findings)}")

    def count(self, verdict: Verdict) -> int:
        """Return how many findings came to a verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)

    @property
    def summary(self) -> str:
        """One line: how many findings there are of each verdict."""
        if self.unreachable:
            return f"{self.target} could not be reached: {self.unreachable}"
        verdicts: Sequence[Verdict] = ("pass", "fail", "warn", "inconclusive", "not tested")
        counts = ", ".join(f"{self.count(verdict)} {verdict}" for verdict in verdicts if self.count(verdict))
        breaks = len([finding for finding in self.findings if finding.breaks])
        failed = f"; {breaks} {'fails' if breaks == 1 else 'fail'} the check" if breaks else ""
        notes = "".join(f"; {note}" for note in (*self.notes, self.stopped) if note)
        checks = "1 check" if len(self.findings) == 1 else f"{len(self.findings)} checks"
        return f"{checks}: {counts}{failed}{notes}"
