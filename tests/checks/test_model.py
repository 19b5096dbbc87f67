"""The report of checks as a value: what breaks a build, how it is summed up, and who has looked at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mockserver.checks.model import Check, Diagnosis, Finding, Judgement, Severity, Verdict
from mockserver.errors import CheckError
from mockserver.model.events import encode_payload
from mockserver.model.records import Delivery, Event
from mockserver.model.redaction import Redactor
from mockserver.reports.check_report import CheckReport
from tests.tables import each_row

VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "warn", "inconclusive", "not tested")


def check(number: int = 1, severity: Severity = "must") -> Check:
    return Check(
        id=f"PG{number:03}",
        name=f"check_number_{number}",
        severity=severity,
        sends="An event.",
        good="2xx",
        why="It matters.",
        fix="fix the check",
    )


def finding(verdict: Verdict, number: int = 1, severity: Severity = "must", fix: str = "") -> Finding:
    return Finding(check(number, severity), Judgement(verdict, f"seen {number}", fix=fix))


def report(*findings: Finding) -> CheckReport:
    made = CheckReport()
    made.target, made.seed = "http://127.0.0.1:3000/hooks", 7
    made.findings = list(findings)
    return made


# ---------------------------------------------------------------- findings


_MUST = {("fail", "must")}
_BREAK = {
    "proven": _MUST,
    "suspected": _MUST | {("warn", "must")},
    "should": _MUST | {("warn", "must"), ("fail", "should")},
}


@pytest.mark.parametrize("fail_on", ["proven", "suspected", "should"])
def test_what_breaks_a_build_is_chosen(fail_on: str) -> None:
    """What is proved, by default also what is suspected, or what should be met as well; a note never does."""
    for verdict in VERDICTS:
        for severity in ("must", "should", "note"):
            each = msgspec.structs.replace(finding(verdict, severity=severity), fail_on=fail_on)
            assert each.breaks is ((verdict, severity) in _BREAK[fail_on])
            assert report(each).ok is not each.breaks
            assert report(each).failures == ((each,) if each.breaks else ())
    assert finding("fail").fail_on == "suspected"
    assert finding("fail", 12).id == "PG012"


def test_a_finding_shows_what_its_judgement_says() -> None:
    """With the remedy of the check, unless the judgement knows a better one."""
    delivery = Delivery(1, Event("run.failed", "", encode_payload("run.failed", "", {})), "w", "http://x/", "PG001")
    each = Finding(check(), Judgement("fail", "seen", (delivery,)))
    assert (each.verdict, each.summary, each.evidence, each.fix) == ("fail", "seen", (delivery,), "fix the check")
    assert finding("fail", fix="register the other URL").fix == "register the other URL"


def test_what_is_particular_of_a_finding_is_all_but_its_cause() -> None:
    """A finding that shares nothing is its own cause."""
    shared = Finding(check(), Judgement("warn", "half of it (answered 200): who knows", cause="who knows"))
    assert (shared.cause, shared.particular) == ("who knows", "half of it (answered 200)")
    alone = finding("fail", 12)
    assert (alone.cause, alone.particular) == ("PG012", "seen 12")


def test_a_finding_in_an_assertion_is_one_line() -> None:
    """Id, title, verdict and what was seen; the deliveries would hide it."""
    each = finding("fail", 12)
    assert str(each) == "PG012 check number 12: fail, seen 12"
    assert repr([each]) == "[<PG012 check number 12: fail, seen 12>]"


# ---------------------------------------------------------------- counts and summary


@each_row(
    ("findings", "summary"),
    [
        ([finding("pass")], "1 check: 1 pass"),
        (
            [finding(verdict, number) for number, verdict in enumerate(reversed(VERDICTS))],
            "5 checks: 1 pass, 1 fail, 1 warn, 1 inconclusive, 1 not tested; 2 fail the check",
        ),
        (
            [finding("fail", 1), finding("fail", 2), finding("fail", 3, "should"), finding("fail", 4, "note")],
            "4 checks: 4 fail; 2 fail the check",
        ),
        ([finding("fail", severity="should")], "1 check: 1 fail"),
    ],
)
def test_the_summary_is_one_line(findings: list[Finding], summary: str) -> None:
    """Every verdict that there is, in the same order each time, and how many of the failures break a build."""
    assert report(*findings).summary == summary


def test_the_summary_of_what_could_not_be_reached_says_only_that() -> None:
    made = report()
    made.unreachable = "nothing listens"
    assert made.summary == "http://127.0.0.1:3000/hooks could not be reached: nothing listens"


# ---------------------------------------------------------------- what keeps a run from its end


def test_a_run_that_was_stopped_has_a_finding_for_each_check() -> None:
    """Those that were made keep theirs; the others were not tested, and the summary says why."""
    made = report(finding("pass", 1), finding("warn", 2))
    made.stop("the run was stopped", [check(number) for number in (1, 2, 3, 4)])
    assert [each.verdict for each in made.findings] == ["pass", "warn", "not tested", "not tested"]
    assert [each.check.id for each in made.findings] == ["PG001", "PG002", "PG003", "PG004"]
    assert made.findings[-1].summary == "the run was stopped"
    assert made.summary == "4 checks: 1 pass, 1 warn, 2 not tested; 1 fails the check; the run was stopped"


@pytest.mark.parametrize("kind", ["unreachable", "unusable", "stopped"])
def test_what_could_not_be_checked_is_not_ok(kind: str) -> None:
    """Nothing failed, but nothing was proved either."""
    made = report(finding("pass"))
    assert made.problems == {}
    setattr(made, kind, "why it is so")
    assert made.problems == {kind: "why it is so"}
    assert made.broken
    assert not made.ok
    assert made.failures == ()
    with pytest.raises(CheckError):
        made.raise_for_failures()


def test_all_problems_are_reported_in_their_order() -> None:
    made = report()
    made.stopped, made.unusable = "by Ctrl-C", "the probe answered 404"
    assert list(made.problems.items()) == [("unusable", "the probe answered 404"), ("stopped", "by Ctrl-C")]


# ---------------------------------------------------------------- asking for one


@pytest.mark.parametrize("name", ["PG002", "check_number_2"])
def test_a_finding_is_found_by_the_id_or_the_name_of_its_check(name: str) -> None:
    wanted = finding("warn", 2)
    assert report(finding("pass", 1), wanted).finding(name) is wanted


def test_a_check_that_was_not_chosen_has_no_finding() -> None:
    with pytest.raises(KeyError) as caught:
        report(finding("pass", 1), finding("pass", 2)).finding("PG012")
    assert caught.value.args == ("no finding of 'PG012'; there are PG001, PG002",)


def test_to_raise_for_failures_does_nothing_where_all_is_well() -> None:
    """What is only a should, and what is open, are no failures."""
    made = report(*(finding(verdict, number, "should") for number, verdict in enumerate(VERDICTS)))
    made.raise_for_failures()
    assert made.looked_at


def test_to_raise_for_failures_raises_the_report_as_text() -> None:
    """The failure of a test is the table."""
    made = report(finding("fail"))
    with pytest.raises(CheckError) as caught:
        made.raise_for_failures()
    assert str(caught.value) == str(made)
    assert "check number 1" in str(made)


# ---------------------------------------------------------------- who has looked


@each_row(
    ("look", "looked_at"),
    [
        (lambda made: made.ok, True),
        (lambda made: made.failures, True),
        (lambda made: made.finding("PG001"), True),
        (lambda made: made.raise_for_failures(), True),
        (lambda made: made.broken, False),
        (lambda made: made.problems, False),
        (lambda made: made.count("pass"), False),
        (repr, False),
    ],
)
def test_asking_how_it_ended_is_looking(look: Callable[..., Any], looked_at: bool) -> None:
    """To print a report, or to write it to a file, is no assertion."""
    made = report(finding("pass"))
    look(made)
    assert made.looked_at is looked_at


def test_secrets_are_hidden_in_the_short_form_too() -> None:
    """In the URL and in what was seen."""
    made = report(Finding(check(), Judgement("pass", "fine")))
    made.target, made.stopped = "http://127.0.0.1/?key=whsec_xyz", "whsec_xyz was refused"
    made.redactor = Redactor(["whsec_xyz"])
    assert repr(made) == "<CheckReport of http://127.0.0.1/?key=***: 1 check: 1 pass; *** was refused>"


# ---------------------------------------------------------------- as text


def test_the_text_shows_the_diagnosis() -> None:
    """Why correct deliveries are refused, and what to do about it, where that is known."""
    made = report(finding("fail"))
    made.diagnosis = Diagnosis("it strips\tthe body", "verify the raw body", 3)
    assert "\n\ndiagnosis: it strips\\tthe body\nfix: verify the raw body" in str(made)
    made.diagnosis = Diagnosis("it answers 404", "", 0)
    assert str(made).endswith("\n\ndiagnosis: it answers 404")


def test_a_delivery_that_was_not_attempted_is_reported_as_such() -> None:
    event = Event("run.failed", "", encode_payload("run.failed", "", {}))
    made = report(Finding(check(), Judgement("fail", "seen", (Delivery(1, event, "w", "http://x/", "PG001"),))))
    assert "\n  > no request was made\n  < no answer\n    expected: 2xx" in str(made)
