"""What an application object is: ASGI, WSGI or aiohttp, recognised by its shape."""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any, Literal, get_args

import msgspec

from mockserver.delivery.in_process.loops import running_loop
from mockserver.errors import UsageError

#: How an application is called.
Interface = Literal["asgi", "wsgi", "aiohttp"]

_OVERRIDE = 'if it is an application, say which kind: route(…, to=app, interface="asgi") or "wsgi"'


class App(msgspec.Struct, frozen=True, eq=False):
    """An application that a route leads to.

    Args:
        application: The application object.
        interface: How it is called.
        home: The loop that was running where it was routed.
        lifespan: Whether its lifespan is run here; otherwise the test starts it itself.
    """

    application: Any
    interface: Interface
    home: asyncio.AbstractEventLoop | None
    lifespan: bool = True


def read_destination(to: object, interface: Interface | None = None, *, lifespan: bool = True) -> str | App:
    """Read where a route is to lead.

    Args:
        to: A URL or an application object.
        interface: How the application is called; None decides by its shape.
        lifespan: Whether the lifespan of an ASGI application is run here.

    Raises:
        UsageError: It is neither, or its shape does not show its interface.
    """
    if interface is not None and interface not in get_args(Interface):
        raise UsageError(f"there is no interface {interface!r}; there are {', '.join(get_args(Interface))}")
    if isinstance(to, str):
        if interface is not None:
            raise UsageError("an interface belongs to an application object, but the route leads to a URL")
        return to
    return App(to, interface or interface_of(to), running_loop(), lifespan)


def interface_of(app: Any) -> Interface:
    """Find out by its shape how an application is called.

    Raises:
        UsageError: Its shape does not show it; the message says what to do.
    """
    aiohttp_web = sys.modules.get("aiohttp.web")  # it is imported where there is such an application
    if aiohttp_web is not None and isinstance(app, aiohttp_web.Application):
        return "aiohttp"
    if not callable(app):
        raise UsageError(f"a route leads to a URL or an ASGI, WSGI or aiohttp application, not to {_name(app)}")
    if inspect.isclass(app):
        return _interface_of_class(app)
    return _interface_of_callable(app)


def _interface_of_class(app: type) -> Interface:
    if hasattr(app, "__await__"):  # such as a Starlette endpoint: app(scope, receive, send) gives something to await
        return "asgi"
    raise UsageError(
        f"{_name(app)} is a class: pass an instance of it. A class that is called with a scope is ASGI 2, which is "
        "outdated: wrap it in asgiref.compatibility.guarantee_single_callable()"
    )


def _interface_of_callable(app: Any) -> Interface:
    call = app if inspect.isroutine(app) else app.__call__
    is_coroutine = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call)
    takes_two, takes_three = _takes(app, 2), _takes(app, 3)
    if takes_three and (is_coroutine or not takes_two):
        return "asgi"
    if takes_two and not takes_three and not is_coroutine:
        return "wsgi"
    if _takes(app, 1) and not takes_two and not takes_three:
        raise UsageError(
            f"{_name(app)} takes one argument, as ASGI 2 applications and application factories do. Call the factory, "
            "or wrap the application in asgiref.compatibility.guarantee_single_callable()"
        )
    raise UsageError(
        f"cannot see how to call {_name(app)}: an ASGI application takes (scope, receive, send) and is async, "
        f"a WSGI application takes (environ, start_response); {_OVERRIDE}"
    )


def _takes(app: Any, count: int) -> bool:
    """Whether it can be called with this many positional arguments."""
    try:
        inspect.signature(app).bind(*[None] * count)
    except (TypeError, ValueError):  # ValueError: it has no signature to look at
        return False
    return True


def _name(app: object) -> str:
    return repr(app) if inspect.isroutine(app) or inspect.isclass(app) else f"{app!r} ({type(app).__name__})"
