"""What tests of the plugin share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mockserver import MockServer
from tests.answering import VerifyingConsumer, verifying
from tests.receiving import SECRET
from tests.testing.suites import Suite

APP = "http://127.0.0.1:9"


@pytest.fixture
def consumer() -> Iterator[VerifyingConsumer]:
    with verifying() as running:
        yield running


@pytest.fixture(scope="session")
def all_imported() -> None:
    """Import what a suite may need: what a suite in this process imports first, pytester forgets."""

    def accept(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    with MockServer(speed="max") as mock:
        mock.route(APP, to=accept)
        mock.register(f"{APP}/hooks")
        assert mock.replay("run_failed").ok
        assert not mock.check(accept, only="PG010").ok


@pytest.fixture
def suite(conftest: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A way to run a suite beside a conftest, in this process or one of its own, warnings as errors.

    Of all the plugins that are installed only ours is loaded, by its entry point, and those that a test names.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(conftest.replace("SECRET", repr(SECRET)))

    def run(
        tests: str, *args: str, plugins: Sequence[str] = (), ini: str = "", process: bool = False
    ) -> pytest.RunResult:
        pytester.makepyfile(tests.replace("SECRET", repr(SECRET)))
        # In this process our plugin is imported already, which pytest warns of.
        warnings = "error\n    ignore::pytest.PytestAssertRewriteWarning"
        pytester.makeini(f"[pytest]\nfilterwarnings =\n    {warnings}\n{ini}")
        run_pytest = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
        named = [arg for name in ("playgent_mockserver.pytest_plugin", *plugins) for arg in ("-p", name)]
        return run_pytest(*named, "-p", "no:cacheprovider", *args)

    return run
