"""Reading a request: from decoded JSON to its Struct, or all that is wrong with it in one message.

msgspec converts what is right at once. What is wrong is looked at again, value by value, for a message that names every
field, what it holds and what is allowed.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from mockserver.model.wording import cut_short, did_you_mean, listed

R = TypeVar("R", bound=msgspec.Struct)

#: The most problems that are worded: a hostile body could have a million.
_MOST_SHOWN = 10
#: Guessing costs time for each letter and each key.
_MOST_GUESSED = 32

_Found = list[str]


class RequestError(ValueError):
    """A request that is refused; the message names every field that is wrong, and what is allowed."""


def read_request(value: Any, kind: type[R]) -> R:
    """Read the decoded body of a call, which may be any JSON; unknown fields are ignored.

    Raises a RequestError if it is not the kind of request that it should be.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        problems: _Found = []
        read = _read(value, _type_of(kind), "", problems)
        if problems:
            raise RequestError(_worded(problems)) from None
        return msgspec.convert(read, kind)  # 2.0 where 2 is meant


@cache
def _type_of(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _worded(problems: _Found) -> str:
    more = len(problems) - _MOST_SHOWN
    return "; ".join([*problems[:_MOST_SHOWN], *([f"and {more} more problems"] if more > 0 else [])])


def _read(value: Any, kind: inspect.Type, path: str, problems: _Found) -> Any:
    """Return the value with whole numbers as such, noting what is wrong with it."""
    if isinstance(kind, inspect.Metadata):
        return _read(value, kind.type, path, problems)
    if isinstance(kind, inspect.UnionType):
        kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return None if value is None else _read(value, kinds[0], path, problems)
    if isinstance(kind, inspect.StructType):
        return _read_object(value, kind, path, problems)
    if isinstance(kind, inspect.DictType):
        if _is(value, dict, "an object", path, problems):
            return {key: _read(item, kind.value_type, _below(path, key), problems) for key, item in value.items()}
        return value
    if isinstance(kind, inspect.VarTupleType):
        return _read_list(value, kind, path, problems)
    return _read_scalar(value, kind, path, problems)


def _read_object(value: Any, kind: inspect.StructType, path: str, problems: _Found) -> Any:
    if not _is(value, dict, "a JSON object" if not path else "an object", path, problems):
        return value
    known = [field.encode_name for field in kind.fields]
    for field in kind.fields:
        if field.required and field.encode_name not in value:
            problems.append(f"Missing required field: {_below(path, field.encode_name)}{_guess(value, field, known)}")
    fields = {field.encode_name: field.type for field in kind.fields}
    return {
        key: _read(item, fields[key], _below(path, key), problems) if key in fields else item
        for key, item in value.items()
    }


def _guess(value: dict[str, Any], field: inspect.Field, known: list[str]) -> str:
    unknown = [key for key in list(value)[:_MOST_GUESSED] if key not in known and len(key) <= _MOST_GUESSED]
    guess = next((key for key in unknown if did_you_mean(key, [field.encode_name])), None)
    return f" (there is {guess!r}: was that meant?)" if guess else ""


def _read_list(value: Any, kind: inspect.VarTupleType, path: str, problems: _Found) -> Any:
    if not _is(value, list, "a list", path, problems):
        return value
    if kind.min_length is not None and len(value) < kind.min_length:
        least = "one item" if kind.min_length == 1 else f"{kind.min_length} items"
        problems.append(f"{path} needs at least {least}, and has {len(value) or 'none'}")
    return [_read(item, kind.item_type, f"{path}[{index}]", problems) for index, item in enumerate(value)]


_SCALARS = (
    (inspect.StrType, str, "text"),
    (inspect.BoolType, bool, "true or false"),
    (inspect.IntType, int, "a whole number"),
    (inspect.FloatType, (int, float), "a number"),
)


def _read_scalar(value: Any, kind: inspect.Type, path: str, problems: _Found) -> Any:
    if isinstance(kind, inspect.LiteralType):
        if value not in kind.values or isinstance(value, bool):
            hint = did_you_mean(value[:_MOST_GUESSED], map(str, kind.values)) if isinstance(value, str) else ""
            problems.append(f"{path} must be {listed(map(str, kind.values))}, not {_shown(value)}{hint}")
        return value
    for scalar, python, words in _SCALARS:
        if isinstance(kind, scalar):
            if python is int and isinstance(value, float) and value.is_integer():
                return int(value)
            _is(value, python, words, path, problems)
    return value


def _is(value: Any, python: Any, words: str, path: str, problems: _Found) -> bool:
    fits = isinstance(value, python) and (python is bool or not isinstance(value, bool))
    if not fits:
        problems.append(f"{path or 'The request body'} must be {words}, not {_shown(value)}")
    return fits


def _below(path: str, key: str) -> str:
    return f"{path}.{cut_short(key)}" if path else cut_short(key)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return cut_short(msgspec.json.encode(value).decode(), 60)
