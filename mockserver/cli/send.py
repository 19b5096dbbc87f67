"""``mockserver send``: one event now."""

from __future__ import annotations

import random
from typing import Any

import click

from mockserver.cli import exit_codes
from mockserver.cli.event_options import event_options, read_event_options
from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import (
    ENVIRONMENT,
    Destination,
    delivery_options,
    extra_event_option,
    needed,
    note_short_secret,
    option,
    secret_option,
    settings_of,
    target_option,
)
from mockserver.cli.output import delivery_line, harmless, row_of
from mockserver.cli.readiness import Reach
from mockserver.model.expectations import usual_cause
from mockserver.model.records import what_is_unmet
from mockserver.model.redaction import Redactor
from mockserver.model.wording import shortened, visible
from mockserver.replay.dispatcher import SendResult
from mockserver.script.model import about_new_object, literal_step
from mockserver.script.package_files import load_catalog

#: The most characters of an answer's body that are printed.
_SHOWN_BODY = 2000

_HELP = """Send one event now, and print the answer.

Without --data the event carries its sample data, which --override and --remove change. It is about an object of its
own, such as run_kqz017: no consumer takes it for one that it has handled. --seed draws the same id each time, and
--override run_id=run_1 gives one.

\b
Examples:
  mockserver send run.failed --target http://127.0.0.1:5000/hooks --secret whsec_x
  mockserver send run.completed --override run_id=run_1 --override summary.turns_failed=1
  mockserver send run.failed --data '{"run_id": "run_1"}'
  mockserver send run.failed --data @data.json --dry-run
  mockserver send run.failed --fault wrong_secret
  mockserver send run.failed --fault 'slow_body(2s)' --fault chunked

With a fault of the signature the consumer must refuse the event (4xx); with any other, its answer is shown and not
judged. `mockserver faults` lists them.
"""


@click.command("send", help=_HELP, epilog=ENVIRONMENT)
@click.argument("event")
@target_option("The URL to deliver to.")
@secret_option()
@event_options
@extra_event_option
@option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="The seed of the object's id; a new one each time if it is not given.",
)
@option("--dry-run", is_flag=True, help="Send nothing; print the request as a curl command.")
@delivery_options
def send(event: str, target: str | None, secret: str | None, dry_run: bool, seed: int | None, **chosen: Any) -> int:
    """Check everything, then send."""
    sample = literal_step(load_catalog(), event, extra_events=chosen["extra_events"], **read_event_options(chosen))
    step = about_new_object(sample, random.Random(seed))  # noqa: S311 - an id, and no secret
    destination = Destination(
        needed(target, "--target", "send needs the URL to deliver to"),
        needed(secret, "--secret", "deliveries are signed with it"),
    )
    note_short_secret(destination.secret)
    settings = settings_of(chosen)
    if dry_run:
        from mockserver.cli.dry_run import print_event  # noqa: PLC0415 - only when it is asked for

        return print_event(step, destination, settings)

    # Imported here: wrong usage is reported without waiting for the network's modules.
    from mockserver.server.mock import Mock  # noqa: PLC0415 - start-up does without

    work = Interruptible()
    reach = Reach()
    printer = work.out
    outcome: list[SendResult] = []

    async def perform() -> None:
        mock = Mock(settings)
        mock.register(destination.url, None, destination.secret)
        mock.records.subscribe(reach.note)
        mock.records.subscribe(lambda sent: printer.line(delivery_line(row_of(sent), printer)))
        try:
            outcome.append(await mock.send(step))
        finally:
            printer.flush()
            await mock.stop()

    stopped = work.run(perform())
    about = f"{step.sample_id}: {step.data.source[step.sample_id]}" if step.sample_id else ""
    return stopped or _show(outcome[0], about, reach, Redactor.of(settings, destination.secret))


def _show(sent: SendResult, about: str, reach: Reach, redactor: Redactor) -> int:
    """Print what the event was about and the answer, or why there is none."""
    if sent.lost:
        click.echo(str(sent))
        return exit_codes.OK
    if reach.why_not:
        click.echo(f"mockserver: {redactor.text(reach.why_not)}", err=True)
        return exit_codes.UNREACHABLE
    if about:
        click.echo(about)
    last = sent.deliveries[-1]
    if last.response is not None:
        click.echo(f"HTTP {last.response.status} {visible(redactor.text(last.response.reason))}".rstrip())
        for location in (value for name, value in last.response.headers if name == "location"):
            click.echo(f"Location: {visible(redactor.text(location))}")
        if last.response.body:
            click.echo(harmless(visible(shortened(redactor.text(last.response.text), _SHOWN_BODY))))
    unmet = [delivery for delivery in sent.deliveries if delivery.unmet]
    for delivery in unmet:
        why = redactor.text(f"{delivery}; {what_is_unmet(delivery)}")
        click.echo(f"mockserver: {visible(why)}", err=True)
    hints = [usual_cause(each.response.status) for each in unmet if not each.faults and each.response is not None]
    for hint in filter(None, hints[:1]):
        click.echo(f"mockserver: {hint}", err=True)
    return exit_codes.FAILED if unmet else exit_codes.OK
