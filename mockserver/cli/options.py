"""Options that several commands share, each of which can come from the environment, and how their values are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from mockserver.errors import UsageError
from mockserver.model.quantities import parse_duration, parse_size
from mockserver.model.settings import NO_RETRIES, Settings, Speed, read_header, read_settings
from mockserver.model.targets import Route, Target

if TYPE_CHECKING:
    from mockserver.script.model import Script

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")

#: Above it, waits are shorter than a clock can measure: that is max.
_FASTEST = 1e9

_PREFIX = "MOCKSERVER_"

ENVIRONMENT = """
\b
Every option can also be set in the environment: --secret is MOCKSERVER_SECRET,
--allow-host is MOCKSERVER_ALLOW_HOST. Several values are separated by spaces, or
by line breaks where values may have spaces (header, override, remove, fault,
script). Set secrets there: other users can see the command line.
"""

#: What Kubernetes sets for each port of a Service: ``MOCKSERVER_PORT=tcp://10.0.0.1:8484`` for one named mockserver.
_PORT_OF_A_SERVICE = ("tcp://", "udp://", "sctp://")


class EnvironmentOption(click.Option):
    """An option whose environment variable has the same name in all commands: that of its flag.

    Args:
        flags: The flags, and the parameter's name where it is another.
        spaces: Whether its values may have spaces, so that several of them are separated by line breaks.
        **settings: As for click's options.
    """

    def __init__(self, flags: Sequence[str], *, spaces: bool = False, **settings: Any) -> None:
        super().__init__(flags, **settings)
        self._spaces = spaces
        self.envvar = _PREFIX + max(self.opts, key=len).lstrip("-").replace("-", "_").upper()

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Read the variable, unless it is not about the option at all."""
        text = super().resolve_envvar_value(ctx)
        if text and self.name == "port" and text.startswith(_PORT_OF_A_SERVICE):
            note = "it is what Kubernetes sets for a Service of that name; set the port with --port"
            click.echo(f"mockserver: {self.envvar}={text} is ignored: {note}", err=True)
            return None
        return text

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Read the variable; of an option that can be given several times, it holds a list."""
        text = self.resolve_envvar_value(ctx)
        if text is None or not self.multiple:
            return text if text is None else super().value_from_envvar(ctx)
        return (
            tuple(line.strip() for line in text.splitlines() if line.strip()) if self._spaces else tuple(text.split())
        )

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the option, and the variable if it is set: the value may come from there."""
        hint = super().get_error_hint(ctx)
        return f"{hint} (or {self.envvar})" if os.environ.get(str(self.envvar)) else hint


def option(*names: str, **settings: Any) -> Callable[[C], C]:
    """Declare an option that can also be set in the environment."""
    return click.option(*names, cls=EnvironmentOption, **settings)


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def duration(text: str) -> float:
    """Read a duration: ``250ms``, ``2s``, ``1m30s``, or a number of seconds."""
    return _read(parse_duration, text)


def positive_duration(text: str) -> float:
    """Read a duration that is more than 0."""
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter(f"{text!r} is no duration: it must be more than 0")
    return seconds


def size(text: str) -> int:
    """Read a number of bytes: ``64MiB``, ``2MB``."""
    return _read(parse_size, text)


def replay_speed(text: str) -> Speed:
    """Read a factor, or ``max``."""
    if text == "stepped":
        raise click.BadParameter(
            "stepped time is advanced by a test, and a replay has none: choose a factor such as 1 or 10, or"
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
    """Check the name of a retry policy, or a schedule such as ``0s,1s,4s``."""
    if text != NO_RETRIES:
        # Imported here: most commands retry nothing.
        from mockserver.model.retry_policies import read_retry  # noqa: PLC0415 - start-up does without
        from mockserver.script.package_files import load_retry_policies  # noqa: PLC0415 - start-up does without

        _read(lambda text: read_retry(text, load_retry_policies()), text)
    return text


def header_line(text: str) -> str:
    """Check a header: ``NAME: VALUE``."""
    _read(read_header, text)
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


def host_option(command: C) -> C:
    """Declare ``--host`` of a command that listens."""
    return option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")(command)


def port_option(default: int) -> Callable[[C], C]:
    """Declare ``--port`` of a command that listens."""
    text = "The port to listen on; 0 takes a free one."
    return option("--port", type=click.IntRange(0, 65535), default=default, show_default=True, help=text)


def verbose_option(purpose: str) -> Callable[[C], C]:
    """Declare ``--verbose``."""
    return option("-v", "--verbose", is_flag=True, help=purpose)


def wait_options(command: C) -> C:
    """Declare what is waited for before anything is sent."""
    return _declared(command, _WAIT_OPTIONS)


def report_options(command: C) -> C:
    """Declare the reports of replays."""
    return _declared(command, _REPORT_OPTIONS)


def transport_options(command: C) -> C:
    """Declare what can be chosen about how a request travels; the parameters are named as the settings are."""
    return _declared(command, _TRANSPORT_OPTIONS)


def delivery_options(command: C) -> C:
    """Declare what can be chosen about every delivery; the parameters are named as the settings are."""
    return _declared(command, (*_TRANSPORT_OPTIONS, *_DELIVERY_OPTIONS))


def _declared(command: C, options: Sequence[Callable[[Any], Any]]) -> C:
    for declare in reversed(options):
        command = declare(command)
    return command


_WAIT_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option(
        "--wait-for-target",
        type=duration,
        metavar="TIME",
        help="The longest time to wait until the target, or the URL of --wait-for, answers.",
    ),
    option(
        "--wait-for",
        metavar="URL",
        help="A URL to poll until it answers with 2xx, such as the target's health check; up to 30s if"
        " --wait-for-target says nothing else.",
    ),
)

_REPORT_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option("--json", "json", metavar="FILE", help="Write the report as JSON; - is standard output."),
    option(
        "--junit", metavar="FILE", help="Write the report as JUnit XML: a suite for each script, a case for each step."
    ),
    option("--har", metavar="FILE", help="Write the requests and answers as HAR, for a browser's developer tools."),
    option("--markdown", metavar="FILE", help="Write the report as Markdown."),
    option("--html", metavar="FILE", help="Write the report as one page of HTML, to open or to attach."),
)

#: The forms of a replay's report, named as their options are.
REPLAY_FORMS = ("json", "junit", "har", "markdown", "html")

_TRANSPORT_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option(
        "--timeout",
        type=positive_duration,
        metavar="TIME",
        default="10s",
        show_default=True,
        help="The time that the consumer has to answer.",
    ),
    option(
        "--allow-host",
        "allow_hosts",
        multiple=True,
        metavar="NAME",
        help="A public host to allow; otherwise deliveries go to this machine and private networks only.",
    ),
    option(
        "--header",
        "headers",
        multiple=True,
        spaces=True,
        type=header_line,
        metavar="'NAME: VALUE'",
        help="A header to add to every request to the consumer, for a gateway or a tunnel in front of it.",
    ),
    option("--ca-file", metavar="FILE", help="A PEM file of certificates to trust for https, beside the system's."),
)

_DELIVERY_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option(
        "--json-style",
        type=click.Choice(["compact", "spaced"]),
        default="compact",
        show_default=True,
        help="The spelling of JSON in payloads: without spaces, or with one after each colon and comma.",
    ),
    option(
        "--retry",
        type=retry_policy,
        metavar="POLICY|TIMES",
        default=NO_RETRIES,
        show_default=True,
        help="When failed attempts are repeated: a policy of `mockserver retries`, or waits such as 0s,1s,4s.",
    ),
)

#: The speed of a replay.
replay_speed_option = option(
    "--speed",
    type=replay_speed,
    metavar="FACTOR|max",
    default="1",
    show_default=True,
    help="The speed: 1 is real time, 10 ten times as fast; max skips every wait.",
)

#: The speed of a mock that serves.
speed_option = option(
    "--speed",
    type=any_speed,
    metavar="FACTOR|max|stepped",
    default="1",
    show_default=True,
    help="The speed: 1 is real time, 10 ten times as fast; max skips every wait; stepped time passes only when the"
    " control API advances it.",
)

#: An event type beyond the documented ones.
extra_event_option = option(
    "--extra-event", "extra_events", multiple=True, metavar="NAME", help="An event type beyond the documented four."
)


#: JSON instead of a table.
json_option = option(
    "--json", "json", metavar="FILE", is_flag=False, flag_value="-", help="Write JSON to a file; - is standard output."
)


def needed(value: str | None, name: str, why: str) -> str:
    """Return the value of an option that must be there; raises UsageError."""
    if not value:
        raise UsageError(f"{name} is missing: {why} (it can also be set as {_PREFIX}{name[2:].upper()})")
    return value


# ---------------------------------------------------------------- where events go


class Destination(msgspec.Struct, frozen=True):
    """A URL, and the secret that deliveries to it are signed with."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return f"Destination({self.url})"


#: A shorter secret may be a part of ordinary words, in characters.
_SHORTEST_SECRET = 8


def note_short_secret(secret: str) -> None:
    """Print a note if a secret is too short to be hidden wherever it appears."""
    if len(secret) < _SHORTEST_SECRET:
        hidden = "reports hide it where it is a whole value, and not within a longer one"
        click.echo(f"mockserver: the secret is shorter than {_SHORTEST_SECRET} characters: {hidden}", err=True)


def destination_of(script: Script, target: str | None, secret: str | None) -> Destination | None:
    """Return where the events of a script go; None if neither says; raises UsageError."""
    own = script.webhook
    url = target or (own.url if own else None)
    if url is None:
        return None
    Target.parse(url)
    secret = secret or (own.secret if own else None)
    if not secret:
        raise UsageError(
            f"deliveries to {url} need a secret to sign with: give --secret, or set MOCKSERVER_SECRET,"
            " to what the application verifies with"
        )
    note_short_secret(secret)
    return Destination(url, secret)


def settings_of(options: dict[str, Any], scripts: Iterable[Script] = ()) -> Settings:
    """Take the settings of a mock out of the options of a command; raises UsageError."""
    chosen = {name: options.pop(name) for name in Settings.__struct_fields__ if name in options}
    events = (event for script in scripts for event in script.extra_events)
    extra_events = tuple(dict.fromkeys((*chosen.pop("extra_events", ()), *events)))
    return read_settings(extra_events=extra_events, **chosen)
