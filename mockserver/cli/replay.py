"""``mockserver replay``: scripts as signed deliveries."""

from __future__ import annotations

from typing import Any

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import (
    ENVIRONMENT,
    REPLAY_FORMS,
    delivery_options,
    destination_of,
    option,
    replay_speed_option,
    report_options,
    secret_option,
    settings_of,
    target_option,
    verbose_option,
    wait_options,
)
from mockserver.cli.readiness import Readiness
from mockserver.cli.report_files import ReportFiles, exit_code_of, replay_forms, workflow_lines
from mockserver.cli.scripts import read_all
from mockserver.errors import UsageError
from mockserver.model.settings import Speed
from mockserver.script.model import only_steps

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
  mockserver replay hostile_night --speed max --junit junit.xml --har traffic.har
  mockserver replay my.yaml --dry-run | sh

Under GitHub Actions each problem is shown beside its line of the script, and the Markdown report goes to the summary
page of the job as well.
"""


@click.command("replay", help=_HELP, epilog=ENVIRONMENT)
@click.argument("scripts", nargs=-1, required=True, metavar="SCRIPT...")
@target_option("The URL to deliver to.")
@secret_option()
@replay_speed_option
@wait_options
@option("--dry-run", is_flag=True, help="Send nothing; print each request as a curl command.")
@option("--fail-fast", is_flag=True, help="Stop after the first step that has a problem.")
@option(
    "--only",
    multiple=True,
    metavar="STEP",
    help="A step to replay, such as 3 or 3.1, without the others; can be given several times.",
)
@verbose_option("Print every delivery of a long replay, off a terminal too.")
@report_options
@delivery_options
def replay(
    scripts: tuple[str, ...],
    target: str | None,
    secret: str | None,
    speed: Speed,
    dry_run: bool,
    verbose: bool,
    **chosen: Any,
) -> int:
    """Check everything, then replay."""
    files = ReportFiles({form: chosen.pop(form) for form in REPLAY_FORMS})
    readiness = Readiness.of(chosen)
    only, fail_fast = chosen.pop("only"), chosen.pop("fail_fast")
    read = [only_steps(script, only) if only else script for script in read_all(scripts)]
    for script in read:
        script.check_steps()
    plans = [(script, destination_of(script, target, secret)) for script in read]
    if not any(script.planned or script.flows for script in read):
        raise UsageError(f"{', '.join(script.source for script in read)}: no step sends an event, so nothing is tested")
    settings = settings_of(chosen, read)
    if dry_run:
        from mockserver.cli.dry_run import print_replay  # noqa: PLC0415 - only when it is asked for

        return print_replay(plans, settings)
    files.prepare()

    # Imported here: an invalid script is reported without waiting for the network's modules.
    from mockserver.cli.replay_run import ReplayRun, ReplayView  # noqa: PLC0415 - start-up does without

    work = Interruptible()
    run = ReplayRun(plans, settings, speed, secret, fail_fast=fail_fast)
    planned = sum(script.planned for script, _ in plans)
    view = ReplayView(planned, to_stderr=files.to_standard_output, work=work, speed=speed, verbose=verbose)

    async def perform() -> None:
        notes = [_EMBEDDED] if any(destination is None for _, destination in plans) else []
        view.start([*notes, *readiness.note])
        try:
            await run.run(view.delivery, readiness, view.wait)
        finally:  # also when it was stopped, and still on the loop: a second Ctrl-C must not cut this off
            reports = [report.clean(run.redactor) for report in run.reports]
            view.finish(run, reports, workflow_lines(files, reports))
            files.write(replay_forms(reports), work.out)

    return work.run(perform()) or exit_code_of(run.reports, run.why_unreachable)
