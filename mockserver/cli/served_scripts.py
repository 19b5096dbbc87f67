"""The scripts of a mock that serves: their flows, which decide about calls, and their replays, which have an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mockserver.cli.output import Printer
from mockserver.cli.replay_run import show_explanations, show_verdict
from mockserver.cli.report_files import ReportFiles, exit_code_of, replay_forms, workflow_lines
from mockserver.model.redaction import Redactor
from mockserver.model.wording import one_line, visible
from mockserver.replay.report import STOPPED, Report

if TYPE_CHECKING:
    from mockserver.script.model import Script
    from mockserver.server.mock import Mock


class ServedScripts:
    """What ``serve --script`` replays, one script after another, and says about it.

    Args:
        mock: The mock that serves.
        scripts: The scripts.
        files: Where reports go when the scripts are over; None if the mock serves on.
        out: Prints what happens.
        err: Prints what went wrong.
    """

    def __init__(
        self, mock: Mock, scripts: Sequence[Script], files: ReportFiles | None, out: Printer, err: Printer
    ) -> None:
        self._mock = mock
        self._scripts = [script for script in scripts if script.steps]
        self._flows = [script for script in scripts if script.flows]
        self._files = files
        self._out = out
        self._err = err
        self._reports: list[Report] = []

    async def play(self) -> None:
        """Let the flows decide from now on, also after a reset, and replay the rest."""
        for script in self._flows:
            self._mock.flows.rules.install(script.flows, standing=True)
            count = len(script.flows)
            self._out.line(visible(f"{script.name}: {count} flow{'' if count == 1 else 's'} for calls of the API"))
            self._out.flush()
        for script in self._scripts:
            await self._replay(script)

    async def _replay(self, script: Script) -> None:
        running = self._mock.start_replay(script)
        self._reports.append(running.report)
        try:
            await running.wait()
        finally:
            await running.stop()
            self._out.line(visible(running.report.summary))
            self._out.flush()
            if self._files is None:  # else all of it is shown in the end
                show_explanations([running.report.clean(self._redactor())], self._err)

    def conclude(self, why_unreachable: str, documents: Printer) -> None:
        """Say what the replays come to, and write the reports; nothing if the mock was to serve on.

        Args:
            why_unreachable: Why no delivery came to a consumer; empty if one did.
            documents: Prints the report that goes to standard output.
        """
        if self._files is None:
            return
        for script in self._scripts[len(self._reports) :]:
            self._reports.append(Report(script))
            self._reports[-1].close(STOPPED)
        redactor = self._redactor()
        reports = [report.clean(redactor) for report in self._reports]
        for line in workflow_lines(self._files, reports):
            self._out.command(one_line(line))
        self._out.flush()
        show_explanations(reports, self._err, redactor.text(why_unreachable))
        show_verdict(self._reports, self._out)
        self._files.write(replay_forms(reports), documents)

    def exit_code(self, why_unreachable: str) -> int:
        """Return what the replays come to."""
        return exit_code_of(self._reports, why_unreachable)

    def _redactor(self) -> Redactor:
        """Hide what a consumer may have echoed in its answers."""
        own = (script.webhook.secret for script in self._scripts if script.webhook)
        webhooks = (webhook.secret for webhook in self._mock.webhooks.all())
        return Redactor.of(self._mock.settings, *own, *webhooks)
