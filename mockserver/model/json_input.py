"""JSON from outside: the bytes that a consumer or a client sent may be anything at all."""

from __future__ import annotations

from typing import Any

import msgspec

#: How deep a value may be nested. Less than any recursion limit, so that whatever is done with it ends well.
_DEEPEST = 200


class NotJsonError(ValueError):
    """Bytes are not JSON that can be used; the message says why, on one line."""


def decode_json(raw: bytes) -> Any:
    """Decode JSON that came from outside.

    Args:
        raw: The bytes.

    Raises:
        NotJsonError: They are not UTF-8, not JSON, or nested too deep; nothing else is ever raised.
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
