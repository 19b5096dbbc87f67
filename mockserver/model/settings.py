"""The settings of one mock: what can be chosen, the defaults, and what is allowed.

Among them are the headers by which a sender says who it is, and those that users add for whatever is in front of their
consumer, such as a gateway that asks for a key. These are ours: the vendor's deliveries do not have them.
"""

# Annotations are evaluated here: msgspec would do that when the first mock starts, and compile each of them for it.

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from mockserver.errors import UsageError
from mockserver.model.wording import did_you_mean

#: Names and values, in the order in which they are sent; ``User-Agent`` is one of them.
SenderHeaders = tuple[tuple[str, str], ...]

#: The retry policy of one attempt.
NO_RETRIES = "none"

_USER_AGENT = "User-Agent"
#: What a delivery has of its own, in lower case.
_RESERVED = ("host", "content-type", "content-length", "transfer-encoding", "connection", "expect")
#: RFC 9110, section 5.6.2.
_HEADER_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"


def read_header(line: str) -> tuple[str, str]:
    """Return the name and the value of a header written as ``X-Api-Key: abc``.

    Raises a ValueError, which shows no value, if it is none, or one that every delivery has already.
    """
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not colon or not re.fullmatch(_HEADER_NAME, name):
        raise ValueError("a header is written as NAME: VALUE, such as X-Api-Key: abc")
    # Imported here: few mocks have headers of their own.
    from mockserver.model.signing import SIGNATURE_HEADER  # noqa: PLC0415 - start-up does without

    if name.lower() in (*_RESERVED, SIGNATURE_HEADER.lower()):
        raise ValueError(f"{name} is written by the mock itself: `fault` in a script changes what it says")
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"the value of {name} must be printable ASCII, and not empty")
    return name, value


def sender_headers(user_agent: str, lines: Sequence[str]) -> SenderHeaders:
    """Return the headers of every request to a consumer; ``user_agent`` applies unless a line overrides it."""
    added = tuple(map(read_header, lines))
    if any(name.lower() == _USER_AGENT.lower() for name, _ in added):
        return added
    return ((_USER_AGENT, user_agent), *added)


def header_lines(headers: SenderHeaders) -> str:
    """Return headers as they are sent; each line ends with CRLF."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


#: How the JSON of a payload is spelled: ``compact`` has no spaces, ``spaced`` one after each colon and comma.
JsonStyle = Literal["compact", "spaced"]

#: Whether all callers share everything, or each API key is an account of its own.
Accounts = Literal["one", "per_key"]

#: How fast a clock runs: a factor (1 is real time), ``max`` to skip every wait, ``stepped`` to be advanced by hand.
Speed = float | Literal["max", "stepped"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be chosen about a mock. Where the vendor is silent, the default is ours.

    Args:
        host: The address to listen on. Anything but a loopback address opens the mock to other machines.
        port: The TCP port; 0 takes a free one.
        tls: Whether to serve https, with a certificate made on the fly for this machine.
        api_keys: The bearer tokens that the vendor API accepts; empty accepts any that is not empty.
        accounts: ``one``: all callers share everything; ``per_key``: each API key is an account of its own, whose
            webhooks, resources, deliveries and requests no other sees.
        strict: Only what the vendor documents: no routes of ours under ``/v1``, no http URLs for loopback hosts.
        created_status: The status of a successful ``POST /v1/webhooks``, and of other creations; the vendor states
            none.
        rate_limit: Requests per minute that the rate-limit headers show (100 is the vendor's Standard plan).
        enforce_rate_limit: Whether requests over the limit are refused with 429.
        timeout: Seconds until an attempt must be answered.
        json_style: How payloads are spelled.
        user_agent: The User-Agent header of deliveries.
        headers: More headers of deliveries, and of requests to the consumer's state: a mapping, or lines such as
            ``X-Api-Key: abc``, for a gateway or tunnel in front of the consumer.
        seed: Makes generated ids and values repeatable.
        speed: How fast scripts are replayed, and retries follow one another.
        retry: The retry policy of deliveries whose script has none: its name, or a schedule such as ``[0, 1, 4]``.
        allow_hosts: Public hosts that deliveries may go to.
        allow_http_hosts: Names, such as those of containers, for which a registration may use http.
        control_hosts: Names, beside loopback addresses and localhost, by which callers may address the mock.
        ca_file: A PEM file of certificates to trust in addition to the system's, for https targets.
        extra_events: Event types to accept in registrations beyond the documented four.
        strict_deliveries: Whether a test fails for deliveries and replays that failed and that it never looked at.
        max_webhooks: How many webhooks may be registered at once.
        max_request_bytes: The largest request body that the APIs accept.
        max_deliveries: How many deliveries the record holds before the oldest go.
        max_recorded_bytes: How many bytes all that is kept may take together before the oldest go.
        max_requests: How many calls to the vendor API are recorded before the oldest go.
        max_resources: How many runs and other things made by calls of the vendor API are kept before the oldest go.
        max_concurrency: How many deliveries may be in flight at once.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    api_keys: tuple[str, ...] = ()
    accounts: Accounts = "one"
    strict: bool = False
    created_status: int = 201
    rate_limit: int = 100
    enforce_rate_limit: bool = False
    timeout: float = 10.0
    json_style: JsonStyle = "compact"
    user_agent: str = "playgent-mockserver"
    headers: tuple[str, ...] = ()
    seed: int = 0
    speed: Speed = 1.0
    retry: str | tuple[float | str, ...] = NO_RETRIES
    allow_hosts: tuple[str, ...] = ()
    allow_http_hosts: tuple[str, ...] = ()
    control_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    extra_events: tuple[str, ...] = ()
    strict_deliveries: bool = True
    max_webhooks: int = 100_000
    max_request_bytes: int = 1024 * 1024
    max_deliveries: int = 10_000
    max_recorded_bytes: int = 64 * 1024 * 1024
    max_requests: int = 1_000
    max_resources: int = 100_000
    max_concurrency: int = 1_000

    @property
    def sender(self) -> SenderHeaders:
        """The headers of every request to a consumer that say who sends it, and those that the user adds."""
        return sender_headers(self.user_agent, self.headers)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={self._shown(name)}' for name in self.__struct_fields__)})"

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        return f"<{len(value)} hidden>" if name in _PRIVATE and value else repr(value)


#: What may hold secrets.
_PRIVATE = ("api_keys", "headers")

_POSITIVE = (
    "rate_limit",
    "timeout",
    "max_webhooks",
    "max_request_bytes",
    "max_deliveries",
    "max_recorded_bytes",
    "max_requests",
    "max_resources",
    "max_concurrency",
)


def read_settings(**chosen: Any) -> Settings:
    """Check settings as a caller gives them: a list will do for a tuple, and a mapping for ``headers``.

    Raises a UsageError for an unknown name, a value of the wrong type, or one out of range.
    """
    known = Settings.__struct_fields__
    for name in chosen:
        if name not in known:
            raise UsageError(f"unknown setting {name!r}; known are {', '.join(known)}{did_you_mean(name, known)}")
    headers = chosen.get("headers", ())
    if headers != () and isinstance(headers, Mapping):  # to find out that a tuple is no Mapping takes long
        chosen["headers"] = [f"{name}: {value}" for name, value in headers.items()]
    try:
        settings = msgspec.convert(chosen, Settings)
    except msgspec.ValidationError as error:
        message, _, place = str(error).replace("`array`", "`list`").partition(" - at `$.")
        raise UsageError(f"invalid setting {place.rstrip('`')}: {message}") from None
    _check_ranges(settings)
    return settings


def check_speed(speed: object) -> None:
    """Raise a UsageError for what is no speed."""
    is_number = isinstance(speed, (int, float)) and not isinstance(speed, bool)
    if speed not in ("max", "stepped") and not (is_number and 0 < float(speed) < math.inf):  # type: ignore[arg-type]  # it is a number
        raise UsageError(f"speed must be more than 0, 'max' or 'stepped', not {speed!r}")


def _check_ranges(settings: Settings) -> None:
    _check_hosts("allow_http_hosts", settings.allow_http_hosts)
    _check_hosts("control_hosts", settings.control_hosts)
    for name in _POSITIVE:
        if getattr(settings, name) <= 0:
            raise UsageError(f"invalid setting: {name} must be more than 0, not {getattr(settings, name)}")
    check_speed(settings.speed)
    if not 0 <= settings.port <= 65535:
        raise UsageError(f"invalid setting: port must be from 0 to 65535, not {settings.port}")
    if not 200 <= settings.created_status <= 299:
        raise UsageError(f"invalid setting: created_status must be a 2xx status, not {settings.created_status}")
    if not settings.user_agent.isascii() or not settings.user_agent.isprintable():
        raise UsageError("invalid setting: user_agent must be printable ASCII, as every header is")
    try:
        sender_headers(settings.user_agent, settings.headers)
    except ValueError as error:
        raise UsageError(f"invalid setting: headers: {error}") from None


def _check_hosts(name: str, hosts: tuple[str, ...]) -> None:
    for host in hosts:
        if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", host):
            raise UsageError(f"invalid setting: {name}: {host!r} is not a host name; leave out scheme and port")
