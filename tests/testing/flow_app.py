"""Applications for tests of flows: one that is correct or has one mistake, and one that only notes what comes."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from mockserver import MockServer

ENDS = ("completed", "failed")
ADDRESS = "https://your-app.com"

#: What an application gets wrong about the order of things, by name.
MISTAKES = {
    "answer_wins": "takes the state of the answer for the newest, also when the event came first",
    "unknown_dropped": "answers 404 to an event about a run whose answer it has not read yet",
    "stale_read_wins": "writes what it has read over what an event said meanwhile",
    "last_event_wins": "takes the last event for the end, without looking",
    "never_polls": "waits for an event that may never come",
    "gives_up": "does not try again when a run could not be started",
    "tries_for_ever": "starts the run again although it was started",
}


class Application:
    """Starts runs and keeps their states; a WSGI application for the events.

    Args:
        url: The base URL of the vendor's API.
        mistake: What it gets wrong; one of ``MISTAKES``, or empty.
    """

    def __init__(self, url: str, mistake: str = "") -> None:
        self._url = url
        self._mistake = mistake
        self.runs: dict[str, str] = {}
        #: Called between reading a run and writing down what was read: an application is not always quick.
        self.think: Callable[[], None] = lambda: None

    def start(self, **request: Any) -> str:
        """Start a run, and return its id; empty where that failed."""
        answer: dict[str, Any] = {}
        for _ in range(5):
            try:
                answer = self._call("POST", "/v1/runs", request)
            except urllib.error.HTTPError:
                if self._mistake == "gives_up":
                    return ""
                continue
            if self._mistake != "tries_for_ever":
                break
        run_id: str = answer["run_id"]
        if self._mistake == "answer_wins" or self.runs.get(run_id) not in ENDS:
            self.runs[run_id] = answer["status"]
        return run_id

    def poll(self) -> None:
        """Look at every run whose end is not known."""
        if self._mistake == "never_polls":
            return
        for run_id in [each for each, state in self.runs.items() if state not in ENDS]:
            read = self._call("GET", f"/v1/runs/{run_id}")["status"]
            self.think()
            if self._mistake == "stale_read_wins" or self.runs[run_id] not in ENDS:
                self.runs[run_id] = read

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Take an event."""
        event = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        run_id = event["data"]["run_id"]
        if self._mistake == "unknown_dropped" and run_id not in self.runs:
            start_response("404 Not Found", [])
            return [b""]
        state = event["event"].removeprefix("run.")
        if self._mistake != "last_event_wins":  # the API knows what is true
            state = self._call("GET", f"/v1/runs/{run_id}")["status"]
        self.runs[run_id] = state
        start_response("204 No Content", [])
        return [b""]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self._url + path,
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": "Bearer key-of-the-app", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


class Client:
    """Calls the vendor API on one connection, and notes the events that come."""

    def __init__(self, mock: MockServer) -> None:
        self._connection = http.client.HTTPConnection(mock.url.removeprefix("http://"))
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer: dict[str, Any] = json.load(self._connection.getresponse())
        return answer

    def run(self, **body: Any) -> dict[str, Any]:
        return self.call("POST", "/v1/runs", body)

    def read(self, run_id: str) -> dict[str, Any]:
        return self.call("GET", f"/v1/runs/{run_id}")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.events.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        start_response("204 No Content", [])
        return [b""]

    def close(self) -> None:
        self._connection.close()


def connected(mock: MockServer) -> Client:
    """A client that gets every event."""
    client = Client(mock)
    mock.route(ADDRESS, to=client)
    mock.register(f"{ADDRESS}/hooks")
    return client
