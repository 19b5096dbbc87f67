"""WSGI applications: each request is one call of the application, on a thread of its own (PEP 3333)."""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.delivery.in_process.call import CLIENT, Call, IncompleteAnswerError, app_error
from mockserver.delivery.in_process.host import Calls, Ending, ThreadEnding
from mockserver.model.messages import Exchange, ExchangeError, Request

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

#: Seconds that a thread gets to end: one that hangs cannot be stopped, and stays behind as a daemon.
_PATIENCE = 0.2


class WsgiHost:
    """Runs a WSGI application, with a thread for each request."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._calls = Calls()
        self._threads: set[threading.Thread] = set()

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Deliver a request; returns when the application has finished with it."""
        call = Call(request)
        # Not from a pool, whose threads the interpreter waits for when it ends: an application may hang.
        context = contextvars.Context()
        thread = threading.Thread(target=context.run, args=(self._serve, call), name="mockserver-wsgi", daemon=True)
        self._threads = {each for each in self._threads if each.is_alive()} | {thread}
        thread.start()
        return await self._calls.wait(call, timeout)

    def end(self) -> Ending:
        """End every wait for the application."""
        self._calls.stop()
        return ThreadEnding(tuple(self._threads), _PATIENCE)

    def _serve(self, call: Call) -> None:
        try:
            self._answer(call)
        except IncompleteAnswerError as error:
            call.finish(ExchangeError("app", str(error)))
        except BaseException as error:  # noqa: BLE001 - the thread ends here: it cannot be raised any further
            call.finish(app_error(error))
        call.finish()

    def _answer(self, call: Call) -> None:
        """Call the application with the request as it would come over the network, and record its answer."""
        start_response = _StartResponse(call)
        result = self._app(_environ_of(call), start_response)
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
        if start_response.failure is not None:
            raise start_response.failure


class _StartResponse:
    """The ``start_response`` of an application: records what it is given.

    ``failure`` is what the application gave as ``exc_info``: what it raised, beside the answer that says so.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.failure: BaseException | None = None

    def __call__(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], bool]:
        if self._call.begun and exc_info is None:
            raise RuntimeError("start_response was called a second time without exc_info")
        code, _, reason = status.partition(" ")
        encoded = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
        self._call.begin(int(code), reason, encoded)
        self.failure = exc_info[1] if exc_info else None
        return self._call.add


def _environ_of(call: Call) -> dict[str, Any]:
    target = call.request.target
    raw_target = call.path + (b"?" + call.query if call.query else b"")
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": target.scheme,
        "wsgi.input": io.BytesIO(call.request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,  # a body may be read to its end, even one that came in chunks
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(call.path).decode("latin-1"),
        "QUERY_STRING": call.query.decode("latin-1"),
        "SERVER_NAME": target.host,
        "SERVER_PORT": str(target.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": CLIENT[0],
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
