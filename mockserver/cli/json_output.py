"""``--json``: results for programs, in a file or on standard output."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from mockserver.reports import output_files

#: The name that means standard output.
STANDARD_OUTPUT = "-"


def check_writable(name: str | None) -> None:
    """Find out before anything is sent whether the file can be written.

    Raises:
        UsageError: It cannot; the message says why.
    """
    if name is not None and name != STANDARD_OUTPUT:
        output_files.check_writable(name)


def write_json(name: str, value: Any) -> None:
    """Write a value as JSON, to a file or to standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    write_result(name, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def write_result(name: str, content: bytes) -> None:
    """Write to a file, or to standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    if name != STANDARD_OUTPUT:
        output_files.write_file(name, content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
