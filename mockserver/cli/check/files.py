"""The forms of report of ``mockserver check``; each is imported when it is asked for, as most runs need none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.cli.report_files import Forms, ReportFiles

if TYPE_CHECKING:
    from mockserver.checks.model import CheckResult

#: Their names, which are those of the options.
CHECK_FORMS = ("json", "junit", "markdown", "html", "sarif", "codequality")


def check_forms(report: CheckResult) -> Forms:
    """Return what makes each form of report, given one without secrets."""

    def json() -> str:
        from mockserver.reports.check_json import check_json  # noqa: PLC0415 - see above

        return check_json(report)

    def junit() -> str:
        from mockserver.reports.junit import check_junit  # noqa: PLC0415 - see above

        return check_junit(report)

    def markdown() -> str:
        from mockserver.reports.markdown import check_markdown  # noqa: PLC0415 - see above

        return check_markdown(report)

    def html() -> str:
        from mockserver.reports.html import check_html  # noqa: PLC0415 - see above

        return check_html(report)

    def sarif() -> str:
        from mockserver.reports.sarif import check_sarif  # noqa: PLC0415 - see above

        return check_sarif(report)

    def codequality() -> str:
        from mockserver.reports.code_quality import check_code_quality  # noqa: PLC0415 - see above

        return check_code_quality(report)

    return {
        "json": json,
        "junit": junit,
        "markdown": markdown,
        "html": html,
        "sarif": sarif,
        "codequality": codequality,
    }


def workflow_lines(files: ReportFiles, report: CheckResult) -> list[str]:
    """Return the lines that make GitHub show each finding, given those without secrets; none elsewhere."""
    if not files.wants_annotations:
        return []
    from mockserver.reports.annotations import check_annotations  # noqa: PLC0415 - see above

    return check_annotations(report)
