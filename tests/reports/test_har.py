"""HAR 1.2: valid, and faithful to what went over the wire."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator, FormatChecker

from mockserver.model.messages import Exchange, ExchangeError, Response
from mockserver.model.records import Attempt, Delivery, Event
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.har import har_document
from mockserver.reports.markdown import markdown
from tests.receiving import SECRET, Received
from tests.reports.replayed import always, replayed, script, unreachable

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parent / "har-1.2.schema.json").read_text("utf-8")), format_checker=FormatChecker()
)


def entries_of(*reports: Report) -> list[dict[str, Any]]:
    """Write reports, check them by the schema, and return the entries."""
    document = json.loads(har_document([report.clean(Redactor([SECRET])) for report in reports]))
    SCHEMA.validate(document)
    assert document["log"]["creator"]["name"] == "playgent-mockserver"
    entries: list[dict[str, Any]] = document["log"]["entries"]
    return entries


def headers_of(message: dict[str, Any]) -> dict[str, str]:
    return {header["name"]: header["value"] for header in message["headers"]}


async def test_every_attempt_is_an_entry() -> None:
    """Retries and duplicates too, in their order, each at the time of the script's clock."""

    async def answer(received: Received) -> web.Response:
        return web.Response(status=503 if received.event == "run.failed" else 200)

    steps = "- event: run.failed\n  retry: [0s, 1m, 1h]\n- event: run.completed\n  fault: duplicate(2)\n"
    entries = entries_of(await replayed(steps, answer), await replayed("- event: run.completed\n"))
    assert [entry["response"]["status"] for entry in entries] == [503, 503, 503, 200, 200, 200]
    assert [entry["startedDateTime"] for entry in entries[:3]] == [
        "2024-12-16T10:00:00.000+00:00",
        "2024-12-16T10:01:00.000+00:00",
        "2024-12-16T11:01:00.000+00:00",
    ]
    assert entries[2]["comment"] == ("dlv_000001, attempt 3, flows/night.yaml:4: not met: expected status 2xx, got 503")
    assert entries[4]["comment"] == "dlv_000003, attempt 1, flows/night.yaml:6, with the faults duplicate"


async def test_an_entry_holds_the_request_and_the_answer() -> None:
    """Bodies, headers, sizes, the query and the times are those of the exchange."""
    answer = always(status=302, text="gone é", headers={"Location": "/there"})
    report = await replayed("- event: run.failed\n", answer, path="/hooks?a=1&a=&b=x%20y")
    (entry,) = entries_of(report)
    (attempt,) = report.deliveries[0].attempts
    sent, request, response = attempt.request, entry["request"], entry["response"]
    assert sent
    assert request["url"].endswith("/hooks?a=1&a=&b=x%20y")
    assert [(pair["name"], pair["value"]) for pair in request["queryString"]] == [("a", "1"), ("a", ""), ("b", "x y")]
    assert request["postData"] == {"mimeType": "application/json", "text": sent.body.decode()}
    assert (request["headersSize"], request["bodySize"]) == (len(sent.head), len(sent.body))
    assert headers_of(request)["X-Playgent-Signature"].startswith("sha256=")
    assert (response["status"], response["statusText"], response["redirectURL"]) == (302, "Found", "/there")
    assert response["content"] == {"size": 7, "mimeType": "text/plain; charset=utf-8", "text": "gone é"}
    assert entry["serverIPAddress"] == "127.0.0.1"
    timings = entry["timings"]
    assert timings["connect"] + timings["send"] + timings["wait"] + timings["receive"] == pytest.approx(entry["time"])


async def test_a_reused_connection_was_not_connected() -> None:
    """Its time to connect is unknown, as the format says it."""
    first, second = entries_of(await replayed("- event: run.failed\n  repeat: 2\n"))
    assert first["timings"]["connect"] >= 0
    assert second["timings"]["connect"] == -1


async def test_no_answer_is_an_entry_with_an_error() -> None:
    """Status 0 and the error, as browsers write it; all of the time was waiting."""
    (entry,) = entries_of(await unreachable("- event: run.failed\n"))
    assert (entry["response"]["status"], entry["response"]["httpVersion"]) == (0, "")
    assert entry["response"]["_error"].startswith("nothing listens on 127.0.0.1:")
    assert "serverIPAddress" not in entry


async def test_secrets_are_in_no_part_of_it() -> None:
    """Also where the consumer echoes them, and private headers are hidden."""
    headers = {"X-Echo": SECRET, "Set-Cookie": "id=7", "Location": f"/{SECRET}", "Authorization": "Bearer x"}
    answer = always(text=json.dumps({"secret": SECRET}), headers=headers, reason=f"OK {SECRET}", status=200)
    report = await replayed("- event: run.failed\n", answer, path=f"/{SECRET}?{SECRET}={SECRET}")
    (entry,) = entries_of(report)
    assert SECRET not in json.dumps(entry)
    headers = headers_of(entry["response"])
    assert (headers["x-echo"], headers["set-cookie"], headers["authorization"]) == ("***", "***", "***")
    assert entry["response"]["content"]["text"] == '{"secret": "***"}'


async def test_bytes_that_are_no_text_are_reported() -> None:
    """A body that is not UTF-8 is shown as well as can be, and a comment says so."""
    answer = always(body=b"\xff\x00binary", content_type="application/octet-stream")
    (entry,) = entries_of(await replayed("- event: run.failed\n  fault: not_utf8\n", answer))
    assert entry["response"]["content"]["text"] == "\ufffd\x00binary"
    assert entry["response"]["content"]["comment"] == "bytes that are not UTF-8 are shown as U+FFFD"
    assert entry["request"]["postData"]["comment"] == "bytes that are not UTF-8 are shown as U+FFFD"


async def test_what_was_not_recorded_is_reported() -> None:
    """Of a long answer the beginning is on record; the size is that of the whole."""
    report = await replayed("- event: run.failed\n")
    (delivery,) = report.deliveries
    request = delivery.attempts[0].request
    exchange = Exchange(Response(200, body=b"abc", body_size=10), address="[::1]:5000", total_ms=2.0)
    delivery.attempts = (Attempt(1, 0.0, request, exchange),)
    (entry,) = entries_of(report)
    assert entry["response"]["content"]["comment"] == "only the first 3 bytes were recorded"
    assert (entry["response"]["bodySize"], entry["serverIPAddress"], entry["connection"]) == (10, "::1", "5000")
    assert (entry["timings"]["wait"], entry["timings"]["receive"]) == (2.0, 0.0)  # no byte came: all was waiting


def test_an_attempt_without_a_request_is_left_out() -> None:
    """There is nothing to show of it in this form."""
    report = Report(script("- event: run.failed\n"))
    exchange = Exchange(error=ExchangeError("address", "nowhere"))
    delivery = Delivery(1, Event("run.failed", "", b"{}"), "wh_1", "http://x/", "s:4", (Attempt(1, 0, None, exchange),))
    delivery.unmet = ("expected an answer",)
    report.count("1", [delivery])
    assert entries_of(report) == []


async def test_characters_that_cannot_be_seen_are_escaped() -> None:
    """Those that turn the direction of writing, or drive a terminal: in HAR as JSON has it, in Markdown spelled out."""
    hostile = "a\u202eb\u2066c\x9b31m\x85\ufeff\u2028"
    steps = f"- {{event: run.failed, override: {{failure_summary: {json.dumps(hostile)}}}}}\n"
    report = await replayed(steps, always(status=400, text=hostile), name=json.dumps(hostile))
    files = har_document([report]), markdown([report])
    assert [char for char in "".join(files) if not char.isprintable() and char != "\n"] == []
    (entry,) = entries_of(report)
    assert hostile in entry["request"]["postData"]["text"]
    assert entry["response"]["content"]["text"] == hostile
