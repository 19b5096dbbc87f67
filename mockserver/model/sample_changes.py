"""Changes to an event's sample data: ``override`` and ``remove``.

Both name places in the sample: a key, a dotted path (``summary.turns_failed``), with numbers for items of lists
(``changes_made.0.type``). A place that does not exist is an error, so that a typing error never passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mockserver.model.suggestions import did_you_mean

_SCALARS = (str, int, float, type(None))


class PathError(ValueError):
    """A place that the sample data does not have; the message says what it has."""


def change_sample(sample: Mapping[str, Any], override: Mapping[str, Any], remove: Sequence[str]) -> dict[str, Any]:
    """Return the sample data with some places changed and others removed.

    Args:
        sample: The sample data; it stays as it is.
        override: New values by place. An object given for an object changes the keys it names; anything else replaces.
        remove: Places to take away.

    Raises:
        PathError: A place does not exist in the sample.
    """
    data: dict[str, Any] = copied(sample)
    for path, value in override.items():
        _override(data, path, value)
    for path in remove:
        parent, key = _locate(data, path)
        del parent[key]
    return data


def copied(value: Any) -> Any:
    """Copy JSON data, as deep as needed for changing it."""
    if isinstance(value, _SCALARS):  # nearly every value is one, and asking for a Mapping takes long
        return value
    if isinstance(value, Mapping):
        return {key: copied(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(child) for child in value]
    return value


def _override(data: Any, path: str, value: Any) -> None:
    parent, key = _locate(data, path)
    if isinstance(value, Mapping) and isinstance(parent[key], dict):
        for name, child in value.items():
            if name not in parent[key]:
                raise _no_such(f"{path}.{name}", name, path, parent[key])
            _override(parent[key], name, child)
    else:
        parent[key] = copied(value)


def _locate(data: Any, path: str) -> tuple[Any, Any]:
    """The container and the key or index in it that a path names."""
    if isinstance(data, dict) and path in data:
        return data, path
    parent: Any = None
    key: Any = None
    seen = ""
    here = data
    for part in path.split("."):
        parent, key = here, part
        if isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            key = int(part)
        elif not isinstance(here, dict) or part not in here:
            raise _no_such(path, part, seen, here)
        here = parent[key]
        seen = f"{seen}.{part}" if seen else part
    return parent, key


def _no_such(path: str, part: str, seen: str, here: Any) -> PathError:
    where = f"in {seen!r}" if seen else "in the sample data"
    known = list(_keys(here))
    if not known:
        return PathError(f"no {path!r} in the sample data: {seen!r} is a single value or empty")
    return PathError(f"no {part!r} {where}; there are {', '.join(known)}{did_you_mean(part, known)}")


def _keys(here: Any) -> Iterator[str]:
    if isinstance(here, (dict, list)):
        yield from here if isinstance(here, dict) else map(str, range(len(here)))
