"""Standard input and files as raw bytes: what is signed must not be decoded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mockserver.errors import UsageError


def read_standard_input(what: str) -> bytes:
    """Read standard input to its end; at a terminal, print a note that it is waited for.

    Args:
        what: What is read, for that note.

    Raises:
        UsageError: It is closed.
    """
    if sys.stdin is None:
        raise UsageError(f"standard input is closed: {what} cannot be read from it")
    if sys.stdin.isatty():
        click.echo(f"mockserver: reading {what} from standard input; end it with Ctrl-D", err=True)
    return sys.stdin.buffer.read()


def read_body(name: str) -> bytes:
    """Read a body from a file, or from standard input for ``-``.

    Raises:
        UsageError: It cannot be read.
    """
    if name == "-":
        return read_standard_input("the body")
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise UsageError(f"cannot read {name}: {reason}") from None
