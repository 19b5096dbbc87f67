"""A new connection: resolve the name, ask the address guard, connect, and shake hands where the URL says https.

What the guard judged is what is connected to: each address is judged as a number and connected to as that number, so
a name that changes its mind between the two leads nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Collection
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal

from mockserver.core.addresses import why_refused
from mockserver.core.messages import ErrorKind, ExchangeError
from mockserver.core.targets import Target

if TYPE_CHECKING:
    from mockserver.edges.http1.connection import Connection

#: An address family, and the address as the socket functions take it: number and port first.
Candidate = tuple[int, tuple[Any, ...]]


class Dial:
    """Connects once, in a task of its own.

    Args:
        target: Where to connect to.
        allowed_hosts: Hosts outside the private networks that the user allowed.
        tls: The context for https; None for http.
    """

    def __init__(self, target: Target, allowed_hosts: Collection[str], tls: ssl.SSLContext | None) -> None:
        self._target = target
        self._allowed_hosts = allowed_hosts
        self._tls = tls
        self._where = _hostport(target.host, target.port)
        self._stage: Literal["resolve", "connect", "tls"] = "resolve"
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: Connection) -> None:
        """Begin. The connection hears ``connection_made`` or ``fail``, and in the end always ``dialled``."""
        self._task = asyncio.get_running_loop().create_task(self._run(connection))
        self._task.add_done_callback(lambda _: connection.dialled())

    def stop(self) -> None:
        """Give up, unless it has come to an end already."""
        if self._task is not None:
            self._task.cancel()

    def unfinished(self, within: str) -> tuple[ErrorKind, str]:
        """Say what did not end in time.

        Args:
            within: The time that there was, for a reader.
        """
        reasons: dict[str, tuple[ErrorKind, str]] = {
            "resolve": ("resolve", f"{self._target.host} was not resolved within {within}"),
            "connect": ("connect", f"{self._where} did not accept the connection within {within}: is it overloaded?"),
            "tls": ("tls", f"{self._where} did not finish the TLS handshake within {within}: does it speak https?"),
        }
        return reasons[self._stage]

    async def _run(self, connection: Connection) -> None:
        try:
            failure = await self._connect(connection)
        except Exception as error:  # noqa: BLE001 - whatever an event loop raises here, the exchange must say so
            failure = ExchangeError(self._stage, f"cannot connect to {self._where}: {error!r}")
        if failure is not None:
            connection.fail(failure.kind, failure.message)

    async def _connect(self, connection: Connection) -> ExchangeError | None:
        try:
            candidates = await self._resolve()
        except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for the domain name system
            return ExchangeError("resolve", f"no address for {self._target.host!r} ({_why(error)}): is the name right?")
        self._stage = "connect"
        failures: dict[str, OSError] = {}
        refusal: str | None = None
        for family, sockaddr in candidates:
            address: str = sockaddr[0]
            refusal = self._why_refused(address)
            if refusal is None:
                try:
                    sock = await _connected(family, sockaddr)
                except OSError as error:
                    failures[address] = error
                else:
                    connection.address = _hostport(address, self._target.port)
                    return await self._adopt(sock, connection)
        return self._unreachable(failures) if failures else ExchangeError("address", str(refusal))

    async def _resolve(self) -> list[Candidate]:
        host, port = self._target.host, self._target.port
        try:
            numeric = ip_address(host)
        except ValueError:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            return [(family, sockaddr) for family, _, _, _, sockaddr in found]
        return [(socket.AF_INET6, (host, port, 0, 0)) if numeric.version == 6 else (socket.AF_INET, (host, port))]

    def _why_refused(self, address: str) -> str | None:
        return why_refused(address, self._target.host, self._allowed_hosts)

    async def _adopt(self, sock: socket.socket, connection: Connection) -> ExchangeError | None:
        """Hand a connected socket to the event loop, which shakes hands first where the URL says https."""
        peer = _peer(sock)
        refusal = self._why_refused(peer[0]) if peer else None
        if refusal is not None:
            sock.close()
            return ExchangeError("address", refusal)
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await loop.create_connection(lambda: connection, sock=sock)
            return None
        self._stage = "tls"
        try:
            name = self._target.host.rstrip(".")
            await loop.create_connection(lambda: connection, sock=sock, ssl=self._tls, server_hostname=name)
        except (OSError, ValueError) as error:  # an SSLError is an OSError; a ValueError is about the name
            return ExchangeError("tls", self._why_no_tls(error))
        return None

    def _why_no_tls(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {self._where} is not trusted ({error.verify_message}):"
                " give the CA that signed it (--ca-file), or use an http:// address"
            )
        if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
            return f"{self._where} does not speak TLS: is it an http:// address?"
        return f"{self._where} ended the TLS handshake ({_why(error)}): does it speak https?"

    def _unreachable(self, failures: dict[str, OSError]) -> ExchangeError:
        tried = "" if self._target.host in failures else f" (tried {' and '.join(failures)})"
        if all(isinstance(error, ConnectionRefusedError) for error in failures.values()):
            message = f"nobody listens on {self._where}{tried}: is the application running?"
        else:
            reasons = dict.fromkeys(_why(error) for error in failures.values())
            message = f"cannot connect to {self._where}{tried}: {', '.join(reasons)}"
        return ExchangeError("connect", message)


async def _connected(family: int, sockaddr: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, sockaddr)
        _refuse_self(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _refuse_self(sock: socket.socket) -> None:
    """Where nobody listens, the system may pick that very port for our side and connect us to ourselves."""
    if sock.getsockname() == _peer(sock):
        raise ConnectionRefusedError


def _peer(sock: socket.socket) -> tuple[Any, ...] | None:
    try:
        peer: tuple[Any, ...] = sock.getpeername()
    except OSError:  # reset in the meantime: nothing can be sent there, and the exchange will end as closed
        return None
    return peer


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _hostport(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
