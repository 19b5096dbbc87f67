"""The evidence of a finding: what was sent and what came back, as text, and as a command that sends it again."""

from __future__ import annotations

from itertools import islice

from mockserver.checks.model import Finding
from mockserver.model.messages import Request
from mockserver.model.records import Attempt, Delivery
from mockserver.model.redaction import HIDDEN
from mockserver.reports.curl import curl_command, why_no_command
from mockserver.reports.exchanges import exchange_text

#: A longer body is not written as a command, and not in whole in the reports that show every delivery, in bytes.
LONGEST_BODY = 64 * 1024

#: The most deliveries of a finding that are shown where people read; a burst has more.
_SHOWN = 3


def evidence_text(delivery: Delivery) -> str:
    """Return a delivery as text: its event and faults, the request and the answer as they went over the wire.

    Args:
        delivery: A delivery.

    Returns:
        Several lines. They hold what the consumer answered: its control characters too.
    """
    faults = f" [{', '.join(delivery.faults)}]" if delivery.faults else ""
    took = f", over in {delivery.attempts[-1].exchange.total_ms:.1f} ms" if delivery.attempts else ""
    return f"{delivery.event.type}{faults}{took}\n{exchange_text(delivery)}"


def evidence_texts(finding: Finding) -> list[str]:
    """Return the first deliveries of a finding as texts, and how many more there are.

    Args:
        finding: What a check found out.
    """
    texts = [evidence_text(delivery) for delivery in islice(finding.evidence, _SHOWN)]
    more = len(finding.evidence) - len(texts)
    return [*texts, f"... and {more} more deliveries"] if more > 0 else texts


def explained(finding: Finding) -> str:
    """Return all that a reader of a failure needs: what was seen, what to do about it, and the evidence.

    Args:
        finding: What a check found out.
    """
    text = f"{finding.summary}\nfix: {finding.fix}"
    return "\n\n".join([text, *evidence_texts(finding)])


def curl_of(delivery: Delivery) -> str:
    """Return a curl command that sends the last request of a delivery again, byte for byte.

    Args:
        delivery: A delivery.

    Returns:
        One command for a POSIX shell; empty where there is none, see :func:`why_no_curl`.
    """
    request = request_of(delivery)
    return curl_command(request) if request is not None and not why_no_curl(delivery) else ""


def why_no_curl(delivery: Delivery) -> str:
    """Return why the last request of a delivery cannot be written as a curl command; empty if it can."""
    request = request_of(delivery)
    if request is None:
        return "no request was made"
    if request.target.app:
        return "it went to an application in the same process"
    if len(request.body) > LONGEST_BODY:
        return f"its body is longer than {LONGEST_BODY} bytes"
    if HIDDEN.encode() in request.head + request.body or HIDDEN in request.target.path:
        return "it holds a secret"
    return why_no_command(request)


def last_attempt(delivery: Delivery) -> Attempt | None:
    """Return the attempt that decided on a delivery."""
    return delivery.attempts[-1] if delivery.attempts else None


def request_of(delivery: Delivery) -> Request | None:
    """Return the last request of a delivery, if one was made."""
    attempt = last_attempt(delivery)
    return attempt.request if attempt else None


def request_line(request: Request) -> str:
    """Return the first line of a request; bytes outside ASCII are read as Latin-1."""
    return request.head.partition(b"\r\n")[0].decode("latin-1")


def shortened(text: str, most: int) -> str:
    """Return the beginning of a text, and how much more there is if that is not all of it.

    Args:
        text: A text without secrets: the end of a part of one would not be recognised.
        most: How many characters of it to keep.
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} more characters)"
