"""Text and values of others, as a message can hold them: without line breaks and control characters."""

from __future__ import annotations

from typing import Any


def one_line(text: str) -> str:
    """Return text of others on one line; line breaks and control characters are spelled out."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def visible(text: str) -> str:
    """Return text of others with its lines, and every other character that cannot be seen spelled out.

    Control characters (of C1 too), and those that turn the direction of writing, change what a terminal, a page or a
    log shows of all that follows.
    """
    return "\n".join("\t".join(map(one_line, line.split("\t"))) for line in text.split("\n"))


def shown(value: Any, most: int = 60) -> str:
    """Return a value as Python writes it, cut off where it is too long.

    Args:
        value: Any value.
        most: How many characters are shown.
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
