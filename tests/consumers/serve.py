"""Serve a Python consumer's application object from a thread: quicker than a process of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import uvicorn
from werkzeug.serving import make_server

from tests.consumers.launch import Endpoint


class _SignallingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def serve_flask(secret: str, mistake: str | None) -> Iterator[Endpoint]:
    """Serve the consumer in Flask until the block ends."""
    from tests.consumers import flask_app  # noqa: PLC0415 - a framework takes its time to import

    with serve_wsgi(flask_app.create_app(secret, mistake)) as url:
        yield Endpoint(url)


@contextmanager
def serve_wsgi(app: Any) -> Iterator[str]:
    """Serve a WSGI application, and give its URL."""
    from tests.consumers.flask_app import QuietHandler  # noqa: PLC0415 - as above

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    with closing(server.socket), _thread(lambda: server.serve_forever(poll_interval=0.01), server.shutdown):
        yield f"http://127.0.0.1:{server.port}"


@contextmanager
def serve_fastapi(secret: str, mistake: str | None) -> Iterator[Endpoint]:
    """Serve the consumer in FastAPI until the block ends."""
    from tests.consumers import fastapi_app  # noqa: PLC0415 - a framework takes its time to import

    config = uvicorn.Config(
        fastapi_app.create_app(secret, mistake), port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = _SignallingServer(config)

    def stop() -> None:
        server.should_exit = True

    with _thread(server.run, stop):
        if not server.is_up.wait(60):
            raise RuntimeError("the server did not start")
        yield Endpoint(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")


@contextmanager
def _thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(60)
