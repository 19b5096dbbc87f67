"""The entry of the pytest plugin, :mod:`mockserver.testing.pytest_plugin`, if that is there to be loaded."""

from __future__ import annotations

import pytest

from playgent_mockserver import why_broken, why_shared

_BROKEN = why_broken()

if not _BROKEN:
    pytest_plugins = ("mockserver.testing.pytest_plugin",)
else:

    @pytest.fixture
    def mockserver() -> None:
        """Fail the test that asks for it."""
        pytest.fail(_BROKEN, pytrace=False)

    @pytest.fixture
    def playgent(mockserver: None) -> None:
        """The fixture ``mockserver`` by its other name."""


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Fail a test that would get a fixture of the other distribution, whose plugin has one of the name of ours."""
    home = fixturedef.func.__module__
    theirs = home.startswith("mockserver") and not home.startswith("mockserver.testing.")
    if theirs:
        pytest.fail(_BROKEN or why_shared() or f"the fixture mockserver is that of {home}", pytrace=False)
