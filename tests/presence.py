"""What may be missing, and here is not."""

from __future__ import annotations

from typing import TypeVar

from mockserver.model.messages import ExchangeError

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value itself; fails where there is none."""
    assert value is not None
    return value


def failure(error: ExchangeError | None) -> tuple[str, str]:
    """Kind and message of an error; fails where there is none."""
    return present(error).kind, present(error).message
