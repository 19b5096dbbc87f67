"""The entry of the pytest plugin, :mod:`mockserver.testing.pytest_plugin`, if that is there to be loaded."""

from __future__ import annotations

import pytest

from playgent_mockserver import why_broken

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
