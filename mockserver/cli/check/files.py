"""The reports of ``mockserver check``: in files, and on the summary page of a CI job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from mockserver.cli.json_output import STANDARD_OUTPUT
from mockserver.cli.report_files import append_summary, check_places, summary_file, write_each, write_text

if TYPE_CHECKING:
    from mockserver.checks.model import CheckReport
    from mockserver.model.redaction import Redactor


class CheckFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where reports go; None is nowhere, ``-`` is standard output.

    Args:
        json: The file for JSON.
        junit: The file for JUnit XML.
        markdown: The file for Markdown.
        sarif: The file for SARIF.
        environment: The environment variables: GitHub's say whether this is a step of a workflow.
    """

    json: str | None = None
    junit: str | None = None
    markdown: str | None = None
    sarif: str | None = None
    environment: Mapping[str, str] = os.environ

    @property
    def to_standard_output(self) -> bool:
        """Whether one of them goes to standard output, which has no room for anything else then."""
        return STANDARD_OUTPUT in self._places.values()

    def check(self) -> None:
        """Find out before anything is sent whether all of them can be written.

        Raises:
            UsageError: One cannot, or two go to the same place.
        """
        check_places(self._places, summary_file(self.environment))

    def write(self, report: CheckReport, redactor: Redactor) -> None:
        """Write all of them, also those after one that cannot be written.

        Raises:
            UsageError: Some could not be written.
        """
        # Each form is imported where it is asked for: most runs are started without any.
        writers: list[Callable[[], None]] = []
        if self.json is not None:
            from mockserver.reports.check_json import check_json  # noqa: PLC0415 - see above

            writers.append(partial(_write, self.json, check_json, report, redactor))
        if self.junit is not None:
            from mockserver.reports.check_junit import check_junit  # noqa: PLC0415 - see above

            writers.append(partial(_write, self.junit, check_junit, report, redactor))
        if self.sarif is not None:
            from mockserver.reports.sarif import check_sarif  # noqa: PLC0415 - see above

            writers.append(partial(_write, self.sarif, check_sarif, report, redactor))
        if self.markdown is not None:
            writers.append(lambda: write_text(str(self.markdown), _markdown(report, redactor)))
        summary = summary_file(self.environment)
        if summary:
            writers.append(lambda: append_summary(summary, _markdown(report, redactor)))
        write_each(writers)

    @property
    def _places(self) -> Mapping[str, str | None]:
        return {"--json": self.json, "--junit": self.junit, "--markdown": self.markdown, "--sarif": self.sarif}


def _write(name: str, make: Callable[[CheckReport, Redactor], str], report: CheckReport, redactor: Redactor) -> None:
    write_text(name, make(report, redactor))


def _markdown(report: CheckReport, redactor: Redactor) -> str:
    from mockserver.reports.check_markdown import check_markdown  # noqa: PLC0415 - only where it is asked for

    return check_markdown(report, redactor)
