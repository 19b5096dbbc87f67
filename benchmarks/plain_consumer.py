"""A consumer on the standard library's server, in a process of its own; it prints its URL when it listens.

Like many servers it writes the head and the body of an answer apart, with Nagle's algorithm on: on a connection that is
kept, the body waits until the other side has acknowledged the head.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mockserver import verify

SECRET = "whsec_benchmark"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, text = self._received(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
        self.rfile.readline()
        return data

    def _received(self, body: bytes) -> tuple[int, bytes]:
        if not verify(body, self.headers.get("X-Playgent-Signature", ""), SECRET):
            return 401, b"bad signature"
        try:
            event = json.loads(body)["event"]
        except (ValueError, RecursionError, TypeError, KeyError):
            return 400, b"no event"
        return 200, f"accepted {event}".encode("utf-8", "replace")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - it is called so in the base class
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that were broken off: that is what is tested."""


if __name__ == "__main__":
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/hooks", flush=True)
        server.serve_forever()
