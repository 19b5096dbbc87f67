"""The package whose name is ours alone: what it says where another distribution has taken the place of the other."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest

import playgent_mockserver as entry
from playgent_mockserver import pytest_plugin


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite that loads no plugin but those that it is given."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for packages; one more that is not there."""
    path = tmp_path / "site-packages"
    path.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "gone" / "site-packages"), str(path), *sys.path])
    return path


@pytest.fixture(params=["replaced", "broken"])
def why(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another package in the place of ours, or one that cannot be imported; why it cannot be used."""
    if request.param == "replaced":
        monkeypatch.setitem(sys.modules, "mockserver", types.ModuleType("mockserver"))
        return "playgent-mockserver was replaced by mockserver-client: both install a package named mockserver"
    monkeypatch.setitem(sys.modules, "mockserver", None)
    return "playgent-mockserver is broken ("


def test_a_package_that_is_not_ours_is_named_in_one_line(why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No command runs, and there is no traceback."""
    assert entry.main(["--version"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"playgent-mockserver: {why}")
    assert printed.err.count("\n") == 1
    assert "pip install --force-reinstall playgent-mockserver" in printed.err


def test_a_broken_package_beside_another_distribution_says_so(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is the reason, most likely."""
    (site / "mockserver_client-5.15.0.dist-info").mkdir()
    monkeypatch.setitem(sys.modules, "mockserver", None)
    assert entry.main(["--version"]) == 2
    assert "mockserver-client is installed as well" in capsys.readouterr().err


@pytest.fixture
def plugin(why: str) -> types.ModuleType:
    """The pytest plugin, as it is loaded where the package cannot be used."""
    spec = importlib.util.spec_from_file_location("the_plugin", pytest_plugin.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert why
    return module


def test_tests_that_use_a_fixture_of_a_broken_package_say_so(
    plugin: types.ModuleType, why: str, suite: pytest.Pytester
) -> None:
    """And no other test fails."""
    suite.makepyfile("def test_one(mockserver): pass\ndef test_two(playgent): pass\ndef test_three(tmp_path): pass\n")
    done = suite.runpytest_inprocess(plugins=[plugin])
    done.assert_outcomes(passed=1, errors=2)
    done.stdout.fnmatch_lines([f"{why}*"])


def test_a_fixture_of_another_distribution_is_not_taken_for_ours(suite: pytest.Pytester) -> None:
    """It would be called with what only ours understands."""
    suite.makepyfile(
        mockserver_theirs="import pytest\n\n@pytest.fixture\ndef mockserver():\n    return 7\n",
        test_it="def test_one(mockserver): pass\n",
    )
    suite.syspathinsert()
    done = suite.runpytest_inprocess("-p", "mockserver_theirs", plugins=[pytest_plugin])
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["the fixture mockserver is that of mockserver_theirs"])
