"""The reports of a run: in files, on standard output, and on the summary page of a CI job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

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

        Raises:
            UsageError: One cannot be written, or two go to the same place.
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
        """Write all of them, also those after one that cannot be written.

        Args:
            forms: What makes each form of report.
            out: Prints to standard output.

        Raises:
            UnwritableError: Some could not be written.
        """
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
