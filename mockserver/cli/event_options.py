"""The options that say what an event holds: its data, changes to the sample, and faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mockserver.cli.files import read_standard_input
from mockserver.cli.options import option
from mockserver.errors import UsageError

C = TypeVar("C", bound=Callable[..., Any])

_EVENT_OPTIONS: Sequence[Callable[[Any], Any]] = (
    option("--data", metavar="JSON|@FILE|-", help="The exact data of the payload; - is standard input."),
    option("--override", multiple=True, spaces=True, metavar="KEY=VALUE", help="A value to change in the sample."),
    option("--remove", multiple=True, spaces=True, metavar="KEY", help="A key or dotted path to remove."),
    option(
        "--fault",
        multiple=True,
        spaces=True,
        metavar="FAULT",
        help="A deliberate defect, such as wrong_secret or 'slow_body(2s)'; can be given several times.",
    ),
)


def event_options(command: C) -> C:
    """Declare the options."""
    for declare in reversed(_EVENT_OPTIONS):
        command = declare(command)
    return command


def read_event_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take these options out of those of a command; raises UsageError."""
    data = options.pop("data")
    return {
        "data": None if data is None else _read_data(data),
        "override": dict(_read_override(text) for text in options.pop("override")),
        "remove": options.pop("remove"),
        "fault": [_read_fault(text) for text in options.pop("fault")],
    }


def _read_fault(text: str) -> Any:
    """Read ``--fault``: the short form, or an object as JSON."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return _read_json("--fault", text)
    except (ValueError, RecursionError):
        form = "'slow_body(2s)' or '{\"slow_body\": \"2s\"}'"
        raise UsageError(f"--fault {text!r} is not JSON; give it as {form}") from None


def _read_data(given: str) -> dict[str, Any]:
    """Read ``--data``: JSON, a file after ``@``, or standard input."""
    try:
        data = _read_json("--data", _data_text(given))
    except UnicodeDecodeError as error:
        raise UsageError(f"--data is not UTF-8: {error.reason} at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--data is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; give an object such as"
            ' \'{"run_id": "run_1"}\', or @FILE'
        ) from None
    except RecursionError:
        raise UsageError("--data is nested too deep") from None
    except ValueError:
        raise UsageError("--data holds a number that is too long") from None
    if not isinstance(data, dict):
        raise UsageError(f'--data must be a JSON object such as {{"run_id": "run_1"}}, not {_kind(data)}')
    return data


def _data_text(given: str) -> str:
    if given == "-":
        return read_standard_input("the data").decode("utf-8-sig")
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise UsageError(f"cannot read the file of --data, {given[1:]}: {reason}") from None


def _read_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--override {text!r} is not KEY=VALUE, such as run_id=run_1 or summary.turns_failed=2")
    try:
        return key, _read_json(f"--override {key}", value, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return key, value


def _read_json(option: str, text: str, **settings: Any) -> Any:
    """Read JSON as scripts do, whose keys occur once; raises UsageError, ValueError or RecursionError."""
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return value

    value = json.loads(text, object_pairs_hook=members, **settings)
    if repeated:
        raise UsageError(f"{option}: {_place_of_second(text) or f'the key {repeated[0]!r} is here twice'}")
    return value


def _place_of_second(text: str) -> str:
    """Say where in a JSON text a key occurs again; empty where scripts would not read it at all."""
    # Imported here: hardly ever needed, and what reads scripts takes a moment to import.
    from mockserver.model.fields import Reading, TooManyProblemsError  # noqa: PLC0415 - see above
    from mockserver.script.source import UnreadableError  # noqa: PLC0415 - see above
    from mockserver.script.tree import read_json  # noqa: PLC0415 - see above

    reading = Reading([])
    with suppress(UnreadableError, TooManyProblemsError):
        read_json(text, reading)
    return "; ".join(f"line {each.line}, column {each.column}: {each.message}" for each in reading.problems)


def _not_json(_: str) -> Any:
    raise ValueError


def _kind(value: Any) -> str:
    names: Sequence[tuple[type, str]] = ((list, "a list"), (str, "text"), (bool, "true or false"), (type(None), "null"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")
