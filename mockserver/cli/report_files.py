"""Reports in files and on the summary page of a CI job; those of a replay also as annotations of its log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mockserver.cli.json_output import STANDARD_OUTPUT, check_writable, write_json, write_result
from mockserver.errors import UsageError
from mockserver.model.redaction import Redactor
from mockserver.replay.report import Report
from mockserver.reports import output_files

if TYPE_CHECKING:
    from mockserver.cli.replay.run import ReplayRun

#: A larger summary of a step of a workflow is dropped by GitHub.
_LARGEST_SUMMARY = 1024 * 1024


class ReportFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where reports go; None is nowhere, ``-`` is standard output.

    Args:
        json: The file for JSON.
        junit: The file for JUnit XML.
        har: The file for HAR.
        markdown: The file for Markdown.
        environment: The environment variables: GitHub's say whether this is a step of a workflow.
    """

    json: str | None = None
    junit: str | None = None
    har: str | None = None
    markdown: str | None = None
    environment: Mapping[str, str] = os.environ

    @property
    def to_standard_output(self) -> bool:
        """Whether one of them goes to standard output, which has no room for anything else then."""
        return STANDARD_OUTPUT in self._names

    def check(self) -> None:
        """Find out before anything is sent whether all of them can be written.

        Raises:
            UsageError: One cannot, or two go to the same place.
        """
        options = ("--json", "--junit", "--har", "--markdown")
        check_places(dict(zip(options, self._names, strict=True)), self._summary)

    def write(self, run: ReplayRun) -> None:
        """Write all of them, also those after one that cannot be written.

        Raises:
            UsageError: Some could not be written.
        """
        writers = (self._write_json, self._write_junit, self._write_har, self._write_markdown, self._write_summary)
        write_each(partial(write, run) for write in writers)

    def annotations(self, reports: Sequence[Report], redactor: Redactor) -> list[str]:
        """Return the lines that make GitHub show each problem beside the line of its script; none elsewhere."""
        if self.environment.get("GITHUB_ACTIONS") != "true":
            return []
        from mockserver.reports.annotations import workflow_annotations  # noqa: PLC0415 - only where it is shown

        return workflow_annotations(reports, redactor, self._path_in_repository)

    @property
    def _names(self) -> tuple[str | None, ...]:
        return (self.json, self.junit, self.har, self.markdown)

    @property
    def _summary(self) -> str:
        return summary_file(self.environment)

    def _path_in_repository(self, source: str) -> str:
        root = Path(self.environment.get("GITHUB_WORKSPACE") or Path.cwd())
        path = Path.cwd() / source
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else source

    def _write_json(self, run: ReplayRun) -> None:
        if self.json is not None:
            write_json(self.json, run.redactor.value(run.as_dict()))

    # Each form is imported where it is asked for: most replays are started without any.

    def _write_junit(self, run: ReplayRun) -> None:
        if self.junit is not None:
            from mockserver.reports.junit import junit_xml  # noqa: PLC0415 - see above

            write_text(self.junit, junit_xml(run.reports, run.redactor))

    def _write_har(self, run: ReplayRun) -> None:
        if self.har is not None:
            from mockserver.reports.har import har_document  # noqa: PLC0415 - see above

            write_text(self.har, har_document(run.reports, run.redactor))

    def _write_markdown(self, run: ReplayRun) -> None:
        if self.markdown is not None:
            write_text(self.markdown, _markdown(run))

    def _write_summary(self, run: ReplayRun) -> None:
        if self._summary:
            append_summary(self._summary, _markdown(run))


def check_places(places: Mapping[str, str | None], summary: str) -> None:
    """Find out before anything is sent whether all reports can be written.

    Args:
        places: Where each goes, by the option that says so; None is nowhere.
        summary: The file of the summary page; empty if there is none.

    Raises:
        UsageError: One cannot, or two go to the same place.
    """
    named: dict[str, str] = {}
    for name, file in places.items():
        if file is not None and file in named:
            raise UsageError(f"{named[file]} and {name} cannot both go to {file}: one would be lost")
        if file is not None:
            named[file] = name
        check_writable(file)
    if summary:
        output_files.check_writable(summary)


def write_each(writers: Iterable[Callable[[], None]]) -> None:
    """Write every report, also those after one that cannot be written.

    Raises:
        UsageError: Some could not be written.
    """
    failures = [failure for write in writers if (failure := _failure(write))]
    if failures:
        raise UsageError("; ".join(failures))


def write_text(name: str, text: str) -> None:
    """Write a report to a file, or to standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    write_result(name, text.encode("utf-8", "replace"))


def summary_file(environment: Mapping[str, str]) -> str:
    """Return the file of the summary page, if this is a step of a workflow of GitHub; else nothing."""
    return environment.get("GITHUB_STEP_SUMMARY", "")


def append_summary(name: str, text: str) -> None:
    """Add Markdown to the summary page, as much of it as the page takes.

    Raises:
        UsageError: The file cannot be written.
    """
    from mockserver.reports.markdown import shortened_markdown  # noqa: PLC0415 - only where there is such a page

    output_files.append_to_file(name, shortened_markdown(text, _LARGEST_SUMMARY).encode("utf-8", "replace"))


def _failure(write: Callable[[], None]) -> str:
    try:
        write()
    except UsageError as error:
        return str(error)
    return ""


def _markdown(run: ReplayRun) -> str:
    from mockserver.reports.markdown import markdown  # noqa: PLC0415 - only where it is asked for

    return markdown(run.reports, run.redactor)
