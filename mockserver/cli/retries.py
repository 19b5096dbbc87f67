"""``mockserver retries``: the retry policies, and where their numbers come from."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.json_output import check_writable, write_json
from mockserver.cli.options import ENVIRONMENT, json_option
from mockserver.cli.printing import columns
from mockserver.model.durations import format_duration
from mockserver.model.retry_policies import RetryPolicy
from mockserver.script.package_files import load_retry_policies

_HELP = """List the retry policies: `retry:` in a script, `--retry` of `replay`, `send` and `serve`.

A schedule of your own does as well: --retry 0s,1s,4s makes three attempts, the second one second after the first.

\b
Examples:
  mockserver retries
  mockserver retries --json -
"""


@click.command("retries", help=_HELP, epilog=ENVIRONMENT)
@json_option
def retries(json: str | None) -> int:
    """List all."""
    check_writable(json)
    policies = load_retry_policies().values()
    if json is not None:
        write_json(json, [_view(policy) for policy in policies])
        return exit_codes.OK
    rows = [(policy.name, str(policy.max_attempts), _schedule(policy), policy.source or "ours") for policy in policies]
    for line in columns([("POLICY", "ATTEMPTS", "WAITS BEFORE THEM", "SOURCE"), *rows]):
        click.echo(line)
    return exit_codes.OK


def _schedule(policy: RetryPolicy) -> str:
    return ", ".join(["0s", *map(format_duration, policy.delays)])


def _view(policy: RetryPolicy) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(policy)
    return view
