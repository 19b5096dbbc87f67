"""The matrix: every mistake is caught by the check meant for it, and no correct consumer is accused of anything.

What was caught by what is noted as a property of each test; ``tests.checks.print_matrix`` makes a table of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mockserver.checks.registry import CHECKS
from mockserver.reports.check_report import CheckReport
from tests.checks.checked import SECRET, SLOW, checked, verdicts
from tests.checks.expected import EXPECTED, complaint
from tests.consumers.launch import NAMES, Endpoint, launch
from tests.consumers.mistakes import MISTAKES
from tests.consumers.serve import serve_fastapi, serve_flask

pytestmark = pytest.mark.full

_THREADS = {"flask": serve_flask, "fastapi": serve_fastapi}
#: Made only where it is asked for, by size.
ON_REQUEST = ("PG027",)
_MUTANTS = [(mistake, consumer) for mistake, each in MISTAKES.items() for consumer in each.consumers]

#: The property of a test that says what was caught by what.
CAUGHT = "caught"


@contextmanager
def _consumer(name: str, mistake: str | None) -> Iterator[Endpoint]:
    """A consumer from a thread where that shows the mistake, which is quicker, and else as a program."""
    if name in _THREADS and (mistake is None or MISTAKES[mistake].in_process):
        with _THREADS[name](SECRET, mistake) as endpoint:
            yield endpoint
    else:
        with launch(name, secret=SECRET, mistake=mistake) as consumer:
            yield consumer


async def _full_check(consumer: Endpoint, *, skip: tuple[str, ...] = (), time_limit: float = 600.0) -> CheckReport:
    """Every check that there is: with a look at the effects and states, and with a failure on demand."""
    return await checked(
        consumer.webhook_url,
        probe=f"{consumer.url}/debug/events",
        probe_json="$.count",
        state=f"{consumer.url}/debug/objects/{{id}}",
        fail_once=f"{consumer.url}/debug/fail-next",
        diagnose=True,
        skip=skip,
        time_limit=time_limit,
    )


@pytest.mark.parametrize(("mistake", "consumer"), _MUTANTS, ids=[f"{each[0]}-{each[1]}" for each in _MUTANTS])
async def test_a_mistake_is_caught_by_its_check_and_by_no_other(
    mistake: str, consumer: str, record_property: Callable[[str, object], None]
) -> None:
    """It fails the checks that are about it, and no must-check besides; where it refuses all, a diagnosis is made."""
    # A sender that drips takes its time, and most mistakes have nothing to do with it: the correct ones show that.
    skip = () if mistake in ("one_at_a_time", "content_length_only") else SLOW
    with _consumer(consumer, mistake) as endpoint:
        report = await _full_check(endpoint, skip=skip, time_limit=5.0 if mistake == "slow_handler" else 600.0)
    expected = EXPECTED[mistake]
    wrong = verdicts(report, "fail", "warn")
    caught = [check for check in expected.caught_by if wrong.get(check, "").startswith(expected.verdict)]
    record_property(CAUGHT, json.dumps([mistake, consumer, caught, sorted(set(wrong) - set(caught))]))
    assert complaint(mistake, report) == ""


@pytest.mark.parametrize("name", NAMES)
async def test_a_correct_consumer_passes_everything(name: str, record_property: Callable[[str, object], None]) -> None:
    with _consumer(name, None) as endpoint:
        report = await _full_check(endpoint)
    record_property(CAUGHT, json.dumps(["(correct)", name, [], sorted(verdicts(report, "fail", "warn"))]))
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    made = [check for check in CHECKS.values() if check.procedure is not None and check.id not in ON_REQUEST]
    assert report.count("pass") == len(made)


@pytest.mark.parametrize("name", NAMES)
async def test_a_correct_consumer_passes_with_the_url_alone(name: str) -> None:
    """Without a probe there is less to find out, and still nothing to complain of."""
    with _consumer(name, None) as endpoint:
        report = await checked(endpoint.webhook_url)
    assert verdicts(report, "fail", "warn", "inconclusive") == {}
    made = [check for check in CHECKS.values() if check.procedure is not None and check.id not in ON_REQUEST]
    assert report.count("pass") == sum(check.level == 0 for check in made)


@pytest.mark.parametrize("mistake", ["no_verification", "missing_signature_accepted", "verifies_some_events"])
async def test_accepted_forgeries_are_proved_without_a_probe_where_answers_reveal_duplicates(mistake: str) -> None:
    """The genuine event after the forged one is answered as a duplicate: so the forged one was handled."""
    with _consumer("flask", mistake) as endpoint:
        report = await checked(endpoint.webhook_url, skip=SLOW)
    caught = EXPECTED[mistake].caught_by
    assert set(caught) <= set(verdicts(report, "fail"))
    assert "answered as a duplicate, so it was handled" in report.finding(caught[0]).summary


def test_every_check_catches_a_mistake() -> None:
    """What no mistake can show is named here."""
    caught = {check for expected in EXPECTED.values() for check in expected.caught_by}
    tested = {check.id for check in CHECKS.values() if check.procedure is not None}
    assert tested - caught == _WITHOUT_A_MUTANT


#: Checks that no consumer of the matrix is made to fail; other tests of this folder do.
_WITHOUT_A_MUTANT = {
    "PG002",
    "PG006",
    "PG027",
    "PG021",
    "PG022",
    "PG023",
    "PG051",
    "PG052",
    "PG054",
    "PG055",
    "PG070",
    "PG077",
}
