"""What messages are made of: text of others that can do no harm in them, lists of choices, and likely typing errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_OUTSIDE_ASCII = r"[^\x00-\x7e]"


def one_line(text: str) -> str:
    """Return text of others on one line; line breaks and control characters are spelled out."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def visible(text: str) -> str:
    """Return text of others with its lines, and every other character that cannot be seen spelled out.

    Control characters (of C1 too), and those that turn the direction of writing, change what a terminal, a page or a
    log shows of all that follows.
    """
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(one_line, line.split("\t"))) for line in text.split("\n"))


def harmless_json(text: str) -> str:
    """Return JSON text that means the same, with every character escaped that cannot be seen in an editor or a log."""
    return re.sub(
        _OUTSIDE_ASCII, lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text
    )


def shown(value: Any, most: int = 60) -> str:
    """Return a value as Python writes it, cut off where it is longer than ``most`` characters."""
    return cut_short(repr(value[: most + 1] if isinstance(value, str) else value), most)


def cut_short(text: str, most: int = 80) -> str:
    """Return a text, cut off where it is longer than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shortened(text: str, most: int) -> str:
    """Return the beginning of a text, and how much is left out; secrets must be gone: half of one is not recognised."""
    return text if len(text) <= most else f"{text[:most]} ... ({len(text) - most} more characters)"


#: How much of two words is the same in both, at least, for one to be taken for the other.
_CLOSE = 0.6


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` when one of the allowed words is close to ``word``, else an empty string."""
    length = len(word)
    candidates = {
        candidate.lower(): candidate
        for candidate in allowed
        if 2 * min(length, len(candidate)) >= _CLOSE * (length + len(candidate))  # of another length, none is close
    }
    if not candidates:
        return ""
    from difflib import get_close_matches  # noqa: PLC0415 - most programs run without a typing error

    matches = get_close_matches(word.lower(), candidates, n=1, cutoff=_CLOSE)
    return f"; did you mean {candidates[matches[0]]!r}?" if matches else ""


def listed(words: Iterable[str]) -> str:
    """Return words as a reader expects a list of choices: ``a, b or c``."""
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last
