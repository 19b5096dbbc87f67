"""The forms of report of ``mockserver replay``; each is imported when it is asked for, as most runs need none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.report_files import Forms, ReportFiles
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.serializers import delivery_view

#: What is added up over several scripts.
_TOTALS = ("planned", "delivered", "failed", "not_sent", "unmet")


#: Their names, which are those of the options.
REPLAY_FORMS = ("json", "junit", "har", "markdown", "html")


def replay_forms(reports: Sequence[Report], redactor: Redactor) -> Forms:
    """Return what makes each form of report."""

    def json() -> str:
        content = msgspec.json.encode(redactor.value(_as_dict(reports, redactor)))
        return msgspec.json.format(content, indent=2).decode() + "\n"

    def junit() -> str:
        from mockserver.reports.junit import junit_xml  # noqa: PLC0415 - see above

        return junit_xml(reports, redactor)

    def har() -> str:
        from mockserver.reports.har import har_document  # noqa: PLC0415 - see above

        return har_document(reports, redactor)

    def markdown() -> str:
        from mockserver.reports.markdown import markdown as text  # noqa: PLC0415 - see above

        return text(reports, redactor)

    def html() -> str:
        from mockserver.reports.html import replay_html  # noqa: PLC0415 - see above

        return replay_html(reports, redactor)

    return {"json": json, "junit": junit, "har": har, "markdown": markdown, "html": html}


def workflow_lines(files: ReportFiles, reports: Sequence[Report], redactor: Redactor) -> list[str]:
    """Return the lines that make GitHub show each problem beside the line of its script; none elsewhere."""
    if not files.wants_annotations:
        return []
    from mockserver.reports.annotations import workflow_annotations  # noqa: PLC0415 - see above

    return workflow_annotations(reports, redactor, files.path_in_repository)


def exit_code_of(reports: Sequence[Report], why_unreachable: str) -> int:
    """Return what replays come to.

    Args:
        reports: Their reports.
        why_unreachable: Why not one delivery came to the consumer; empty if one did.
    """
    if all(report.ok for report in reports):
        return exit_codes.OK
    return exit_codes.UNREACHABLE if why_unreachable else exit_codes.FAILED


def _as_dict(reports: Sequence[Report], redactor: Redactor) -> dict[str, Any]:
    """The reports as JSON values: of one script its report, of several the totals and each report."""
    views = [_report_view(report, redactor) for report in reports]
    if len(views) == 1:
        return views[0]
    totals = {name: sum(view[name] for view in views) for name in _TOTALS}
    return {"ok": all(view["ok"] for view in views), **totals, "reports": views}


def _report_view(report: Report, redactor: Redactor) -> dict[str, Any]:
    return {**report.as_dict(), "deliveries": [delivery_view(redactor.delivery(each)) for each in report.deliveries]}
