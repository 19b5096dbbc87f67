"""The report of a check as its users get it: printed, it is a text without secrets."""

from __future__ import annotations

import msgspec

from mockserver.checks.model import CheckResult, Diagnosis, Finding
from mockserver.errors import CheckError
from mockserver.model.redaction import Redactor
from mockserver.reports.check_text import report_text


class CheckReport(CheckResult):
    """What a check found out about a consumer.

    Args:
        redactor: Hides secrets in the text of the report.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__()
        self.redactor = redactor or Redactor()

    def clean(self) -> CheckResult:
        """Return the result without secrets: the one door through which it gets into any output."""
        clean = CheckResult(self.redactor.message_text(self.target), self.seed, self.began)
        clean.findings = [clean_finding(finding, self.redactor) for finding in self.findings]
        clean.diagnosis = self.diagnosis and clean_diagnosis(self.diagnosis, self.redactor)
        clean.deliveries, clean.seconds = self.deliveries, self.seconds
        clean.notes = list(map(self.redactor.text, self.notes))
        clean.unreachable, clean.unusable, clean.stopped = map(
            self.redactor.text, (self.unreachable, self.unusable, self.stopped)
        )
        return clean

    def raise_for_failures(self) -> None:
        """Do nothing if all is well.

        Raises:
            CheckError: The consumer could not be reached, or gets something wrong that it must get right; the message
                is a readable table.
        """
        __tracebackhide__ = True
        if not self.ok:
            raise CheckError(str(self))

    def html(self) -> str:
        """Return the report as one page of HTML, without secrets: to write to a file, to open, or to attach."""
        from mockserver.reports.html import check_html  # noqa: PLC0415 - most reports are only asked for ok

        self.looked_at = True
        return check_html(self.clean())

    def __str__(self) -> str:
        self.looked_at = True
        return report_text(self.clean())

    def __repr__(self) -> str:
        return f"<CheckReport of {self.redactor.message_text(self.target)}: {self.redactor.text(self.summary)}>"


def clean_finding(finding: Finding, redactor: Redactor) -> Finding:
    """Return a finding without secrets."""
    judgement = finding.judgement
    return msgspec.structs.replace(
        finding,
        judgement=msgspec.structs.replace(
            judgement,
            summary=redactor.text(judgement.summary),
            evidence=tuple(map(redactor.delivery, judgement.evidence)),
            fix=redactor.text(judgement.fix),
            cause=redactor.text(judgement.cause),
        ),
    )


def clean_diagnosis(diagnosis: Diagnosis, redactor: Redactor) -> Diagnosis:
    """Return a diagnosis without secrets."""
    return Diagnosis(
        redactor.text(diagnosis.explanation),
        redactor.text(diagnosis.fix),
        diagnosis.tried,
        tuple(map(redactor.delivery, diagnosis.evidence)),
    )
