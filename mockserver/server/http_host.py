"""The HTTP server: one aiohttp application on one port, made of parts that bring their routes; its TLS certificate.

aiohttp answers some requests before any route sees them: a malformed request line, a header without end. Its own
answers are plain text or HTML; here the fallback part words them instead.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import BadStatusLine, LineTooLong

from mockserver.errors import StartError, UsageError
from mockserver.model.targets import read_address

_logger = logging.getLogger("mockserver.http_host")

#: Seconds that requests in progress get to finish when the server stops. Not 0, which aiohttp reads as "no limit".
_GRACE = 0.05
#: Seconds to read on after an early answer such as 413, so that a client that is still sending can read it.
_LINGER = 1.0
#: Seconds until the head of a request must be complete, and until a TLS handshake must be.
HEAD_PATIENCE = 10.0
#: The most connections at once, and no more than half of the descriptors that the process may have.
MOST_CONNECTIONS = 1_000
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BACKLOG = 1024
_LAST_TURNS = 20
#: From accepting a connection to knowing it: the task of asyncio, its transport, its protocol; TLS comes after these.
_ACCEPTING_TURNS = 4
_ANOTHER = "choose another port (0 picks a free one)"


class Part(Protocol):
    """Something that brings routes."""

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        ...


class Fallback(Part, Protocol):
    """The part that gets what no other part wants, and words the errors of HTTP itself."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        ...

    def refuse(self, status: int, message: str) -> web.StreamResponse:
        """Return an error as this part words it."""
        ...


class HttpHost:
    """Serves its parts over HTTP; the fallback answers whatever has no route in another. It can be started once.

    No other part may have a route in a path that begins as one of ``fallback_paths`` does.
    """

    def __init__(
        self,
        fallback: Fallback,
        *parts: Part,
        fallback_paths: tuple[str, ...] = (),
        max_request_bytes: int = 1024 * 1024,
    ) -> None:
        app = web.Application(client_max_size=max_request_bytes, middlewares=[_routeless_to(fallback)])
        for part in (*parts, fallback):
            part.add_to(app)
        self._runner = web.AppRunner(app, shutdown_timeout=_GRACE)
        self._fallback = fallback
        self._fallback_paths = fallback_paths
        self._routed: Callable[[Any], Awaitable[web.StreamResponse]]
        self._server: asyncio.AbstractServer | None = None
        self._connections: dict[_Connection, None] = {}  # in the order in which they were opened
        self._most = most_connections()
        self._address: tuple[str, int] = ("", 0)
        self._scheme = "http"

    @property
    def port(self) -> int:
        """The TCP port that it listens on; 0 before it was started."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Its base URL, such as ``http://127.0.0.1:49152``, without a slash at the end."""
        host, port = self._address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self, host: str, port: int, ssl_context: ssl.SSLContext | None = None) -> None:
        """Listen. When this returns, connections are accepted.

        Of a name with several addresses the first is taken, IPv4 before IPv6; port 0 takes a free one. A StartError
        says why it cannot listen there, and what to do.
        """
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - setting up has made it
        self._routed, server.request_handler = server.request_handler, self._answer
        try:
            listening = await _listen(host, port)
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise StartError(_why_not(error, host, port)) from None
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connect,
                sock=listening,
                ssl=ssl_context,
                ssl_handshake_timeout=HEAD_PATIENCE if ssl_context else None,
                backlog=_BACKLOG,
                start_serving=False,
            )
            await self._server.start_serving()
        except BaseException:  # above all a start that is cancelled: the port must not stay taken
            await self.stop()
            listening.close()
            raise
        bound = listening.getsockname()
        self._address = (_reachable(bound[0]), bound[1])
        self._scheme = "https" if ssl_context else "http"

    async def stop(self) -> None:
        """Stop listening, and close every connection. Requests in progress get a moment to finish."""
        server, self._server = self._server, None
        if server is None:
            return
        for _ in range(_ACCEPTING_TURNS):  # asyncio forgets what was accepted just before the server is closed
            await asyncio.sleep(0)
        server.close()
        await self._runner.cleanup()
        for connection in tuple(self._connections):
            connection.abort()
        turns = 0
        while (
            self._connections and turns < _LAST_TURNS
        ):  # gone in the next turn of the loop; TLS needs a few more turns turns
            await asyncio.sleep(0)
            turns += 1

    async def _answer(self, request: Any) -> web.StreamResponse:
        """Answer a request: without the way through aiohttp's router where it can only lead to the fallback."""
        if request.rel_url.raw_path.startswith(self._fallback_paths) and hdrs.EXPECT not in request.headers:
            return await self._fallback.handle(request)
        return await self._routed(request)

    def _connect(self) -> _Connection:
        manager = self._runner.server
        assert manager is not None  # noqa: S101 - there is one from before the first connection until after the last
        return _Connection(manager, self._connections, self._fallback, self._most)


class _Connection(web.RequestHandler):
    """One connection of aiohttp's that words errors as the fallback does, can be cut off, and does not wait long.

    Connections that say nothing, or half a request, would use up all descriptors: the head of a request must come in
    time, and of too many connections the oldest that is idle makes room.
    """

    __slots__ = ("_fallback", "_late", "_most", "_open", "_wire")

    def __init__(
        self, manager: web.Server, connections: dict[_Connection, None], fallback: Fallback, most: int
    ) -> None:
        # Bodies stay as they were sent: they are recorded so, and a compressed bomb is just bytes.
        chosen: dict[str, Any] = {"access_log": None, "lingering_time": _LINGER, "auto_decompress": False}
        super().__init__(manager, loop=asyncio.get_running_loop(), **chosen)
        self._open = connections
        self._most = most
        self._late: asyncio.TimerHandle | None = None
        self._fallback = fallback

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast("asyncio.Transport", transport)  # uvloop's are no subclass, but have its methods
        if len(self._open) >= self._most:
            next((each for each in self._open if each.idle), self).abort()
        self._open[self] = None
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open.pop(self, None)
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take data in; the rest of a head must come in time."""
        super().data_received(data)
        if self._messages or self._current_request is not None:  # as in `idle`, which would be a call
            self._stop_waiting()
        elif self._late is None:
            self._await_head()

    @property
    def idle(self) -> bool:
        """Whether it has no whole request to answer."""
        return not self._messages and self._current_request is None

    def _await_head(self) -> None:
        self._late = asyncio.get_running_loop().call_later(HEAD_PATIENCE, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.idle:
            self._wire.write(_TOO_SLOW)
            self._wire.close()

    def abort(self) -> None:
        """Cut the connection off, with what is still to be sent to a client that does not read."""
        self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's wording quotes the request, secrets and all
    ) -> web.StreamResponse:
        """Answer what no route answered, then close the connection."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client has gone: aiohttp closes the connection, and there is no one to answer
        if status >= 500:
            _logger.error("unexpected error while answering %s", request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: the connection can only be closed")
        reason = "The mock server failed; its log says why" if status >= 500 else _why_not_http(exc)
        response = self._fallback.refuse(status, reason)
        response.force_close()
        return response


def most_connections() -> int:
    """Return how many connections there may be at once."""
    if not hasattr(os, "sysconf"):  # pragma: no cover - Windows, which has no such limit
        return MOST_CONNECTIONS
    descriptors = os.sysconf("SC_OPEN_MAX")
    return MOST_CONNECTIONS if descriptors < 0 else max(1, min(MOST_CONNECTIONS, descriptors // 2))


def _routeless_to(fallback: Fallback) -> Any:
    """A middleware for requests that no route can match, as their target is no path: ``OPTIONS *``, ``CONNECT``."""

    @web.middleware
    async def answer(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.match_info.http_exception is not None:
            return await fallback.handle(request)
        return await handler(request)

    return answer


def _why_not_http(error: BaseException | None) -> str:
    if isinstance(error, LineTooLong):
        return "The request line or a header is longer than the 8190 bytes that are allowed"
    if isinstance(error, BadStatusLine):
        return "The request line is not that of HTTP/1.1; is this https spoken to an http port?"
    return "The request is not valid HTTP/1.1"


async def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. On one address only: port 0 would give each address another port."""
    if not 0 <= port <= 65535:
        raise OSError("a port is a number from 0 to 65535")
    wanted: dict[str, Any] = {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}
    if read_address(host) is not None:  # neither a thread nor the codec of names is needed
        found = socket.getaddrinfo(host.encode(), port, **wanted)
    else:
        found = await asyncio.get_running_loop().getaddrinfo(host or None, port, **wanted)
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return socket.create_server(address, family=family, backlog=_BACKLOG)


def _reachable(address: str) -> str:
    """The address to call for one that is listened on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared with, not bound to


def _why_not(error: Exception, host: str, port: int) -> str:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"the host {host!r} is unknown: listen on 127.0.0.1, or on an address of this machine"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop the other program, or {_ANOTHER}"
    if number == errno.EACCES:
        return f"port {port} on {host} needs administrator rights: {_ANOTHER}"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: listen on 127.0.0.1"
    return f"cannot listen on port {port} of {host}: {error}"


_LOCAL = ("127.0.0.1", "::1", "localhost")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class LocalCertificate:
    """A certificate that is good for this machine, and for the address listened on, for as long as the mock runs.

    Servers need its ``context``; clients trust the authority in ``ca_file``, a temporary PEM file. Raises a UsageError
    if trustme is not installed.
    """

    def __init__(self, host: str) -> None:
        try:
            import trustme  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(
                "TLS needs trustme, which is not installed: pip install 'playgent-mockserver[tls]'"
            ) from None
        authority = trustme.CA(organization_name="playgent-mockserver")
        names = _LOCAL if host in (*_LOCAL, *_ANY) else (*_LOCAL, host)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(self.context, authority.issue_cert(*names).private_key_and_cert_chain_pem.bytes())
        handle, self.ca_file = tempfile.mkstemp(prefix="mockserver-ca-", suffix=".pem")
        with os.fdopen(handle, "wb") as file:
            file.write(authority.cert_pem.bytes())

    def remove(self) -> None:
        """Remove the temporary file."""
        Path(self.ca_file).unlink(missing_ok=True)


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a key with its certificates; where the system can, from memory, so that no file is ever left behind."""
    if not (hasattr(os, "memfd_create") and Path("/proc/self/fd").exists()):  # pragma: no cover - macOS and Windows
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "key.pem")
            file.write_bytes(pem)
            context.load_cert_chain(file)
        return
    memory = os.memfd_create("mockserver-key")
    try:
        os.write(memory, pem)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
