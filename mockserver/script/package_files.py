"""The files that come with the package: event samples, retry policies and bundled scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from mockserver.errors import UsageError
from mockserver.model.events import DOCUMENTED_EVENTS, Catalog, EventType
from mockserver.model.wording import did_you_mean

if TYPE_CHECKING:
    from mockserver.model.retry_policies import RetryPolicy

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def load_catalog() -> Catalog:
    """Read the event types from the package's data files."""
    folder = _PACKAGE / "data" / "events"
    files = ((folder / f"{name}.json").read_bytes() for name in DOCUMENTED_EVENTS)
    return Catalog(msgspec.json.decode(file, type=EventType) for file in files)


@cache
def load_retry_policies() -> Mapping[str, RetryPolicy]:
    """Read the named retry policies from the package's data file, by name, in its order."""
    # Imported here: most mocks retry nothing.
    from mockserver.model.retry_policies import RetryPolicy  # noqa: PLC0415 - start-up does without

    content = (_PACKAGE / "data" / "retry_policies.json").read_bytes()
    policies = msgspec.json.decode(content, type=tuple[RetryPolicy, ...])
    return MappingProxyType({policy.name: policy for policy in policies})


def bundled_scripts() -> dict[str, Path]:
    """Return the bundled scripts by name, such as ``refund_flow``, in alphabetical order."""
    # In the wheel they lie inside the package; in a checkout beside it.
    folders = (_PACKAGE / "fixtures", _PACKAGE.parent / "fixtures")
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def read_bundled_script(name: str) -> bytes:
    """Read a bundled script by its name, and not by a path; raises a UsageError if there is none of that name."""
    bundled = bundled_scripts()
    if name not in bundled:
        hint = did_you_mean(name, bundled)
        raise UsageError(f"no bundled script {name!r}; there are {', '.join(bundled)}{hint}")
    return read_script_file(bundled[name])


def find_script(name: str) -> Path:
    """Return the file that a user means by a path or the name of a bundled script, or raise a UsageError."""
    path = Path(name)
    if path.is_file():
        return path
    bundled = bundled_scripts()
    if name in bundled:
        return bundled[name]
    if path.is_dir():
        raise UsageError(f"{name} is a folder: name the script file in it")
    hint = did_you_mean(name, bundled)
    raise UsageError(f"no script {name!r}: neither a file nor a bundled script ({', '.join(bundled)}){hint}")


def shown_path(path: Path) -> str:
    """Return how messages name a script: a bundled one by its file's name alone."""
    return path.name if bundled_scripts().get(path.stem) == path else str(path)


def read_script_file(path: Path) -> bytes:
    """Read a script; raises a UsageError if the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
