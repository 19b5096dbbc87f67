"""``mockserver events``: the event types, and which part of them the vendor documents."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.json_output import check_writable, write_json
from mockserver.cli.options import ENVIRONMENT, json_option
from mockserver.cli.printing import columns
from mockserver.model.events import Catalog, EventType, encode_payload
from mockserver.script.package_files import load_catalog

#: The timestamp of the vendor's own sample.
_SAMPLE_TIME = "2024-12-16T10:00:00Z"

_HELP = """List the event types; with an EVENT, print its sample payload.

All four names are the vendor's. The sample data of some is the vendor's own (documented), of the others ours.

\b
Examples:
  mockserver events
  mockserver events run.failed
  mockserver events --json -
"""


@click.command("events", help=_HELP, epilog=ENVIRONMENT)
@click.argument("event", required=False)
@json_option
def events(event: str | None, json: str | None) -> int:
    """List all, or show one."""
    catalog = load_catalog()
    if event is not None:
        catalog.check(event)
    check_writable(json)
    chosen = [event_type for event_type in catalog.all() if event in (None, event_type.event)]
    if json is not None:
        write_json(json, [_view(event_type) for event_type in chosen])
    elif event is not None:
        click.echo(msgspec.json.format(_payload(chosen[0]), indent=2))
    else:
        _print_table(catalog)
    return exit_codes.OK


def _print_table(catalog: Catalog) -> None:
    rows = [("EVENT", "SAMPLE DATA", "FIRES WHEN", "SOURCE")]
    rows += [
        (each.event, "documented" if each.documented else "ours", each.fires_when, each.source)
        for each in catalog.all()
    ]
    for line in columns(rows):
        click.echo(line)


def _view(event_type: EventType) -> dict[str, Any]:
    return {
        "event": event_type.event,
        "fires_when": event_type.fires_when,
        "documented": event_type.documented,
        "source": event_type.source,
        "payload": msgspec.json.decode(_payload(event_type)),
    }


def _payload(event_type: EventType) -> bytes:
    return encode_payload(event_type.event, _SAMPLE_TIME, event_type.data)
