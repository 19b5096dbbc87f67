"""JUnit XML: valid, and read back by a library that is not ours."""

from xml.etree import ElementTree as ET

from junitparser import Failure, JUnitXml, Skipped

from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.junit import junit_xml
from tests.receiving import SECRET, statuses
from tests.reports.junit_schema import validate
from tests.reports.replayed import always, replayed, script, unreachable

REDACTOR = Redactor([SECRET])

MIXED = """\
- event: run.completed
- event: run.failed
  fault: wrong_secret
- pause: 1h
- together:
    - event: run.completed
    - event: run.failed
- event: run.failed
  fault: lost
  repeat: 2
"""


def read(reports: list[Report]) -> JUnitXml:
    """Write reports, check them by the schema, and read them back."""
    text = junit_xml([report.clean(REDACTOR) for report in reports])
    validate(text)
    return JUnitXml.fromstring(text.encode())


async def test_a_suite_for_each_script_and_a_case_for_each_step() -> None:
    """Names, places, results and counts are there for a reader."""
    passing = await replayed("- event: run.completed\n", name="Well")
    mixed = await replayed(MIXED, name="Mixed")
    parsed = read([passing, mixed])
    first, second = parsed
    assert [(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) for suite in parsed] == [
        ("Well", 1, 0, 0, 0),
        ("Mixed", 6, 1, 0, 1),
    ]
    assert (parsed.tests, parsed.failures, parsed.errors) == (7, 1, 0)
    assert [case.name for case in second] == [
        "step 1: run.completed (line 4)",
        "step 2: run.failed [wrong_secret] (line 5)",
        "step 3: pause (line 7)",
        "step 4.1: run.completed (line 9)",
        "step 4.2: run.failed (line 10)",
        "step 5: run.failed [lost] (line 11)",
    ]
    assert {case.classname for case in second} == {"flows/night.yaml"}
    results = [case.result for case in second]
    assert [[type(result) for result in each] for each in results] == [[], [Failure], [], [], [], [Skipped]]
    assert results[-1][0].message == "2 not sent: lost on purpose"
    assert not next(iter(first)).result


async def test_a_failure_shows_the_line_what_was_sent_and_what_came_back() -> None:
    """A reader of the build needs nothing else."""
    answer = always(status=202, text="taken", headers={"X-Job": "7"})
    report = await replayed("- event: run.failed\n  fault: wrong_secret\n", answer)
    (failure,) = next(iter(next(iter(read([report]))))).result
    assert failure.message.startswith("expected status 4xx, got 202 (dlv_000001 run.failed to http://127.0.0.1:")
    lines = failure.text.splitlines()
    assert lines[0] == "flows/night.yaml:4:"
    assert "dlv_000001, attempt 1: sent" in lines
    assert "POST /hooks HTTP/1.1" in lines
    assert any(line.startswith('{"event":"run.failed"') for line in lines)
    came = lines[lines.index("dlv_000001, attempt 1: came back") :]
    assert came[1] == "202 Accepted"
    assert "x-job: 7" in came
    assert came[-1] == "taken"


async def test_only_the_first_deliveries_of_a_step_are_shown() -> None:
    """A step with many failures stays readable, and says how many there are."""
    report = await replayed("- event: run.failed\n  repeat: 30\n", await statuses(*[500] * 30))
    (failure,) = next(iter(next(iter(read([report]))))).result
    assert failure.text.count(": sent") == 3
    assert "10 more expectations not met" in failure.text


async def test_a_consumer_that_cannot_be_reached() -> None:
    """Where nothing came back, the report says so, with what was sent."""
    (failure,) = next(iter(next(iter(read([await unreachable("- event: run.failed\n")]))))).result
    assert "attempt 1: sent\nPOST / HTTP/1.1" in failure.text
    assert "came back\nnothing listens on 127.0.0.1:" in failure.text


async def test_what_a_step_could_not_get_beyond() -> None:
    """An await step that is not met is the failure; what it kept from being sent is skipped."""
    report = await replayed("- {await: registration, events: [run.failed], within: 10ms}\n- event: run.failed\n")
    assert [case.result for case in next(iter(read([report])))] == [[], []]
    report = await replayed(
        "- {await: registration, events: [order.shipped], within: 10ms}\n- event: run.failed\n",
        extra_events="[order.shipped]",
    )
    (failure,), (skipped,) = (case.result for case in next(iter(read([report]))))
    assert failure.message.startswith("flows/night.yaml:4: no webhook for order.shipped was registered within 10ms")
    assert skipped.message.startswith("1 not sent: flows/night.yaml:4: no webhook for order.shipped")


async def test_fail_fast_is_one_failure() -> None:
    """What was not sent because of an earlier step is skipped, and says so."""
    report = await replayed(
        "- event: run.failed\n- event: run.completed\n  repeat: 4\n", await statuses(500), fail_fast=True
    )
    (failure,), (skipped,) = (case.result for case in next(iter(read([report]))))
    assert failure.message.startswith("expected status 2xx, got 500")
    assert skipped.message == "4 not sent: stopped after step 1, which has a problem (fail-fast)"


async def test_hostile_text_and_secrets() -> None:
    """Control characters, markup and secrets in names and answers do no harm, and are not there."""
    answer = always(status=500, text=f"<b>]]>&\x00\x1b[2J\ufffe {SECRET}", headers={"Set-Cookie": "id=7"})
    name = f'"a<b>&\\u0007\\n{SECRET}"'
    report = await replayed("- event: run.failed\n", answer, path=f"/{SECRET}", name=name)
    (case,) = next(iter(read([report])))
    assert r"<b>]]>&\x00\x1b[2J\ufffe ***" in case.result[0].text
    assert "set-cookie: ***" in case.result[0].text
    text = junit_xml([report.clean(REDACTOR)])
    assert SECRET not in text
    assert text.isascii()
    assert ET.fromstring(text)[0].attrib["name"].startswith("a<b>&\ufffd")


def test_a_replay_that_never_began() -> None:
    """Its events are accounted for all the same."""
    report = Report(script("- event: run.failed\n"))
    report.close("the replay was stopped")
    (case,) = next(iter(read([report])))
    assert case.result[0].message == "1 not sent: the replay was stopped"
