"""What all tests share."""

import signal
import socket

import pytest

pytest_plugins = ["pytester", "tests.consumers.fixtures"]

# A runner in the background hands Ctrl-C down as ignored, and so would the commands under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def pytester(pytester, monkeypatch):
    """Runs suites as on anybody's desk: in a CI, pytest prints each failure a second time, in its summary."""
    for name in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    return pytester


@pytest.fixture
def closed_port():
    """A port of 127.0.0.1 on which nobody listens. It is held: tests that run beside this one look for free ones."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
