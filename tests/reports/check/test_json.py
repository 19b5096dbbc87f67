"""JSON: everything that is known, in an order that does not change."""

import json
from typing import Any

from mockserver import CheckReport
from mockserver.checks.model import Diagnosis
from mockserver.model.redaction import Redactor
from tests.receiving import SECRET
from tests.reports.check.checked import (
    TARGET,
    answered,
    check_json,
    check_view,
    delivery,
    finding,
    mixed,
    report_of,
    sent,
)
from tests.tables import each_row

REDACTOR = Redactor([SECRET])


def read(report: CheckReport) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(check_json(report, REDACTOR))
    return document


async def test_everything_that_is_known() -> None:
    """The run, the counts of every verdict, and each finding in the order of the checks."""
    view = read(await mixed())
    findings = view.pop("findings")
    assert list(view.items()) == [
        ("target", TARGET),
        ("seed", 7),
        ("began", "2024-12-16T10:00:00.500Z"),
        ("seconds", 1.25),
        ("deliveries", 42),
        ("ok", False),
        ("counts", {"pass": 1, "fail": 3, "warn": 1, "inconclusive": 1, "not tested": 1}),
        ("diagnosis", None),
        ("unreachable", ""),
        ("unusable", ""),
        ("stopped", ""),
    ]
    assert [each["id"] for each in findings] == ["PG001", "PG010", "PG021", "PG045", "PG012", "PG055", "PG071"]
    evidence = findings[3].pop("evidence")
    assert list(findings[3].items()) == [
        ("id", "PG045"),
        ("name", "body_size"),
        ("severity", "should"),
        ("level", 0),
        ("verdict", "fail"),
        ("summary", "answered 413"),
        ("fix", "allow 1 MB"),
        ("why", "Anybody could send events."),
        ("seconds", 0.25),
    ]
    assert [each["verdict"] for each in findings if "fix" in each] == ["warn", "fail", "fail", "fail"]
    (shown,) = evidence
    assert (shown["event"], shown["faults"]) == ("run.failed", ["wrong_secret"])
    assert shown["payload"] == json.loads(shown["attempts"][0]["request"]["body"])
    assert shown["attempts"][0]["response"]["status"] == 200
    assert shown["curl"].startswith("curl -q -sS")


async def test_a_diagnosis_with_its_evidence() -> None:
    """What explains the refusals, and the wrong delivery that was accepted."""
    diagnosis = Diagnosis("it strips the prefix of the secret", "use the secret as it is", 9, (await delivery(),))
    view = read(report_of(diagnosis=diagnosis))["diagnosis"]
    assert list(view) == ["explanation", "fix", "tried", "evidence"]
    assert (view["explanation"], view["tried"]) == ("it strips the prefix of the secret", 9)
    assert view["evidence"][0]["attempts"][0]["request"]["url"].endswith("/hooks")


def test_a_consumer_that_cannot_be_reached() -> None:
    """It is not well, though no check failed."""
    view = read(report_of(unreachable="nothing listens on 127.0.0.1:3000"))
    assert (view["ok"], view["unreachable"]) == (False, "nothing listens on 127.0.0.1:3000")


async def test_a_should_that_fails_leaves_the_report_ok() -> None:
    """As the exit code says it; and writing it down is not looking at it."""
    report = report_of(finding("warn", "answered 200 to a forgery", await delivery()))
    assert read(report)["ok"] is True
    assert report.looked_at is False


@each_row("payload", [b"{not json", b"\xff\xfe", b"[" * 100_000, b"[" * 500 + b"]" * 500])
async def test_a_payload_that_cannot_be_shown_decoded(payload: bytes) -> None:
    """It is null, and the body of the request shows it; nothing breaks at it."""
    shown = read(report_of(finding("fail", "answered 500", sent(await delivery(), payload))))["findings"][0]["evidence"]
    assert shown[0]["payload"] is None
    body = shown[0]["attempts"][0]["request"]["body"]
    assert body.startswith(payload.decode("utf-8", "replace")[:1000])
    assert len(body) < 70_000


async def test_numbers_that_few_can_hold() -> None:
    """Numbers beyond the range of most readers, in a payload that a check sends on purpose, are still JSON."""
    payload = b'{"big": 123456789012345678901234567890, "infinite": 1e999}'
    (shown,) = read(report_of(finding("fail", "x", sent(await delivery(), payload))))["findings"][0]["evidence"]
    assert shown["attempts"][0]["request"]["body"] == payload.decode()


async def test_bytes_that_are_no_text_are_there_in_base64() -> None:
    """As in the control API; a secret in them is hidden there too."""
    plain, secret = b"\xff plain", b"\xff " + SECRET.encode()
    made = await delivery()
    view = check_view(report_of(finding("fail", "x", sent(made, plain), sent(made, secret))), REDACTOR)
    first, second = (each["attempts"][0]["request"] for each in view["findings"][0]["evidence"])
    assert first["body_base64"] == "/yBwbGFpbg=="
    assert second["body_base64"] == "/yAqKio="
    assert (second["body"], "body_base64" in second) == ("\ufffd ***", True)


async def test_of_a_long_body_the_beginning_is_shown() -> None:
    """What was sent and what came back, with how much more there was."""
    made = answered(sent(await delivery(), b"y" * 100_000), body=b"z" * 200_000)
    (shown,) = read(report_of(finding("fail", "x", made)))["findings"][0]["evidence"]
    (attempt,) = shown["attempts"]
    assert attempt["request"]["body"] == "y" * 65536 + " ... (34464 more characters)"
    assert attempt["response"]["body"] == "z" * 65536 + " ... (134464 more characters)"
    assert attempt["response"]["body_size"] == 200_000
    assert (shown["curl"], shown["no_curl"]) == (None, "its body is longer than 65536 bytes")
