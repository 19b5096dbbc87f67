"""``mockserver.check(...)``: a consumer is checked where there is no mock yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.delivery.event_loop import refuse_to_block
from mockserver.reports.check_report import CheckReport
from mockserver.testing.check_target import CheckKeywords
from mockserver.testing.mock_server import MockServer

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Checker(MockServer):
    """A mock that checks one consumer: it listens on no port."""

    async def _serve(self) -> None:
        pass


def check(target: object, secret: str | None = None, **options: Unpack[CheckKeywords]) -> CheckReport:
    """Fail unless a consumer gets everything right that it must: one line in a test suite, without a fixture.

    Args:
        target: The URL of the consumer, or an ASGI, WSGI or aiohttp application object.
        secret: What it verifies with; None for ``whsec_test``.
        **options: See :class:`CheckKeywords`.

    Returns:
        The report.

    Raises:
        CheckError: Something that it must get right is wrong; the message is a table of what, and how to fix it.
        UsageError: The target, an option, or the probe cannot be used.
        LoopRunningError: An event loop is running in this thread: use :func:`acheck`.
    """
    __tracebackhide__ = True  # pytest would show the arguments, and so the secret
    refuse_to_block("check", "acheck")
    with _Checker() as checker:  # leaving it raises for a failure that no one has looked at
        return checker.check(target, secret, **options)


async def acheck(target: object, secret: str | None = None, **options: Unpack[CheckKeywords]) -> CheckReport:
    """Do as :func:`check` does, without blocking the running event loop."""
    __tracebackhide__ = True
    async with _Checker() as checker:
        return await checker.acheck(target, secret, **options)
