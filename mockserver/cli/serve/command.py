"""``mockserver serve``: the vendor API and the control API, until stopped."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mockserver.cli.options import (
    ENVIRONMENT,
    delivery_options,
    extra_event_option,
    needed,
    option,
    route_rule,
    secret_option,
    speed_option,
    target_option,
)
from mockserver.model.settings import Settings, Speed, read_settings
from mockserver.model.targets import Route

if TYPE_CHECKING:
    from mockserver.script.model import Script

C = TypeVar("C", bound=Callable[..., Any])

_HELP = """Serve the vendor API (/v1) and the control API (/_mock), and deliver to the webhooks that register.

Prints one line when it accepts connections, then a line for each call of the vendor API and for each delivery.

\b
Examples:
  mockserver serve --port 0
  mockserver serve --script my.yaml
  mockserver serve --tls
  mockserver serve --route https://your-app.com=http://127.0.0.1:5000
  mockserver serve --target http://127.0.0.1:5000/hooks --secret whsec_x --script refund_flow
"""


def _limit(name: str, text: str) -> Callable[[C], C]:
    default = Settings.__struct_defaults__[Settings.__struct_fields__.index(name)]
    flag = "--" + name.replace("_", "-")
    return option(flag, type=click.IntRange(1), default=default, show_default=True, help=text)


@click.command("serve", help=_HELP, epilog=ENVIRONMENT)
@option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@option("--port", type=click.IntRange(0, 65535), default=8484, show_default=True, help="The port; 0 takes a free one.")
@option(
    "--script", multiple=True, metavar="SCRIPT", help="A script, or a bundled script's name, to replay after the start."
)
@option(
    "--route", type=route_rule, multiple=True, metavar="FROM=TO", help="Deliver what is meant for one URL to another."
)
@target_option("Register this URL for all events at the start.")
@secret_option("The secret of that registration.")
@option("--api-key", multiple=True, metavar="KEY", help="A key that the vendor API accepts; without one, any.")
@option("--strict", is_flag=True, help="Only what the vendor documents: no routes or leniency of ours under /v1.")
@option("--tls", is_flag=True, help="Serve https, with a certificate made on the fly; prints the CA file to trust.")
@speed_option
@option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Makes generated ids repeatable."
)
@extra_event_option
@option("--created-status", type=click.IntRange(200, 299), default=201, show_default=True, help="Of POST /v1/webhooks.")
@_limit("rate_limit", "Requests per minute, as the rate-limit headers tell.")
@option("--enforce-rate-limit", is_flag=True, help="Refuse requests over the rate limit with 429.")
@_limit("max_webhooks", "How many webhooks may be registered.")
@_limit("max_request_bytes", "The largest request body.")
@_limit("max_deliveries", "How many deliveries are kept on record.")
@_limit("max_concurrency", "How many deliveries may be in flight at once.")
@delivery_options
def serve(
    script: tuple[str, ...],
    route: tuple[Route, ...],
    target: str | None,
    secret: str | None,
    speed: Speed,
    api_key: tuple[str, ...],
    allow_host: tuple[str, ...],
    extra_event: tuple[str, ...],
    **chosen: Any,
) -> int:
    """Check everything, then serve."""
    scripts = _read(script)
    if target:
        secret = needed(secret, "--secret", "deliveries to the target are signed with it")
    more = (event for each in scripts for event in each.extra_events)
    settings = read_settings(
        speed=speed,
        api_keys=api_key,
        allow_hosts=allow_host,
        headers=chosen.pop("header"),
        extra_events=tuple(dict.fromkeys((*extra_event, *more))),
        **chosen,
    )

    # Nothing that is imported now is garbage: looking for some would take a tenth of the start-up time.
    gc.disable()
    # Imported here: wrong usage is told without waiting for the network's modules.
    from mockserver.cli.serve.run import ServeLoop  # noqa: PLC0415

    serving = ServeLoop(settings, scripts)
    for rule in route:
        serving.mock.routes.add(rule)
    if target and secret:
        serving.mock.register(target, None, secret)
    return serving.run()


def _read(names: tuple[str, ...]) -> list[Script]:
    if not names:
        return []
    from mockserver.cli.scripts import read_all  # noqa: PLC0415 - only where scripts are given

    return read_all(names)
