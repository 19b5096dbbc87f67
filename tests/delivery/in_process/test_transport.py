"""Telling applications apart by their shape."""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from mockserver import MockServer
from mockserver.delivery.in_process.transport import interface_of
from mockserver.errors import UsageError
from tests.consumers.frameworks import FRAMEWORKS, create_app
from tests.delivery.in_process.apps import URL, AsgiProbe, StartResponse, WsgiProbe
from tests.presence import present
from tests.tables import each_row


async def asgi_function(scope: Scope, receive: Receive, send: Send) -> None: ...
def wsgi_function(environ: dict[str, Any], start_response: StartResponse) -> None: ...
def asgi_wrapper(scope: Scope, receive: Receive, send: Send) -> None: ...
def asgi_2_function(scope: Scope) -> None: ...
def factory() -> None: ...
def anything(*args: Any) -> None: ...
async def async_two(request: Any, response: Any) -> None: ...


class Awaitable:
    """An endpoint as Starlette has them: called with a request, it is awaited."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    def __await__(self) -> Iterator[Any]:
        yield


class Asgi2:
    def __init__(self, scope: Scope) -> None: ...


@each_row(
    ("app", "interface"),
    [
        (AsgiProbe(), "asgi"),
        (asgi_function, "asgi"),
        (functools.partial(AsgiProbe()), "asgi"),
        (asgi_wrapper, "asgi"),
        (Awaitable, "asgi"),
        (WsgiProbe(), "wsgi"),
        (wsgi_function, "wsgi"),
        (WsgiProbe().__call__, "wsgi"),
    ],
)
def test_applications_are_recognised(
    app: AsgiProbe | WsgiProbe | Callable[..., Any] | type[Awaitable], interface: str
) -> None:
    """Objects, functions, wrappers and awaitable classes."""
    assert interface_of(app) == interface


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_applications_of_every_framework_are_recognised(framework: str) -> None:
    """Each by the shape of its object."""
    interface = {"flask": "wsgi", "django wsgi": "wsgi", "aiohttp": "aiohttp"}.get(framework, "asgi")
    assert interface_of(create_app(framework, "s")) == interface


@each_row(
    ("app", "words"),
    [
        (5000, "not to 5000"),
        (None, "not to None"),
        (Asgi2, "pass an instance"),
        (WsgiProbe, "pass an instance"),
        (asgi_2_function, "guarantee_single_callable"),
        (factory, "cannot see how to call"),
        (anything, 'interface="asgi"'),
        (async_two, "cannot see how to call"),
        (type.__call__, "cannot see how to call"),
    ],
)
def test_what_is_no_application_is_refused_with_advice(app: Any, words: str) -> None:
    """A class, an old interface or an ambiguous callable is an error when the route is made."""
    with MockServer() as mock, pytest.raises(UsageError) as caught:
        mock.route(URL, to=app)
    assert words in str(caught.value)


def test_the_interface_can_be_said() -> None:
    """What the object does not show can be given, and is taken as given."""
    app = AsgiProbe()

    def wrapper(*args: Any) -> Any:
        return app(*args)

    with MockServer() as mock:
        mock.route(URL, to=wrapper, interface="asgi")
        mock.register(URL)
        assert mock.send("run.failed").delivered


def test_a_url_is_still_a_destination() -> None:
    """A route to another address goes over the network, here to the mock itself."""
    with MockServer() as mock:
        mock.route(URL, to=mock.url)
        mock.register(URL + "/v1/webhooks")
        assert present(mock.send("run.failed").response).status == 401


def test_wrong_interfaces_are_refused() -> None:
    """An unknown interface, and one beside a URL."""
    with MockServer() as mock:
        with pytest.raises(UsageError, match="there are asgi, wsgi, aiohttp"):
            mock.route(URL, to=AsgiProbe(), interface="cgi")  # type: ignore[arg-type] # that is the point
        with pytest.raises(UsageError, match="leads to a URL"):
            mock.route(URL, to="http://127.0.0.1:1", interface="asgi")
        with pytest.raises(UsageError, match="is not an http"):
            mock.route("your-app.com", to=AsgiProbe())


@pytest.mark.parametrize("app", [AsgiProbe(), WsgiProbe()], ids=["asgi", "wsgi"])
def test_nothing_more_needs_to_be_installed(monkeypatch: pytest.MonkeyPatch, app: AsgiProbe | WsgiProbe) -> None:
    """Applications are called as they are, without the help of a client library."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    with MockServer() as mock:
        mock.route(URL, to=app)
        mock.register(URL)
        assert mock.send("run.failed").delivered


def test_aiohttp_is_not_imported_to_look_for_its_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where aiohttp's server was never imported, nothing can be an application of it."""
    monkeypatch.delitem(sys.modules, "aiohttp.web")
    assert interface_of(wsgi_function) == "wsgi"
