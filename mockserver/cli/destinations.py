"""Where the events of a script go: a target of the command line, the script's own webhook, or neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
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


#: A shorter secret may be a part of ordinary words, in characters.
_SHORTEST = 8


def note_short_secret(secret: str) -> None:
    """Print a note if hiding a secret in reports may hide other words as well."""
    if len(secret) < _SHORTEST:
        text = (
            f"the secret is shorter than {_SHORTEST} characters: where it is a part of other values, it is hidden too"
        )
        click.echo(f"mockserver: {text}", err=True)


def destination_of(script: Script, target: str | None, secret: str | None) -> Destination | None:
    """Return where the events of a script go; None if neither says.

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
    note_short_secret(secret)
    return Destination(url, secret)


def settings_of(options: dict[str, Any], scripts: Iterable[Script] = ()) -> Settings:
    """Take the settings of a mock out of the options of a command.

    Args:
        options: The options; those that are settings are taken away.
        scripts: Scripts whose extra events are known as well.

    Raises:
        UsageError: A setting is not valid.
    """
    chosen = {name: options.pop(name) for name in Settings.__struct_fields__ if name in options}
    events = (event for script in scripts for event in script.extra_events)
    extra_events = tuple(dict.fromkeys((*chosen.pop("extra_events", ()), *events)))
    return read_settings(extra_events=extra_events, **chosen)
