"""``mockserver trigger``, ``deliveries``, ``resend`` and ``health``: they call a running mock."""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import click

from mockserver.cli import exit_codes
from mockserver.cli.event_options import event_options, read_event_options
from mockserver.cli.exit_codes import UnreachableError
from mockserver.cli.files import check_writable, write_json
from mockserver.cli.options import ENVIRONMENT, duration, json_option, option
from mockserver.cli.output import StreamStyle, delivery_line, harmless, row_of_view
from mockserver.errors import UsageError
from mockserver.model.expectations import usual_cause
from mockserver.model.quantities import format_duration
from mockserver.model.wording import visible

#: Seconds until a mock must answer; a retry policy may make an event take long.
_TIMEOUT = 600.0

#: Where something is in the JSON of an event, which the user of a command has not written.
_PLACE_IN_BODY = re.compile("^<event>:[0-9]+:[0-9]+: ")


class ControlClient:
    """Calls the control API."""

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
        """Call an operation; raises UnreachableError or UsageError."""
        with self._response(method, path, body) as response:
            content = response.read()
        value = self._decoded(content)
        if response.status >= 400:
            message = str(value.get("error", {}).get("message", f"the mock answered {response.status}"))
            raise UsageError(_PLACE_IN_BODY.sub("", message))
        return value

    def stream(self, path: str) -> Iterator[tuple[str, Any]]:
        """Return the server-sent events of a stream, each with its name, until the mock ends it.

        The first one, ``connected``, comes when the mock sends what happens from now on.
        Raises UnreachableError or UsageError.
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
            raise UnreachableError(f"what answers at {self.url} is not a mock: give the right URL with --server")
        return value

    def _no_mock(self, error: Exception) -> UnreachableError:
        reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else str(error)
        advice = "start one with `mockserver`, or give the right URL with --server"
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


C = TypeVar("C", bound=Callable[..., Any])

# ---------------------------------------------------------------- the commands

#: Seconds between two questions whether a mock is ready.
_PAUSE = 0.1
#: Seconds until a mock must say that it is ready.
_LONGEST = 5.0
#: The most deliveries that one call returns.
_PAGE = 1000

_TRIGGER_HELP = """Let one event happen in a running mock, which delivers it to the webhooks that are registered there.

Without --data the event carries its sample data, which --override and --remove change.

\b
Examples:
  mockserver trigger run.failed
  mockserver trigger run.failed --override run_id=run_1
  mockserver trigger run.completed --fault wrong_secret --server http://127.0.0.1:9000
"""

_DELIVERIES_HELP = """List the deliveries of a running mock, the newest last.

A search holds words, which match bodies, and conditions: event:run.failed, status:4xx, is:failed, fault:wrong_secret,
webhook:wh_abc123, url:hooks, attempts:>1. A minus sign before one means its opposite.

\b
Examples:
  mockserver deliveries
  mockserver deliveries -q 'is:failed -status:404'
  mockserver deliveries --follow
  mockserver deliveries -q event:run.failed --json -
"""

_RESEND_HELP = """Deliver once more what a running mock has delivered: the same bytes, or with --fresh a new signature.

ID is that of a delivery, as the log of the mock and `mockserver deliveries` show it.

\b
Examples:
  mockserver resend dlv_000003
  mockserver resend dlv_000003 --fresh
"""

_HEALTH_HELP = """Ask a running mock whether it is ready; the exit code is 0 if it is, and 3 if it is not.

URL is the mock's; without it, --server or the usual port counts.

\b
Examples:
  mockserver health
  mockserver health http://127.0.0.1:9000 --wait 30s
"""


def server_options(command: C) -> C:
    """Declare where the mock is."""
    command = option("--ca-file", metavar="FILE", help="The CA file that a mock with --tls printed.")(command)
    text = "The URL of the mock.  [default: http://127.0.0.1:8484]"
    return option("--server", metavar="URL", default=default_server, help=text)(command)


@click.command("trigger", help=_TRIGGER_HELP, epilog=ENVIRONMENT)
@click.argument("event")
@event_options
@server_options
@json_option
def trigger(event: str, server: str, ca_file: str | None, json: str | None, **chosen: Any) -> int:
    """Let it happen, and print what came of it."""
    check_writable(json)
    keys = read_event_options(chosen)
    given = {name: value for name, value in keys.items() if value or (name == "data" and value is not None)}
    sent = ControlClient(server, ca_file).post("/events", {"event": event, **given})
    if json is not None:
        write_json(json, sent)
    else:
        for view in sent["deliveries"]:
            _print_delivery(view)
        if not sent["deliveries"]:
            click.echo(visible(sent["explanation"]))
    as_expected = bool(sent["deliveries"]) and all(row_of_view(view).expected for view in sent["deliveries"])
    return exit_codes.OK if as_expected else exit_codes.FAILED


@click.command("deliveries", help=_DELIVERIES_HELP, epilog=ENVIRONMENT)
@option("-q", "--query", metavar="SEARCH", default="", help="A search that deliveries must match.")
@option("--limit", type=click.IntRange(1, _PAGE), default=50, show_default=True, help="The most deliveries to list.")
@option("-f", "--follow", is_flag=True, help="Go on with those that are made from now on, until stopped.")
@server_options
@json_option
def deliveries(query: str, limit: int, follow: bool, server: str, ca_file: str | None, json: str | None) -> int:
    """List them."""
    check_writable(json)
    if follow and json is not None:
        raise click.UsageError("--follow prints lines and goes on: it cannot be combined with --json")
    client = ControlClient(server, ca_file)
    if not follow:
        found = _newest(client, query, limit)
        if json is not None:
            write_json(json, found)
            return exit_codes.OK
        for view in found:
            _print_delivery(view)
        return exit_codes.OK
    shown: set[str] = set()
    for name, value in client.stream(f"/stream?q={quote(query)}"):
        if name == "connected":  # only now: what happens between list and stream must not get lost
            for view in _newest(client, query, limit):
                shown.add(view["delivery_id"])
                _print_delivery(view)
        elif name == "delivery" and value["delivery_id"] not in shown:
            _print_delivery(value)
        elif name == "dropped":
            click.echo(f"... {value['events']} left out: they came faster than they were read")
    return exit_codes.OK


@click.command("resend", help=_RESEND_HELP, epilog=ENVIRONMENT)
@click.argument("delivery_id", metavar="ID")
@option("--fresh", is_flag=True, help="Give it a new timestamp and signature.")
@server_options
@json_option
def resend(delivery_id: str, fresh: bool, server: str, ca_file: str | None, json: str | None) -> int:
    """Deliver it once more."""
    check_writable(json)
    path = f"/deliveries/{quote(delivery_id, safe='')}/resend"
    view = ControlClient(server, ca_file).post(path, {"fresh": fresh})
    if json is not None:
        write_json(json, view)
    else:
        _print_delivery(view)
        _print_answer(view)
    return exit_codes.OK if row_of_view(view).expected else exit_codes.FAILED


@click.command("health", help=_HEALTH_HELP, epilog=ENVIRONMENT)
@click.argument("url", required=False)
@option("--wait", type=duration, metavar="TIME", default="0s", help="The longest time to wait until it is ready.")
@server_options
def health(url: str | None, wait: float, server: str, ca_file: str | None) -> int:
    """Ask, until it is ready or the time is over."""
    client = ControlClient(url or server, ca_file, _LONGEST)
    deadline = time.monotonic() + wait
    while True:
        try:
            state = client.get("/health")
        except UnreachableError as error:
            if time.monotonic() + _PAUSE > deadline:
                within = f" within {format_duration(wait)}" if wait else ""
                click.echo(f"mockserver: not ready{within}: {error}", err=True)
                return exit_codes.UNREACHABLE
            time.sleep(_PAUSE)
            continue
        held = f"{state['webhooks']} webhooks, {state['deliveries']} deliveries"
        click.echo(f"ready: {client.url} ({held})")
        return exit_codes.OK


def _newest(client: ControlClient, query: str, limit: int) -> list[dict[str, Any]]:
    """The newest deliveries that match, the oldest of them first."""
    brief = client.get(f"/deliveries/brief?q={quote(query)}&limit={limit}")["deliveries"]
    if not brief:
        return []
    before = int(brief[-1]["delivery_id"].removeprefix("dlv_")) - 1
    after = f"&after=dlv_{before:06d}" if before else ""
    found: list[dict[str, Any]] = client.get(f"/deliveries?q={quote(query)}&limit={limit}{after}")["deliveries"]
    return found


def _print_delivery(view: dict[str, Any]) -> None:
    click.echo(delivery_line(row_of_view(view), StreamStyle.of_stdout(), with_id=True))
    error = (view["attempts"][-1].get("error") or {}) if view["attempts"] else {}
    for problem in view["unmet"]:
        if not (error and problem.endswith(error["message"])):  # the line has it already
            click.echo(f"  {visible(problem)}")
    response = view["attempts"][-1].get("response") if view["attempts"] else None
    if view["unmet"] and not error and response and not view["faults"] and (hint := usual_cause(response["status"])):
        click.echo(f"  {hint}")


def _print_answer(view: dict[str, Any]) -> None:
    response = view["attempts"][-1]["response"] if view["attempts"] else None
    if response is not None and response["body"]:
        click.echo(harmless(visible(response["body"])))
