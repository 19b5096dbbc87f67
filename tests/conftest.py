"""What all tests share."""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests import tiers

# No example is wrong for taking its time; all else as it was, which in a CI is otherwise than at home.
settings.register_profile("unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

pytest_plugins = ["pytester", "tests.consumers.fixtures", "tests.quick_time"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two tiers: the default one needs Python and the extra ``test``, the full one Node.js, curl and openssl too."""
    parser.addoption("--full", action="store_true", help="run the full tier as well: slow tests, and those with tools")


def pytest_configure(config: pytest.Config) -> None:
    """Let modules know the tier as well."""
    tiers.full = config.getoption("full")
    if sys.version_info < (3, 11):
        # There asyncio.run drops the loop that an older pytest-asyncio left set, and whichever test runs when that is
        # collected would fail for its sockets: a pair of its own, as only loops have.
        dropped = r"Exception ignored in. <(socket\.socket fd=-1, family=AddressFamily\.AF_UNIX|function BaseEventLoop)"
        config.addinivalue_line("filterwarnings", f"ignore:{dropped}:pytest.PytestUnraisableExceptionWarning")
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


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """What tests start ends with them, and what they write goes into folders of their own."""
    before = _what_there_is()
    yield
    deadline = time.monotonic() + 30
    while (left := _what_there_is() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, "tests have left this behind; the last of them need not be the one that did it"


def _what_there_is() -> set[str]:
    """The threads of this process, its children, and in a CI, where no one else writes, the files of the checkout."""
    threads = {f"thread {each.name} ({each.ident})" for each in threading.enumerate()}
    children = {repr(each) for each in psutil.Process().children(recursive=True)}
    return threads | children | ({f"file {each}" for each in _files()} if "CI" in os.environ else set())


def _files() -> Iterator[Path]:
    """All but what git ignores; "reference" is made when the documentation is."""
    for folder, folders, files in os.walk(Path(__file__).parent.parent):
        folders[:] = [each for each in folders if not each.startswith(".") and each not in ("__pycache__", "reference")]
        yield from (Path(folder, each) for each in files)
