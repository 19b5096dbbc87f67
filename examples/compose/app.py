"""An application in a container: registers its webhook when it starts, and prints each run that failed.

Python's standard library only, so that the image needs nothing else.
"""

import hashlib
import hmac
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE_URL = os.environ["PLAYGENT_BASE_URL"]
WEBHOOK_URL = os.environ["WEBHOOK_URL"]
SECRET = os.environ["WEBHOOK_SECRET"]
LONGEST_BODY = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """``POST /webhooks/playgent``."""

    def do_POST(self) -> None:
        """Verify the signature of the raw body, then handle the event."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self.answer(411)
        if int(length) > LONGEST_BODY:
            return self.answer(413)
        body = self.rfile.read(int(length))
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        given = self.headers.get("X-Playgent-Signature", "")
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
            return self.answer(401)
        try:
            event = json.loads(body)
            print(event["event"], event["data"].get("run_id"), flush=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self.answer(400)
        return self.answer(200)

    def answer(self, status: int) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 413:
            self.close_connection = True
        self.end_headers()


def register() -> None:
    """Register the webhook, as in production."""
    wanted = {"url": WEBHOOK_URL, "events": ["run.completed", "run.failed"], "secret": SECRET}
    request = urllib.request.Request(f"{BASE_URL}/v1/webhooks", json.dumps(wanted).encode())
    request.add_header("Authorization", "Bearer test")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        print("registered", json.load(answer)["webhook_id"], flush=True)


def main() -> None:
    """Serve."""
    server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Handler)
    register()
    server.serve_forever()


if __name__ == "__main__":
    main()
