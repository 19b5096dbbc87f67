"""JSON from outside, which may be anything at all: decoding it, and finding values in it by JSONPath (RFC 9535)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath


#: How deep a value may be nested. Less than any recursion limit, so that whatever is done with it ends well.
_DEEPEST = 200


class NotJsonError(ValueError):
    """Bytes are not JSON that can be used; the message says why, on one line."""


def decode_json(raw: bytes) -> Any:
    """Decode JSON that came from outside.

    Raises a NotJsonError, and nothing else, for what is not UTF-8, not JSON, or nested too deep.
    """
    try:
        value = msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise NotJsonError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except msgspec.DecodeError as error:
        raise NotJsonError(str(error)) from None
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise NotJsonError(_TOO_DEEP)
    return value


_TOO_DEEP = f"nested more than {_DEEPEST} levels deep"


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


_LONGEST = 1000
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""


def check_path(path: str) -> None:
    """Raise a ValueError for what is not a JSONPath such as ``$.refunds.count``, or not one that ends soon.

    Regular expressions (``match``, ``search``, ``=~``) may never end; with two descents (``..``), or ``$`` within a
    filter, the work grows with the square of the answer.
    """
    _compiled(path)


def find_all(path: str, document: Any) -> list[Any]:
    """Return the values that a path finds in decoded JSON; raises a ValueError if it is refused or fails."""
    from jsonpath import JSONPathError  # noqa: PLC0415 - few scripts have an effect to prove: all others start faster

    try:
        found: list[Any] = _compiled(path).findall(document)
    except (JSONPathError, RecursionError) as error:
        raise ValueError(f"{path} fails: {str(error).splitlines()[0]}") from None
    return found


@lru_cache(maxsize=256)
def _compiled(path: str) -> JSONPath | CompoundJSONPath:
    from jsonpath import JSONPathEnvironment, JSONPathError  # noqa: PLC0415 - as in find_all

    if len(path) > _LONGEST:
        raise ValueError(f"a JSONPath has at most {_LONGEST} characters")
    environment = JSONPathEnvironment()
    for regular_expression in ("match", "search"):
        del environment.function_extensions[regular_expression]
    try:
        compiled = environment.compile(path)
    except JSONPathError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_cost(re.sub(_QUOTED, "''", path))
    return compiled


def _check_cost(path: str) -> None:
    """Refuse a path, its quoted texts emptied, for what it may cost. Tokens differ between versions of the library."""
    if "=~" in path:
        raise ValueError("regular expressions are not allowed: compare with ==")
    if path.count("..") > 1:
        raise ValueError("only one .. is allowed")
    if "$" in path[1:]:
        raise ValueError("$ is allowed at the beginning only")
