"""JUnit XML of checks: valid by the schema of the other JUnit reports, and read back by a library that is not ours."""

import junitparser
from junitparser import Error, Failure, JUnitXml, Skipped

from mockserver import CheckReport
from mockserver.checks.model import Diagnosis
from mockserver.model.redaction import Redactor
from tests.receiving import SECRET
from tests.reports.check.checked import TARGET, check, check_junit, delivery, finding, mixed, report_of
from tests.reports.junit_schema import validate

REDACTOR = Redactor([SECRET])


def read(report: CheckReport) -> junitparser.TestSuite:
    """Write a report, check it by the schema, and read its suite back."""
    text = check_junit(report, REDACTOR)
    validate(text)
    parsed = JUnitXml.fromstring(text.encode())
    (suite,) = parsed
    assert (parsed.tests, parsed.failures, parsed.errors) == (suite.tests, suite.failures, suite.errors)
    return suite


async def test_a_case_for_each_check() -> None:
    """Only a must that fails is a failure; what says nothing is skipped."""
    suite = read(await mixed())
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == (TARGET, 7, 1, 0, 2)
    assert suite.timestamp == "2024-12-16T10:00:00"
    assert suite.time == 1.25
    properties = suite.properties()  # type: ignore[no-untyped-call] # junitparser annotates most of what it has
    assert {each.name: each.value for each in properties} == {"seed": "7", "deliveries": "42"}
    cases = list(suite)
    assert {case.classname for case in cases} == {TARGET}
    assert [(case.name, [type(result) for result in case.result]) for case in cases] == [
        ("PG001 control", []),
        ("PG010 missing signature", []),
        ("PG021 signature without prefix", []),
        ("PG045 body size", []),
        ("PG012 wrong secret", [Failure]),
        ("PG055 burst", [Skipped]),
        ("PG071 duplicate accepted", [Skipped]),
    ]
    assert [case.result[0].message for case in cases[5:]] == [
        "inconclusive: the control failed",
        "not tested: no probe was given",
    ]
    assert cases[0].time == 0.25


async def test_a_failure_shows_all() -> None:
    """What was seen, how to fix it, what was sent and what came back."""
    suite = read(report_of(finding("fail", "answered 200, and handled it", await delivery())))
    (failure,) = next(iter(suite)).result
    assert (failure.message, failure.type) == ("answered 200, and handled it", "must")
    lines = failure.text.splitlines()
    assert lines[:2] == ["answered 200, and handled it", "fix: verify first, and answer 401 when it does not match"]
    assert "POST /hooks HTTP/1.1" in lines
    assert "200 OK" in lines


async def test_what_is_wrong_without_failing_the_build_stands_in_the_output() -> None:
    """The worst first, each with how to fix it and its evidence."""
    output = read(await mixed())._elem.find("system-out").text
    assert output.startswith("7 checks: 1 pass, 3 fail, 1 warn, 1 inconclusive, 1 not tested; 1 fails the check")
    places = [
        output.index(text) for text in ("fail PG045 body size (should): answered 413", "fail PG021", "warn PG010")
    ]
    assert places == sorted(places)
    assert "fix: allow 1 MB" in output
    assert output.count("POST /hooks HTTP/1.1") == 3
    assert "PG012" not in output


def test_a_consumer_that_cannot_be_reached() -> None:
    """That is an error, not a failure."""
    suite = read(report_of(unreachable="nothing listens on 127.0.0.1:3000"))
    assert (suite.tests, suite.failures, suite.errors) == (1, 0, 1)
    (case,) = suite
    (error,) = case.result
    assert isinstance(error, Error)
    assert (error.message, error.type) == ("nothing listens on 127.0.0.1:3000", "unreachable")


async def test_a_diagnosis() -> None:
    """It is in the error output, with the delivery that proves it; that none was found is reported too."""
    diagnosis = Diagnosis("it strips the prefix", "use the secret as it is", 9, (await delivery(),))
    told = read(report_of(finding("fail", "answered 401", of=check("PG001", "control")), diagnosis=diagnosis))
    text = told._elem.find("system-err").text
    assert text.startswith("why correct deliveries are refused: it strips the prefix; fix: use the secret as it is\n")
    assert "POST /hooks HTTP/1.1" in text
    nothing = read(report_of(diagnosis=Diagnosis("", "", 9)))._elem.find("system-err").text
    assert nothing == "none of the 9 wrong forms that were tried explains why correct deliveries are refused"
