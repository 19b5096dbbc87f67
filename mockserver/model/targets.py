"""Where deliveries go: targets, and the routes that map a registered URL to another address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from mockserver.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: An address whose scheme is missing.
_WITH_PORT = r"[A-Za-z0-9.-]+:[0-9]{1,5}(?:/|$)"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?"
_MOST_RESOLVED = 10_000
_LONGEST_REMEMBERED = 2048

#: The most characters of a URL: what servers take is less.
LONGEST_URL = 16_384

#: What a request target may hold unescaped; anything else is percent-encoded.
_SAFE_IN_TARGET = "/?:@!$&'()*+,;=-._~%[]"


class Target(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """An http or https URL, taken apart for the sender.

    Args:
        scheme: ``http`` or ``https``.
        host: The host as it is resolved: a name, an IPv4 address, or an IPv6 address without brackets.
        port: The TCP port.
        path: The request target: path and query, percent-encoded.
        app: The key of the application in this process that it goes to instead of the network; empty for the network.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    app: str = ""

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart.

        Args:
            url: An absolute http or https URL. A fragment is not sent; a name outside ASCII is sent as IDNA.

        Returns:
            The target.

        Raises:
            UsageError: It is not such a URL; the message says which part is wrong.
        """
        if len(url) > LONGEST_URL:
            raise UsageError(f"a URL has at most {LONGEST_URL:,} characters, and this one has {len(url):,}")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r} is not a URL: {error}") from None
        if parts.scheme not in _DEFAULT_PORTS:
            hint = f"; did you mean {'http://' + url!r}?" if "//" not in url and re.match(_WITH_PORT, url) else ""
            raise UsageError(f"{url!r} is not an http:// or https:// URL{hint}")
        if parts.username is not None or parts.password is not None:
            raise UsageError("a target URL cannot carry a user name or password")
        if port == 0:
            raise UsageError(f"{url!r} has port 0, which cannot be connected to")
        path = quote(parts.path or "/", safe=_SAFE_IN_TARGET)
        if parts.query:
            path += "?" + quote(parts.query, safe=_SAFE_IN_TARGET)
        scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
        return cls(scheme, _ascii_host(url, parts.hostname or ""), port or _DEFAULT_PORTS[scheme], path)

    @property
    def authority(self) -> str:
        """The value of the Host header: host, and port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.authority}{self.path}"


#: What is longer is not remembered: it would fill the memory.
_LONGEST_KNOWN = 64


def read_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, without brackets; None if it is a name."""
    # Each connection asks, and most of them lead to one address.
    return _known_address(host) if len(host) <= _LONGEST_KNOWN else _read_address(host)


@lru_cache(maxsize=1024)
def _known_address(host: str) -> IPv4Address | IPv6Address | None:
    return _read_address(host)


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _ascii_host(url: str, host: str) -> str:
    if ":" in host:  # urlsplit has checked the brackets and the IPv6 address in them
        return host
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_host = ""
    if not re.fullmatch(_HOST, ascii_host):
        raise UsageError(f"{url!r} has no valid host name")
    return ascii_host


class Route(msgspec.Struct, frozen=True):
    """Sends what is meant for one base URL, as registered, to another, or to an application in this process.

    With ``app``, the key of an application, ``to`` is what it sees about where it is, so usually the source.
    """

    source: str
    to: str
    app: str = ""


class Routes:
    """The routes of one mock. The longest matching source wins; without a match a URL is its own target."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes: dict[str, Route] = {}
        self._forgotten: set[str] = set()
        self._resolved: dict[str, Target] = {}
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Add a route, or change where one with the same source leads; raises a UsageError if a URL is not http(s)."""
        Target.parse(route.source)
        Target.parse(route.to)
        self._routes[_base(route.source)] = route
        self._resolved.clear()

    def __contains__(self, source: str) -> bool:
        """Whether there is a route with exactly this source."""
        return _base(source) in self._routes

    def remove(self, source: str) -> None:
        """Forget the route with this source, if there is one."""
        self._routes.pop(_base(source), None)
        self._resolved.clear()

    def clear(self) -> None:
        """Forget every route, except that :meth:`forgotten` names them until others are forgotten."""
        self._forgotten = set(self._routes) or self._forgotten
        self._routes.clear()
        self._resolved.clear()

    def resolve(self, url: str) -> Target:
        """Return where a delivery for ``url`` really goes; raises a UsageError if it is not an http or https URL."""
        target = self._resolved.get(url)
        if target is None:
            if len(self._resolved) >= _MOST_RESOLVED:
                self._resolved.clear()
            target = self._follow(url)
            if len(url) <= _LONGEST_REMEMBERED:
                self._resolved[url] = target
        return target

    @property
    def any_forgotten(self) -> bool:
        """Whether :meth:`forgotten` may name a route."""
        return bool(self._forgotten)

    def forgotten(self, url: str) -> str:
        """Return the route that a URL had before :meth:`clear`, and does not have any more; empty if there is none.

        Addresses of this machine are left out: something else may listen there by now.
        """
        source = next((source for source in self._forgotten if _is_below(url, source)), "")
        if not source or any(_is_below(url, each) for each in self._routes):
            return ""
        host = Target.parse(source).host
        return "" if host == "localhost" or ":" in host or host.replace(".", "").isdigit() else source

    def _follow(self, url: str) -> Target:
        matches = [source for source in self._routes if _is_below(url, source)]
        if not matches:
            if source := self.forgotten(url):
                raise UsageError(
                    f"no route leads from {source} any more: routes end with a reset, which each test begins with. "
                    f"Route it in this test, unless an application from before the reset has registered {url}"
                )
            return Target.parse(url)
        source = max(matches, key=len)
        route = self._routes[source]
        return msgspec.structs.replace(Target.parse(_base(route.to) + url[len(source) :]), app=route.app)


def _base(url: str) -> str:
    return url.rstrip("/")


def _is_below(url: str, base: str) -> bool:
    return url.startswith(base) and (len(url) == len(base) or url[len(base)] in "/?#")
