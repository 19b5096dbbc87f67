"""Reading the scripts that a command was given: all of them, before anything is done with one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mockserver.cli.failures import InvalidScriptsError
from mockserver.errors import UsageError
from mockserver.script.model import Script
from mockserver.script.package_files import find_script, load_catalog, read_script_file
from mockserver.script.reader import read_script


def read_one(name: str) -> Script:
    """Read a script.

    Args:
        name: A path, or the name of a bundled script.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        ScriptError: It has problems.
    """
    path = find_script(name)
    return read_script(read_script_file(path), load_catalog(), _shown(path))


def read_all(names: Sequence[str]) -> list[Script]:
    """Read scripts.

    Raises:
        InvalidScriptsError: At least one cannot be replayed; the error holds what is wrong with each of them.
    """
    scripts: list[Script] = []
    failures: list[UsageError] = []
    for read in map(_script_or_failure, names):
        if isinstance(read, Script):
            scripts.append(read)
        else:
            failures.append(read)
    if failures:
        raise InvalidScriptsError(failures)
    return scripts


def _script_or_failure(name: str) -> Script | UsageError:
    try:
        return read_one(name)
    except UsageError as error:
        return error


def _shown(path: Path) -> str:
    """A path as messages show it: below the working directory, without that directory's own path."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return os.fsencode(shown).decode("utf-8", "replace")
