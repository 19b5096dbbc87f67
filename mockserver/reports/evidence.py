"""What was sent and what came back: as text, and as a curl command that sends the very same bytes again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from itertools import islice

from mockserver.checks.model import Finding
from mockserver.model.messages import Exchange, Request, Response
from mockserver.model.records import Attempt, Delivery
from mockserver.model.redaction import HIDDEN
from mockserver.model.wording import shortened, visible
from mockserver.replay.report import Report

# ---------------------------------------------------------------- curl commands

#: Methods that curl can use with a body; HEAD would wait for one that never comes.
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
#: Headers that curl makes by itself, from the URL and the body.
_CURLS_OWN = ("host", "content-length")
#: Headers that curl adds by default.
_ADDED = ("user-agent", "content-type", "accept", "expect")
#: The longest body that is written as an argument: Linux allows 128 KiB for one.
_LONGEST_ARGUMENT = 100_000


class DryTransport:
    """A transport that sends nothing, and answers 200 to everything."""

    async def exchange(self, request: Request, timeout: float) -> Exchange:  # noqa: ARG002 - as a Transport takes them
        """Answer 200."""
        return Exchange(Response(200))

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def why_no_command(request: Request) -> str:
    """Return why a request cannot be written as a curl command; empty if it can."""
    if request.plan:
        return "curl cannot write a request in pieces, or break it off"
    method = _method(request)
    if method not in _METHODS or not request.head.startswith(f"{method} {request.target.path} HTTP/1.1\r\n".encode()):
        return "its request line is not the one that curl would write"
    host, *lines, length = _header_lines(request)
    if not host.startswith("Host: ") or length != f"Content-Length: {len(request.body)}":
        return "curl writes Host and Content-Length in its own way"
    if not all(line.isascii() and line.isprintable() and line.partition(": ")[2].strip() for line in lines):
        return "curl cannot send a header that is empty or not ASCII"
    return ""


def curl_command(request: Request) -> str:
    """Write a request as a command for a POSIX shell.

    The settings and proxies of the shell are kept out (``-q``, ``--noproxy``): they would change the bytes.
    """
    arguments = ["curl", "-q", "-sS", "--http1.1", "--noproxy", "*", *_url_options(request.target.url)]
    if _method(request) != "POST":  # which the body implies
        arguments += ["-X", _method(request)]
    lines = [line for line in _header_lines(request) if _name(line) not in _CURLS_OWN]
    absent = set(_ADDED) - {_name(line) for line in lines}
    for line in (*lines, *(f"{name}:" for name in _ADDED if name in absent)):
        arguments += ["-A", line[12:]] if _name(line) == "user-agent" and line[12:] else ["-H", line]
    body = _as_text(request.body)
    if body is None:
        return f"printf {shlex.quote(_octal(request.body))} | {_reading_input(arguments, request)}"
    if len(request.body) > _LONGEST_ARGUMENT:
        return f"printf %s {shlex.quote(body)} | {_reading_input(arguments, request)}"
    return shlex.join([*arguments, "--data-raw", body, request.target.url])


def _reading_input(arguments: list[str], request: Request) -> str:
    return shlex.join([*arguments, "--data-binary", "@-", request.target.url])


def _method(request: Request) -> str:
    return request.head.partition(b" ")[0].decode("latin-1")


def _header_lines(request: Request) -> list[str]:
    return [line for line in request.head.decode("latin-1").split("\r\n")[1:] if line]


def _name(line: str) -> str:
    return line.partition(":")[0].lower()


def _as_text(body: bytes) -> str | None:
    """The body as text that can be quoted; None if it cannot."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or "\r" in text else text


def _octal(body: bytes) -> str:
    """The body as the format of a printf command."""
    plain = b' !#$&()*+,-./:;<=>?@[]^_{|}~"'
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in plain else f"\\{byte:03o}" for byte in body
    )


def _url_options(url: str) -> list[str]:
    """What keeps curl from reading something into a URL."""
    options = ["--globoff"] if any(char in url for char in "[]{}") else []
    return [*options, "--path-as-is"] if "/." in url else options


# ---------------------------------------------------------------- exchanges as text

#: The most deliveries of a step that are shown.
_SHOWN = 3
#: The most characters of a body that are shown.
_BODY = 2000


def unmet_by_source(report: Report) -> Mapping[str, Sequence[Delivery]]:
    """Return the first deliveries that did not meet what their step expects, by the script and line of the step."""
    found: dict[str, list[Delivery]] = {}
    for delivery in report.deliveries:
        if delivery.unmet and len(found.setdefault(delivery.source, [])) < _SHOWN:
            found[delivery.source].append(delivery)
    return found


def exchange_text(delivery: Delivery) -> str:
    """Return the last attempt of a delivery as text: request and answer, as they went over the wire."""
    if not delivery.attempts:
        return f"{delivery.delivery_id} was never attempted"
    attempt = delivery.attempts[-1]
    title = f"{delivery.delivery_id}, attempt {attempt.number}"
    request = attempt.request
    sent = [*head_lines(request), "", _body(request.body)] if request else ["no request could be made"]
    return visible("\n".join([f"{title}: sent", *sent, f"{title}: came back", *_answer(attempt.exchange)]))


def head_lines(request: Request) -> list[str]:
    """Return the first line of a request and its headers, as they were sent; other bytes are read as Latin-1."""
    return [line for line in request.head.decode("latin-1").split("\r\n") if line]


def status_line(response: Response) -> str:
    """Return the status of an answer with its reason, if there is one."""
    return f"{response.status} {response.reason}".rstrip()


def _answer(exchange: Exchange) -> list[str]:
    error = [exchange.error.message] if exchange.error else []
    response = exchange.response
    if response is None:
        return error or ["nothing"]
    headers = (f"{name}: {value}" for name, value in response.headers)
    return [status_line(response), *headers, "", _body(response.body), *error]


def _body(body: bytes) -> str:
    return shortened(body.decode("utf-8", "replace"), _BODY)


# ---------------------------------------------------------------- the evidence of a finding

#: A longer body is not written as a command, and not in whole in the reports that show every delivery, in bytes.
LONGEST_BODY = 64 * 1024

#: The most deliveries of a finding that are shown where people read; a burst has more.
_MOST_TEXTS = 3


def evidence_text(delivery: Delivery) -> str:
    """Return a delivery as text: its event and faults, the request and the answer as they went over the wire."""
    faults = f" [{', '.join(delivery.faults)}]" if delivery.faults else ""
    took = f", over in {delivery.attempts[-1].exchange.total_ms:.1f} ms" if delivery.attempts else ""
    return f"{delivery.event.type}{faults}{took}\n{exchange_text(delivery)}"


def evidence_texts(finding: Finding) -> list[str]:
    """Return the first deliveries of a finding as texts, and how many more there are."""
    texts = [evidence_text(delivery) for delivery in islice(finding.evidence, _MOST_TEXTS)]
    more = len(finding.evidence) - len(texts)
    return [*texts, f"... and {more} more deliveries"] if more > 0 else texts


def explained(finding: Finding) -> str:
    """Return all that a reader of a failure needs: what was seen, what to do about it, and the evidence."""
    text = f"{finding.summary}\nfix: {finding.fix}"
    return "\n\n".join([text, *evidence_texts(finding)])


def curl_of(delivery: Delivery) -> str:
    """Return a curl command that sends the last request of a delivery again, byte for byte."""
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
