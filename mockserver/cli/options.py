"""Options that several commands share, each of which can come from the environment, and the kinds of their values."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mockserver.errors import UsageError
from mockserver.model.durations import parse_duration
from mockserver.model.retry_policies import read_retry
from mockserver.model.sender_headers import read_header
from mockserver.model.settings import Speed
from mockserver.model.targets import Route
from mockserver.script.package_files import load_retry_policies

C = TypeVar("C", bound=Callable[..., Any])

#: Above it, waits are shorter than a clock can tell: that is max.
_FASTEST = 1e9

_PREFIX = "MOCKSERVER_"

ENVIRONMENT = """
\b
Every option can also be set in the environment: --secret is MOCKSERVER_SECRET,
--allow-host is MOCKSERVER_ALLOW_HOST (several values are separated by blanks).
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


def replay_speed(text: str) -> Speed:
    """Read a factor, or ``max``."""
    if text == "stepped":
        raise click.BadParameter(
            "stepped time is advanced by a test, and nobody could advance it here: choose a factor such as 1 or 10, or"
            " max (for stepped time: `mockserver serve --speed stepped`, and POST /_mock/clock/advance)"
        )
    return _speed(text, "nor max")


def any_speed(text: str) -> Speed:
    """Read a factor, ``max`` or ``stepped``."""
    return "stepped" if text == "stepped" else _speed(text, "nor max, nor stepped")


def _speed(text: str, nor: str) -> Speed:
    if text == "max":
        return "max"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= _FASTEST:
        raise click.BadParameter(f"{text!r} is neither a factor such as 1 or 10, {nor}")
    return speed


def retry_policy(text: str) -> str:
    """Read the name of a retry policy, or a schedule such as ``0s,1s,4s``."""
    try:
        read_retry(text, load_retry_policies())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


def header_line(text: str) -> str:
    """Read a header: ``NAME: VALUE``."""
    try:
        read_header(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


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


def transport_options(command: C) -> C:
    """Declare what can be chosen about how a request travels."""
    return _declared(command, _TRANSPORT_OPTIONS)


def delivery_options(command: C) -> C:
    """Declare what can be chosen about every delivery."""
    return _declared(command, (*_TRANSPORT_OPTIONS, *_DELIVERY_OPTIONS))


def _declared(command: C, options: Sequence[Callable[[Any], Any]]) -> C:
    for declare in reversed(options):
        command = declare(command)
    return command


_TRANSPORT_OPTIONS: Sequence[Callable[[Any], Any]] = (
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
    option(
        "--header",
        "header",
        multiple=True,
        type=header_line,
        metavar="'NAME: VALUE'",
        help="A header to add to every request to the consumer, for a gateway or a tunnel before it.",
    ),
    option("--ca-file", metavar="FILE", help="Certificates (PEM) to trust for https targets, beside the system's."),
)

_DELIVERY_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option(
        "--json-style",
        type=click.Choice(["compact", "spaced"]),
        default="compact",
        show_default=True,
        help="Whether the JSON of payloads has a blank after each colon and comma.",
    ),
    option(
        "--retry",
        type=retry_policy,
        metavar="POLICY|TIMES",
        default="none",
        show_default=True,
        help="When failed attempts are made again: a policy of `mockserver retries`, or waits such as 0s,1s,4s.",
    ),
)

#: The speed of a replay.
replay_speed_option = option(
    "--speed",
    type=replay_speed,
    metavar="FACTOR|max",
    default="1",
    show_default=True,
    help="1 is real time, 10 ten times as fast; max skips every wait.",
)

#: The speed of a mock that serves.
speed_option = option(
    "--speed",
    type=any_speed,
    metavar="FACTOR|max|stepped",
    default="1",
    show_default=True,
    help="1 is real time, 10 ten times as fast; max skips every wait; stepped waits for the control API to advance it.",
)

#: An event type beyond the documented ones.
extra_event_option = option(
    "--extra-event", "extra_event", multiple=True, metavar="NAME", help="An event type beyond the documented four."
)


#: JSON instead of a table.
json_option = option(
    "--json",
    "json",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write JSON; - is standard output.",
)


def needed(value: str | None, name: str, why: str) -> str:
    """Return the value of an option that must be there.

    Raises:
        UsageError: It is not there, or empty.
    """
    if not value:
        raise UsageError(f"{name} is missing: {why} (it can also be set as {_PREFIX}{name[2:].upper()})")
    return value
