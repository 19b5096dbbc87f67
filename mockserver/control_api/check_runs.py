"""Checks of a consumer in the background: started, watched while they are made, stopped."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec
from aiohttp import web

from mockserver.checks.model import Check, Finding
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.registry import chosen_checks
from mockserver.control_api.call import CHECK_FIELDS, Call, json_answer, read_json_body
from mockserver.errors import UsageError
from mockserver.model.records import size_of_delivery
from mockserver.model.redaction import Redactor
from mockserver.reports.check_report import CheckReport
from mockserver.reports.check_text import is_wrong
from mockserver.server.mock import Mock
from mockserver.vendor_api.requests import ApiError

#: The most runs that are kept; the oldest that are over go first.
_KEPT = 20
#: The most runs at once: each floods its consumer.
_MOST_RUNNING = 4


class _Run(msgspec.Struct, kw_only=True, eq=False):
    """A run of checks.

    Args:
        check_id: Its id.
        report: What has been found so far.
        checks: The checks that were chosen.
        running: The id of the check that is being made; empty between two.
        problem: What kept the checks from being made; empty if nothing did.
        size: How many bytes its evidence takes, once it is over.
        task: What makes them.
    """

    check_id: str
    report: CheckReport
    checks: tuple[Check, ...]
    running: str = ""
    problem: str = ""
    size: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.task is None or self.task.done()


class CheckRuns:
    """The operations that check consumers."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._runs: dict[str, _Run] = {}
        self._over: deque[_Run] = deque()
        self._share = mock.budget.share(self._forget_oldest)
        self._begun = 0

    async def start_check(self, call: Call) -> web.Response:
        """Check a consumer in the background."""
        options = self._options(read_json_body(call.body, CHECK_FIELDS))
        if sum(not run.done for run in self._runs.values()) >= _MOST_RUNNING:
            raise UsageError(f"{_MOST_RUNNING} checks are running, which is the limit: wait for one, or stop it")
        known = (webhook.secret for webhook in self._mock.webhooks.all())
        report = CheckReport(Redactor.of(self._mock.settings, options.secret, *known))
        checks = tuple(chosen_checks(options.only, options.skip))
        run = _Run(check_id=f"chk_{self._begun + 1:06d}", report=report, checks=checks)

        def begin(check: Check) -> None:
            run.running = check.id

        prepared = prepare_check(self._mock, options, report, begin)
        self._begun += 1
        run.task = asyncio.get_running_loop().create_task(_carry_out(run, prepared.run()))
        run.task.add_done_callback(lambda _: self._note_over(run))
        self._runs[run.check_id] = run
        while len(self._runs) > _KEPT and self._over:
            self._forget_oldest()
        return json_answer(_run_view(run), 202)

    async def check(self, call: Call) -> web.Response:
        """Return what has been found so far."""
        return json_answer(_run_view(self._run(call)))

    async def finding(self, call: Call) -> web.Response:
        """Return one finding with its evidence."""
        from mockserver.reports.check_json import check_view  # noqa: PLC0415 - few ask for evidence

        result = self._run(call).report.clean()
        wanted = call.path["finding"]
        result.findings = [each for each in result.findings if wanted in (each.check.id, each.check.name)]
        if not result.findings:
            raise ApiError(404, f"there is no finding of {wanted!r}, or not yet")
        return json_answer(check_view(result)["findings"][0])

    async def stop_check(self, call: Call) -> web.Response:
        """End a run."""
        run = self._run(call)
        if run.task is not None and not run.task.done():
            run.task.cancel()
            await asyncio.wait([run.task])
        return json_answer(_run_view(run))

    async def stop(self) -> None:
        """End every run."""
        tasks = [run.task for run in self._runs.values() if run.task is not None and not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _note_over(self, run: _Run) -> None:
        evidence = {id(each): each for finding in run.report.findings for each in finding.evidence}
        run.size = sum(map(size_of_delivery, evidence.values()))
        self._over.append(run)
        self._share.add(run.size)

    def _forget_oldest(self) -> None:
        oldest = self._over.popleft()
        del self._runs[oldest.check_id]
        self._share.remove(oldest.size)

    def _run(self, call: Call) -> _Run:
        run = self._runs.get(call.path["check_id"])
        if run is None:
            raise ApiError(404, f"there is no check {call.path['check_id']!r}, or it was forgotten")
        return run

    def _options(self, body: dict[str, Any]) -> CheckOptions:
        webhook_id, url, secret = (body.get(name) for name in ("webhook_id", "url", "secret"))
        events: tuple[str, ...] = ()
        if (webhook_id is None) == (url is None):
            raise UsageError("say what to check: webhook_id, or url and secret")
        if webhook_id is not None:
            webhook = self._mock.webhooks.get(webhook_id)
            if webhook is None:
                raise ApiError(404, f"there is no webhook {webhook_id!r}")
            url, secret, events = webhook.url, webhook.secret if secret is None else secret, webhook.events
        rest = {key: value for key, value in body.items() if key not in ("webhook_id", "url", "secret")}
        return CheckOptions(url=url or "", secret=secret or "", events=events, **{"time_limit": 120.0, **rest})


async def _carry_out(run: _Run, checking: Any) -> None:
    try:
        await checking
    except UsageError as error:
        run.problem = str(error)
    finally:
        run.running = ""
        if len(run.report.findings) < len(run.checks):
            run.report.stop(run.problem or run.report.unreachable or "the run was stopped", run.checks)


def _run_view(run: _Run) -> dict[str, Any]:
    report = run.report.clean()
    diagnosis = report.diagnosis
    problem = run.problem or report.unreachable or report.unusable
    return {
        "check_id": run.check_id,
        "done": run.done,
        "running": run.running or None,
        "ok": run.done and not report.broken and not run.problem,
        "problem": run.report.redactor.text(problem),
        "checks": len(run.checks),
        "findings": list(map(_finding_view, report.findings)),
        "diagnosis": {"explanation": diagnosis.explanation, "fix": diagnosis.fix} if diagnosis else None,
    }


def _finding_view(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.check.id,
        "name": finding.check.name,
        "severity": finding.check.severity,
        "verdict": finding.verdict,
        "summary": finding.summary,
        "fix": finding.fix if is_wrong(finding) else None,
        "seconds": round(finding.seconds, 3),
        "evidence": len(finding.evidence),
    }
