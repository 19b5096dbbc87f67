"""The servers behind the pytest fixture: started once, shared by the tests that want the same settings."""

from __future__ import annotations

from typing import Any

import msgspec

from mockserver.model.settings import read_settings
from mockserver.testing.mock_server import MockServer


class ServerPool:
    """Running servers, one for each combination of settings."""

    def __init__(self) -> None:
        self._servers: dict[bytes, MockServer] = {}

    def get(self, settings: dict[str, Any]) -> MockServer:
        """Return the running server with these settings, starting it if it is the first time.

        Args:
            settings: The constructor's arguments of :class:`~mockserver.testing.mock_server.MockServer`.

        Raises:
            UsageError: A setting is unknown or its value is not allowed.
            StartError: It cannot listen.
        """
        key = msgspec.json.encode(read_settings(**settings))
        if key not in self._servers:
            self._servers[key] = MockServer(**settings).start()
        return self._servers[key]

    def close(self) -> None:
        """Stop them all."""
        while self._servers:
            self._servers.popitem()[1].stop()
