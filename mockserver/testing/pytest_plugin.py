"""The pytest plugin: the fixture ``mockserver``, the marker of the same name, and sections in failing tests' reports.

It is loaded in every pytest run of everyone who has the package installed, so it imports nothing but pytest until the
fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.reports.check_report import CheckReport
    from mockserver.testing.mock_server import MockServer
    from mockserver.testing.server_pool import ServerPool

_SPEED = "speed of scripts in the mockserver fixture: a factor, or max (the default) to skip every wait"
_STRICT = "fail a test whose failed deliveries it never looked at (default: false)"
_MARKER = "mockserver(**settings): settings of the mockserver fixture for this test; see mockserver.MockServer"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini settings."""
    group = parser.getgroup("mockserver")
    group.addoption("--mockserver-speed", metavar="SPEED", help=_SPEED)
    parser.addini("mockserver_speed", _SPEED, default="max")
    parser.addini("mockserver_timeout", "seconds until a delivery must be answered (default: 10)", default="")
    parser.addini("mockserver_strict_deliveries", _STRICT, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def mockserver_settings() -> dict[str, Any]:
    """Settings of the ``mockserver`` fixture for all tests: override it to choose your own.

    Returns:
        Fields of :class:`mockserver.model.settings.Settings`; none by default.
    """
    return {}


@pytest.fixture(scope="session")
def _mockserver_pool() -> Iterator[ServerPool]:
    """The servers of this session, one for each combination of settings."""
    from mockserver.testing.server_pool import ServerPool  # noqa: PLC0415 - only those who use it pay for it

    pool = ServerPool()
    yield pool
    pool.close()


@pytest.fixture
def mockserver(
    request: pytest.FixtureRequest, mockserver_settings: dict[str, Any], _mockserver_pool: ServerPool
) -> Iterator[MockServer]:
    """A clean :class:`mockserver.MockServer` for this test; the server behind it is shared by the session."""
    settings = {**_configured(request.config), **mockserver_settings}
    for marker in reversed(list(request.node.iter_markers("mockserver"))):
        settings.update(marker.kwargs)
    strict = settings.pop("strict_deliveries", request.config.getini("mockserver_strict_deliveries"))
    server = _mockserver_pool.get(settings)
    server.reset()
    try:
        yield server
        _fail_for_checks(server)  # of other fixtures, on their way out; those of the test itself were judged before
        unseen = [] if _has_failed(request.node) or not strict else server.unseen_failures()
        if unseen:
            lines = "\n".join(f"  {delivery}" for delivery in unseen)
            pytest.fail(f"deliveries failed, and the test never looked at them:\n{lines}", pytrace=False)
    finally:
        server.reset()


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that checked a consumer and never asked for the result: the check alone is a test."""
    yield
    server = _server(item)
    if server is not None:
        _fail_for_checks(server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, in the report of a failing test, the deliveries that it caused, and what its checks found out."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_FAILED] = True
        server = _server(item)
        if server is not None:
            if server.deliveries or not server.broken_checks():
                report.sections.append(("mockserver", server.describe()))
            told = str(call.excinfo.value) if call.excinfo else ""
            tables = _tables(server.broken_checks())
            report.sections += [("mockserver check", table) for table in tables if table not in told]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Shut applications down before any fixture ends: with the fixtures goes the event loop that they run on."""
    server = _server(item)
    if server is not None:
        server.shut_down_apps()


def _server(item: pytest.Item) -> MockServer | None:
    server: MockServer | None = getattr(item, "funcargs", {}).get("mockserver")
    return server


def _fail_for_checks(server: MockServer) -> None:
    """Fail for the checks whose failures nobody has looked at."""
    unseen = [check for check in server.broken_checks() if not check.looked_at]
    if unseen:
        pytest.fail("\n\n".join(_tables(unseen)), pytrace=False)


def _tables(checks: Iterable[CheckReport]) -> list[str]:
    """The reports as text, for somebody to look at."""
    shown = list(checks)
    for check in shown:
        check.looked_at = True
    return [str(check) for check in shown]


def _has_failed(item: pytest.Item) -> bool:
    return item.stash.get(_FAILED, False)


def _configured(config: pytest.Config) -> dict[str, Any]:
    """The settings of the command line and the ini file."""
    speed = config.getoption("--mockserver-speed") or config.getini("mockserver_speed")
    timeout = config.getini("mockserver_timeout")
    try:
        settings: dict[str, Any] = {"speed": speed if speed == "max" else float(speed)}
        return {**settings, "timeout": float(timeout)} if timeout else settings
    except ValueError:
        raise pytest.UsageError(
            f"mockserver: speed must be a number or max, timeout a number, not {speed!r} and {timeout!r}"
        ) from None
