"""``mockserver faults``: the deliberate defects that a delivery can have."""

from __future__ import annotations

from typing import Any

import click

from mockserver.cli import exit_codes
from mockserver.cli.json_output import check_writable, write_json
from mockserver.cli.options import ENVIRONMENT, json_option
from mockserver.cli.printing import columns
from mockserver.faults.fault import Fault, Parameter
from mockserver.faults.kinds import KINDS, show_value
from mockserver.faults.registry import FAULTS

_HELP = """List the deliberate defects that a delivery can have: `fault:` of a step in a script, `--fault` of `send`.

The first parameter can stand alone: large_body(2MB), or large_body(size=2MB).

\b
Examples:
  mockserver faults
  mockserver faults --json -
"""


@click.command("faults", help=_HELP, epilog=ENVIRONMENT)
@json_option
def faults(json: str | None) -> int:
    """List all."""
    check_writable(json)
    if json is not None:
        write_json(json, [_view(fault) for fault in FAULTS.values()])
        return exit_codes.OK
    rows = [(fault.name, fault.layer, _defaults(fault), fault.doc) for fault in FAULTS.values()]
    for line in columns([("FAULT", "LAYER", "PARAMETERS", "WHAT IT DOES"), *rows]):
        click.echo(line)
    return exit_codes.OK


def _defaults(fault: Fault) -> str:
    return ", ".join(f"{each.name}={_default(each)}" for each in fault.parameters)


def _default(parameter: Parameter) -> str:
    return "..." if parameter.default is None else show_value(parameter.default, parameter)


def _view(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "layer": fault.layer,
        "doc": fault.doc,
        "forged": fault.forged,
        "parameters": [
            {
                "name": each.name,
                "doc": each.doc,
                "default": None if each.default is None else show_value(each.default, each),
                "schema": KINDS[each.kind].schema(each),
            }
            for each in fault.parameters
        ],
    }
