"""HTML: one self-contained page that holds all that a reader of a replay or a check needs, also without its script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mockserver import __version__
from mockserver.checks.model import CheckResult, Finding
from mockserver.model.messages import Headers
from mockserver.model.quantities import format_duration, format_timestamp
from mockserver.model.records import Attempt, Delivery
from mockserver.model.wording import shortened, visible
from mockserver.replay.report import Report, StepReport
from mockserver.reports.check_text import counts, is_wrong, worst_first
from mockserver.reports.evidence import curl_of, request_line, status_line, why_no_curl

# ---------------------------------------------------------------- the frame of a page

_FOLDER = Path(__file__).parent / "templates"


def page(template: str, title: str, **values: Any) -> str:
    """Return a whole page."""
    style, script = _read("report.css"), _read("report.js")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    return (
        _templates()
        .get_template(template)
        .render(title=title, style=Markup(style), script=Markup(script), policy=policy, version=__version__, **values)  # noqa: S704 - both are files of ours
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@lru_cache(8)
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


@lru_cache(1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip


# ---------------------------------------------------------------- a delivery

#: The most characters of a body that are shown.
_BODY = 16 * 1024


def result_of(delivery: Delivery) -> str:
    """Return the result of a delivery in a word: its status, or why there is none."""
    if delivery.error is not None and delivery.response is None:
        return delivery.error.kind
    return str(delivery.response.status) if delivery.response else delivery.outcome


def brief_row(delivery: Delivery) -> dict[str, Any]:
    """Return what a line of a table shows of a delivery."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.delivery_id,
        "event": delivery.event.type,
        "faults": delivery.faults,
        "good": delivery.delivered,
        "unmet": delivery.unmet,
        "result": result_of(delivery),
        "at": format_timestamp(delivery.attempts[0].at) if delivery.attempts else "",
        "ms": f"{last.exchange.total_ms:.1f} ms" if last else "",
        "attempts": len(delivery.attempts),
        "url": delivery.url,
        "source": delivery.source,
    }


def whole(delivery: Delivery) -> dict[str, Any]:
    """Return all that is known of a delivery."""
    command = curl_of(delivery)
    return {
        **brief_row(delivery),
        "curl": command,
        "no_curl": "" if command else why_no_curl(delivery),
        "tries": [_attempt(attempt) for attempt in delivery.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    request, response, error = attempt.request, attempt.response, attempt.error
    line = request_line(request) if request else "no request could be made"
    return {
        "number": attempt.number,
        "at": format_timestamp(attempt.at),
        "good": attempt.delivered,
        "result": str(response.status) if response else error.kind if error else "nothing",
        "ms": f"{attempt.exchange.total_ms:.1f} ms",
        "sent": line,
        "sent_headers": _headers(request.headers) if request else "",
        "sent_body": _body(request.body) if request else "",
        "line": status_line(response) if response else "",
        "headers": _headers(response.headers) if response else "",
        "body": _body(response.body) if response else "",
        "error": f"{error.message}\n{error.detail}".strip() if error else "",
    }


def _headers(headers: Headers) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers)


def _body(body: bytes) -> str:
    """A body as text, JSON with line breaks, its values as they are spelled."""
    text = body.decode("utf-8", "replace")
    if len(text) > _BODY:
        return shortened(text, _BODY)
    try:
        return msgspec.json.format(text) if text.lstrip()[:1] in ("{", "[") else text
    except (msgspec.DecodeError, RecursionError):
        return text


# ---------------------------------------------------------------- the timeline

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _MOST_ROWS = 1200.0, 190.0, 16.0, 30.0, 15.0, 6
#: Seconds between two marks of the axis, the finest first.
_TICKS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800, 2592000, 31536000)
#: The most deliveries that are drawn; more would be a blur.
MOST_DRAWN = 1500


class Chart(msgspec.Struct):
    """A chart, ready for its template.

    Args:
        height: Its height.
        lanes: The lanes: a label, where it begins and where it ends.
        marks: The marks of the axis: where, and the time.
        bars: The deliveries: an id, a text, and the attempts.
        left_out: How many deliveries are not drawn.
    """

    height: float
    lanes: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    bars: list[dict[str, Any]]
    left_out: int


def chart_of(deliveries: Sequence[Delivery]) -> Chart | None:
    """Return the chart of deliveries; None if there is nothing to draw."""
    attempted = [delivery for delivery in deliveries if delivery.attempts]
    if not attempted:
        return None
    drawn = attempted
    if len(attempted) > MOST_DRAWN:
        failed = [delivery for delivery in attempted if not delivery.delivered]
        others = [delivery for delivery in attempted if delivery.delivered]
        drawn = sorted((failed + others)[:MOST_DRAWN], key=lambda delivery: delivery.number)
    start = min(each.attempts[0].at for each in drawn)
    end = max(_end(attempt) for each in drawn for attempt in each.attempts)
    margin = max((end - start) * 0.02, 0.05)
    scale = _Scale(start - margin, end + margin)
    lanes, bars, height = _lay_out(drawn, scale)
    return Chart(height, lanes, _marks(scale), bars, len(attempted) - len(drawn))


class _Scale(msgspec.Struct, frozen=True):
    start: float
    end: float

    def x(self, moment: float) -> float:
        """The place of a moment."""
        return _LEFT + (moment - self.start) / (self.end - self.start) * (_WIDTH - _LEFT - _RIGHT)


def _end(attempt: Attempt) -> float:
    return attempt.at + attempt.exchange.total_ms / 1000


def _lay_out(deliveries: Sequence[Delivery], scale: _Scale) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    by_event: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_event.setdefault(delivery.event.type, []).append(delivery)
    lanes: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    y = _TOP
    for event, members in by_event.items():
        taken: list[float] = []
        for delivery in members:
            begin, last = scale.x(delivery.attempts[0].at), scale.x(_end(delivery.attempts[-1]))
            row = next((index for index, until in enumerate(taken) if until < begin - 2), len(taken))
            if row == len(taken) and row < _MOST_ROWS:
                taken.append(0.0)
            row = row % _MOST_ROWS
            taken[row] = max(taken[row], last, begin + 5)
            bars.append(_bar(delivery, scale, y + 5 + row * _ROW))
        bottom = y + max(len(taken), 1) * _ROW + 8
        lanes.append({"label": event if len(event) <= 26 else f"{event[:25]}…", "y": y + 16, "bottom": bottom})
        y = bottom
    return lanes, bars, y + 6


def _bar(delivery: Delivery, scale: _Scale, y: float) -> dict[str, Any]:
    tries = [
        {
            "x": round(scale.x(each.at), 1),
            "width": round(max(scale.x(_end(each)) - scale.x(each.at), 4.0), 1),
            "good": each.delivered,
        }
        for each in delivery.attempts
    ]
    first = format_timestamp(delivery.attempts[0].at)
    return {
        "id": delivery.delivery_id, "text": f"{first} {delivery}", "y": round(y, 1), "tries": tries,
        "from": tries[0]["x"], "to": tries[-1]["x"],
    }  # fmt: skip


def _marks(scale: _Scale) -> list[dict[str, Any]]:
    span = scale.end - scale.start
    step = next((each for each in _TICKS if span / each <= 9), _TICKS[-1])
    marks: list[dict[str, Any]] = []
    moment = (scale.start // step + 1) * step
    while moment < scale.end and len(marks) < 20:
        text = format_timestamp(moment)
        if step < 1:
            text = f"{text[14:19]}{moment % 1:.1f}"[:5] + f".{int(moment * 10 % 10)}"
        else:
            text = text[5:10] if step >= 86400 else text[11:16] if step >= 60 else text[11:19]
        marks.append({"x": round(scale.x(moment), 1), "text": text})
        moment += step
    return marks


# ---------------------------------------------------------------- replays

#: The most deliveries with a problem that are shown whole, and of the others.
_WHOLE, _GOOD = 300, 100
#: The most more that are shown as a line each.
_LINES = 1000
#: The most steps and explanations that are shown.
_STEPS, _EXPLANATIONS = 500, 200


def replay_html(reports: Sequence[Report]) -> str:
    """Return reports of replays as one page."""
    sections = [_section(report) for report in reports]
    failed = sum(not section["ok"] for section in sections)
    verdict = f"{failed} of {len(sections)} failed" if failed else "passed"
    names = ", ".join(section["name"] for section in sections[:3]) + (" …" if len(sections) > 3 else "")
    return page("replay.html.j2", f"{names}: {verdict}", sections=sections, verdict=verdict, ok=not failed)


def _section(report: Report) -> dict[str, Any]:
    deliveries = report.deliveries
    bad = [each for each in deliveries if each.unmet]
    good = [each for each in deliveries if not each.unmet]
    shown = sorted(bad[:_WHOLE] + good[:_GOOD], key=lambda each: each.number)
    lines = sorted((bad[_WHOLE:] + good[_GOOD:])[:_LINES], key=lambda each: each.number)
    explanations = _explanations(report)
    worst_first = sorted(report.steps, key=lambda step: not report.problems(step))
    numbers = {step.number for step in worst_first[:_STEPS]}
    return {
        "name": report.script.name,
        "source": report.script.source,
        "ok": report.ok,
        "counts": {
            "planned": report.planned, "delivered": report.delivered, "failed": report.failed,
            "not sent": report.not_sent, "not met": report.unmet,
        },
        "took": format_duration(round(report.seconds, 3)),
        "scripted": format_duration(round(report.scripted_seconds, 3)),
        "steps": [_step(report, step) for step in report.steps if step.number in numbers],
        "steps_left_out": len(report.steps) - len(numbers),
        "explanations": explanations[:_EXPLANATIONS],
        "explanations_left_out": max(len(explanations) - _EXPLANATIONS, 0),
        "chart": chart_of(deliveries),
        "exchanges": [{**whole(each), "bad": bool(each.unmet)} for each in shown],
        "lines": [brief_row(each) for each in lines],
        "left_out": len(deliveries) - len(shown) - len(lines),
    }  # fmt: skip


def _explanations(report: Report) -> list[dict[str, str]]:
    """What was not as expected, by step."""
    lines = [
        {"where": f"Step {step.number}, line {step.line}", "what": step.what, "problem": problem}
        for step in report.steps
        for problem in report.problems(step)
    ]  # fmt: skip
    if report.halted and not report.halted_at:
        lines.append({"where": "", "what": "", "problem": report.halted})
    return lines


def _step(report: Report, step: StepReport) -> dict[str, Any]:
    problems = report.problems(step)
    not_sent = sum(step.not_sent.values())
    return {
        "number": step.number, "line": step.line, "what": step.what, "planned": step.planned,
        "delivered": step.delivered, "failed": step.failed, "not_sent": not_sent,
        "verdict": "not met" if problems else "not sent" if not_sent else "ok", "bad": bool(problems),
    }  # fmt: skip


# ---------------------------------------------------------------- checks

#: The most deliveries that prove a finding; a burst has more.
_PROOFS = 5


def check_html(report: CheckResult) -> str:
    """Return the report of a check as one page."""
    wrong = worst_first(report)
    broken = sum(finding.breaks for finding in report.findings)
    verdict = f"{broken} failed that must pass" if broken else "not checked" if report.problems else "passed"
    rest = [finding for finding in report.findings if not is_wrong(finding)]
    return page(
        "check.html.j2",
        f"Check of {report.target}: {verdict}",
        target=report.target,
        ok=not report.broken,
        verdict=verdict,
        counts={verdict: count for verdict, count in counts(report).items() if count},
        began=format_timestamp(report.began),
        took=format_duration(round(report.seconds, 2)),
        deliveries=report.deliveries,
        seed=report.seed,
        problems=list(report.problems.values()),
        diagnosis=report.diagnosis,
        diagnosis_proof=[whole(each) for each in (report.diagnosis.evidence[:_PROOFS] if report.diagnosis else ())],
        wrong=list(map(_finding, wrong)),
        rest=list(map(_line, rest)),
    )


def _line(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.check.id, "title": finding.check.title, "severity": finding.check.severity,
        "verdict": finding.verdict, "summary": finding.summary,
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **_line(finding),
        "fix": finding.fix,
        "why": finding.check.why,
        "sends": finding.check.sends,
        "proof": [whole(each) for each in finding.evidence[:_PROOFS]],
        "left_out": max(len(finding.evidence) - _PROOFS, 0),
    }
