"""The consumer's own count of handled events, read over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
import requests

from mockserver.errors import UsageError
from mockserver.model.json_values import find_all


class LoadProbeError(Exception):
    """The count cannot be read; the message says why."""


def read_count(url: str, path: str | None, timeout: float = 10.0) -> float:
    """Read the count.

    Args:
        url: What to GET.
        path: JSONPath of the number; None where the answer is a number, or an object with one number in it.
        timeout: Seconds until the answer must be there.

    Raises:
        LoadProbeError: It is not answered, not with 2xx, or not with a number.
    """
    with requests.Session() as session:
        session.trust_env = False  # the consumer is on this machine or network: no proxy
        try:
            answer = session.get(url, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise LoadProbeError(f"the probe {url} got no answer: {type(error).__name__}") from None
    if not 200 <= answer.status_code < 300:
        raise LoadProbeError(f"the probe {url} answered {answer.status_code}")
    try:
        document = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError):
        raise LoadProbeError(f"the probe {url} did not answer JSON") from None
    found = _at_path(document, path) if path else _only_numbers(document)
    if len(found) != 1 or isinstance(found[0], bool) or not isinstance(found[0], (int, float)):
        raise LoadProbeError(f"the probe {url} answers {_shown(found, path)}: set probe_json to the path of its count")
    return float(found[0])


def _at_path(document: Any, path: str) -> list[Any]:
    try:
        return find_all(path, document)
    except ValueError as error:
        raise UsageError(f"probe_json {path!r} is not a JSONPath: {error}") from None


def _only_numbers(document: Any) -> list[Any]:
    values = document.values() if isinstance(document, dict) else [document]
    return [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]


def _shown(found: list[Any], path: str | None) -> str:
    where = f" at {path}" if path else ""
    return f"{len(found)} values{where}, not one number" if len(found) != 1 else f"no number{where}"
