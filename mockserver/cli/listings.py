"""``mockserver events``, ``faults`` and ``retries``: what there is to choose from, as a table or as JSON."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.files import check_writable, write_json
from mockserver.cli.options import ENVIRONMENT, json_option
from mockserver.faults.fault import Fault, Parameter
from mockserver.faults.registry import FAULTS
from mockserver.model.events import EventType, encode_payload
from mockserver.model.quantities import format_duration
from mockserver.model.retry_policies import RetryPolicy
from mockserver.script.package_files import load_catalog, load_retry_policies

T = TypeVar("T")

#: The timestamp of the vendor's own sample.
_SAMPLE_TIME = "2024-12-16T10:00:00Z"
#: A last column narrower than this goes on a line of its own.
_NARROWEST = 36
#: The indentation of such a line.
_INDENT = 4

_EVENTS_HELP = """List the event types; with an EVENT, print its sample payload.

All four names are the vendor's. The sample data of some is the vendor's own (documented), of the others ours.

\b
Examples:
  mockserver events
  mockserver events run.failed
  mockserver events --json -
"""

_FAULTS_HELP = """List the deliberate defects of a delivery: `fault:` of a step in a script, `--fault` of `send`.

The first parameter needs no name: large_body(2MB) is large_body(size=2MB).

\b
Examples:
  mockserver faults
  mockserver faults --json -
"""

_RETRIES_HELP = """List the retry policies: `retry:` in a script, `--retry` of `replay`, `send` and `serve`.

You can also write a schedule: --retry 0s,1s,4s makes three attempts, the second one second after the first.

\b
Examples:
  mockserver retries
  mockserver retries --json -
"""


@click.command("events", help=_EVENTS_HELP, epilog=ENVIRONMENT)
@click.argument("event", required=False)
@json_option
def events(event: str | None, json: str | None) -> int:
    """List all, or show one."""
    catalog = load_catalog()
    if event is not None:
        catalog.check(event)
    chosen = [event_type for event_type in catalog.all() if event in (None, event_type.event)]
    if event is not None and json is None:
        click.echo(msgspec.json.format(_payload(chosen[0]), indent=2))
        return exit_codes.OK
    return print_list(json, chosen, _event_view, ("EVENT", "SAMPLE DATA", "FIRES WHEN\nSOURCE OF THE DATA"), _event_row)


@click.command("faults", help=_FAULTS_HELP, epilog=ENVIRONMENT)
@json_option
def faults(json: str | None) -> int:
    """List all."""
    return print_list(json, FAULTS.values(), _fault_view, ("FAULT", "LAYER", "PARAMETERS", "WHAT IT DOES"), _fault_row)


@click.command("retries", help=_RETRIES_HELP, epilog=ENVIRONMENT)
@json_option
def retries(json: str | None) -> int:
    """List all."""
    headings = ("POLICY", "ATTEMPTS", "WAITS BEFORE THEM\nSOURCE")
    return print_list(json, load_retry_policies().values(), msgspec.to_builtins, headings, _retry_row)


def print_list(
    json: str | None,
    things: Iterable[T],
    view: Callable[[T], Any],
    headings: Sequence[str],
    row: Callable[[T], Sequence[str]],
) -> int:
    """Print things as a table, or write them as JSON."""
    check_writable(json)
    if json is not None:
        write_json(json, [view(thing) for thing in things])
        return exit_codes.OK
    for line in table([headings, *map(row, things)], terminal_width()):
        click.echo(line)
    return exit_codes.OK


def terminal_width() -> int | None:
    """Return the width of the terminal in characters; None where the output is read by a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return rows as lines in columns.

    Args:
        rows: The cells; the last of each row holds the long text, in one line or several.
        width: The longest line, in characters: the last cell is wrapped between words, and goes below the others
            where little room is left beside them. None wraps nothing, and leaves each row on one line.
    """
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    beside = sum(size + 2 for size in widths)
    below = width is not None and width - beside < _NARROWEST
    indent = _INDENT if below else beside
    lines = []
    for *cells, last in rows:
        first = "".join(f"{cell:<{size + 2}}" for cell, size in zip(cells, widths, strict=True))
        text = [last.replace("\n", "  ")] if width is None else _wrapped(last, width - indent)
        if not below:
            first += text.pop(0)
        lines += [first.rstrip(), *(f"{'':{indent}}{line}" for line in text)]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    wrap = textwrap.TextWrapper(max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False).wrap
    return [line for part in text.split("\n") for line in wrap(part) or [""]]


def _event_row(event_type: EventType) -> Sequence[str]:
    documented = "documented" if event_type.documented else "ours"
    return (event_type.event, documented, f"{event_type.fires_when}\n{event_type.source}")


def _event_view(event_type: EventType) -> dict[str, Any]:
    return {
        "event": event_type.event,
        "fires_when": event_type.fires_when,
        "documented": event_type.documented,
        "source": event_type.source,
        "payload": msgspec.json.decode(_payload(event_type)),
    }


def _payload(event_type: EventType) -> bytes:
    return encode_payload(event_type.event, _SAMPLE_TIME, event_type.data)


def _fault_row(fault: Fault) -> Sequence[str]:
    defaults = ", ".join(f"{each.name}={_default(each) or '...'}" for each in fault.parameters)
    return (fault.name, fault.layer, defaults, fault.doc)


def _default(parameter: Parameter) -> str | None:
    return None if parameter.default is None else parameter.show(parameter.default)


def _fault_view(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "layer": fault.layer,
        "doc": fault.doc,
        "forged": fault.forged,
        "parameters": [
            {"name": each.name, "doc": each.doc, "default": _default(each), "schema": each.kind.schema()}
            for each in fault.parameters
        ],
    }


def _retry_row(policy: RetryPolicy) -> Sequence[str]:
    waits = ", ".join(["0s", *map(format_duration, policy.delays)])
    return (policy.name, str(policy.max_attempts), f"{waits}\n{policy.source or 'ours'}")
