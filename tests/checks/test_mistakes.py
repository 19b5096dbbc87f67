"""The mistakes that an application object shows, each once and in process: caught by the checks meant for it.

The same over real servers, in Flask, FastAPI and Node.js, is ``test_matrix``, in the full tier.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from mockserver import CheckReport, MockServer
from tests.checks.checked import SECRET, verdicts
from tests.checks.expected import EXPECTED
from tests.consumers import asgi_app, fastapi_app, flask_app
from tests.consumers.mistakes import MISTAKES, is_in_the_inbox
from tests.consumers.mistakes.catalogue import FAMILIES

ACCESS = {
    "probe": "/debug/events",
    "probe_json": "$.count",
    "state": "/debug/objects/{id}",
    "fail_once": "https://testserver/debug/fail-next",
}
#: Only so many at the same time: what a consumer answers must not be late because others are busy.
AT_ONCE = 4
#: Its answers take seconds: it is in the full tier alone, and ``test_judged_runs`` shows what is made of its like.
IN_THE_FULL_TIER = {"slow_handler"}
#: Their handlers wait at each event: by default only the checks about them are made.
WAITING = {"check_then_act", "lost_updates"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no framework print the exceptions of mistakes."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)


def in_process(family: str) -> list[str]:
    """The mistakes of a family that an application object in Python shows."""
    mistakes = {name: each for name, each in FAMILIES[family].items() if name not in IN_THE_FULL_TIER}
    return [name for name, each in mistakes.items() if each.in_process and "fastapi" in each.consumers]


async def fully_checked(app: Any, **options: Any) -> CheckReport:
    """Make every check that can be made in process, effects and states included."""
    async with MockServer() as mock:
        report = await mock.acheck(app, SECRET, seed=1, diagnose=True, effect_within=0.1, **ACCESS, **options)
        _ = report.ok  # looked at: else the mock complains of it when it ends
        return report


def complaint(mistake: str, report: CheckReport) -> str:
    """What is wrong with a report; empty if the mistake was caught as expected, and by no other must-check."""
    expected = EXPECTED[mistake]
    wrong = verdicts(report, "fail", "warn")
    missed = [check for check in expected.caught_by if not wrong.get(check, "").startswith(expected.verdict)]
    breaks = {finding.check.id for finding in report.findings if finding.breaks}
    others = sorted(breaks - {*expected.caught_by, *expected.about})
    explained = report.diagnosis.explanation if report.diagnosis else ""
    told = expected.diagnosis in explained and bool(explained) == bool(expected.diagnosis)
    if missed or others or not told:
        return f"{mistake}: not caught by {missed}, but by {others}; diagnosis {explained!r}; {wrong}"
    return ""


@pytest.mark.parametrize("family", [name for name in FAMILIES if in_process(name)])
async def test_each_mistake_is_caught_by_its_checks_and_by_no_other(family):
    """They fail the checks that are about them, and no must-check besides; the diagnosis names what refuses all."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def complain(mistake: str) -> str:
        async with turn:
            cheapest = asgi_app if is_in_the_inbox(mistake) else fastapi_app
            expected = EXPECTED[mistake]
            only = (*expected.caught_by, *expected.about) if mistake in WAITING else ()
            return complaint(mistake, await fully_checked(cheapest.create_app(SECRET, mistake), only=only))

    complaints = await asyncio.gather(*map(complain, in_process(family)))
    assert not [each for each in complaints if each]


@pytest.mark.parametrize(
    "create_app",
    [asgi_app.create_app, flask_app.create_app, fastapi_app.create_app],
    ids=["bare", "flask", "fastapi"],
)
async def test_a_correct_application_passes(create_app):
    """Nothing is held against it, and nothing is left open that can be tested in process."""
    report = await fully_checked(create_app(SECRET))
    assert report.ok
    assert verdicts(report, "fail", "warn", "inconclusive") == {}


def test_every_mistake_is_expected():
    """Neither table has something that the other does not know."""
    assert set(EXPECTED) == set(MISTAKES)
