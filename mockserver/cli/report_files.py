"""The reports of a run: in files, on standard output, and on the summary page of a CI job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.files import (
    STANDARD_OUTPUT,
    UnwritableError,
    append_to_file,
    check_writable,
    remove_old,
    write_file,
)
from mockserver.cli.output import Printer
from mockserver.errors import UsageError
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports.serializers import delivery_view

if TYPE_CHECKING:
    from mockserver.checks.model import CheckResult

#: GitHub drops a larger summary of a step of a workflow.
_LARGEST_SUMMARY = 1024 * 1024

#: Each form of report by its name, and what makes it.
Forms = Mapping[str, Callable[[], str]]


class ReportFiles:
    """Where reports go.

    Args:
        places: The file for each form of report, by the form's name; ``-`` is standard output, None is nowhere.
        environment: The environment variables: GitHub's say whether this is a step of a workflow.
    """

    def __init__(self, places: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> None:
        self._places = {form: file for form, file in places.items() if file is not None}
        self._environment = environment
        self._summary = environment.get("GITHUB_STEP_SUMMARY", "")

    @property
    def to_standard_output(self) -> bool:
        """Whether one of them goes to standard output, which has no room for anything else then."""
        return STANDARD_OUTPUT in self._places.values()

    @property
    def wants_annotations(self) -> bool:
        """Whether this is a step of a workflow of GitHub, which shows problems where their file is."""
        return self._environment.get("GITHUB_ACTIONS") == "true"

    def prepare(self) -> None:
        """Find out before anything is sent whether all of them can be written; remove what an earlier run left there.

        Raises UsageError.
        """
        forms: dict[str, str] = {}
        for form, file in self._places.items():
            if file in forms:
                raise UsageError(f"--{forms[file]} and --{form} cannot both go to {file}: one would be lost")
            forms[file] = form
            check_writable(file)
        if self._summary:
            check_writable(self._summary)
        for file in self._places.values():
            remove_old(file)

    def write(self, forms: Forms, out: Printer) -> None:
        """Write all of them, also those after one that cannot be written; raises UnwritableError."""
        failures = []
        for form, file in self._places.items():
            text = forms[form]()
            if file == STANDARD_OUTPUT:
                out.document(text)
                continue
            try:
                write_file(file, text.encode("utf-8", "replace"))
            except UnwritableError as error:
                failures.append(str(error))
        if self._summary:
            try:
                self._append_summary(forms["markdown"]())
            except UnwritableError as error:
                failures.append(str(error))
        if failures:
            raise UnwritableError("; ".join(failures))

    def path_in_repository(self, source: str) -> str:
        """Return the path of a script as the repository has it, for annotations."""
        root = Path(self._environment.get("GITHUB_WORKSPACE") or Path.cwd())
        path = Path.cwd() / source
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else source

    def _append_summary(self, text: str) -> None:
        from mockserver.reports.markdown import shortened_markdown  # noqa: PLC0415 - only where there is such a page

        append_to_file(self._summary, shortened_markdown(text, _LARGEST_SUMMARY).encode("utf-8", "replace"))


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
    """Return what replays come to."""
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


def finding_lines(files: ReportFiles, report: CheckResult) -> list[str]:
    """Return the lines that make GitHub show each finding, given those without secrets; none elsewhere."""
    if not files.wants_annotations:
        return []
    from mockserver.reports.annotations import check_annotations  # noqa: PLC0415 - see above

    return check_annotations(report)
