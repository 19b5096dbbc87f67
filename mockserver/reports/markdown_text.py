"""Text of others in Markdown: nothing of it is markup."""

from __future__ import annotations

import re


def fenced(text: str, language: str = "text") -> list[str]:
    """Return the lines of a code block: a text as it is, in a fence that nothing in it can close.

    Args:
        text: The text; a carriage return in it is spelled out.
        language: What it is written in, for the colours.
    """
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{fence}{language}", text.replace("\r", "\\r"), fence]


def inline_code(text: str) -> str:
    """Return a text as code within a line; as plain text where a backtick in it would end that."""
    return f"`{text}`" if "`" not in text else plain(text)


def plain(text: str) -> str:
    """Return a text on one line: nothing of it is markup, nothing of it ends a cell."""
    return " ".join(re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", text).split())
