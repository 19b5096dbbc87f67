"""Text and values of others, as a message can hold them: without line breaks and control characters."""

from __future__ import annotations

from typing import Any


def one_line(text: str) -> str:
    """Return text of others on one line; line breaks and control characters are spelled out."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown(value: Any, most: int = 60) -> str:
    """Return a value as Python writes it, cut off where it is too long.

    Args:
        value: Any value.
        most: How many characters are shown.
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
