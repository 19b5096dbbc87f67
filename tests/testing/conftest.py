"""What tests of the plugin share."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver import MockServer

APP = "http://127.0.0.1:9"


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
