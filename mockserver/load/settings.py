"""What a user class asks for, read and checked before anything is sent."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from mockserver.delivery.address_guard import why_refused
from mockserver.errors import UsageError
from mockserver.load.plan import LoadPlan, read_shares
from mockserver.model.quantities import parse_duration
from mockserver.model.settings import Settings, sender_headers
from mockserver.model.targets import Target
from mockserver.script.package_files import find_script, load_catalog, read_script_file
from mockserver.script.reader import read_script


class UserAttributes:
    """The attributes that a user class may set; :class:`~mockserver.load.user.WebhookUser` describes each of them."""

    host: str | None = None
    path: str = "/"
    secret: str = ""
    script: str = "run_completed"
    rate: float | None = None
    speed: float | str = "max"
    seed: int | None = None
    faults: Mapping[str, float] = {}
    headers: Sequence[str] = ()
    probe: str | None = None
    probe_json: str | None = None
    counted: Sequence[str] | None = None
    drain_within: float = 60.0
    max_backlog: int = 10_000
    max_p99: float | str | None = None
    max_failures: float | None = None
    timeout: float | str = 10.0
    allow_hosts: Sequence[str] = ()


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a user class asks for.

    Args:
        name: The class's name.
        plan: The events.
        events: The event types that occur.
        target: Where they go.
        rate: Events a second over all users and workers; None for Locust's own pacing.
        max_backlog: How many events that are due may wait in one process.
        timeout: Seconds until an answer must be there.
        max_p99: Seconds that the 99th percentile may reach; None for any.
        max_failures: The share of the events (0 to 1) that may fail; None for any.
    """

    name: str
    plan: LoadPlan
    events: tuple[str, ...]
    target: Target
    rate: float | None
    max_backlog: int
    timeout: float
    max_p99: float | None
    max_failures: float | None


def read_settings(user: type[UserAttributes], host: str | None) -> LoadSettings:
    """Read what a user class asks for.

    Args:
        user: The class.
        host: Where the consumer is, such as ``http://localhost:3000``, from ``--host`` or the class.

    Raises:
        UsageError: Something is missing or wrong; the message names the class and its attribute.
        ScriptError: The script has problems.
    """
    name = user.__name__
    if not host:
        raise UsageError(f"{name} has no host: set host = 'http://localhost:3000', or start Locust with --host")
    if not user.secret:
        raise UsageError(f"{name} has no secret: set secret to the one that the consumer verifies with")
    if user.rate is not None and not 0 < user.rate <= 1_000_000:
        raise UsageError(f"{name}.rate is {user.rate!r}: a number of events a second above 0 is allowed, or None")
    path = find_script(str(user.script))
    catalog = load_catalog()
    script = read_script(read_script_file(path), catalog, Path(path).name)
    target = Target.parse(host.rstrip("/") + user.path)
    sender = sender_headers(Settings().user_agent, user.headers)
    plan = LoadPlan(
        script,
        catalog,
        target,
        user.secret,
        sender,
        shares=read_shares(user.faults),
        counted=user.counted,
    )
    return LoadSettings(
        name=name,
        plan=plan,
        events=script.events,
        target=target,
        rate=user.rate,
        max_backlog=user.max_backlog,
        timeout=_seconds(name, "timeout", user.timeout),
        max_p99=None if user.max_p99 is None else _seconds(name, "max_p99", user.max_p99),
        max_failures=user.max_failures,
    )


def check_address(target: Target, allowed_hosts: Collection[str]) -> None:
    """Refuse a target outside this machine and its private networks, unless its host is allowed by name.

    Args:
        target: Where requests are to go.
        allowed_hosts: Public hosts that may be contacted.

    Raises:
        UsageError: One of its addresses must not be contacted, or the name is unknown.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"the host {target.host!r} is not known here: {error.strerror or error}") from None
    for address in dict.fromkeys(str(info[4][0]) for info in found):
        if refusal := why_refused(address, target.host, allowed_hosts):
            advice = f"allow it with allow_hosts = ({target.host!r},)"
            raise UsageError(refusal.replace(f"allow it with --allow-host {target.host}", advice))


def _seconds(name: str, attribute: str, value: float | str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{name}.{attribute}: {error}") from None
