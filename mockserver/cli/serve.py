"""``mockserver serve``: the vendor API and the control API, until stopped."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mockserver.cli.options import (
    ENVIRONMENT,
    REPLAY_FORMS,
    delivery_options,
    extra_event_option,
    host_option,
    needed,
    note_short_secret,
    option,
    port_option,
    report_options,
    route_rule,
    secret_option,
    settings_of,
    speed_option,
    target_option,
)
from mockserver.errors import UsageError
from mockserver.model.settings import Settings
from mockserver.model.targets import Route

if TYPE_CHECKING:
    from mockserver.cli.report_files import ReportFiles
    from mockserver.script.model import Script

C = TypeVar("C", bound=Callable[..., Any])

_HELP = """Serve the vendor API (/v1) and the control API (/_mock), and deliver to the webhooks that register.

Prints one line when it accepts connections, then a line for each call of the vendor API and for each delivery.

\b
Examples:
  mockserver serve --port 0
  mockserver serve --script my.yaml
  mockserver serve --script await.yaml --exit --junit junit.xml
  mockserver serve --tls
  mockserver serve --route https://your-app.com=http://127.0.0.1:5000
  mockserver serve --target http://127.0.0.1:5000/hooks --secret whsec_x --script refund_flow
"""


def _limit(name: str, text: str) -> Callable[[C], C]:
    default = Settings.__struct_defaults__[Settings.__struct_fields__.index(name)]
    flag = "--" + name.replace("_", "-")
    return option(flag, type=click.IntRange(1), default=default, show_default=True, help=text)


@click.command("serve", help=_HELP, epilog=ENVIRONMENT)
@host_option
@port_option(8484)
@option(
    "--script",
    multiple=True,
    spaces=True,
    metavar="SCRIPT",
    help="A script, or the name of a bundled script, to replay after the start.",
)
@option(
    "--route", type=route_rule, multiple=True, metavar="FROM=TO", help="Deliver to TO what is meant for the URL FROM."
)
@option("--exit", "exits", is_flag=True, help="Exit with the verdict once the scripts are over.")
@report_options
@target_option("Register this URL for all events at the start.")
@secret_option("The secret of that registration.")
@option("--api-key", "api_keys", multiple=True, metavar="KEY", help="A key that the vendor API accepts; otherwise any.")
@option("--one-per-url", is_flag=True, help="Let a registration replace earlier ones of the same URL.")
@option(
    "--accounts",
    type=click.Choice(["one", "per-key"]),
    default="one",
    show_default=True,
    callback=lambda _, __, chosen: chosen.replace("-", "_"),
    help="Whether all callers share everything, or each API key is an account of its own.",
)
@option("--strict", is_flag=True, help="Do only what the vendor documents: no routes and no leniency of ours.")
@option("--tls", is_flag=True, help="Serve https, with a certificate made on the fly, and print the CA file to trust.")
@option(
    "--control-host",
    "control_hosts",
    multiple=True,
    metavar="NAME",
    help="A name, beside localhost, by which callers may address the mock, such as that of its container.",
)
@option(
    "--allow-http-host",
    "allow_http_hosts",
    multiple=True,
    metavar="NAME",
    help="A host, such as that of a container, whose webhooks may be registered with http.",
)
@option("--no-ui", is_flag=True, help="Serve no dashboard at /_mock/ui/.")
@speed_option
@option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="The seed of generated ids.")
@extra_event_option
@option(
    "--created-status",
    type=click.IntRange(200, 299),
    default=201,
    show_default=True,
    help="The status of the answer to POST /v1/webhooks.",
)
@_limit("rate_limit", "Requests per minute that the rate-limit headers show.")
@option("--enforce-rate-limit", is_flag=True, help="Refuse requests over the rate limit with 429.")
@_limit("max_webhooks", "The most webhooks that may be registered.")
@_limit("max_request_bytes", "The largest body of a request to the mock.")
@_limit("max_deliveries", "The most deliveries that are kept on record.")
@_limit("max_concurrency", "The most deliveries that may be in flight at once.")
@delivery_options
def serve(
    script: tuple[str, ...], route: tuple[Route, ...], target: str | None, secret: str | None, **chosen: Any
) -> int:
    """Check everything, then serve."""
    scripts, page, one_per_url = _read(script), not chosen.pop("no_ui"), chosen.pop("one_per_url")
    if target:
        secret = needed(secret, "--secret", "deliveries to the target are signed with it")
    if one_per_url and chosen["strict"]:
        raise UsageError("--one-per-url is ours: with --strict there is only what the vendor documents")
    reports = _reports(chosen, scripts)
    settings = settings_of(chosen, scripts)

    # Nothing that is imported now is garbage: looking for some would take a tenth of the start-up time.
    gc.disable()
    # Imported here: wrong usage is reported without waiting for the network's modules.
    from mockserver.cli.serve_run import ServeLoop  # noqa: PLC0415 - start-up does without

    serving = ServeLoop(settings, scripts, page=page, one_per_url=one_per_url, reports=reports)
    for rule in route:
        serving.mock.routes.add(rule)
    if target and secret:
        serving.mock.register(target, None, secret)
        note_short_secret(secret)
    if reports is not None:
        reports.prepare()
    return serving.run()


def _reports(options: dict[str, Any], scripts: list[Script]) -> ReportFiles | None:
    """Where reports go; None if the command serves on."""
    files = {form: options.pop(form) for form in REPLAY_FORMS}
    if options.pop("exits"):
        if not scripts:
            raise UsageError("--exit needs --script: it exits when the scripts are over")
        if not any(script.steps for script in scripts):
            raise UsageError("--exit needs a script with steps: flows alone never end")
        from mockserver.cli.report_files import ReportFiles  # noqa: PLC0415 - only where there is an end to report

        return ReportFiles(files)
    given = [form for form, file in files.items() if file is not None]
    if given:
        raise UsageError(f"--{given[0]} needs --exit: the report is complete when the scripts are over")
    return None


def _read(names: tuple[str, ...]) -> list[Script]:
    if not names:
        return []
    from mockserver.cli.scripts import read_all  # noqa: PLC0415 - only where scripts are given

    return read_all(names)
