"""A new connection: resolve the name, ask the address guard, connect, and shake hands where the URL says https.

What the guard judged is what is connected to: each address is judged as a number and connected to as that number, so
a name that changes its mind between the two leads nowhere else. The name of the peer is judged once more before the
first byte is written.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from mockserver.delivery.address_guard import why_refused
from mockserver.delivery.name_lookup import Found, NameLookup
from mockserver.model.messages import ExchangeError
from mockserver.model.targets import Target

#: What breaks a connection after it has been made, such as in the middle of a TLS handshake.
_BROKEN = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

#: This machine does not have addresses of that family.
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)


class Undialled(msgspec.Struct, frozen=True):
    """Why there is no connection.

    Args:
        error: Why.
        address: The address that had accepted it, if one had.
    """

    error: ExchangeError
    address: str = ""


class Dial:
    """Connects one connection.

    Connecting and the TLS handshake are one call of the event loop. To split it at the socket would show which of them
    is slow, but uvloop can close a socket that it was given twice when the other side hangs up at once.

    Args:
        target: Where to connect to.
        allowed_hosts: Hosts outside the private networks that the user allowed.
        tls: The context for https; None for http.
        lookup: Finds the addresses of names.
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
        """Connect.

        Args:
            protocol: Returns what the event loop calls ``connection_made`` on.

        Returns:
            None if it is connected, else why it is not. Never raises but for cancellation.
        """
        try:
            return await self._connect(protocol)
        except Exception as error:  # noqa: BLE001 - whatever an event loop raises here, the exchange must say so
            return Undialled(ExchangeError("connect", f"cannot connect to {self._where}: {error!r}"))

    def unfinished(self, within: str) -> ExchangeError:
        """Say what did not end in time.

        Args:
            within: The time that there was, for a reader.
        """
        if self._resolving:
            return ExchangeError("resolve", f"{self._target.host} was not resolved within {within}")
        if self._tls is None:
            message = f"{self._where} did not accept the connection within {within}: is the application overloaded?"
            return ExchangeError("connect", message)
        return ExchangeError("tls", f"no TLS connection to {self._where} within {within}: does it speak https?")

    def why_refused(self, peer: tuple[Any, ...], own: tuple[Any, ...]) -> ExchangeError | None:
        """Judge a connection that was made by where it really leads.

        Args:
            peer: The address of the other side.
            own: The address of ours.
        """
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
        telling = [error for error in failures.values() if error.errno not in _NO_SUCH_FAMILY]
        if telling and all(isinstance(error, ConnectionRefusedError) for error in telling):
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
