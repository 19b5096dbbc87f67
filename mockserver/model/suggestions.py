"""What a typing error probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` when one of the allowed words is close to ``word``, else an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 - most programs run without a typing error

    candidates = {candidate.lower(): candidate for candidate in allowed}
    matches = get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return f"; did you mean {candidates[matches[0]]!r}?" if matches else ""


def listed(words: Iterable[str]) -> str:
    """Return words as a reader expects a list of choices: ``a, b or c``."""
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last
