"""The test suites that are run to see what plugins and fixtures cost: their text, and how each test is timed."""

from __future__ import annotations

#: One test, of a suite that uses no plugin.
TRIVIAL = "def test_nothing():\n    pass\n"

#: Notes how long each test took with its set-up and teardown, by the part of its name before the number.
CONFTEST = """
import json
from collections import defaultdict
from pathlib import Path
from time import perf_counter

import pytest

seconds = defaultdict(list)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    begin = perf_counter()
    result = yield
    seconds[item.name.rpartition("_")[0]].append(perf_counter() - begin)
    return result


def pytest_sessionfinish(session, exitstatus):
    Path(__file__).with_name("seconds.json").write_text(json.dumps(seconds))
"""

_TESTS = {
    "bare": "def test_bare_{number}():\n    pass\n",
    "mockserver": "def test_mockserver_{number}(mockserver):\n    pass\n",
    "httpserver": "def test_httpserver_{number}(httpserver):\n    pass\n",
    "event": (
        "def test_event_{number}(mockserver):\n"
        "    mockserver.register({url!r}, ['run.failed'], 'whsec_x')\n"
        "    sent = mockserver.send('run.failed')\n"
        "    assert sent.delivered and sent.response.status == 200\n"
    ),
    "night": (
        "def test_night_{number}(mockserver):\n"
        "    mockserver.register({url!r})\n"
        "    report = mockserver.replay('night_of_runs')\n"
        "    assert report.delivered == report.planned == 120\n"
    ),
}
#: Kinds of test that take turns. The cheap ones stay among themselves: what a long test leaves behind (garbage, cold
#: caches) would be charged to the one after it.
_TURNS = (("bare", "mockserver", "httpserver"), ("bare", "event"), ("night",))


def fixture_suite(url: str, count: int) -> str:
    """Return a suite that holds tests of each kind.

    Args:
        url: The consumer of the events.
        count: How many tests of each kind, at least.
    """
    kinds = [kind for turn in _TURNS for _ in range(count) for kind in turn]
    return "\n\n".join(_TESTS[kind].format(number=number, url=url) for number, kind in enumerate(kinds))
