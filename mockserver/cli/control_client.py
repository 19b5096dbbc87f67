"""A client of the control API of a running mock, for the commands that talk to one."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from mockserver.cli.failures import UnreachableError
from mockserver.errors import UsageError

#: Seconds until a mock must answer; a retry policy may make an event take long.
_TIMEOUT = 600.0


class ControlClient:
    """Calls the control API.

    Args:
        server: The URL of the mock, as its ready line shows it.
        ca_file: The CA file of a mock with TLS; None trusts the system's authorities.
        timeout: Seconds until it must answer.

    Raises:
        UsageError: The URL is none, or the CA file cannot be used.
    """

    def __init__(self, server: str, ca_file: str | None = None, timeout: float = _TIMEOUT) -> None:
        parts = urlsplit(server if "://" in server else f"http://{server}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise UsageError(f"{server!r} is not the URL of a mock, such as http://127.0.0.1:8484")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port, self._timeout = parts.hostname, port, timeout
        self._tls = _tls(ca_file) if parts.scheme == "https" else None

    def get(self, path: str) -> Any:
        """Return the JSON of a resource; the errors are those of :meth:`call`."""
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        """Return the JSON that a call answers; the errors are those of :meth:`call`."""
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call an operation.

        Raises:
            UnreachableError: Nothing answers there, or something that is no mock.
            UsageError: The mock refuses the call; the message is the mock's.
        """
        with self._response(method, path, body) as response:
            content = response.read()
        value = self._decoded(content)
        if response.status >= 400:
            raise UsageError(str(value.get("error", {}).get("message", f"the mock answered {response.status}")))
        return value

    def stream(self, path: str) -> Iterator[tuple[str, Any]]:
        """Return the server-sent events of a stream, each with its name, until the mock ends it.

        The first one, ``connected``, comes when the mock sends what happens from now on.

        Raises:
            UnreachableError: Nothing answers there, or something that is no mock.
            UsageError: The mock refuses the call.
        """
        with self._response("GET", path, None) as response:
            if response.status >= 400:
                raise UsageError(str(self._decoded(response.read()).get("error", {}).get("message", "")))
            yield "connected", None
            name = ""
            for line in response:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    yield name, json.loads(line[6:])

    @contextmanager
    def _response(self, method: str, path: str, body: Any) -> Iterator[HTTPResponse]:
        if self._tls is None:
            connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)
        content = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, f"/_mock{path}", content, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                yield response
        except (OSError, HTTPException) as error:
            raise self._no_mock(error) from None
        finally:
            connection.close()

    def _decoded(self, content: bytes) -> Any:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise UnreachableError(f"what answers at {self.url} is no mock: name the right one with --server")
        return value

    def _no_mock(self, error: Exception) -> UnreachableError:
        reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else str(error)
        advice = "start one with `mockserver`, or name the right one with --server"
        return UnreachableError(f"no mock answers at {self.url} ({reason}): {advice}")


def default_server() -> str:
    """Return the URL of a mock that was started here with the same environment."""
    port = os.environ.get("MOCKSERVER_PORT", "")
    return f"http://127.0.0.1:{port if port.isdecimal() and port != '0' else 8484}"


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise UsageError(f"cannot use the CA file {ca_file}: {error.strerror or error}") from None
