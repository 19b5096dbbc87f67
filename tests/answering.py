"""Consumers on the standard library's server: for tests without an event loop, and for commands."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mockserver import verify
from tests.receiving import SECRET


@contextmanager
def answering(answer: Callable[[bytes, str], tuple[int, bytes]]) -> Iterator[str]:
    """A consumer of a few lines: ``answer`` takes a body and its signature, and returns a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = answer(body, self.headers.get("X-Playgent-Signature", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a mock that is stopped cuts its connections
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks"
        finally:
            server.shutdown()
            thread.join()


class VerifyingConsumer:
    """Refuses what is not signed with ``SECRET``; fails, or keeps its answers back, on request."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.accepted: list[bytes] = []
        self.fail = 0
        self.release = threading.Event()
        self.release.set()

    def answer(self, body: bytes, signature: str) -> tuple[int, bytes]:
        self.bodies.append(body)
        self.release.wait(60)
        if not verify(body, signature, SECRET):
            return 401, b"bad signature"
        if self.fail:
            self.fail -= 1
            return 500, b""
        self.accepted.append(body)
        return 200, b"ok"


@contextmanager
def verifying() -> Iterator[VerifyingConsumer]:
    """Serve such a consumer."""
    consumer = VerifyingConsumer()
    with answering(consumer.answer) as consumer.url:
        try:
            yield consumer
        finally:
            consumer.release.set()
