"""``mockserver validate`` and ``mockserver schema``: is a script right, and what may be in one."""

from __future__ import annotations

import click
import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.options import ENVIRONMENT
from mockserver.cli.scripts import read_one
from mockserver.errors import ScriptError, UsageError
from mockserver.model.quantities import format_duration
from mockserver.script.format import script_schema
from mockserver.script.model import Script
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import notes
from mockserver.vendor_api.openapi import event_document

_HELP = """Check scripts: print a line and notes for each good one, and every problem with its place.

A SCRIPT is a file, or the name of a bundled script such as refund_flow.

\b
Example:
  mockserver validate my.yaml refund_flow
"""


@click.command("validate", help=_HELP, epilog=ENVIRONMENT)
@click.argument("scripts", nargs=-1, required=True, metavar="SCRIPT...")
def validate(scripts: tuple[str, ...]) -> int:
    """Check every script."""
    good = [_is_good(name) for name in scripts]
    return exit_codes.OK if all(good) else exit_codes.USAGE


def _is_good(name: str) -> bool:
    """Print what there is to say about a script."""
    try:
        script = read_one(name)
    except UsageError as error:
        click.echo(str(error) if isinstance(error, ScriptError) else f"mockserver: {error}", err=True)
        return False
    click.echo(_verdict(script))
    for note in notes(script, load_catalog()):
        click.echo(f"{script.source}:{note.line}: note: {note.message}")
    return True


def _verdict(script: Script) -> str:
    flows = f"{len(script.flows)} flow{'' if len(script.flows) == 1 else 's'}"
    if script.flows and not script.steps:
        return f"{script.source}: ok ({flows})"
    events = f"{script.planned} event{'' if script.planned == 1 else 's'}"
    more = f", {flows}" if script.flows else ""
    return f"{script.source}: ok ({events} in {format_duration(script.seconds)}{more})"


@click.command("schema")
@click.option("--openapi", is_flag=True, help="Print the events as an OpenAPI 3.1 document with webhooks instead.")
def schema(*, openapi: bool) -> int:
    """Print the JSON Schema of scripts, for editors.

    \b
    Examples:
      mockserver schema > mockserver.schema.json
      mockserver schema --openapi > events.openapi.json
    """  # noqa: D301 - the mark makes click keep the lines
    document = event_document(load_catalog()) if openapi else script_schema()
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
    return exit_codes.OK
