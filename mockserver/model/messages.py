"""HTTP messages as values: the request that we send, byte for byte, and what came back.

A transport takes a :class:`Request` and answers with an :class:`Exchange`. Transports never raise for what a consumer
or a network does: whatever happens, there is an Exchange that says so.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from mockserver.model.targets import Target

Headers = tuple[tuple[str, str], ...]

#: What a header takes in memory beside its characters, in bytes; measured, rounded up.
PER_HEADER = 200


def size_of(headers: Headers) -> int:
    """Return how many bytes headers take in memory, about."""
    return sum(len(name) + len(value) + PER_HEADER for name, value in headers)


#: Why an attempt got no complete answer.
#:
#: ``address`` refused by the address guard · ``resolve`` no such host · ``connect`` nothing listens, or not in time ·
#: ``tls`` the certificate or handshake · ``timeout`` no complete answer in time · ``closed`` the connection ended
#: before or within the answer · ``protocol`` the answer is not HTTP · ``too_large`` its header has no end ·
#: ``stopped`` interrupted while it waited: outcome unknown · ``app`` an application in this process raised ·
#: ``request`` no request could be made of the event.
ErrorKind = Literal[
    "address", "resolve", "connect", "tls", "timeout", "closed", "protocol", "too_large", "stopped", "app", "request"
]

#: The kinds of error where not one byte of the request reached a consumer.
NEVER_CONNECTED: frozenset[ErrorKind] = frozenset({"address", "resolve", "connect", "tls"})


class Pause(msgspec.Struct, frozen=True, gc=False):
    """A pause in the middle of a request, in real time, whatever the mock's clock does."""

    seconds: float


class AwaitContinue(msgspec.Struct, frozen=True, gc=False):
    """The rest of a request waits for the interim answer ``100 Continue``, but no longer than this many seconds."""

    seconds: float


class Close(msgspec.Struct, frozen=True, gc=False):
    """The connection ends here, on our side, once what comes before it has been written.

    Args:
        reset: Whether it is reset (RST), not closed in an orderly way (FIN).
        message: What the exchange's error says of it.
    """

    reset: bool = False
    message: str = "closed on purpose"


#: One step in writing a request.
WireStep = bytes | Pause | AwaitContinue | Close


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP/1.1 request, ready to be written.

    Args:
        target: Where it goes, after routing.
        head: Request line and headers with the empty line that ends them: the bytes as they go over the wire.
        body: The body as its receiver reads it: the bytes that were signed, unless a fault changed or cut them.
        plan: How it is written, when that is not head and body in one write. The bytes in it are all that is written:
            the head, then the body with the framing that the head announces (its chunks, for example).
        last: Whether nothing may follow on its connection: many a server leaves a body unread that it did not expect,
            and takes it for the beginning of the next request.
    """

    target: Target
    head: bytes
    body: bytes
    plan: tuple[WireStep, ...] = ()
    last: bool = False

    def __repr__(self) -> str:
        """Leave the headers out: users add keys to them."""
        head = f"{self.head[: max(self.head.find(b' HTTP/'), 0)].decode('latin-1')}, {len(self.head)} bytes of header"
        return f"Request({self.target.scheme}://{self.target.authority}: {head}, body={self.body!r})"

    @property
    def wire(self) -> bytes:
        """The whole request, byte for byte, as it goes over the wire."""
        if self.plan:
            return b"".join(step for step in self.plan if isinstance(step, bytes))
        return self.head + self.body

    @property
    def size(self) -> int:
        """How many bytes it holds in memory."""
        return len(self.head) + len(self.body) + (len(self.wire) if self.plan else 0)

    @property
    def headers(self) -> Headers:
        """Names and values as they are in ``head``, in their order; bytes outside ASCII are read as Latin-1."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line))


class Response(msgspec.Struct, frozen=True, gc=False):
    """A consumer's answer.

    Args:
        status: The status code, for example 200.
        reason: The reason phrase of the status line; may be empty.
        headers: Names (in lower case) and values, in the order in which they came.
        body: The body, at most as many bytes as the transport records.
        body_size: How many bytes of body came, recorded or not.
        head_size: How many bytes its headers take in memory, about.
    """

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""
    body_size: int = 0
    head_size: int = 0

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx, which is our meaning of success: the vendor documents none."""
        return 200 <= self.status < 300

    @property
    def location(self) -> str:
        """Where a redirection (3xx) leads, as its Location header says; empty for any other answer."""
        if not 300 <= self.status < 400:
            return ""
        return next((value for name, value in self.headers if name == "location"), "")

    @property
    def result(self) -> str:
        """The status, and where a redirection leads: deliveries follow none."""
        return f"{self.status} (Location: {self.location})" if self.location else str(self.status)

    @property
    def text(self) -> str:
        """The recorded body as text; bytes that are not UTF-8 are shown as replacement characters."""
        return self.body.decode("utf-8", "replace")

    @property
    def body_truncated(self) -> bool:
        """Whether more bytes came than were recorded."""
        return self.body_size > len(self.body)


class ExchangeError(msgspec.Struct, frozen=True, gc=False):
    """Why there is no complete answer.

    Args:
        kind: The class of failure, see :data:`ErrorKind`.
        message: One line for a reader: what happened and, where that helps, what to do.
        detail: More of it when there is more, such as an application's traceback.
    """

    kind: ErrorKind
    message: str
    detail: str = ""


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request and what became of it.

    Args:
        response: The answer. With an error beside it, the part of the answer that did come.
        error: Why there is no complete answer; None when there is one.
        address: The address connected to, such as ``127.0.0.1:5000`` or ``[::1]:5000``; empty if there was none.
        reused: Whether the connection had carried an earlier request.
        resent: Whether the request had been written once before, to a kept connection that the other side had closed
            before it came, so that it cannot have been read.
        connect_ms: Milliseconds spent on resolving, connecting and TLS; 0 on a reused connection.
        first_byte_ms: Milliseconds from writing the request to the first byte of the answer; 0 if none came.
        total_ms: Milliseconds for everything.
        unsent: How many bytes at the end of a request with a plan were not written, because its exchange ended before:
            by an early answer, the end of the connection or of its time.
    """

    response: Response | None = None
    error: ExchangeError | None = None
    address: str = ""
    reused: bool = False
    resent: bool = False
    connect_ms: float = 0.0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    unsent: int = 0


class Transport(Protocol):
    """Carries requests to a consumer."""

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Send one request and wait for its answer. Never raises, except for cancellation.

        The answer must be complete within ``timeout`` seconds, connecting included.
        """
        ...

    async def close(self) -> None:
        """Close every connection. The transport may be used again afterwards."""
        ...
