"""Where the events of a script go: a target of the command line, the script's own webhook, or neither."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mockserver.errors import UsageError
from mockserver.model.settings import Settings, read_settings
from mockserver.model.targets import Target
from mockserver.script.model import Script


class Destination(msgspec.Struct, frozen=True):
    """A URL, and the secret that deliveries to it are signed with."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return f"Destination({self.url})"


def destination_of(script: Script, target: str | None, secret: str | None) -> Destination | None:
    """Return where the events of a script go; None if nobody said.

    Args:
        script: The script.
        target: The target of the command line, if there is one.
        secret: The secret of the command line, if there is one; it goes before the script's.

    Raises:
        UsageError: The target is not a URL, or there is no secret for it.
    """
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
    return Destination(url, secret)


def delivery_settings(
    *,
    timeout: float,
    allow_host: Iterable[str],
    header: Iterable[str],
    ca_file: str | None,
    json_style: str,
    retry: str,
    scripts: Iterable[Script] = (),
    extra_events: Iterable[str] = (),
) -> Settings:
    """Return the settings of a mock that only delivers."""
    events = (event for script in scripts for event in script.extra_events)
    return read_settings(
        timeout=timeout,
        allow_hosts=tuple(allow_host),
        headers=tuple(header),
        ca_file=ca_file,
        json_style=json_style,
        retry=retry,
        extra_events=tuple(dict.fromkeys((*extra_events, *events))),
    )
