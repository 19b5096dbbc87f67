"""``--json``: results for programs, in a file or on standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from mockserver.errors import UsageError

#: The name that means standard output.
STANDARD_OUTPUT = "-"


def check_writable(name: str | None) -> None:
    """Find out before anything is sent whether the file can be written.

    Raises:
        UsageError: It cannot; the message says why.
    """
    if name is None or name == STANDARD_OUTPUT:
        return
    try:
        with Path(name).open("ab"):
            pass
    except (OSError, ValueError) as error:
        raise _unwritable(name, error) from None


def write_json(name: str | None, value: Any) -> None:
    """Write a value as JSON, if a file was asked for.

    Raises:
        UsageError: The file cannot be written.
    """
    if name is None:
        return
    text = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    if name == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        return
    try:
        Path(name).write_bytes(text)
    except OSError as error:
        raise _unwritable(name, error) from None


def _unwritable(name: str, error: Exception) -> UsageError:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    return UsageError(f"cannot write {os.fsencode(name).decode('utf-8', 'replace')}: {reason}")
