"""``--dry-run``: the requests as curl commands, each after a comment that says when and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from mockserver.cli import exit_codes
from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import Destination
from mockserver.cli.output import Printer, time_of
from mockserver.model.records import Delivery
from mockserver.model.redaction import HIDDEN, Redactor
from mockserver.model.settings import Settings
from mockserver.model.wording import one_line
from mockserver.replay.report import LOST, Report, StepReport
from mockserver.reports.evidence import DryTransport, curl_command, why_no_command
from mockserver.script.model import EventStep, Script, unjudged
from mockserver.server.mock import Mock

#: Where commands go by default: to ``mockserver receive`` on its default port.
_PLACEHOLDER = Destination("http://127.0.0.1:8485/webhooks/playgent", "whsec_dry_run")


def print_replay(plans: Sequence[tuple[Script, Destination | None]], settings: Settings) -> int:
    """Print the requests of scripts."""
    if any(destination is None for _, destination in plans):
        note = f"no target given: the commands go to {_PLACEHOLDER.url}, signed with {_PLACEHOLDER.secret!r};"
        click.echo(f"mockserver: {note} `mockserver receive --secret {_PLACEHOLDER.secret}` takes them", err=True)
    redactor = _redactor(settings)
    work = Interruptible()
    printer = work.out
    reports: list[Report] = []

    async def perform() -> None:
        mock = Mock(settings, DryTransport())
        for script, destination in plans:
            where = destination or _PLACEHOLDER
            steps = {f"{script.source}:{step.line}": step.number for step in script.event_steps()}
            unsubscribe = mock.records.subscribe(partial(_print, printer, redactor, steps))
            webhook = mock.register(where.url, None, where.secret)
            # Nothing answers, so that nothing is expected and no state is probed.
            reports.append(await mock.replay(unjudged(script), "max"))
            for step in reports[-1].steps:
                if LOST in step.not_sent:
                    printer.line(one_line(_lost(reports[-1], step)))
            mock.webhooks.remove(webhook.webhook_id)
            unsubscribe()
        printer.flush()

    stopped = work.run(perform())
    missing = [(reason, events) for report in reports for reason, events in report.reasons.items() if reason != LOST]
    for reason, events in missing:
        click.echo(f"mockserver: {events} not printed: {reason}", err=True)
    return stopped or (exit_codes.FAILED if missing else exit_codes.OK)


def print_event(step: EventStep, destination: Destination, settings: Settings) -> int:
    """Print the request of one event; the arguments are those of :func:`print_replay`."""
    redactor = _redactor(settings)
    work = Interruptible()
    printer = work.out

    async def perform() -> None:
        mock = Mock(settings, DryTransport())
        mock.records.subscribe(partial(_print, printer, redactor, {}))
        mock.register(destination.url, None, destination.secret)
        await mock.send(step)
        printer.flush()

    return work.run(perform())


def _redactor(settings: Settings) -> Redactor:
    """Return what hides the private values of the headers that the user adds, and say that they are hidden."""
    if settings.headers:
        click.echo(f"mockserver: private values of --header are shown as {HIDDEN}: put them in again", err=True)
    return Redactor.of(settings)


def _lost(report: Report, step: StepReport) -> str:
    where = f"step {step.number} of {report.script.source}:{step.line}"
    return f"# {step.what}  {where}: {step.not_sent[LOST]} {LOST}, no command"


def _print(printer: Printer, redactor: Redactor, steps: dict[str, str], delivery: Delivery) -> None:
    request = delivery.attempts[-1].request
    assert request is not None  # noqa: S101 - the URL has been checked
    step = f"step {steps[delivery.source]} of " if delivery.source in steps else ""
    printer.line(one_line(f"# {time_of(delivery)}  {delivery.event.type}  {step}{delivery.source}"))
    request = redactor.request(request)
    reason = why_no_command(request)
    printer.line(f"# {reason}: {', '.join(delivery.faults)}" if reason else curl_command(request))
