"""Whatever a consumer answers and a check sends: every report is well-formed, bounded, and holds no secret."""

import base64
import json
from xml.etree import ElementTree as ET

import msgspec
import pytest

from mockserver import CheckReport
from mockserver.checks.model import Diagnosis, Severity, Verdict
from mockserver.model.redaction import Redactor
from tests.receiving import SECRET
from tests.reports.check.checked import (
    FORMS,
    answered,
    check,
    delivery,
    finding,
    never_attempted,
    report_of,
    request_of,
    sent,
    without_request,
)

every_form = pytest.mark.parametrize("form", FORMS)


def written(form: str, report: CheckReport, secret: str = SECRET) -> str:
    """Write a report, and see that it is well-formed and can be stored."""
    text = FORMS[form](report, Redactor([secret]))
    text.encode()
    if form == "junit":
        ET.fromstring(text)
    elif form != "markdown":
        msgspec.json.decode(text)
    return text


def spellings(secret: str) -> set[str]:
    """Return what a secret may look like in a report: escaped, or in Base64 at any place of a text."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * shift + raw)[4:-4].decode() for shift in range(3)}
    return {secret, json.dumps(secret)[1:-1], secret.replace("{", "{{").replace("}", "}}"), *shifted}


@every_form
@pytest.mark.parametrize("secret", [SECRET, "whsec_{a}](b)\"c'd<e>&f*g|h", "whsec_" + "é" * 20])
async def test_the_secret_is_nowhere(form: str, secret: str) -> None:
    """Echoed by the consumer in every place that it has, sent in a body, quoted in a summary or a diagnosis."""
    made = await delivery()
    made = msgspec.structs.replace(made, event=msgspec.structs.replace(made.event, type=secret))
    evidence = (
        answered(made, body=f"got {secret}".encode(), headers=[("x-echo", secret), ("set-cookie", secret)]),
        answered(made, body=b"\xff\xfe" + secret.encode(), reason=secret, error=f"broke off at {secret}"),
        sent(made, json.dumps({"echo": secret, secret: 1}).encode()),
        sent(made, b"\xff" + secret.encode()),
    )
    verdicts: list[Verdict] = ["fail", "warn", "inconclusive", "not tested", "pass"]
    severities: list[Severity] = ["must", "should"]
    findings = [
        finding(verdict, f"answered {secret}", *order, of=check(f"PG{number}{place}", severity=severity), fix=secret)
        for number, verdict in enumerate(verdicts)
        for place, severity in enumerate(severities)
        for order in [evidence[place * 2 :] + evidence[: place * 2]]
    ]
    findings += [finding("fail", "x", each, of=check(f"PG9{place}")) for place, each in enumerate(evidence)]
    report = report_of(*findings, diagnosis=Diagnosis(f"takes {secret}", f"not {secret}", 1, evidence))
    text = written(form, report, secret)
    assert not [spelling for spelling in spellings(secret) if spelling in text]
    assert not [spelling for spelling in spellings(secret) if spelling in text.replace("\\", "")]
    assert text != written(form, report, "another")


@every_form
async def test_a_secret_in_the_url(form: str) -> None:
    """The target, the request line and the command do not reveal it."""
    made = await delivery()
    request = request_of(made)
    url = f"http://localhost:3000/hooks/{SECRET}"
    target = msgspec.structs.replace(request.target, path=f"/hooks/{SECRET}?key={SECRET}")
    head = request.head.replace(b"/hooks", f"/hooks/{SECRET}?key={SECRET}".encode())
    request = msgspec.structs.replace(request, target=target, head=head)
    attempts = (msgspec.structs.replace(made.attempts[0], request=request),)
    made = msgspec.structs.replace(made, url=url, attempts=attempts)
    text = written(form, report_of(finding("fail", "x", made), target=url, unreachable=f"no {url}"))
    assert SECRET not in text.replace("\\", "")


@every_form
async def test_control_characters_and_half_surrogate_pairs(form: str) -> None:
    """Whatever bytes the network brings, the report can be written and read."""
    odd = "\x00\x07\x1b[2J\ufffe\ud800 \udcff\u2028"
    made = answered(
        await delivery(), body=b"\x00\x1b[2J\xed\xa0\x80\xff", headers=[("x-odd", odd)], reason=odd, error=odd
    )
    made = msgspec.structs.replace(made, faults=("a",), source=odd)
    findings = [finding(verdict, odd, made, fix=odd) for verdict in ("fail", "warn", "inconclusive", "pass")]
    report = report_of(*findings, unreachable=odd, diagnosis=Diagnosis(odd, odd, 1, (made,)))
    text = FORMS[form](report, Redactor([SECRET]))
    if form == "markdown":
        assert text.encode("utf-8", "replace")
    else:
        written(form, report)


@every_form
async def test_a_megabyte_is_not_shown_in_whole(form: str) -> None:
    """Neither of what was sent nor of what came back, text or not."""
    made = await delivery()
    text, binary = b"y" * 1_000_000, b"\xff" * 1_000_000
    evidence = [answered(sent(made, each), body=each) for each in (text, binary)]
    report = report_of(*(finding("fail", "x", each, of=check(f"PG{n}")) for n, each in enumerate(evidence)))
    assert len(written(form, report)) < 1_000_000


@every_form
def test_findings_with_nothing_to_show(form: str) -> None:
    """No evidence, no request, no attempt: the report is written all the same."""
    evidence = [(), (without_request(),), (never_attempted(),)]
    findings = [finding("fail", "x", *each, of=check(f"PG{n}")) for n, each in enumerate(evidence)]
    assert "PG2" in written(form, report_of(*findings))
    assert written(form, report_of())


@every_form
async def test_a_long_list(form: str) -> None:
    """Hundreds of findings with their evidence are a report, in a time that no one notices."""
    made = await delivery()
    findings = [finding("fail", f"number {n}", made, made, of=check(f"PG{n:04}")) for n in range(500)]
    text = written(form, report_of(*findings))
    assert "PG0099" in text
    assert len(text) < 5_000_000
