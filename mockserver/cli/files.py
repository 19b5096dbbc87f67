"""Raw bytes that commands read and write: standard input, bodies, and results, which are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from mockserver.cli.exit_codes import UnwritableError
from mockserver.errors import UsageError


def read_standard_input(what: str) -> bytes:
    """Read standard input to its end; at a terminal, print a note that it is waited for; raises UsageError."""
    if sys.stdin is None:
        raise UsageError(f"standard input is closed: {what} cannot be read from it")
    if sys.stdin.isatty():
        click.echo(f"mockserver: reading {what} from standard input; end it with Ctrl-D", err=True)
    return sys.stdin.buffer.read()


def read_body(name: str) -> bytes:
    """Read a body from a file, or from standard input for ``-``; raises UsageError."""
    if name == "-":
        return read_standard_input("the body")
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        hint = "; a body comes from standard input: printf '%s' BODY | mockserver ..." if "{" in name else ""
        raise UsageError(f"cannot read {name}: {reason}{hint}") from None


#: The name that means standard output.
STANDARD_OUTPUT = "-"

#: The folder takes no other file in this one's place: it is mounted into a container, or the folder is read-only.
_NOT_REPLACEABLE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS)


def check_writable(name: str | None) -> None:
    """Find out, before anything is sent, whether a file can be written; make the folder that it goes to.

    Raises UsageError.
    """
    if name == STANDARD_OUTPUT and sys.__stdout__ is None:  # as the process was started
        raise UsageError("standard output is closed, and the option - writes to it")
    if name is None or name == STANDARD_OUTPUT:
        return
    try:
        path = _real(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("ab"):
                pass
        else:
            beside = _beside(path)
            beside.touch()
            beside.unlink()
    except (OSError, ValueError) as error:
        raise UsageError(_why_not(name, error)) from None


def remove_old(name: str | None) -> None:
    """Remove what an earlier run left in a file, so that it is not taken for the result of this one.

    Raises UsageError.
    """
    if name is None or name == STANDARD_OUTPUT or not (path := _real(name)).is_file():
        return
    try:
        path.unlink()
    except OSError as error:
        if error.errno not in _NOT_REPLACEABLE:
            raise UsageError(_why_not(name, error)) from None
        path.write_bytes(b"")


def write_file(name: str, content: bytes) -> None:
    """Write a file: beside its place, then moved there, so that half of it is never seen; raises UnwritableError."""
    path = _real(name)
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            path.write_bytes(content)
            return
        try:
            _write_beside(path, content)
        except OSError as error:
            if error.errno not in _NOT_REPLACEABLE or not path.exists():
                raise
            _write_in_place(path, content)
    except OSError as error:
        raise UnwritableError(_why_not(name, error)) from None


def append_to_file(name: str, content: bytes) -> None:
    """Write at the end of a file; raises UnwritableError."""
    try:
        with Path(name).open("ab") as file:
            file.write(content)
    except OSError as error:
        raise UnwritableError(_why_not(name, error)) from None


def write_json(name: str, value: Any) -> None:
    """Write a value as JSON, to a file or to standard output; raises UnwritableError."""
    content = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    if name != STANDARD_OUTPUT:
        write_file(name, content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def _write_beside(path: Path, content: bytes) -> None:
    beside = _beside(path)
    try:
        beside.write_bytes(content)
        if path.exists():
            beside.chmod(stat.S_IMODE(path.stat().st_mode))
        beside.replace(path)
    except BaseException:  # also Ctrl-C
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _write_in_place(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError:
        os.truncate(path, 0)  # half of it is worse than nothing
        raise


def _real(name: str) -> Path:
    """Where a file really is: a link is kept, and what it leads to is written."""
    path = Path(name)
    return path if path.exists() and not path.is_file() else Path(os.path.realpath(name))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")


def _why_not(name: str, error: Exception) -> str:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    return f"cannot write {os.fsencode(name).decode('utf-8', 'replace')}: {reason}"
