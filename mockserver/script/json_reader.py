"""Reading a small JSON object fast, where nobody asks for the places of its values: :func:`read_plain_json`.

Reading YAML takes most of the time that an event step of a test takes until it is sent, and nearly every such step is a
line of JSON. Places are needed by messages alone. So what is plain is read here, and whatever is not, or turns out to
have a problem, is read by :func:`~mockserver.script.yaml_reader.read_yaml`, which gives the same values.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mockserver.model.nodes import Member, Node
from mockserver.script.yaml_reader import MAX_DEPTH

#: Larger sources are read as YAML.
_MOST_BYTES = 16_384
#: Longer keys are read as YAML, which has a limit of its own for them.
_MOST_KEY = 256
#: More digits are read as YAML, which says what does not fit in 64 bits.
_MOST_DIGITS = 18
#: Escapes, control characters and what is not ASCII are read as YAML, which has rules of its own for them.
_NOT_PLAIN = re.compile(rb"[^\n\r -~]|\\")


def read_plain_json(source: bytes | str) -> Node | None:
    """Read a JSON object.

    Args:
        source: UTF-8 bytes, or text.

    Returns:
        Its tree, in which every value and every key is said to stand at its beginning; None if it is not plain JSON:
        :func:`~mockserver.script.yaml_reader.read_yaml` tells whether it is anything else.
    """
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if not raw.startswith(b"{") or len(raw) > _MOST_BYTES or _NOT_PLAIN.search(raw):
        return None
    try:
        return _node(_decode(raw.decode("ascii")), 1)
    except (ValueError, RecursionError):
        return None


def _node(value: Any, depth: int) -> Node:
    if not isinstance(value, (dict, list)):
        return Node(1, 1, value)
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        return Node(1, 1, [_node(item, depth + 1) for item in value])
    return Node(1, 1, {key: Member(1, 1, _node(item, depth + 1)) for key, item in value.items()})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs) or any(len(key) > _MOST_KEY for key in members):
        raise ValueError("a key is here twice, or too long")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("perhaps more than 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("too large")
    return number


def _no_number(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_no_number
).decode
