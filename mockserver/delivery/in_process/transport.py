"""The transport into this process: what an application object is, which one a request is for, which host runs it."""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any, Literal, get_args

import msgspec

from mockserver.delivery.event_loop import LoopThread, callers_loop
from mockserver.delivery.in_process.host import (
    Ending,
    Host,
    LoopEndedError,
    LoopEnding,
    LoopHost,
    app_thread,
    end_thread,
    noted_loop,
)
from mockserver.errors import UsageError
from mockserver.model.messages import Exchange, ExchangeError, Request, Transport

#: How an application is called.
Interface = Literal["asgi", "wsgi", "aiohttp"]

_OVERRIDE = 'if it is an application, say which kind: route(…, to=app, interface="asgi") or "wsgi"'


class App(msgspec.Struct, frozen=True, eq=False):
    """An application that a route leads to; ``home`` is the loop of the code that routed it.

    Without ``lifespan``, the test starts and stops it.
    """

    application: Any
    interface: Interface
    home: asyncio.AbstractEventLoop | None
    lifespan: bool = True


def read_destination(to: object, interface: Interface | None = None, *, lifespan: bool = True) -> str | App:
    """Read where a route is to lead: to a URL or to an application object.

    How an application is called is seen by its shape, unless ``interface`` says it. Raises a UsageError if it is
    neither, or its shape does not show it.
    """
    if interface is not None and interface not in get_args(Interface):
        raise UsageError(f"there is no interface {interface!r}; there are {', '.join(get_args(Interface))}")
    if isinstance(to, str):
        if interface is not None:
            raise UsageError("an interface belongs to an application object, but the route leads to a URL")
        return to
    return App(to, interface or interface_of(to), callers_loop(), lifespan)


def interface_of(app: Any) -> Interface:
    """Find out by its shape how an application is called; a UsageError says what to do where that does not show it."""
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


_FORGOTTEN = Exchange(error=ExchangeError("stopped", "the route to the application was forgotten by a reset"))

_LOOP_ENDED = Exchange(error=ExchangeError("stopped", "the event loop that the application ran on is closed"))


class AppTransport:
    """Carries requests to applications in this process, some of them over the network to a port behind the scenes.

    Its methods are called on the mock's loop, except for ``settle``.
    """

    def __init__(self, network: Transport) -> None:
        self._network = network
        self._apps: dict[str, App] = {}
        self._last_loops: dict[str, asyncio.AbstractEventLoop | None] = {}
        self._hosts: dict[tuple[str, asyncio.AbstractEventLoop | None], Host] = {}
        self._thread: LoopThread | None = None
        self._endings: tuple[Ending, ...] = ()
        self._added = 0

    def add(self, app: App) -> str:
        """Take in an application, and return the key by which a target names it; a known one keeps its key."""
        known = self._key_of(app)
        if known is not None:
            self._apps[known] = app
            self._last_loops[known] = app.home or self._last_loops.get(known)
            return known
        self._added += 1
        key = (
            f"app-{self._added}"  # never used again: a delivery from before a reset must not reach another application
        )
        self._apps[key] = app
        self._last_loops[key] = app.home
        return key

    def __contains__(self, app: App) -> bool:
        """Whether an application is here."""
        return self._key_of(app) is not None

    def remove(self, key: str) -> None:
        """Forget one application, and start shutting it down; :meth:`settle` waits for that."""
        self._apps.pop(key, None)
        self._last_loops.pop(key, None)
        hosts = [self._hosts.pop(each) for each in tuple(self._hosts) if each[0] == key]
        self._endings += tuple(host.end() for host in hosts)

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request to the application that its target names, and wait for the answer, its start included."""
        app = self._apps.get(request.target.app)
        if app is None:
            return _FORGOTTEN
        try:
            return await self._host(request.target.app, app).exchange(request, timeout)
        except LoopEndedError:  # at this very moment
            return _LOOP_ENDED

    async def start(self, timeout: float, only: App | None = None) -> str:
        """Start the applications that have not been, or only one: those that register themselves do so then.

        Returns why one of them did not start in time. Raises a UsageError if no route leads to the application.
        """
        key = None if only is None else self._key_of(only)
        if only is not None and key is None:
            raise UsageError("no route leads to this application: call route(..., to=app) first")
        keys = tuple(self._apps) if key is None else (key,)
        hosts = [self._host(each, self._apps[each]) for each in keys if self._apps[each].interface != "wsgi"]
        try:
            problems = await asyncio.gather(*(host.start(timeout) for host in hosts if isinstance(host, LoopHost)))
        except LoopEndedError:
            return "the event loop that the application ran on is closed"
        return next((problem.message for problem in problems if problem is not None), "")

    def reset(self) -> None:
        """Forget every application, and start shutting them down; :meth:`settle` waits for that."""
        self._apps.clear()
        self.shut_down()

    @property
    def running(self) -> bool:
        """Whether any application was started and not shut down since."""
        return bool(self._hosts)

    @property
    def without_lifespan(self) -> bool:
        """Whether there is an application whose lifespan is not run here."""
        return any(not app.lifespan for app in self._apps.values())

    @property
    def ending(self) -> bool:
        """Whether there is anything for :meth:`settle` to wait for."""
        return bool(self._endings)

    def shut_down(self) -> None:
        """Start shutting the applications down; one that gets a request after that is started again."""
        hosts, thread = tuple(self._hosts.values()), self._thread
        self._last_loops.clear()
        self._hosts.clear()
        self._thread = None
        endings: list[Ending] = [host.end() for host in hosts]
        if thread is not None:
            here = [ending for host, ending in zip(hosts, endings, strict=True) if _runs_on(host, thread.loop)]
            endings.append(end_thread(thread, [ending for ending in here if isinstance(ending, LoopEnding)]))
        self._endings += tuple(endings)

    async def close(self) -> None:
        """Do as :meth:`reset` does."""
        self.reset()

    def settle(self) -> None:
        """Wait until applications have shut down, as far as that is possible in the calling thread: any but the mock's.

        See :mod:`mockserver.delivery.in_process.host`.
        """
        endings, self._endings = self._endings, ()
        for ending in endings:
            ending.settle()

    def _key_of(self, app: App) -> str | None:
        same = (
            key
            for key, known in self._apps.items()
            if known.application is app.application and known.interface == app.interface
        )
        return next(same, None)

    def _host(self, key: str, app: App) -> Host:
        loop = None if app.interface == "wsgi" else self._loop(key)
        host = self._hosts.get((key, loop))
        if host is None:
            host = self._hosts[key, loop] = self._new_host(app, loop)
        return host

    def _new_host(self, app: App, loop: asyncio.AbstractEventLoop | None) -> Host:
        # Imported here: only a route to such an application pays for it.
        if loop is None:
            from mockserver.delivery.in_process.wsgi import WsgiHost  # noqa: PLC0415 - start-up does without

            return WsgiHost(app.application)
        if app.interface == "asgi":
            from mockserver.delivery.in_process.asgi import AsgiHost  # noqa: PLC0415 - start-up does without

            return AsgiHost(app.application, loop, lifespan=app.lifespan)
        from mockserver.delivery.in_process.aiohttp_app import AiohttpHost  # noqa: PLC0415 - start-up does without

        return AiohttpHost(app.application, loop, self._network)

    def _loop(self, key: str) -> asyncio.AbstractEventLoop:
        here = asyncio.get_running_loop()  # the mock's own, where no application runs
        for loop in (noted_loop(), self._last_loops.get(key)):
            if loop is not None and loop is not here and loop.is_running():
                self._last_loops[key] = loop
                return loop
        if self._thread is None:
            self._thread = app_thread()
        return self._thread.loop


def _runs_on(host: Host, loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(host, LoopHost) and host.loop is loop
