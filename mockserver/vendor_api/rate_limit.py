"""The rate limit of the vendor API: how many requests an API key has left, and until when.

Documented: 100 requests a minute on the Standard plan, and three headers on every response (page
"api-reference/introduction"). Ours: the minute begins with the first request of a key, and ends sixty seconds later.
"""

from __future__ import annotations

import math

import msgspec

WINDOW_SECONDS = 60.0


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """What a key may still do in its current minute, after the request that was just counted.

    Args:
        limit: Requests allowed per minute.
        remaining: Requests left; never below 0.
        reset: When the next minute begins, in whole Unix seconds.
        allowed: Whether the request that was counted is within the limit.
        wait: Whole seconds until then, at least 1: the value for ``Retry-After``.
    """

    limit: int
    remaining: int
    reset: int
    allowed: bool
    wait: int


class RateLimit:
    """Counts requests in fixed windows of one minute for each API key.

    Args:
        limit: Requests allowed per minute and key.
        max_keys: How many keys are remembered; the one that came first is forgotten for one more.
    """

    def __init__(self, limit: int, max_keys: int = 1_000) -> None:
        self._limit = limit
        self._max_keys = max_keys
        self._windows: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, key: str, now: float) -> Allowance:
        """Count one request.

        Args:
            key: Whose request it is; empty for requests without a key.
            now: Unix seconds. A clock that was set back begins a new window.

        Returns:
            What the key has left.
        """
        start, used = self._windows.get(key, (now, 0))
        if not 0 <= now - start < WINDOW_SECONDS:
            start, used = now, 0
        if key not in self._windows and len(self._windows) >= self._max_keys:
            del self._windows[next(iter(self._windows))]
        used += 1
        self._windows[key] = (start, used)
        end = start + WINDOW_SECONDS
        return Allowance(
            self._limit,
            max(self._limit - used, 0),
            math.ceil(end),
            used <= self._limit,
            max(math.ceil(end - now), 1),
        )

    def clear(self) -> None:
        """Forget every count."""
        self._windows.clear()
