"""The forms of report of ``mockserver replay``; each is imported when it is asked for, as most runs need none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from mockserver.cli.report_files import Forms

if TYPE_CHECKING:
    from mockserver.cli.replay.run import ReplayRun

#: Their names, which are those of the options.
REPLAY_FORMS = ("json", "junit", "har", "markdown")


def replay_forms(run: ReplayRun) -> Forms:
    """Return what makes each form of report."""

    def json() -> str:
        content = msgspec.json.encode(run.redactor.value(run.as_dict()))
        return msgspec.json.format(content, indent=2).decode() + "\n"

    def junit() -> str:
        from mockserver.reports.junit import junit_xml  # noqa: PLC0415 - see above

        return junit_xml(run.reports, run.redactor)

    def har() -> str:
        from mockserver.reports.har import har_document  # noqa: PLC0415 - see above

        return har_document(run.reports, run.redactor)

    def markdown() -> str:
        from mockserver.reports.markdown import markdown as text  # noqa: PLC0415 - see above

        return text(run.reports, run.redactor)

    return {"json": json, "junit": junit, "har": har, "markdown": markdown}


def workflow_lines(run: ReplayRun, path_of: Callable[[str], str]) -> list[str]:
    """Return the lines that make GitHub show each problem beside the line of its script.

    Args:
        run: The replay.
        path_of: Gives the path of a script in the repository.
    """
    from mockserver.reports.annotations import workflow_annotations  # noqa: PLC0415 - see above

    return workflow_annotations(run.reports, run.redactor, path_of)
