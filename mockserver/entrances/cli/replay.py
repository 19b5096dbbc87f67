"""``mockserver replay``: scripts as signed deliveries."""

from __future__ import annotations

from typing import Any

import click

from mockserver.core.durations import format_duration
from mockserver.core.settings import Speed
from mockserver.entrances.cli.destinations import delivery_settings, destination_of
from mockserver.entrances.cli.interruption import Interruptible
from mockserver.entrances.cli.json_output import STANDARD_OUTPUT, check_writable, write_json
from mockserver.entrances.cli.options import (
    ENVIRONMENT,
    delivery_options,
    duration,
    option,
    secret_option,
    speed_option,
    target_option,
)
from mockserver.entrances.cli.scripts import read_all

_EMBEDDED = "no target given: delivering to an embedded consumer that verifies every signature"

_HELP = """Replay scripts as signed deliveries, one script after another.

A SCRIPT is a file, or the name of a bundled script such as refund_flow. All of them are checked first: nothing is
sent if one is invalid.

The events go to --target; without it to the webhook that the script names; without that to an embedded consumer,
which verifies every signature.

\b
Examples:
  mockserver replay refund_flow
  mockserver replay my.yaml --target http://127.0.0.1:5000/hooks --secret whsec_x
  mockserver replay night_of_runs --speed max --json report.json
  mockserver replay my.yaml --target http://app:3000/hooks --wait-for-target 30s
  mockserver replay my.yaml --dry-run | sh
"""


@click.command("replay", help=_HELP, epilog=ENVIRONMENT)
@click.argument("scripts", nargs=-1, required=True, metavar="SCRIPT...")
@target_option("The URL to deliver to.")
@secret_option()
@speed_option
@option("--wait-for-target", type=duration, metavar="TIME", help="Wait so long until the target accepts connections.")
@option("--dry-run", is_flag=True, help="Send nothing; print each request as a curl command.")
@option("--json", "json", metavar="FILE", help="Write the report as JSON; - is standard output.")
@delivery_options
def replay(
    scripts: tuple[str, ...],
    target: str | None,
    secret: str | None,
    speed: Speed,
    wait_for_target: float | None,
    dry_run: bool,
    json: str | None,
    **delivery: Any,
) -> int:
    """Check everything, then replay."""
    plans = [(script, destination_of(script, target, secret)) for script in read_all(scripts)]
    settings = delivery_settings(scripts=[script for script, _ in plans], **delivery)
    if dry_run:
        from mockserver.entrances.cli.dry_run import print_replay  # noqa: PLC0415 - only when it is asked for

        return print_replay(plans, settings)
    check_writable(json)

    # Imported here: an invalid script is told without waiting for the network's modules.
    from mockserver.entrances.cli.replay_run import ReplayRun  # noqa: PLC0415
    from mockserver.entrances.cli.replay_view import ReplayView  # noqa: PLC0415

    work = Interruptible()
    run = ReplayRun(plans, settings, speed, secret)
    planned = sum(script.planned for script, _ in plans)
    view = ReplayView(planned, to_stderr=json == STANDARD_OUTPUT, on_failure=work.stop_for)

    async def perform() -> None:
        notes = [_EMBEDDED] if any(destination is None for _, destination in plans) else []
        if wait_for_target is not None:
            notes.append(f"waiting up to {format_duration(wait_for_target)} for the target to accept connections")
        view.start(notes)
        try:
            await run.run(view.delivery, wait_for_target)
        finally:  # also when it was stopped, and still on the loop: a second Ctrl-C must not cut this off
            view.finish(run)
            write_json(json, run.as_dict())

    return work.run(perform()) or run.exit_code
