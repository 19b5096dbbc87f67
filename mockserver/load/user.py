"""``WebhookUser``: the Locust user that plays a script."""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust import FastHttpUser, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS
from locust.env import Environment
from locust.exception import CatchResponseError

from mockserver.load.plan import SignedEvent, UserAttributes
from mockserver.load.run import Arrival, LoadRun, run_of

_INTERRUPTED = "interrupted before the answer, outcome unknown"


class WebhookUser(UserAttributes, FastHttpUser):
    """A sender of signed events. Subclass it in a locustfile, and set what differs.

    Without :attr:`rate` each user plays the script from beginning to end, over and over, at Locust's own pacing
    (``wait_time``). With it, the events come at their own times however long the consumer takes (an open loop), and
    the users are what sends them: there must be enough of them to wait for all answers that are outstanding.

    Attributes:
        host: Where the consumer is, such as ``http://localhost:3000``; also from Locust's ``--host``.
        path: The path of its webhook handler.
        secret: Signs the events.
        script: The file of a script, or the name of a bundled one.
        rate: Events a second over all users and workers; None for Locust's own pacing.
        speed: How fast the pauses of the script pass where there is no rate: 1 is real time, ``max`` leaves them out.
        seed: Same seed, same events, whatever the number of workers; None for another one each time, which the ledger
            shows: a consumer that remembers the events of an earlier load has no effect of the same ones.
        faults: The share of the events (0 to 1) that get a fault, by fault: ``{"wrong_secret": 0.01}``.
        headers: Lines such as ``X-Api-Key: abc`` for every request.
        probe: URL of the consumer's count of handled events; None if it has none.
        probe_json: JSONPath of the count in the answer; None where the answer is a number or has one only.
        counted: The event types that the probe counts; None for all.
        drain_within: Seconds to wait at most for the effects of the last events.
        max_backlog: How many events that are due may wait in one worker; more are not sent, and counted so.
        max_p99: What the 99th percentile of the response times may reach, such as ``"250ms"``; None for any.
        max_failures: The share of the events (0 to 1) that may fail; None for any.
        timeout: Until an answer must be there: seconds, or a text such as ``"2s"``.
        allow_hosts: Public hosts that events may go to; others must be private addresses.
    """

    abstract = True

    def __init__(self, environment: Environment) -> None:
        self._run: LoadRun = run_of(environment, type(self))
        self.network_timeout = self.connection_timeout = self._run.settings.timeout
        super().__init__(environment)
        self._agent = self.client.client
        self._agent.cookiejar = None  # a sender of webhooks keeps no cookies,
        self._agent.redirect_response_codes = frozenset()  # type: ignore[misc] # and follows no redirect
        self._url = self._run.settings.target.url
        self._play = 0
        self._next = 0
        self._account = ""

    @task
    def deliver(self) -> None:
        """Send the next event: the next of the script, or the next that is due."""
        if self._run.halted:
            gevent.sleep(0.05)
        elif self._run.settings.rate is None:
            self._send_next_of_script()
        else:
            arrival = self._run.take(timeout=0.5)
            if arrival is not None:
                self._send_due(arrival)

    def _send_next_of_script(self) -> None:
        run = self._run
        if not self._account:
            self._account = run.next_account()
        planned = run.settings.plan.events[self._next]
        if self.speed != "max" and planned.after:
            gevent.sleep(planned.after / float(self.speed))
            if run.halted:
                return
        event = run.make(f"{self._account}/{self._play}", self._next, time.time())
        self._next += 1
        if self._next == len(run.settings.plan.events):
            self._next, self._play = 0, self._play + 1
        if event is not None:
            self._deliver(event, None)

    def _send_due(self, arrival: Arrival) -> None:
        self._run.begin_sending()
        try:
            while (ahead := arrival.due - time.monotonic()) > 0 and not self._run.halted:
                gevent.sleep(min(ahead, 0.1))
            if self._run.halted:
                self._run.leave_out(arrival)
            else:
                self._deliver(arrival.event, arrival.due)
        finally:
            self._run.end_sending()

    def _deliver(self, event: SignedEvent, due: float | None) -> None:
        """Send an event and its copies, and count what came of it."""
        statuses: list[int] = []
        begun = time.monotonic()
        self._run.begin_sending()
        try:
            if event.together:
                gevent.joinall([gevent.spawn(self._attempt, event, due, statuses) for _ in range(event.copies)])
            else:
                for _ in range(event.copies):
                    self._attempt(event, due, statuses)
        except gevent.GreenletExit:
            self._run.count_interrupted(_INTERRUPTED)
            raise
        finally:
            self._run.end_sending()
        self._run.count_outcome(event, statuses)
        if due is not None:
            service = (time.monotonic() - begun) * 1000
            self.environment.stats.get(event.name, "service").log(round(service), 0)

    def _attempt(self, event: SignedEvent, due: float | None, statuses: list[int]) -> None:
        """Send one copy, and report it to Locust: what its session does around this costs as much as the signature."""
        self._run.counts.sent += 1
        body: Any = _SlowBody(event.body, event.body_seconds) if event.body_seconds else event.body
        started, begun = time.time(), time.monotonic()
        response = error = None
        length = status = 0
        try:
            response = self._agent.urlopen(self._url, method="POST", payload=body, headers=event.headers)
            length = len(response.content)
            status = int(response.status_code)
        except FAILURE_EXCEPTIONS as failure:
            response = getattr(failure, "response", None)  # there is one where the status is an error's
            status = int(response.status_code) if response is not None else 0
            error = None if status else failure
        statuses.append(status)
        # In an open loop, an answer is late by the time that its event was due.
        took = (time.monotonic() - (begun if due is None else due)) * 1000
        wrong = None if event.is_right(status) else CatchResponseError(self._run.why_wrong(event, status, error))
        self.environment.events.request.fire(
            request_type="POST",
            name=event.name,
            response_time=took,
            response_length=length,
            response=response,
            context={},
            exception=wrong,
            start_time=started,
            url=self._url,
        )


class _SlowBody:
    """A body that drips out over some seconds; geventhttpclient reads it like a file."""

    _PIECES = 20

    def __init__(self, content: bytes, seconds: float) -> None:
        self._content = content
        self._pause = seconds / self._PIECES
        self._size = max(1, -(-len(content) // self._PIECES))
        self._sent = 0

    def __len__(self) -> int:
        return len(self._content)

    def read(self, _: int = -1) -> bytes:
        if 0 < self._sent < len(self._content):
            gevent.sleep(self._pause)
        piece = self._content[self._sent : self._sent + self._size]
        self._sent += len(piece)
        return piece
