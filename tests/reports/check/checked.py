"""Reports of checks, made by hand around real deliveries to a consumer in the test that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from mockserver.checks.model import Check, CheckResult, Diagnosis, Finding, Judgement, Severity, Verdict
from mockserver.model.messages import Exchange, ExchangeError, Request, Response
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.redaction import Redactor
from mockserver.reports import check_json as json_report
from mockserver.reports import code_quality, sarif
from mockserver.reports import junit as junit_report
from mockserver.reports import markdown as markdown_report
from mockserver.reports.check_report import CheckReport
from tests.receiving import Answer
from tests.reports.replayed import replayed

T = TypeVar("T")

TARGET = "http://localhost:3000/webhooks/playgent"


def clean_form(form: Callable[[CheckResult], T]) -> Callable[[CheckReport, Redactor], T]:
    """Return what writes a report without secrets, as every user of the forms does."""

    def write(report: CheckReport, redactor: Redactor) -> T:
        report.redactor = redactor
        return form(report.clean())

    return write


check_json = clean_form(json_report.check_json)
check_view = clean_form(json_report.check_view)
check_junit = clean_form(junit_report.check_junit)
check_markdown = clean_form(markdown_report.check_markdown)
check_sarif = clean_form(sarif.check_sarif)
check_code_quality = clean_form(code_quality.check_code_quality)

FORMS: dict[str, Callable[[CheckReport, Redactor], str]] = {
    "json": check_json,
    "junit": check_junit,
    "markdown": check_markdown,
    "sarif": check_sarif,
    "codequality": check_code_quality,
}


def check(number: str = "PG012", name: str = "wrong_secret", severity: Severity = "must", **more: Any) -> Check:
    """Make a check that no one can run."""
    told: dict[str, Any] = {
        "sends": "An event signed with another secret.",
        "good": "401, and no effect",
        "why": "Anybody could send events.",
        "fix": "verify first, and answer 401 when it does not match",
    }
    return Check(id=number, name=name, severity=severity, **{**told, **more})


def finding(
    verdict: Verdict, summary: str, *evidence: Delivery, of: Check | None = None, fix: str = "", seconds: float = 0.25
) -> Finding:
    """Make a finding of a check."""
    return Finding(of or check(), Judgement(verdict, summary, evidence, fix), seconds, "proven")


def report_of(*findings: Finding, target: str = TARGET, **attributes: Diagnosis | str) -> CheckReport:
    """Make the report of a run that began on 2024-12-16 at 10:00:00.5 and took 1.25 s."""
    report = CheckReport()
    report.target, report.seed, report.began = target, 7, 1734343200.5
    report.findings = list(findings)
    report.deliveries = 42
    report.seconds = 1.25
    for name, value in attributes.items():
        setattr(report, name, value)
    return report


async def delivery(
    answer: Answer | None = None, steps: str = "- event: run.failed\n  fault: wrong_secret\n"
) -> Delivery:
    """Make one delivery to a real consumer."""
    return (await replayed(steps, answer)).deliveries[0]


def answered(
    made: Delivery,
    *,
    body: bytes = b"",
    headers: list[tuple[str, str]] | tuple[()] = (),
    reason: str = "OK",
    error: str = "",
) -> Delivery:
    """Return a delivery whose answer is another one than really came."""
    response = Response(200, reason, tuple(headers), body, len(body))
    exchange = Exchange(response, ExchangeError("closed", error) if error else None)
    attempt = msgspec.structs.replace(made.attempts[-1], exchange=exchange)
    return msgspec.structs.replace(made, attempts=(attempt,))


def request_of(made: Delivery) -> Request:
    """Return the request of the last attempt, which was made."""
    request = made.attempts[-1].request
    assert request
    return request


def sent(made: Delivery, body: bytes) -> Delivery:
    """Return a delivery whose payload and body are others than were really sent."""
    attempt = made.attempts[-1]
    was = request_of(made)
    head = was.head.replace(f"Content-Length: {len(was.body)}".encode(), f"Content-Length: {len(body)}".encode())
    request = msgspec.structs.replace(was, head=head, body=body)
    event = msgspec.structs.replace(made.event, payload=body)
    return msgspec.structs.replace(made, event=event, attempts=(msgspec.structs.replace(attempt, request=request),))


def without_request() -> Delivery:
    """Return a delivery whose URL no one can connect to."""
    exchange = Exchange(error=ExchangeError("address", "203.0.113.1 is no private address"))
    attempts = (Attempt(1, 0, None, exchange),)
    return Delivery(1, Event("run.failed", "", b"{}"), "check", TARGET, "PG012", attempts, "failed")


def never_attempted() -> Delivery:
    """Return a delivery that never came to its first attempt."""
    return Delivery(2, Event("run.failed", "", b"{}"), "check", TARGET, "PG012")


async def mixed() -> CheckReport:
    """Make a report with findings of every verdict and severity, not in the order of what matters."""
    made = await delivery()
    return report_of(
        finding("pass", "answered 200", made, of=check("PG001", "control")),
        finding("warn", "answered 200 to a forgery", made, of=check("PG010", "missing_signature")),
        finding("fail", "answered 500", made, of=check("PG021", "signature_without_prefix", "note")),
        finding("fail", "answered 413", made, of=check("PG045", "body_size", "should"), fix="allow 1 MB"),
        finding("fail", "answered 200, and handled it", made, of=check()),
        finding("inconclusive", "the control failed", of=check("PG055", "burst")),
        finding("not tested", "no probe was given", of=check("PG071", "duplicate_accepted", level=1)),
    )
