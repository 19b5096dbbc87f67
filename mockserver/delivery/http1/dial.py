"""Connecting: resolve the name, ask the address guard, connect, and shake hands where the URL says https.

What the guard judged is what is connected to: each address is judged as a number and connected to as that number, so
a name that changes its mind between the two leads nowhere else. The name of the peer is judged once more before the
first byte is written.

Event loops look names up in a pool of a few threads: names whose server is silent fill it, so that every other name
waits too, and closing the loop waits for all of them. Here each name that is being looked up has a thread of its own,
which may be left to itself; numbers and ``localhost`` have none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from mockserver.delivery.address_guard import why_refused
from mockserver.model.messages import ExchangeError
from mockserver.model.quantities import format_duration
from mockserver.model.targets import Target, read_address

#: An address family, and a numeric address of it.
Found = tuple[int, str]

_LOCAL: list[Found] = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]


class NameLookup:
    """Looks names up on one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], asyncio.Future[list[Found]]] = {}

    def at_once(self, host: str) -> list[Found]:
        """Return the addresses of a host that needs no lookup (a number, or a name for this machine), or none."""
        address = read_address(host)
        if address is not None:
            return [(socket.AF_INET6 if address.version == 6 else socket.AF_INET, host)]
        name = host.lower().rstrip(".")
        return _LOCAL if name == "localhost" or name.endswith(".localhost") else []  # RFC 6761, section 6.3

    async def find(self, host: str, port: int) -> list[Found]:
        """Return the addresses of a host in the order in which they are to be tried.

        Raises an OSError if there is no such name, or no answer, and a UnicodeError if a label of the name is too long
        for the domain name system.
        """
        found = self.at_once(host)
        if found:
            return found
        lookup = self._under_way.get((host, port))
        if lookup is None:
            lookup = asyncio.get_running_loop().create_future()
            lookup.add_done_callback(lambda done: done.exception())  # its caller may have left
            threading.Thread(target=self._ask, args=(host, port, lookup), name="mockserver-lookup", daemon=True).start()
            self._under_way[host, port] = lookup
        return await asyncio.shield(lookup)

    def _ask(self, host: str, port: int, lookup: asyncio.Future[list[Found]]) -> None:
        found: list[Found] = []
        failure: Exception | None = None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            found = [(family, str(address[0])) for family, _, _, _, address in infos]
        except Exception as error:  # noqa: BLE001 - it is raised where the name is waited for
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the answer came too late for everyone
            lookup.get_loop().call_soon_threadsafe(self._end, host, port, lookup, found, failure)

    def _end(
        self,
        host: str,
        port: int,
        lookup: asyncio.Future[list[Found]],
        found: list[Found],
        failure: Exception | None,
    ) -> None:
        del self._under_way[host, port]
        if failure is None:
            lookup.set_result(found)
        else:
            lookup.set_exception(failure)


#: What breaks a connection after it has been made, such as in the middle of a TLS handshake.
_BROKEN = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

#: This machine does not have addresses of that family.
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)


class Undialled(msgspec.Struct, frozen=True):
    """Why there is no connection, and the address that had accepted it, if one had."""

    error: ExchangeError
    address: str = ""


class Dial:
    """Connects one connection.

    Connecting and the TLS handshake are one call of the event loop. To split it at the socket would show which of them
    is slow, but uvloop can close a socket that it was given twice when the other side hangs up at once.
    """

    def __init__(
        self, target: Target, allowed_hosts: Collection[str], tls: ssl.SSLContext | None, lookup: NameLookup
    ) -> None:
        self._target = target
        self._allowed_hosts = allowed_hosts
        self._tls = tls
        self._lookup = lookup
        self._where = hostport(target.host, target.port)
        self._resolving = False

    async def connect(self, protocol: Callable[[], asyncio.Protocol]) -> Undialled | None:
        """Connect, and return why that failed, if it did. Never raises, except for cancellation."""
        try:
            return await self._connect(protocol)
        except Exception as error:  # noqa: BLE001 - whatever an event loop raises here, the exchange must say so
            return Undialled(ExchangeError("connect", f"cannot connect to {self._where}: {error!r}"))

    def unfinished(self, within: str) -> ExchangeError:
        """Say what did not end within the time that there was."""
        if self._resolving:
            return ExchangeError("resolve", f"{self._target.host} was not resolved within {within}")
        if self._tls is None:
            message = f"{self._where} did not accept the connection within {within}: is the application overloaded?"
            return ExchangeError("connect", message)
        return ExchangeError("tls", f"no TLS connection to {self._where} within {within}: does it speak https?")

    def why_refused(self, peer: tuple[Any, ...], own: tuple[Any, ...]) -> ExchangeError | None:
        """Judge a connection that was made by where it really leads: from our own address to that of the other side."""
        if peer == own:
            # Where nothing listens, the system may pick that very port for our side and connect us to ourselves.
            return self._unreachable({peer[0]: ConnectionRefusedError()})
        refusal = why_refused(peer[0], self._target.host, self._allowed_hosts)
        return None if refusal is None else ExchangeError("address", refusal)

    async def _connect(self, protocol: Callable[[], asyncio.Protocol]) -> Undialled | None:
        try:
            candidates = await self._resolve()
        except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for the domain name system
            why = (isinstance(error, OSError) and error.strerror) or error
            return Undialled(
                ExchangeError("resolve", f"no address for {self._target.host!r} ({why}): is the name right?")
            )
        failures: dict[str, OSError] = {}
        refusal = ""
        for family, address in candidates:
            refusal = why_refused(address, self._target.host, self._allowed_hosts) or ""
            if not refusal:
                try:
                    await self._reach(protocol, family, address)
                except _BROKEN as error:
                    return Undialled(self._why_broken(error), hostport(address, self._target.port))
                except OSError as error:
                    failures[address] = error
                else:
                    return None
        return Undialled(self._unreachable(failures) if failures else ExchangeError("address", refusal))

    async def _resolve(self) -> list[Found]:
        found = self._lookup.at_once(self._target.host)
        if not found:
            self._resolving = True
            found = await self._lookup.find(self._target.host, self._target.port)
            self._resolving = False
        return found

    async def _reach(self, protocol: Callable[[], asyncio.Protocol], family: int, address: str) -> None:
        await asyncio.get_running_loop().create_connection(
            protocol,
            address,
            self._target.port,
            family=family,
            ssl=self._tls,
            server_hostname=self._target.host.rstrip(".") if self._tls else None,
        )

    def _why_broken(self, error: OSError) -> ExchangeError:
        if self._tls is None:  # accepted, and reset before the event loop could look at it
            return ExchangeError("closed", "the connection was reset before an answer came")
        return ExchangeError("tls", self._why_no_tls(error))

    def _why_no_tls(self, error: OSError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {self._where} is not trusted ({error.verify_message.rstrip('.')}):"
                " give the CA that signed it (--ca-file), or use an http:// address"
            )
        if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
            return f"{self._where} does not speak TLS: is it an http:// address?"
        return f"{self._where} broke off the TLS handshake ({_why(error)}): does it speak https?"

    def _unreachable(self, failures: dict[str, OSError]) -> ExchangeError:
        tried = "" if self._target.host in failures else f" (tried {' and '.join(failures)})"
        informative = [error for error in failures.values() if error.errno not in _NO_SUCH_FAMILY]
        if informative and all(isinstance(error, ConnectionRefusedError) for error in informative):
            message = f"nothing listens on {self._where}{tried}: is the application running?"
        else:
            reasons = dict.fromkeys(_why(error) for error in failures.values())
            message = f"cannot connect to {self._where}{tried}: {', '.join(reasons)}"
        return ExchangeError("connect", message)


def _why(error: OSError) -> str:
    """The system's own words: event loops replace them by the address."""
    if isinstance(error, ssl.SSLError) or not error.errno:
        return str(error) or "the connection closed"
    return os.strerror(error.errno)


def hostport(host: str, port: int) -> str:
    """How an address is written in messages and in :attr:`Exchange.address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


#: Seconds between two attempts.
_PAUSE = 0.1


async def why_unreachable(target: Target, within: float, allowed_hosts: Collection[str]) -> str:
    """Wait until a target accepts a connection; return why it does not, or nothing when it does.

    Nothing is sent on it, and it is closed at once.
    """
    loop, lookup = asyncio.get_running_loop(), NameLookup()
    deadline = loop.time() + within
    while True:
        left = max(deadline - loop.time(), _PAUSE)
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation, and the waiting would go on.
        attempt = loop.create_task(_connect(target, allowed_hosts, lookup))
        try:
            done, _ = await asyncio.wait({attempt}, timeout=left)
        finally:
            attempt.cancel()
        try:
            reason = "no answer"
            if done:
                return attempt.result()
        except (OSError, UnicodeError) as error:
            reason = _reason(error)
        if loop.time() + _PAUSE > deadline:
            return f"{target.authority} accepted no connection within {format_duration(within)} ({reason})"
        await asyncio.sleep(_PAUSE)


async def _connect(target: Target, allowed_hosts: Collection[str], lookup: NameLookup) -> str:
    """Connect to the first address that the guard lets through; the answer is why none is."""
    refusal = ""
    failure: OSError | None = None
    for _, address in await lookup.find(target.host, target.port):
        refusal = why_refused(address, target.host, allowed_hosts) or ""
        if not refusal:
            try:
                _, writer = await asyncio.open_connection(address, target.port)
            except OSError as error:
                failure = error
                continue
            writer.transport.abort()
            return ""
    if failure is not None:
        raise failure
    return refusal


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (isinstance(error, OSError) and error.strerror) or str(error)
