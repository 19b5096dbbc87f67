"""Files that results are written to: found writable before anything is done, and written when all is over."""

from __future__ import annotations

import os
from pathlib import Path

from mockserver.errors import UsageError


def check_writable(path: str) -> None:
    """Find out whether a file can be written; it is there afterwards.

    Raises:
        UsageError: It cannot; the message says why.
    """
    try:
        with Path(path).open("ab"):
            pass
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def write_file(path: str, content: bytes) -> None:
    """Write a file, in the place of what was in it.

    Raises:
        UsageError: It cannot be written; the message says why.
    """
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise _unwritable(path, error) from None


def append_to_file(path: str, content: bytes) -> None:
    """Write at the end of a file.

    Raises:
        UsageError: It cannot be written; the message says why.
    """
    try:
        with Path(path).open("ab") as file:
            file.write(content)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: Exception) -> UsageError:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    return UsageError(f"cannot write {os.fsencode(path).decode('utf-8', 'replace')}: {reason}")
