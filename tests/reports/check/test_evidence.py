"""Evidence: what was sent and what came back as text, and the command that sends it again."""

import asyncio
from typing import Any

import msgspec
import pytest

from mockserver import Delivery
from mockserver.model.redaction import Redactor
from mockserver.reports.evidence import curl_of, evidence_text, evidence_texts, why_no_curl
from tests.receiving import SECRET, consuming
from tests.reports.check.checked import delivery, finding, never_attempted, request_of, sent, without_request
from tests.reports.replayed import always, replayed
from tests.tables import each_row

REDACTOR = Redactor([SECRET])


async def test_a_delivery_as_text() -> None:
    """Event, fault and time, then request and answer as they went over the wire, without the secret."""
    answer = always(status=401, text=f"bad signature for {SECRET}")
    lines = evidence_text(REDACTOR.delivery(await delivery(answer))).splitlines()
    assert lines[0].startswith("run.failed [wrong_secret], over in ")
    assert lines[1:3] == ["dlv_000001, attempt 1: sent", "POST /hooks HTTP/1.1"]
    assert lines[-1] == "bad signature for ***"


def test_deliveries_without_a_request_as_text() -> None:
    """What is known of them is shown."""
    assert "no request could be made" in evidence_text(without_request())
    assert evidence_text(never_attempted()) == "run.failed\ndlv_000002 was never attempted"


async def test_of_many_deliveries_the_first_are_shown() -> None:
    """A burst stays readable."""
    texts = evidence_texts(finding("fail", "x", *[await delivery()] * 50))
    assert len(texts) == 4
    assert texts[3] == "... and 47 more deliveries"


def changed(made: Delivery, **fields: Any) -> Delivery:
    """Return a delivery with another request."""
    request = msgspec.structs.replace(request_of(made), **fields)
    return msgspec.structs.replace(made, attempts=(msgspec.structs.replace(made.attempts[0], request=request),))


@each_row("method", ["POST", "GET", "PUT", "PATCH", "DELETE"])
async def test_the_command_sends_the_same_request(method: str) -> None:
    """A real curl, to a real consumer: the method, the path, the signature and the body are those that were sent."""
    made = await delivery()
    request = request_of(made)
    other = changed(made, head=request.head.replace(b"POST ", f"{method} ".encode(), 1))
    async with consuming() as consumer:
        command = curl_of(other).replace(made.url.rpartition("/")[0], consumer.url)
        process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0
        (received,) = consumer.received
    assert (received.method, received.path, received.body) == (method, request.target.path, request.body)
    assert received.header("X-Playgent-Signature") == dict(request.headers)["X-Playgent-Signature"]


async def test_where_there_is_no_command() -> None:
    """What a command would change, or tell to others, is no command; the reason is there."""
    made = await delivery()
    head, target = request_of(made).head, request_of(made).target
    none = {
        "no request was made": without_request(),
        "it went to an application in the same process": changed(made, target=msgspec.structs.replace(target, app="1")),
        "its body is longer than 65536 bytes": sent(made, b"x" * 65_537),
        "its request line is not the one that curl would write": changed(made, head=head.replace(b"POST", b"HEAD")),
        "curl cannot write a request in pieces, or break it off": (
            await replayed("- event: run.failed\n  fault: chunked\n")
        ).deliveries[0],
    }
    for reason, each in none.items():
        assert (curl_of(each), why_no_curl(each)) == ("", reason)
    assert why_no_curl(never_attempted()) == "no request was made"
    assert curl_of(sent(made, b"x" * 65_536))


@pytest.mark.parametrize("secret", ["whsec_it's", 'whsec_"a"b', SECRET])
async def test_a_request_that_holds_a_secret_is_no_command(secret: str) -> None:
    """Quoted for a shell, a secret could no longer be recognised."""
    made = await delivery()
    redactor = Redactor([secret])
    for each in map(redactor.delivery, (sent(made, f"<{secret}>".encode()), sent(made, b"\xff" + secret.encode()))):
        assert (curl_of(each), why_no_curl(each)) == ("", "it holds a secret")
    head = request_of(made).head.replace(b"Content-Type", b"Authorization: x\r\nContent-Type")
    assert why_no_curl(redactor.delivery(changed(made, head=head))) == "it holds a secret"
