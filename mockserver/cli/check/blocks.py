"""What ``mockserver check`` shows of one finding: what was seen, why it matters, how to fix it, and the proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mockserver.checks.model import Diagnosis, Finding
from mockserver.cli.printing import printable, shortened
from mockserver.model.messages import Request
from mockserver.model.records import Delivery
from mockserver.model.wording import one_line
from mockserver.reports.check_text import diagnosis_text
from mockserver.reports.evidence import curl_of, request_line, request_of, why_no_curl

#: A consumer that takes all of these verifies nothing.
_NOTHING_VERIFIED = {"missing_signature", "wrong_secret", "tampered_body", "truncated_signature", "malformed_signature"}
#: A longer command is not printed, in characters.
_LONGEST_COMMAND = 4000
#: The most characters of a body that are printed, and of one that is shown on the line of its answer.
_BODY, _BRIEF_BODY = 500, 100
#: The most characters of why it matters that are printed; --explain shows all.
_WHY = 200


def finding_block(finding: Finding, *, verbose: bool) -> Iterator[str]:
    """Show a failure or a warning, below its heading.

    Args:
        finding: The finding.
        verbose: Whether to show every delivery that proves it, and whole answers.

    Returns:
        Lines that can be printed; a command among them may hold line breaks.
    """
    yield f"  seen: {one_line(finding.summary)}"
    yield f"  why:  {_beginning(finding.check.why)}"
    yield f"  fix:  {one_line(finding.fix)}"
    yield from _proof(finding.evidence, verbose=verbose)


def group_block(findings: Sequence[Finding], *, verbose: bool) -> Iterator[str]:
    """Show findings with one cause, below a heading that names the cause.

    Args:
        findings: The findings; the first is the one that is proved.
        verbose: Whether to show whole answers.

    Returns:
        Lines that can be printed; a command among them may hold line breaks.
    """
    errors = any(delivery.response and delivery.response.status >= 500 for delivery in findings[0].evidence)
    if {finding.check.name for finding in findings} >= _NOTHING_VERIFIED and not errors:
        yield "  It looks as if no signature is verified at all, or as if forgeries were dropped without a word."
    for finding in findings:
        check = finding.check
        yield f"  {check.id} {check.title} ({check.severity}): {one_line(finding.particular)}"
        yield f"    fix: {one_line(finding.fix)}"
    yield f"  why each matters: mockserver check --explain {findings[0].check.id}"
    yield f"  the proof of {findings[0].check.id}, as --json FILE writes it of each:"
    yield from _proof(findings[0].evidence[:1], verbose=verbose)


def diagnosis_block(diagnosis: Diagnosis, *, verbose: bool) -> Iterator[str]:
    """Show what would explain that right events are refused; the arguments and lines are like those of a finding."""
    yield f"  {one_line(diagnosis_text(diagnosis))}"
    if diagnosis.evidence:
        yield "  this delivery is wrong, and was accepted:"
        yield from _proof(diagnosis.evidence[:1], verbose=verbose)


def _proof(deliveries: tuple[Delivery, ...], *, verbose: bool) -> Iterator[str]:
    """The deliveries, what they have in common only once; by default the first of them alone, with a short answer."""
    sent = answer = ""
    for delivery in deliveries if verbose else deliveries[:1]:
        before, sent = sent, "\n".join(_sent(delivery))
        yield "  sent: the same once more" if sent == before else sent
        before, answer = answer, "\n".join(_answer(delivery) if verbose else _brief_answer(delivery))
        if answer:
            yield "  answer: the same" if answer == before else answer
    more = 0 if verbose else len(deliveries) - 1
    if more > 0:
        yield f"  ... and {more} more {'delivery' if more == 1 else 'deliveries'}, which -v shows"


def _sent(delivery: Delivery) -> Iterator[str]:
    """The request: as a command where there is one that can be copied from here, else as it went over the wire."""
    command = curl_of(delivery)
    reason = why_no_curl(delivery)
    if command and len(command) > _LONGEST_COMMAND:
        reason = "it is long"
    elif command and printable(command) != command:
        reason = "it holds characters that cannot be shown"
    elif command:
        yield "  sent:"
        yield f"    {command}"
        return
    yield f"  sent (no curl command: {reason}):"
    request = request_of(delivery)
    if request is not None:
        yield from _request(request)


def _request(request: Request) -> Iterator[str]:
    yield _line(request_line(request))
    for name, value in request.headers:
        yield _line(f"{name}: {value}")
    if request.body:
        yield ""
        yield from _body(request.body)


def _answer(delivery: Delivery) -> Iterator[str]:
    response = delivery.response
    if response is not None:
        yield f"  answer: {one_line(f'{response.status} {response.reason}'.rstrip())}"
        if response.body:
            yield from _body(response.body)
    if delivery.error is not None:
        yield f"  {'and then' if response else 'answer'}: {one_line(delivery.error.message)}"


def _brief_answer(delivery: Delivery) -> Iterator[str]:
    response = delivery.response
    parts = []
    if response is not None:
        body = one_line(shortened(response.body.decode("utf-8", "replace"), _BRIEF_BODY))
        parts.append(one_line(f"{response.status} {response.reason} {body}".strip()))
    if delivery.error is not None:
        parts.append(one_line(delivery.error.message))
    if parts:
        yield f"  answer: {', and then '.join(parts)}"


def _body(body: bytes) -> Iterator[str]:
    text = shortened(body.decode("utf-8", "replace"), _BODY)
    for line in printable(text).split("\n"):
        yield f"    {line}"


def _line(text: str) -> str:
    return f"    {one_line(shortened(text, _BODY))}"


def _beginning(text: str) -> str:
    """The first sentences of a text, as many as fit into two lines."""
    first, *more = text.split(". ")
    for sentence in more:
        if len(first) + len(sentence) > _WHY:
            return f"{first}."
        first = f"{first}. {sentence}"
    return first
