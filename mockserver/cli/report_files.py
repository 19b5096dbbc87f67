"""The reports of a run: in files, on standard output, and on the summary page of a CI job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.exit_codes import UnwritableError
from mockserver.cli.files import (
    STANDARD_OUTPUT,
    append_to_file,
    check_writable,
    remove_old,
    write_file,
)
from mockserver.cli.output import Printer
from mockserver.errors import UsageError
from mockserver.model.wording import harmless_json

if TYPE_CHECKING:
    from mockserver.checks.model import CheckResult
    from mockserver.replay.report import Report

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


# ---------------------------------------------------------------- the forms

#: What is added up over several scripts.
_TOTALS = ("planned", "delivered", "failed", "not_sent", "unmet")

#: What makes each form of a replay's report, see REPLAY_FORMS among the options: few are asked for in one run.
_REPLAY_FORMS = {
    "json": f"{__name__}:replay_json",
    "junit": "mockserver.reports.junit:junit_xml",
    "har": "mockserver.reports.har:har_document",
    "markdown": "mockserver.reports.markdown:markdown",
    "html": "mockserver.reports.html:replay_html",
}

#: The same for the report of a check.
_CHECK_FORMS = {
    "json": "mockserver.reports.check_json:check_json",
    "junit": "mockserver.reports.junit:check_junit",
    "markdown": "mockserver.reports.markdown:check_markdown",
    "html": "mockserver.reports.html:check_html",
    "sarif": "mockserver.reports.sarif:check_sarif",
    "codequality": "mockserver.reports.code_quality:check_code_quality",
}
CHECK_FORMS = tuple(_CHECK_FORMS)


def replay_forms(reports: Sequence[Report]) -> Forms:
    """Return what makes each form of report, given those without secrets."""
    return {form: partial(_made, maker, reports) for form, maker in _REPLAY_FORMS.items()}


def check_forms(report: CheckResult) -> Forms:
    """Return what makes each form of report, given one without secrets."""
    return {form: partial(_made, maker, report) for form, maker in _CHECK_FORMS.items()}


def _made(maker: str, report: object) -> str:
    module, _, name = maker.partition(":")
    text: str = getattr(import_module(module), name)(report)
    return text


def workflow_lines(files: ReportFiles, reports: Sequence[Report]) -> list[str]:
    """Return the lines that make GitHub show each problem beside the line of its script; none elsewhere."""
    if not files.wants_annotations:
        return []
    from mockserver.reports.annotations import workflow_annotations  # noqa: PLC0415 - only for GitHub

    return workflow_annotations(reports, files.path_in_repository)


def finding_lines(files: ReportFiles, report: CheckResult) -> list[str]:
    """Return the lines that make GitHub show each finding, given those without secrets; none elsewhere."""
    if not files.wants_annotations:
        return []
    from mockserver.reports.annotations import check_annotations  # noqa: PLC0415 - only for GitHub

    return check_annotations(report)


def exit_code_of(reports: Sequence[Report], why_unreachable: str) -> int:
    """Return what replays come to."""
    if all(report.ok for report in reports):
        return exit_codes.OK
    return exit_codes.UNREACHABLE if why_unreachable else exit_codes.FAILED


def replay_json(reports: Sequence[Report]) -> str:
    """Return reports as JSON: of one script its report, of several the totals and each report."""
    from mockserver.reports.serializers import delivery_view  # noqa: PLC0415 - a check does without

    views = [
        {**report.as_dict(), "deliveries": [delivery_view(each) for each in report.deliveries]} for report in reports
    ]
    value: dict[str, Any] = views[0]
    if len(views) > 1:
        totals = {name: sum(view[name] for view in views) for name in _TOTALS}
        value = {"ok": all(view["ok"] for view in views), **totals, "reports": views}
    return harmless_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n"
