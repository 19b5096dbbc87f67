"""Options that several commands share, each of which can come from the environment, and the kinds of their values."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mockserver.core.durations import parse_duration
from mockserver.core.settings import Speed
from mockserver.core.targets import Route
from mockserver.errors import UsageError

C = TypeVar("C", bound=Callable[..., Any])

#: Above it, waits are shorter than a clock can tell: that is max.
_FASTEST = 1e9

_PREFIX = "MOCKSERVER_"

ENVIRONMENT = """
\b
Every option can also be set in the environment: --port is MOCKSERVER_PORT,
--api-key is MOCKSERVER_API_KEY (several values are separated by blanks).
A secret is best given so: on the command line others may see it.
"""


class EnvironmentOption(click.Option):
    """An option whose environment variable has the same name in all commands."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.envvar = _PREFIX + str(self.name).upper()

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Read the variable; of an option that can be given several times, values in quotes may hold blanks."""
        text = self.resolve_envvar_value(ctx)
        if text is None or not self.multiple:
            return super().value_from_envvar(ctx)
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            raise click.BadParameter(f"{error}: {text!r}", ctx, self) from None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the option, and the variable if it is set: the value may come from there."""
        hint = super().get_error_hint(ctx)
        return f"{hint} (or {self.envvar})" if os.environ.get(str(self.envvar)) else hint


def option(*names: str, **settings: Any) -> Callable[[C], C]:
    """Declare an option that can also be set in the environment."""
    return click.option(*names, cls=EnvironmentOption, **settings)


def duration(text: str) -> float:
    """Read a duration: ``250ms``, ``2s``, ``1m30s``, or a number of seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def positive_duration(text: str) -> float:
    """Read a duration that is more than 0."""
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter(f"{text!r} is no time at all: it must be more than 0")
    return seconds


def speed_factor(text: str) -> Speed:
    """Read a factor, or ``max``."""
    if text == "max":
        return "max"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= _FASTEST:
        raise click.BadParameter(f"{text!r} is neither a factor such as 1 or 10, nor max")
    return speed


def route_rule(text: str) -> Route:
    """Read two URLs with ``=`` between them."""
    match = re.fullmatch(r"(.+?)=(https?://.+)", text)
    if not match:
        example = "https://your-app.com=http://127.0.0.1:5000"
        raise click.BadParameter(f"{text!r} is not FROM=TO, such as {example}")
    return Route(match[1], match[2])


def target_option(purpose: str) -> Callable[[C], C]:
    """Declare ``--target``."""
    return option("--target", metavar="URL", help=purpose)


def secret_option(purpose: str = "The secret that deliveries are signed with.") -> Callable[[C], C]:
    """Declare ``--secret``."""
    return option("--secret", metavar="TEXT", help=purpose)


def delivery_options(command: C) -> C:
    """Declare what can be chosen about every delivery."""
    for declare in reversed(_DELIVERY_OPTIONS):
        command = declare(command)
    return command


_DELIVERY_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option(
        "--timeout",
        type=positive_duration,
        metavar="TIME",
        default="10s",
        show_default=True,
        help="Time for an answer.",
    ),
    option(
        "--allow-host",
        "allow_host",
        multiple=True,
        metavar="NAME",
        help="A public host that deliveries may go to; otherwise they stay on this machine and in private networks.",
    ),
    option("--ca-file", metavar="FILE", help="Certificates (PEM) to trust for https targets, beside the system's."),
    option(
        "--json-style",
        type=click.Choice(["compact", "spaced"]),
        default="compact",
        show_default=True,
        help="Whether the JSON of payloads has a blank after each colon and comma.",
    ),
)

#: The speed of a replay.
speed_option = option(
    "--speed",
    type=speed_factor,
    metavar="FACTOR|max",
    default="1",
    show_default=True,
    help="1 is real time, 10 ten times as fast; max skips every wait.",
)

#: An event type beyond the documented ones.
extra_event_option = option(
    "--extra-event", "extra_event", multiple=True, metavar="NAME", help="An event type beyond the documented four."
)


def needed(value: str | None, name: str, why: str) -> str:
    """Return the value of an option that must be there.

    Raises:
        UsageError: It is not there, or empty.
    """
    if not value:
        raise UsageError(f"{name} is missing: {why} (it can also be set as {_PREFIX}{name[2:].upper()})")
    return value
