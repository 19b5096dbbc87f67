"""Runs of checks for tests: against a URL, with what a test wants to give."""

from __future__ import annotations

from typing import Any

from mockserver.checks.model import CheckResult
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.settings import read_settings
from mockserver.reports.check_report import CheckReport
from mockserver.server.mock import Mock

SECRET = "whsec_of_the_checked"

#: In real time these two take a second each, as a slow sender does.
SLOW = ("PG052", "PG053")


async def checked(url: str, **given: Any) -> CheckReport:
    """Check a consumer at a URL, and return the report.

    Args:
        url: Its URL.
        **given: Fields of CheckOptions; the secret is ``SECRET`` unless it is given. Also the settings ``timeout`` and
            ``extra_events``.
    """
    settings = {"timeout": given.pop("timeout", 10.0), "extra_events": given.pop("extra_events", ())}
    service = Mock(read_settings(**settings))
    try:
        request = CheckOptions(**{"url": url, "secret": SECRET, "seed": 1, **given})
        report = CheckReport(Redactor([request.secret]))
        await prepare_check(service, request, report).run()
        return report
    finally:
        await service.stop()


def wire_of(delivery: Delivery) -> bytes:
    """The last request of a delivery, as it was sent."""
    request = delivery.attempts[-1].request
    assert request
    return request.wire


def explanation_of(report: CheckResult) -> str:
    """What the diagnosis of a report says; there must be one."""
    assert report.diagnosis
    return report.diagnosis.explanation


def verdicts(report: CheckResult, *wanted: str) -> dict[str, str]:
    """Return which checks came to one of the verdicts, with what they say."""
    return {each.check.id: f"{each.verdict}: {each.summary}" for each in report.findings if each.verdict in wanted}
