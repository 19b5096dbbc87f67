"""The run of one ``mockserver check``, and what it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mockserver.checks.model import Check, Finding
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.registry import chosen_checks
from mockserver.checks.run import OnBegin, OnFinding
from mockserver.cli import exit_codes
from mockserver.cli.readiness import Readiness
from mockserver.errors import UsageError
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings
from mockserver.reports.check_report import CheckReport
from mockserver.server.mock import Mock

_STOPPED = "the run was stopped"
_PREFIX = "whsec_"
#: What follows the prefix of a secret is hidden as well, unless it is a short word that reports are full of.
_LONG = 12


class UrlCheck:
    """Checks the consumer at a URL.

    Args:
        options: What is to be checked.
        settings: How requests travel.

    Raises:
        UsageError: Something that was asked for is not valid.

    Attributes:
        checks: The checks, in the order in which they are made.
        report: What they found out; whatever becomes of the run, there is a finding for each, or the reason why not.
        redactor: Hides the secret.
    """

    def __init__(self, options: CheckOptions, settings: Settings) -> None:
        self.options = options
        self.checks = chosen_checks(options.only, options.skip)
        self.redactor = Redactor.of(settings, *_spellings(options.secret))
        self.report = CheckReport(self.redactor)
        self._mock = Mock(settings)
        self._on_begin: OnBegin = lambda _: None
        self._on_finding: OnFinding = lambda _: None
        self._run = prepare_check(self._mock, options, self.report, self._begin, self._found)

    async def run(self, readiness: Readiness, on_begin: OnBegin, on_finding: OnFinding) -> None:
        """Make the checks.

        Args:
            readiness: What to wait for before the first check.
            on_begin: Called with each check before it is made.
            on_finding: Called with each finding.

        Raises:
            asyncio.CancelledError: It was stopped.
        """
        self._on_begin, self._on_finding = on_begin, on_finding
        try:
            target = self._mock.routes.resolve(self.options.url)
            self.report.unreachable = await readiness.why_not(self._mock, [target])
            if not self.report.unreachable:
                await self._run.run()
        except UsageError as error:
            self.report.unusable = str(error)
        except asyncio.CancelledError:
            self.report.stop(_STOPPED, self.checks)
            raise
        finally:
            await self._mock.stop()

    @property
    def exit_code(self) -> int:
        """What it comes to; what was proved before something did not work any more counts for more."""
        if self.report.unusable and not self.report.failures:
            return exit_codes.USAGE
        if self.report.unreachable:
            return exit_codes.UNREACHABLE
        return exit_codes.OK if self.report.ok else exit_codes.FAILED

    def _begin(self, check: Check) -> None:
        self._on_begin(check)

    def _found(self, finding: Finding) -> None:
        self._on_finding(finding)


def _spellings(secret: str) -> Iterable[str]:
    """The secret, and what of it remains where a consumer strips its prefix."""
    bare = secret.removeprefix(_PREFIX)
    return (secret, bare) if len(bare) >= _LONG else (secret,)
