"""Names become addresses without waiting for one another, and without anything that waits for them at the end.

Event loops look names up in a pool of a few threads: names whose server is silent fill it, so that every other name
waits too, and closing the loop waits for all of them. Here each name that is being looked up has a thread of its own,
which may be left to itself; numbers and ``localhost`` have none.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from ipaddress import ip_address

#: An address family, and a numeric address of it.
Found = tuple[int, str]

_LOCAL: list[Found] = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]


class NameLookup:
    """Looks names up on one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], asyncio.Future[list[Found]]] = {}

    def at_once(self, host: str) -> list[Found]:
        """Return the addresses of a host that needs no lookup: a numeric address, or a name for this machine.

        Returns:
            The addresses in the order in which they are to be tried; none if the host has to be looked up.
        """
        try:
            return [(socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET, host)]
        except ValueError:
            name = host.lower().rstrip(".")
            return _LOCAL if name == "localhost" or name.endswith(".localhost") else []  # RFC 6761, section 6.3

    async def find(self, host: str, port: int) -> list[Found]:
        """Return the addresses of a host in the order in which they are to be tried.

        Args:
            host: A name, or a numeric address.
            port: The TCP port that is to be connected to.

        Raises:
            OSError: There is no such name, or no answer.
            UnicodeError: A label of the name is too long for the domain name system.
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
