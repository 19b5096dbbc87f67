"""Requests as curl commands: pasted into a shell, each sends the very bytes that the sender would write."""

from __future__ import annotations

import shlex

from mockserver.model.messages import Exchange, Request, Response

#: Methods that curl can use with a body; HEAD would wait for one that never comes.
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
#: Headers that curl makes by itself, from the URL and the body.
_CURLS_OWN = ("host", "content-length")
#: Headers that curl adds by default.
_ADDED = ("user-agent", "content-type", "accept", "expect")
#: The longest body that is written as an argument: Linux allows 128 KiB for one.
_LONGEST_ARGUMENT = 100_000


class DryTransport:
    """A transport that sends nothing, and answers 200 to everything."""

    async def exchange(self, request: Request, timeout: float) -> Exchange:  # noqa: ARG002 - as a Transport takes them
        """Answer 200."""
        return Exchange(Response(200))

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def why_no_command(request: Request) -> str:
    """Return why a request cannot be written as a curl command; empty if it can."""
    if request.plan:
        return "curl cannot write a request in pieces, or break it off"
    method = _method(request)
    if method not in _METHODS or not request.head.startswith(f"{method} {request.target.path} HTTP/1.1\r\n".encode()):
        return "its request line is not the one that curl would write"
    host, *lines, length = _header_lines(request)
    if not host.startswith("Host: ") or length != f"Content-Length: {len(request.body)}":
        return "curl writes Host and Content-Length in its own way"
    if not all(line.isascii() and line.isprintable() and line.partition(": ")[2].strip() for line in lines):
        return "curl cannot send a header that is empty or not ASCII"
    return ""


def curl_command(request: Request) -> str:
    """Write a request as a command for a POSIX shell.

    The settings and proxies of the shell are kept out (``-q``, ``--noproxy``): they would change the bytes.

    Args:
        request: The request; see :func:`why_no_command`.

    Returns:
        One command. A body in it may hold line breaks of its own, inside of quotes.
    """
    arguments = ["curl", "-q", "-sS", "--http1.1", "--noproxy", "*", *_url_options(request.target.url)]
    if _method(request) != "POST":  # which the body implies
        arguments += ["-X", _method(request)]
    lines = [line for line in _header_lines(request) if _name(line) not in _CURLS_OWN]
    absent = set(_ADDED) - {_name(line) for line in lines}
    for line in (*lines, *(f"{name}:" for name in _ADDED if name in absent)):
        arguments += ["-A", line[12:]] if _name(line) == "user-agent" and line[12:] else ["-H", line]
    body = _as_text(request.body)
    if body is None:
        return f"printf {shlex.quote(_octal(request.body))} | {_reading_input(arguments, request)}"
    if len(request.body) > _LONGEST_ARGUMENT:
        return f"printf %s {shlex.quote(body)} | {_reading_input(arguments, request)}"
    return shlex.join([*arguments, "--data-raw", body, request.target.url])


def _reading_input(arguments: list[str], request: Request) -> str:
    return shlex.join([*arguments, "--data-binary", "@-", request.target.url])


def _method(request: Request) -> str:
    return request.head.partition(b" ")[0].decode("latin-1")


def _header_lines(request: Request) -> list[str]:
    return [line for line in request.head.decode("latin-1").split("\r\n")[1:] if line]


def _name(line: str) -> str:
    return line.partition(":")[0].lower()


def _as_text(body: bytes) -> str | None:
    """The body as text that can be quoted; None if it cannot."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or "\r" in text else text


def _octal(body: bytes) -> str:
    """The body as the format of a printf command."""
    plain = b' !#$&()*+,-./:;<=>?@[]^_{|}~"'
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in plain else f"\\{byte:03o}" for byte in body
    )


def _url_options(url: str) -> list[str]:
    """What keeps curl from reading something into a URL."""
    options = ["--globoff"] if any(char in url for char in "[]{}") else []
    return [*options, "--path-as-is"] if "/." in url else options
