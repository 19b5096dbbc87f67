"""One test over a table: quicker than a case for each row, and as clear when rows fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import pytest

Test = Callable[..., Any]
#: What `pytest.raises` raises when nothing is raised; it is no Exception.
_FAILED = pytest.fail.Exception


def each_row(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """Call a test, or a coroutine, with each row; rows that fail are named together, when all have been tried.

    Args:
        names: The parameters that a row fills, as ``pytest.mark.parametrize`` takes them.
        rows: A tuple for each row; with one name, its value.
    """
    wanted = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names
    table = [dict(zip(wanted, row if len(wanted) > 1 else (row,), strict=True)) for row in rows]

    def decorate(test: Test) -> Test:
        if inspect.iscoroutinefunction(test):

            @wraps(test)
            async def over_all(**fixtures: Any) -> None:
                failures: list[tuple[dict[str, Any], BaseException]] = []
                for row in table:
                    try:
                        await test(**row, **fixtures)
                    except (Exception, _FAILED) as error:  # noqa: BLE001, PERF203 - shown with its row
                        failures.append((row, error))
                _report(failures, len(table))

        else:

            @wraps(test)
            def over_all(**fixtures: Any) -> None:
                failures: list[tuple[dict[str, Any], BaseException]] = []
                for row in table:
                    try:
                        test(**row, **fixtures)
                    except (Exception, _FAILED) as error:  # noqa: BLE001, PERF203 - shown with its row
                        failures.append((row, error))
                _report(failures, len(table))

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name not in wanted]
        over_all.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined] # pytest reads it
        return over_all

    return decorate


def _report(failures: list[tuple[dict[str, Any], BaseException]], rows: int) -> None:
    """Fail for all rows at once; the first failure is the cause, and so shown with its traceback."""
    if failures:
        named = "\n".join(f"{row!s:.500}: {type(error).__name__}: {error}" for row, error in failures)
        raise AssertionError(f"{len(failures)} of {rows} rows fail:\n{named}") from failures[0][1]
