"""What all tests share."""

import signal

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
