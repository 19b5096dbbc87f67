"""``mockserver check``: what a webhook consumer does wrong; with ``--list`` or ``--explain``, the checks themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mockserver.cli import exit_codes
from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import (
    ENVIRONMENT,
    duration,
    extra_event_option,
    needed,
    note_short_secret,
    option,
    positive_duration,
    secret_option,
    settings_of,
    size,
    target_option,
    transport_options,
    verbose_option,
    wait_options,
)
from mockserver.cli.readiness import Readiness
from mockserver.cli.report_files import CHECK_FORMS, ReportFiles, check_forms, finding_lines
from mockserver.errors import UsageError
from mockserver.model.settings import Settings
from mockserver.model.targets import Target

if TYPE_CHECKING:
    from mockserver.checks.model import Check

_HELP = """Find out what a webhook consumer does wrong, and how to fix it.

Valid events, and events with one defect each, are delivered to URL, and the answers are compared. Use a consumer that
is there for tests: it handles several hundred made-up events.

\b
Examples:
  mockserver check http://localhost:3000/webhooks/playgent --secret whsec_x
  mockserver check http://localhost:3000/hooks --only wrong_secret,PG013
  mockserver check http://localhost:3000/hooks --diagnose
  mockserver check http://localhost:3000/hooks --junit junit.xml --sarif check.sarif
  mockserver check http://localhost:3000/hooks --probe http://localhost:3000/debug/count \\
      --probe-json '$.count' --fail-once http://localhost:3000/debug/fail-next
  mockserver check --list
  mockserver check --explain PG012

With --probe, a URL that answers with a number that grows with each event handled, the checks also prove that a refused
event has no effect and a duplicate only one; with --fail-once, that a retry after a failure has exactly one.

The exit code is 1 when the consumer fails a check that it must pass, or seems to: forgeries that it answers with 2xx
are suspected to be handled, and --probe proves it either way. With --fail-on proven, only what is proven counts. Under
GitHub Actions the Markdown report also goes to the summary page of the job.
"""


@click.command("check", help=_HELP, epilog=ENVIRONMENT)
@click.argument("url", required=False)
@target_option("The URL of the consumer, where the argument is not given.")
@secret_option("The secret that the consumer verifies with.")
@option(
    "--event",
    multiple=True,
    metavar="TYPE",
    help="An event type that the consumer handles, in place of the documented four; can be given several times.",
)
@extra_event_option
@option("--probe", metavar="URL", help="A URL that answers with the number of events handled, in JSON.")
@option("--probe-json", metavar="PATH", default="$", show_default=True, help="The JSONPath of that number.")
@option("--state", metavar="URL", help="A URL that answers with the state of the object {id}, in JSON.")
@option("--state-json", metavar="PATH", default="$", show_default=True, help="The JSONPath of that state.")
@option(
    "--fail-once",
    metavar="COMMAND|URL",
    help="What makes the consumer fail at the next event: a shell command, or a URL to POST to.",
)
@option("--effect-within", type=duration, metavar="TIME", help="The longest time until an effect shows.")
@option("--only", multiple=True, metavar="CHECK", help="A check to make, by id or name, or a list with commas.")
@option("--skip", multiple=True, metavar="CHECK", help="A check to leave out, or a list with commas.")
@option(
    "--fail-on",
    type=click.Choice(["proven", "suspected", "should", "fail", "warn"]),
    default="suspected",
    metavar="proven|suspected|should",
    show_default=True,
    help="Fail only on what is proven, also on what is suspected, or on a `should` as well (old: fail, warn).",
)
@option(
    "--large-body",
    type=size,
    metavar="SIZE",
    default="0",
    help="Send a forged body of this size, such as 64MiB, and see whether all of it is read.",
)
@option(
    "--diagnose",
    is_flag=True,
    help="If a correct event is refused, try the usual mistakes and name the one that explains it.",
)
@option(
    "--time-limit",
    type=positive_duration,
    metavar="TIME",
    default="2m",
    show_default=True,
    help="The time after which no further check begins.",
)
@wait_options
@option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="The seed of ids and orders; a new one each time if it is not given.",
)
@option("--list", is_flag=True, help="List the checks and send nothing.")
@option("--explain", metavar="CHECK", help="Explain one check and send nothing.")
@verbose_option("Show every delivery that proves a finding, and whole answers.")
@option("--json", "json", metavar="FILE", help="Write the report (or the list) as JSON; - is standard output.")
@option("--junit", metavar="FILE", help="Write the report as JUnit XML: a case for each check.")
@option("--markdown", metavar="FILE", help="Write the report as Markdown.")
@option("--html", metavar="FILE", help="Write the report as one page of HTML, to open or to attach.")
@option("--sarif", metavar="FILE", help="Write the report as SARIF, for code scanning.")
@option("--codequality", metavar="FILE", help="Write the report as code quality, for GitLab's merge requests.")
@transport_options
@click.pass_context
def check(context: click.Context, /, url: str | None, target: str | None, **chosen: Any) -> int:
    """Check everything that was given, then the consumer."""
    only, skip = _names("--only", chosen.pop("only")), _names("--skip", chosen.pop("skip"))
    explained, listed = chosen.pop("explain"), chosen.pop("list")
    json: str | None = chosen["json"]
    verbose = chosen.pop("verbose")
    files = ReportFiles({form: chosen.pop(form) for form in CHECK_FORMS})
    if explained is not None or listed:
        return list_checks(only, skip, json) if explained is None else explain(explained)
    url = needed_url(context, url, target)
    secret = needed(chosen.pop("secret"), "--secret", "right events are signed with what the consumer verifies with")
    for name in ("probe", "state"):
        if chosen[name] is None and chosen[f"{name}_json"] != "$":
            raise UsageError(f"--{name}-json needs --{name}: it says where in its answer to look")
    note_short_secret(secret)
    request = {"url": url, "secret": secret, "only": only, "skip": skip, "seed": chosen.pop("seed")}
    return _check(files, settings_of(chosen), chosen, verbose=verbose, **request)


def needed_url(context: click.Context, url: str | None, target: str | None) -> str:
    """Return the URL of the consumer: the argument, or that of ``--target``; raises UsageError."""
    if url and target and context.get_parameter_source("target") is ParameterSource.COMMANDLINE:
        raise UsageError(f"two URLs are given, {url} and --target {target}: which of them should be checked?")
    found = url or target
    if not found:
        example = "mockserver check http://localhost:3000/webhooks/playgent --secret whsec_x"
        raise UsageError(f"the URL of the consumer is missing: {example} (it can also be set as MOCKSERVER_TARGET)")
    Target.parse(found)
    return found


def _names(option_name: str, values: Sequence[str]) -> tuple[str, ...]:
    """The checks of an option that can be given several times, each time as a list with commas."""
    names = tuple(dict.fromkeys(name.strip() for value in values for name in value.split(",") if name.strip()))
    if values and not names:
        raise UsageError(f"{option_name} {values[0]!r} names no check; `mockserver check --list` shows them all")
    return names


def _check(files: ReportFiles, settings: Settings, chosen: dict[str, Any], *, verbose: bool, **request: Any) -> int:
    # Imported here: wrong usage is reported without waiting for the network's modules.
    from mockserver.checks.options import CheckOptions  # noqa: PLC0415 - start-up does without
    from mockserver.cli.check_run import CheckView, UrlCheck  # noqa: PLC0415 - start-up does without

    readiness = Readiness.of(chosen)
    wanted = CheckOptions(events=tuple(dict.fromkeys(chosen.pop("event"))), **chosen, **request)
    work = Interruptible()
    checked = UrlCheck(wanted, settings)
    view = CheckView(checked, to_stderr=files.to_standard_output, work=work, verbose=verbose)
    files.prepare()

    async def perform() -> None:
        view.start(readiness.note)
        try:
            await checked.run(readiness, view.begin, view.finding)
        finally:  # also when it was stopped, and still on the loop: a second Ctrl-C must not cut this off
            view.finish(finding_lines(files, checked.report.clean()))
            files.write(check_forms(checked.report.clean()), work.out)

    return work.run(perform()) or checked.exit_code


#: What ``--explain`` says that a level needs beside the URL and the secret.
_NEEDS = {0: "only the URL and the secret", 1: "--probe", 2: "--probe and --fail-once"}


def list_checks(only: Sequence[str], skip: Sequence[str], json: str | None) -> int:
    """List the checks that would be made."""
    from mockserver.checks.registry import chosen_checks  # noqa: PLC0415 - only when it is asked for
    from mockserver.cli.listings import print_list  # noqa: PLC0415 - as above

    headings = ("ID", "SEVERITY", "LEVEL", "NAME", "WHAT IT SENDS")
    return print_list(json, chosen_checks(only, skip), _view, headings, _row)


def explain(name: str) -> int:
    """Explain one check."""
    from mockserver.checks.registry import chosen_checks  # noqa: PLC0415 - only when it is asked for
    from mockserver.cli.listings import table, terminal_width  # noqa: PLC0415 - as above

    # The control is always among the checks that are made, and so perhaps beside the one that is asked for.
    check = chosen_checks((name,))[-1]
    click.echo(f"{check.id} {check.title} ({check.severity})\n")
    rows = [("sends:", check.sends), ("correct:", check.good), ("why:", check.why), ("fix:", check.fix)]
    rows.append(("needs:", _NEEDS[check.level] if check.procedure else "a look at the code"))
    for line in table(rows, terminal_width()):
        click.echo(line)
    return exit_codes.OK


def _row(check: Check) -> Sequence[str]:
    return (check.id, check.severity, str(check.level), check.name, check.sends)


def _view(check: Check) -> dict[str, Any]:
    names = ("id", "name", "severity", "level", "sends", "good", "why", "fix")
    return {**{name: getattr(check, name) for name in names}, "testable": check.procedure is not None}
