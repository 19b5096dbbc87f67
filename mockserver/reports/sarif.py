"""SARIF 2.1.0: the findings as results of an analysis tool, for services that collect those of many tools.

The format is an OASIS standard, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01".
Where it leaves a choice, it is made so that GitHub's code scanning shows what is meant:

- Only failures and warnings are results. The standard has kinds of results for whatever is no problem (``pass``,
  ``open``), but GitHub shows a result of any kind as an alert. That a check passed is to be seen by its rule, which is
  there, without a result; what was inconclusive or not tested is a notification of the run.
- A consumer is no file, yet GitHub wants the location of one. It is the path of the webhook's URL, relative to the base
  ``TARGET``, which stands for the server: a file with absolute http URLs is refused. The whole URL is the logical
  location.
- The fingerprint is made of the check and the path. The host and port are not in it: a test server's port changes from
  run to run, the mistake does not.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Literal
from urllib.parse import quote

import mockserver
from mockserver.checks.model import Check, CheckResult, Finding, Severity
from mockserver.model.messages import Exchange, Headers, Request
from mockserver.model.targets import Target
from mockserver.model.wording import shortened
from mockserver.reports.check_json import iso_time, json_text
from mockserver.reports.check_text import diagnosis_text, is_wrong
from mockserver.reports.evidence import LONGEST_BODY, last_attempt, request_line

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "TARGET"
#: The most characters of a message that are shown.
_LONGEST_MESSAGE = 4000

SarifLevel = Literal["error", "warning", "note"]

_LEVELS: Mapping[Severity, SarifLevel] = {"must": "error", "should": "warning", "note": "note"}

#: What may be in the path of a URI, and a percent sign that escapes nothing.
_SAFE_IN_PATH = "/:@!$&'()*+,;=-._~%"
_LOOSE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def check_sarif(report: CheckResult) -> str:
    """Return a report as a SARIF log with one run."""
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report)]})


def _run(report: CheckResult) -> dict[str, Any]:
    target = Target.parse(report.target)
    place = _relative(target.path.partition("?")[0])
    return {
        "tool": {"driver": _driver([finding.check for finding in report.findings])},
        "automationDetails": {"id": f"mockserver-check/{place}"},
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {
            _BASE: {
                "uri": f"{target.scheme}://{target.authority}/",
                "description": {"text": "The server of the webhook that was checked."},
            }
        },
        "results": [
            _result(finding, index, place, report) for index, finding in enumerate(report.findings) if is_wrong(finding)
        ],
        "properties": {"target": report.target, "seed": report.seed, "deliveries": report.deliveries},
    }


def _driver(checks: Iterable[Check]) -> dict[str, Any]:
    return {
        "name": "mockserver",
        "fullName": f"playgent-mockserver {mockserver.__version__}",
        "semanticVersion": mockserver.__version__,
        **_home(),
        "rules": [_rule(check) for check in checks],
    }


def _home() -> dict[str, str]:
    """Where the tool is described: the first address that the package names, if it names one."""
    try:
        urls = metadata.metadata("playgent-mockserver").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from a source tree
        urls = []
    addresses = [url.partition(",")[2].strip() for url in urls]
    return {"informationUri": addresses[0]} if addresses else {}


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "name": "".join(word.capitalize() for word in check.name.split("_")),
        "shortDescription": {"text": f"{check.title.capitalize()} (expected: {check.good})."},
        "fullDescription": {"text": check.why},
        "help": {"text": check.fix, "markdown": check.fix},
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
        "properties": {"tags": ["webhook", check.severity]},
    }


def _invocation(report: CheckResult) -> dict[str, Any]:
    """How the run itself went; failed checks are its result, not a fault of it."""
    return {
        "executionSuccessful": not report.problems,
        "startTimeUtc": iso_time(report.began),
        "endTimeUtc": iso_time(report.began + report.seconds),
        "toolExecutionNotifications": list(_notifications(report)),
    }


def _notifications(report: CheckResult) -> Iterable[dict[str, Any]]:
    for kind, why in report.problems.items():
        yield {"level": "error", "message": _message(f"{kind}: {report.target}: {why}")}
    if report.diagnosis:
        yield {"level": "note", "message": _message(diagnosis_text(report.diagnosis))}
    for index, finding in enumerate(report.findings):
        if finding.verdict in ("inconclusive", "not tested"):
            yield {
                "level": "warning" if finding.verdict == "inconclusive" else "note",
                "message": _message(f"{finding.check.title}: {finding.verdict}, {finding.summary}"),
                "associatedRule": {"id": finding.check.id, "index": index},
            }


def _result(finding: Finding, index: int, place: str, report: CheckResult) -> dict[str, Any]:
    level = _LEVELS[finding.check.severity]
    return {
        "ruleId": finding.check.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": "warning" if finding.verdict == "warn" and level == "error" else level,
        "message": _message(f"{_sentence(finding.summary)} {_sentence(f'to fix it: {finding.fix}')}"),
        "locations": [_location(place, report.target)],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(finding.check, place)},
        **_exchange(finding),
        "properties": {"verdict": finding.verdict, "severity": finding.check.severity},
    }


def _location(place: str, url: str) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": place, "uriBaseId": _BASE},
            "region": {"startLine": 1},  # GitHub asks for one
        },
        "logicalLocations": [{"name": url, "kind": "resource"}],
    }


def _relative(path: str) -> str:
    """A path as a reference relative to the root of its server."""
    relative = _LOOSE_PERCENT.sub("%25", quote(path.removeprefix("/"), safe=_SAFE_IN_PATH))
    first = relative.partition("/")[0]
    return relative if first and ":" not in first else f"./{relative}"


def _fingerprint(check: Check, place: str) -> str:
    """A hash in the form that GitHub knows: it makes one of a line of source code where there is none."""
    digest = hashlib.sha256(f"{check.id} {place}".encode("utf-8", "replace")).hexdigest()
    return f"{digest[:16]}:1"


def _message(text: str) -> dict[str, str]:
    """A text as it is: braces would be placeholders, brackets before a parenthesis a link."""
    shown = shortened(text, _LONGEST_MESSAGE)
    return {"text": shown.replace("{", "{{").replace("}", "}}").replace("](", "\\](")}


def _sentence(text: str) -> str:
    """A phrase as a sentence: where there is little room, GitHub shows the first one only."""
    word = text.partition(" ")[0]
    begin = text if "." in word or "_" in word else text[:1].upper() + text[1:]  # the name of an event has its own case
    return begin + ("" if text.endswith((".", "!", "?")) else ".")


def _exchange(finding: Finding) -> dict[str, Any]:
    """Request and answer of the delivery that shows most."""
    attempt = last_attempt(finding.evidence[0]) if finding.evidence else None
    if attempt is None:
        return {}
    sent = {"webRequest": _request(attempt.request)} if attempt.request else {}
    return {**sent, "webResponse": _response(attempt.exchange)}


def _request(request: Request) -> dict[str, Any]:
    method, _, rest = request_line(request).partition(" ")
    target, _, version = rest.rpartition(" ")
    return {
        "protocol": version.partition("/")[0],
        "version": version.partition("/")[2],
        "method": method,
        "target": target,
        "headers": _headers(request.headers),
        "body": _content(request.body, len(request.body)),
        "properties": {"url": request.target.url},
    }


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    error = {"properties": {"error": exchange.error.message}} if exchange.error else {}
    if response is None:
        reason = exchange.error.message if exchange.error else "no answer"
        return {"noResponseReceived": True, "reasonPhrase": reason, **error}
    return {
        "protocol": "HTTP",
        "version": "1.1",
        "statusCode": response.status,
        "reasonPhrase": response.reason,
        "headers": _headers(response.headers),
        "body": _content(response.body, response.body_size),
        **error,
    }


def _headers(headers: Headers) -> dict[str, str]:
    """Headers by their names; the values of one that came more than once come one after another."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _content(body: bytes, size: int) -> dict[str, Any]:
    """A body: as text, or in Base64 where it is none."""
    text = body.decode("utf-8", "replace")
    shown: dict[str, Any] = {"text": shortened(text, LONGEST_BODY)}
    if text.encode() != body:
        shown = {"binary": b64encode(body[:LONGEST_BODY]).decode()}
    return {**shown, "properties": {"size": size}}
