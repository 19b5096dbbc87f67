"""WSGI applications: httpx calls them, and what it would normalise is put back as it would be sent."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.delivery.in_process.call import Call, IncompleteAnswerError
from mockserver.delivery.in_process.failures import app_error
from mockserver.delivery.in_process.host import Calls
from mockserver.delivery.in_process.loops import Ending, ThreadEnding
from mockserver.model.messages import Exchange, ExchangeError, Request

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

#: httpx wants a URL; the application gets the parts of the real one.
_PLACEHOLDER = "http://in-process/"
#: Seconds that a thread gets to end: one that hangs cannot be stopped, and is left behind as a daemon.
_PATIENCE = 0.2


class WsgiHost:
    """Runs a WSGI application, with a thread for each request.

    Args:
        app: The application.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._calls = Calls()
        self._threads: set[threading.Thread] = set()

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request; returns when the application is through with it."""
        call = Call(request)
        # Not from a pool, whose threads the interpreter waits for when it ends: an application may hang.
        context = contextvars.Context()
        thread = threading.Thread(target=context.run, args=(self._serve, call), name="mockserver-wsgi", daemon=True)
        self._threads = {each for each in self._threads if each.is_alive()} | {thread}
        thread.start()
        return await self._calls.wait(call, timeout)

    def end(self) -> Ending:
        """Let nobody wait for the application any longer."""
        self._calls.stop()
        return ThreadEnding(tuple(self._threads), _PATIENCE)

    def _serve(self, call: Call) -> None:
        try:
            self._answer(call)
        except IncompleteAnswerError as error:
            call.finish(ExchangeError("app", str(error)))
        except BaseException as error:  # noqa: BLE001 - the thread ends here: there is nobody to raise it to
            call.finish(app_error(error))
        call.finish()

    def _answer(self, call: Call) -> None:
        import httpx  # noqa: PLC0415 - an extra, looked for when the route was made

        transport = httpx.WSGITransport(functools.partial(self._exactly, call))
        body = httpx.ByteStream(call.request.body)
        transport.handle_request(httpx.Request(call.method, _PLACEHOLDER, stream=body))

    def _exactly(self, call: Call, environ: dict[str, Any], start_response: Any) -> Sequence[bytes]:
        """Call the application with the request as it would come over the network, and record its answer."""
        result = self._app({**environ, **_environ_of(call)}, _StartResponse(call, start_response))
        try:
            for part in result:
                if not call.add(part):
                    break
        finally:
            if hasattr(result, "close"):
                result.close()
        if not call.begun:
            raise IncompleteAnswerError("the application returned without an answer")
        call.end()
        return ()


class _StartResponse:
    """The ``start_response`` of an application: records what it is given.

    Args:
        call: Where it is recorded.
        start_response: That of httpx, which raises what an application gives as ``exc_info``.
    """

    def __init__(self, call: Call, start_response: Any) -> None:
        self._call = call
        self._start_response = start_response

    def __call__(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], bool]:
        if self._call.begun and exc_info is None:
            raise RuntimeError("start_response was called a second time without exc_info")
        code, _, reason = status.partition(" ")
        encoded = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
        self._call.begin(int(code), reason, encoded)
        self._start_response(status, [], exc_info)
        return self._call.add


def _environ_of(call: Call) -> dict[str, Any]:
    target = call.request.target
    raw_target = call.path + (b"?" + call.query if call.query else b"")
    return {
        "wsgi.url_scheme": target.scheme,
        "wsgi.input_terminated": True,  # a body may be read to its end, also one that came in chunks
        "REQUEST_METHOD": call.method,
        "PATH_INFO": unquote_to_bytes(call.path).decode("latin-1"),
        "QUERY_STRING": call.query.decode("latin-1"),
        "SERVER_NAME": target.host,
        "SERVER_PORT": str(target.port),
        "RAW_URI": raw_target.decode("latin-1"),  # not in the standard, but the servers give it
        "REQUEST_URI": raw_target.decode("latin-1"),
        **_environ_of_headers(call),
    }


def _environ_of_headers(call: Call) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in call.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        text = value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
