"""``mockserver send``: one event now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mockserver.cli import exit_codes
from mockserver.cli.destinations import Destination, settings_of
from mockserver.cli.failures import Reach
from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import (
    ENVIRONMENT,
    delivery_options,
    extra_event_option,
    needed,
    option,
    secret_option,
    target_option,
)
from mockserver.cli.printing import delivery_line, printable, shortened
from mockserver.cli.streams import read_standard_input
from mockserver.errors import UsageError
from mockserver.model.redaction import Redactor
from mockserver.replay.send_result import SendResult
from mockserver.script.literal import literal_step
from mockserver.script.package_files import load_catalog

#: So many characters of an answer's body are printed.
_SHOWN_BODY = 2000

_HELP = """Send one event now, and print the answer.

Without --data the event carries its sample data, which --override and --remove change.

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
@option("--data", metavar="JSON|@FILE|-", help="The exact data of the payload; - is standard input.")
@option(
    "--override",
    multiple=True,
    spaces=True,
    metavar="KEY=VALUE",
    help="A value to change in the sample.",
)
@option("--remove", multiple=True, spaces=True, metavar="KEY", help="A key, or dotted path, to remove from the sample.")
@option(
    "--fault",
    multiple=True,
    spaces=True,
    metavar="FAULT",
    help="A deliberate defect, such as wrong_secret or 'slow_body(2s)'; can be given several times.",
)
@extra_event_option
@option("--dry-run", is_flag=True, help="Send nothing; print the request as a curl command.")
@delivery_options
def send(
    event: str,
    target: str | None,
    secret: str | None,
    data: str | None,
    override: tuple[str, ...],
    remove: tuple[str, ...],
    dry_run: bool,
    **chosen: Any,
) -> int:
    """Check everything, then send."""
    step = literal_step(
        load_catalog(),
        event,
        data=None if data is None else _read_data(data),
        override=dict(_read_override(text) for text in override),
        remove=remove,
        fault=[_read_fault(text) for text in chosen.pop("fault")],
        extra_events=chosen["extra_events"],
    )
    destination = Destination(
        needed(target, "--target", "send needs the URL to deliver to"),
        needed(secret, "--secret", "deliveries are signed with it"),
    )
    settings = settings_of(chosen)
    if dry_run:
        from mockserver.cli.replay.dry_run import print_event  # noqa: PLC0415 - only when it is asked for

        return print_event(step, destination, settings)

    # Imported here: wrong usage is told without waiting for the network's modules.
    from mockserver.server.mock import Mock  # noqa: PLC0415

    work = Interruptible()
    reach = Reach()
    printer = work.out
    outcome: list[SendResult] = []

    async def perform() -> None:
        mock = Mock(settings)
        mock.register(destination.url, None, destination.secret)
        mock.records.subscribe(reach.note)
        mock.records.subscribe(lambda sent: printer.line(delivery_line(sent, colour=printer.colour)))
        try:
            outcome.append(await mock.send(step))
        finally:
            printer.flush()
            await mock.stop()

    stopped = work.run(perform())
    return stopped or _tell(outcome[0], reach, Redactor([destination.secret]))


def _tell(sent: SendResult, reach: Reach, redactor: Redactor) -> int:
    """Print the answer, or why there is none."""
    if sent.lost:
        click.echo(str(sent))
        return exit_codes.OK
    if reach.why_not:
        click.echo(f"mockserver: {reach.why_not}", err=True)
        return exit_codes.UNREACHABLE
    last = sent.deliveries[-1]
    if last.response is not None:
        click.echo(f"HTTP {last.response.status} {printable(redactor.text(last.response.reason))}".rstrip())
        if last.response.body:
            click.echo(printable(shortened(redactor.text(last.response.text), _SHOWN_BODY)))
    unmet = [delivery for delivery in sent.deliveries if delivery.unmet]
    for delivery in unmet:
        why = redactor.text(f"{delivery}: {'; '.join(delivery.unmet)}")
        click.echo(f"mockserver: {printable(why)}", err=True)
    return exit_codes.FAILED if unmet else exit_codes.OK


def _read_fault(text: str) -> Any:
    """Read ``--fault``: the short form, or an object as JSON."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        form = "'slow_body(2s)' or '{\"slow_body\": \"2s\"}'"
        raise UsageError(f"--fault {text!r} is not JSON; give it as {form}") from None


def _read_data(given: str) -> dict[str, Any]:
    """Read ``--data``: JSON, a file after ``@``, or standard input."""
    try:
        data = json.loads(_data_text(given))
    except UnicodeDecodeError as error:
        raise UsageError(f"--data is not UTF-8: {error.reason} at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--data is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; give an object such as"
            ' \'{"run_id": "run_1"}\', or @FILE'
        ) from None
    except RecursionError:
        raise UsageError("--data is nested too deep") from None
    if not isinstance(data, dict):
        raise UsageError(f'--data must be a JSON object such as {{"run_id": "run_1"}}, not {_kind(data)}')
    return data


def _data_text(given: str) -> str:
    if given == "-":
        return read_standard_input("the data").decode("utf-8-sig")
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise UsageError(f"cannot read the file of --data, {given[1:]}: {reason}") from None


def _read_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--override {text!r} is not KEY=VALUE, such as run_id=run_1 or summary.turns_failed=2")
    try:
        return key, json.loads(value, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return key, value


def _not_json(_: str) -> Any:
    raise ValueError


def _kind(value: Any) -> str:
    names: Sequence[tuple[type, str]] = ((list, "a list"), (str, "text"), (bool, "true or false"), (type(None), "null"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")
