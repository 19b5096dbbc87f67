"""The pytest plugin: the fixture ``mockserver``, the marker of the same name, and sections in failing tests' reports.

It is loaded in every pytest run of everyone who has the package installed, so it imports nothing but pytest until the
fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from playgent_mockserver import why_shared

if TYPE_CHECKING:
    from mockserver.testing.mock_server import MockServer, ServerPool

_SPEED = "speed of scripts in the mockserver fixture: a factor, or max (the default) to skip every wait"
_STRICT = "fail a test for deliveries and replays that failed and that it never looked at (default: true)"
_MARKER = "mockserver(**settings): settings of the mockserver fixture for this test; see mockserver.MockServer"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini settings."""
    group = parser.getgroup("mockserver")
    group.addoption("--mockserver-speed", metavar="SPEED", help=_SPEED)
    parser.addini("mockserver_speed", _SPEED, default="max")
    parser.addini("mockserver_timeout", "seconds until a delivery must be answered (default: 10)", default="")
    parser.addini("mockserver_strict_deliveries", _STRICT, type="bool", default=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


_USED = pytest.StashKey[bool]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name another distribution that shares our package, where the fixture was used."""
    if config.stash.get(_USED, False) and (shared := why_shared()):
        terminalreporter.write_line(f"playgent-mockserver: {shared}")


@pytest.fixture(scope="session")
def mockserver_settings() -> dict[str, Any]:
    """Settings of the ``mockserver`` fixture for all tests: override it to choose your own.

    Returns:
        Fields of :class:`mockserver.model.settings.Settings`; none by default.
    """
    return {}


@pytest.fixture(scope="session")
def _mockserver_pool(request: pytest.FixtureRequest) -> Iterator[ServerPool]:
    """The servers of this session, one for each combination of settings."""
    from mockserver.testing.mock_server import ServerPool  # noqa: PLC0415 - only those who use it pay for it

    request.config.stash[_USED] = True
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
        if marker.args:
            pytest.fail(f"the marker mockserver takes settings by name, such as seed=7, not {marker.args[0]!r}", False)
        settings.update(marker.kwargs)
    server = _started(_mockserver_pool, settings)
    server.reset()
    try:
        yield server
        if not _has_failed(request.node):
            _fail_for_unseen(server)  # what happened in other fixtures, on their way out
    finally:
        server.reset()


def _started(pool: ServerPool, settings: dict[str, Any]) -> MockServer:
    from mockserver.errors import MockServerError  # noqa: PLC0415 - only those who use the fixture pay for it

    problem = ""
    try:
        return pool.get(settings)
    except MockServerError as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)


@pytest.fixture
def playgent(mockserver: MockServer) -> MockServer:
    """The fixture ``mockserver`` by its other name."""
    return mockserver


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that caused failures, or found some with a check, and never looked at them."""
    yield
    server = _server(item)
    if server is not None:
        _fail_for_unseen(server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, in the report of a failing test, the deliveries that it caused, and what its checks found out."""
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        _hide_our_frames(call.excinfo)
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_FAILED] = True
        server = _server(item)
        if server is not None:
            if server.deliveries or not server.broken_checks():
                report.sections.append(("mockserver", server.describe()))
            shown = str(call.excinfo.value) if call.excinfo else ""
            tables = map(str, server.broken_checks())
            report.sections += [("mockserver check", table) for table in tables if table not in shown]
    return report


def _hide_our_frames(failure: pytest.ExceptionInfo[BaseException]) -> None:
    """End the traceback of an error of ours where the test called us: its message says what is wrong."""
    bases = {f"{base.__module__}.{base.__name__}" for base in type(failure.value).__mro__}
    if "mockserver.errors.MockServerError" not in bases:  # by name, as nothing is imported here for its sake
        return
    above, entry = failure.tb, failure.tb.tb_next
    while entry is not None:
        module = str(entry.tb_frame.f_globals.get("__name__"))
        if module.startswith("mockserver.") and module != __name__:  # this module is above the test
            above.tb_next = None
            return
        above, entry = entry, entry.tb_next


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Shut applications down before any fixture ends: with the fixtures goes the event loop that they run on."""
    server = _server(item)
    if server is not None:
        server.shut_down_apps()


def _server(item: pytest.Item) -> MockServer | None:
    server: MockServer | None = getattr(item, "funcargs", {}).get("mockserver")
    return server


def _fail_for_unseen(server: MockServer) -> None:
    from mockserver.errors import MockServerError  # noqa: PLC0415 - only those who use the fixture pay for it

    failure = ""
    try:
        server.raise_for_unseen()
    except MockServerError as error:
        failure = str(error)
    if failure:
        pytest.fail(failure, pytrace=False)


def _has_failed(item: pytest.Item) -> bool:
    return item.stash.get(_FAILED, False)


def _configured(config: pytest.Config) -> dict[str, Any]:
    """The settings of the command line and the ini file."""
    speed = config.getoption("--mockserver-speed") or config.getini("mockserver_speed")
    timeout = config.getini("mockserver_timeout")
    try:
        settings: dict[str, Any] = {"speed": speed if speed == "max" else float(speed)}
        settings["strict_deliveries"] = config.getini("mockserver_strict_deliveries")
        return {**settings, "timeout": float(timeout)} if timeout else settings
    except ValueError:
        raise pytest.UsageError(
            f"mockserver: speed must be a number or max, timeout a number, not {speed!r} and {timeout!r}"
        ) from None
