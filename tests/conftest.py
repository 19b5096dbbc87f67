"""What all tests share."""

import gc
import signal
import socket
from collections.abc import Iterator

import pytest

from tests import tiers

pytest_plugins = ["pytester", "tests.consumers.fixtures", "tests.quick_time"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two tiers: the default one needs Python and the extra ``test``, the full one Node.js, curl and openssl too."""
    parser.addoption("--full", action="store_true", help="run the full tier as well: slow tests, and those with tools")


def pytest_configure(config: pytest.Config) -> None:
    """Let modules know the tier as well."""
    tiers.full = config.getoption("full")
    if config.pluginmanager.hasplugin("xdist"):
        from xdist.workermanage import NodeManager  # noqa: PLC0415 - only where tests run in several processes

        # A worker that has not ended by then is killed, and with it goes what it knows of coverage.
        NodeManager.EXIT_TIMEOUT = 120


def pytest_report_header(config: pytest.Config) -> str:
    """Say which tier runs: under pytest-xdist nothing else does."""
    return "tier: full" if config.getoption("full") else "tier: default (pytest --full runs the rest)"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of the full tier, unless they are asked for."""
    if config.getoption("full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    if full:
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays for the whole run, modules and items: most of what there is."""
    gc.collect()
    gc.freeze()


# A runner in the background hands Ctrl-C down as ignored, and so would the commands under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs suites as on anybody's desk: in a CI, pytest prints each failure a second time, in its summary."""
    for name in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    return pytester


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which nothing listens. It is held: tests that run beside this one look for free ones."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
