"""One load, in every process that takes part: users, the schedule of an open loop, the counts, the end.

Processes
    The master (or the one process, without workers) decides: it numbers the users, schedules the arrivals of an open
    loop, reads the probe and writes the ledger. Workers send. They talk in Locust's own messages:
    ``mockserver_account`` (whose events do I send), ``mockserver_arrivals`` (what is due, and when),
    ``mockserver_halt`` (send no more) and ``mockserver_counts`` (what was counted, once nothing is in flight).

The open loop
    Event ``k`` is due ``k / rate`` seconds after the start. Every tick the master deals out the numbers that are due
    within the lead time, in turns to the workers that are there. So each number is sent by one worker, whatever
    workers come and go, and payloads are signed before their moment.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from mockserver.errors import UsageError
from mockserver.load.ledger import Counts, Ledger, LoadProbeError, add_tab, read_count
from mockserver.load.plan import LoadSettings, SignedEvent, UserAttributes, check_address, read_settings
from mockserver.model.targets import Target

_logger = logging.getLogger("mockserver.load")

#: Seconds between two deals of arrivals, and how far ahead of its moment each is dealt.
_TICK = 0.1
_LEAD = 0.4
#: Seconds between two looks at the probe, and how long the count must stand still.
_LOOK = 0.25
_STILL = 2.0
#: Seconds that a worker has to report its last counts, beyond the time-out of what is in flight.
_REPORT = 5.0

_FULL = "the backlog was full: the consumer is too slow, or there are too few users"
_STOPPED = "the load ended first"
_LOST = "lost on purpose"


class Arrival(msgspec.Struct, frozen=True):
    """An event of an open loop, and the moment (of the monotonic clock) at which it is due."""

    event: SignedEvent
    due: float


class LoadRun:
    """The part that this process has in the load of one user class.

    Attributes:
        counts: What this process counted.
        halted: Whether no further event is to be sent.
        in_flight: How many events are being sent.
        last_answer: When the last answer came, by the monotonic clock.
        ledger: What it came to; None until the end, and in workers.
    """

    def __init__(self, environment: Environment, user: type[UserAttributes]) -> None:
        self._environment = environment
        self._user = user
        self.settings: LoadSettings = read_settings(user, environment.host or user.host)
        self.counts = Counts()
        self.halted = False
        self.in_flight = 0
        self.last_answer = time.monotonic()
        self.ledger: Ledger | None = None
        self._backlog: Queue[Arrival] = Queue()
        self._accounts: list[AsyncResult[str]] = []
        self._seed = 0
        self._users = 0
        self._origin: float | None = None
        self._before: float | None = None
        self._problem = ""
        self._reported: dict[str, Counts] = {}
        self._final: set[str] = set()
        self._scheduler: gevent.Greenlet[..., None] | None = None

    @property
    def name(self) -> str:
        """The name of the user class."""
        return self.settings.name

    # What users ask for

    def next_account(self) -> str:
        """Return the account of a new user: the seed, and its number over all workers."""
        runner = self._environment.runner
        if not isinstance(runner, WorkerRunner):
            self._users += 1
            return f"{self._seed}/{self._users - 1}"
        answer: AsyncResult[str] = AsyncResult()
        self._accounts.append(answer)
        runner.send_message("mockserver_account", {"user": self.name})
        return answer.get(timeout=30) or ""

    def take_account(self, account: str) -> None:
        """Give an account to the user that has waited for it longest."""
        self._accounts.pop(0).set(account)

    def make(self, play: str, number: int, now: float) -> SignedEvent | None:
        """Make an event and count it as planned; None if it is lost on purpose."""
        self.counts.planned += 1
        event = self.settings.plan.event(play, number, now)
        if event is None:
            self.counts.leave_out(_LOST)
        return event

    def take(self, timeout: float) -> Arrival | None:
        """Return the next event that is due, or None if there is none within some seconds."""
        try:
            arrival: Arrival = self._backlog.get(timeout=timeout)
        except Empty:
            return None
        return arrival

    def begin_sending(self) -> None:
        """Note that an event is in flight: the end of the load waits for it."""
        self.in_flight += 1

    def end_sending(self) -> None:
        """Note that an event is no longer in flight."""
        self.in_flight -= 1
        self.last_answer = time.monotonic()

    def leave_out(self, arrival: Arrival) -> None:
        """Count an event that was due and is not sent, as the load ends; forget one that was not due yet."""
        if arrival.due > time.monotonic():
            self.counts.planned -= 1
        else:
            self.counts.leave_out(_STOPPED)

    # What came of an event

    def count_outcome(self, event: SignedEvent, statuses: list[int]) -> None:
        """Count what came of an event, by the statuses of all its copies; 0 is no answer."""
        counts = self.counts
        if event.effect == "one" and len(statuses) == 1 and event.is_right(statuses[0]):
            counts.due += 1
            counts.accepted += 1
            return
        done = [status for status in statuses if 200 <= status < 300]
        unclear = [status for status in statuses if not status or status >= 500]
        wrong = next((each for each in statuses if not event.is_right(each)), None)
        if event.effect == "one" and done:
            counts.due += 1
        elif event.effect == "unknown" or (event.effect == "one" and unclear):
            counts.maybe += len(statuses)
        if wrong is not None and event.forged and done:
            counts.forged_accepted += 1
        elif wrong is not None:
            counts.fail(self.why_wrong(event, wrong, None))
        elif event.forged:
            counts.refused_rightly += 1
        elif event.effect == "unknown":
            counts.unjudged += 1
        else:
            counts.accepted += 1

    def count_interrupted(self, reason: str) -> None:
        """Count an event of which the answer was not waited for."""
        self.counts.fail(reason)
        self.counts.maybe += 1

    def why_wrong(self, event: SignedEvent, status: int, error: BaseException | None) -> str:
        """Say what is wrong with an answer; the same words for the same kind of answer."""
        if not status:
            return f"no answer: {_kind_of(error)}" if error else "no answer"
        if event.forged and 200 <= status < 300:
            return f"a forged event was accepted with {status}"
        return f"answered {status}, expected {' or '.join(event.accepted)}"

    # The schedule of an open loop

    def schedule(self) -> None:
        """Deal out the arrivals until the load ends: in the master, or in the one process."""
        rate = self.settings.rate
        assert rate is not None  # noqa: S101 - there is no schedule without a rate
        begun = time.monotonic()
        dealt = 0
        while not self.halted:
            elapsed = time.monotonic() - begun
            until = int((elapsed + _LEAD) * rate)
            if until > dealt:
                self._deal(dealt, until, elapsed)
                dealt = until
            gevent.sleep(_TICK)

    def _deal(self, first: int, end: int, elapsed: float) -> None:
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            self.expect(first, end, 1, elapsed, self._seed)
            return
        workers = [client.id for client in runner.clients.running + runner.clients.spawning]
        for place, worker in enumerate(workers):
            deal = {"first": first + place, "end": end, "step": len(workers), "elapsed": elapsed, "seed": self._seed}
            runner.send_message("mockserver_arrivals", {"user": self.name, "deal": deal}, worker)

    def expect(self, first: int, end: int, step: int, elapsed: float, seed: int) -> None:
        """Sign the events that are due next, and put them into the backlog."""
        rate = self.settings.rate
        assert rate is not None  # noqa: S101 - there are no arrivals without a rate
        if self._origin is None:
            self._origin = time.monotonic() - elapsed
        length = len(self.settings.plan.events)
        for number in range(first, end, step):
            due = self._origin + number / rate
            if self._backlog.qsize() >= self.settings.max_backlog:
                self.counts.planned += 1
                self.counts.leave_out(_FULL)
                continue
            event = self.make(f"{seed}/rate/{number // length}", number % length, time.time() + due - time.monotonic())
            if event is not None:
                self._backlog.put(Arrival(event, due))

    # Beginning and end

    def begin(self) -> None:
        """Start afresh: forget the last load, check where this one goes, and read the probe."""
        self.counts = Counts()
        self.halted, self.ledger, self._origin, self._problem = False, None, None, ""
        self._reported, self._final, self._users = {}, set(), 0
        self._backlog = Queue()
        self.settings = read_settings(self._user, self._environment.host or self._user.host)
        self._seed = secrets.randbelow(1_000_000) if self._user.seed is None else self._user.seed
        check_address(self.settings.target, self._user.allow_hosts)
        if self._user.probe and not isinstance(self._environment.runner, WorkerRunner):
            check_address(Target.parse(self._user.probe), self._user.allow_hosts)
            try:
                self._before = self._read_probe()
            except LoadProbeError as error:
                raise UsageError(f"{self.name}: {error}") from None

    def begin_schedule(self) -> None:
        """Start the arrivals, once."""
        if self.settings.rate is not None and self._scheduler is None and not self.halted:
            self._scheduler = gevent.spawn(self.schedule)

    def halt(self) -> None:
        """Send no further event, and wait until nothing is in flight."""
        self.halted = True
        if self._scheduler is not None:
            self._scheduler.kill()
            self._scheduler = None
        while (arrival := self.take(timeout=0)) is not None:
            self.leave_out(arrival)
        deadline = time.monotonic() + self.settings.timeout + 1.0
        while self.in_flight and time.monotonic() < deadline:
            gevent.sleep(0.02)

    def note_report(self, worker: str, counts: Counts, *, final: bool) -> None:
        """Take what a worker counted so far."""
        self._reported[worker] = counts
        if final:
            self._final.add(worker)

    def wait_for_reports(self, workers: list[str]) -> None:
        """Wait until each worker has reported its last counts."""
        deadline = time.monotonic() + self.settings.timeout + _REPORT
        while not self._final.issuperset(workers) and time.monotonic() < deadline:
            gevent.sleep(0.05)
        if missing := set(workers) - self._final:
            self._problem = f"{len(missing)} of {len(workers)} workers did not report their last counts"
        self.last_answer = time.monotonic()

    def finish(self) -> Ledger:
        """Let the consumer drain, and draw up the ledger."""
        ledger = Ledger(user=self.name, seed=self._seed, counts=self.total(), problem=self._problem)
        if self._before is not None and not ledger.problem:
            try:
                self._drain(ledger, self._before)
            except LoadProbeError as error:
                ledger.problem = str(error)
        ledger.missed = tuple(self._missed(ledger))
        self.ledger = ledger
        return ledger

    def current(self) -> Ledger:
        """Return the ledger: the final one, or what is counted so far."""
        return self.ledger or Ledger(user=self.name, seed=self._seed, counts=self.total())

    def total(self) -> Counts:
        """Return what all processes counted so far."""
        total = Counts()
        for counts in (self.counts, *self._reported.values()):
            total.add(counts)
        return total

    def _drain(self, ledger: Ledger, before: float) -> None:
        """Read the probe until all effects are there, or until the count stands still for a while."""
        end = time.monotonic() + self._user.drain_within
        count, changed = -1.0, time.monotonic()
        while True:
            found = self._read_probe() - before
            now = time.monotonic()
            if found != count:
                count, changed = found, now
            # A consumer that doubles may do so after the last effect that is due: wait for it to stand still.
            if now - changed >= _STILL or now >= end:
                break
            gevent.sleep(_LOOK)
        ledger.effects = count
        ledger.drain_seconds = max(0.0, changed - self.last_answer)

    def _read_probe(self) -> float:
        assert self._user.probe is not None  # noqa: S101 - asked for only with a probe
        return read_count(self._user.probe, self._user.probe_json)

    def _missed(self, ledger: Ledger) -> list[str]:
        missed = []
        settings, counts = self.settings, ledger.counts
        failed = sum(counts.failures.values()) + counts.forged_accepted
        if settings.max_failures is not None and failed > settings.max_failures * max(counts.planned, 1):
            most = f"at most {settings.max_failures * 100:.10g}% may"
            missed.append(f"{failed} of {counts.planned} events failed, {most}")
        if settings.max_p99 is not None and (p99 := self._p99()) > settings.max_p99 * 1000:
            missed.append(
                f"the 99th percentile is {p99:.10g} ms, at most {settings.max_p99 * 1000:.10g} ms are allowed"
            )
        return missed

    def _p99(self) -> float:
        """The 99th percentile of the response times of this class's events, in milliseconds."""
        from locust.stats import calculate_response_time_percentile  # noqa: PLC0415 - beside its one use

        times: dict[int, int] = {}
        for (name, method), entry in self._environment.stats.entries.items():
            if method == "POST" and name.partition(" [")[0] in self.settings.events:
                for value, count in entry.response_times.items():
                    times[value] = times.get(value, 0) + count
        return float(calculate_response_time_percentile(times, sum(times.values()), 0.99)) if times else 0.0


def _kind_of(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, (TimeoutError, gevent.Timeout)):
        return "none within the time-out"
    return type(error).__name__


# One environment is one load test. Locust has no place of its own for what belongs to it.
_RUNS: WeakKeyDictionary[Environment, dict[str, LoadRun]] = WeakKeyDictionary()


def run_of(environment: Environment, user: type[UserAttributes]) -> LoadRun:
    """Return the part that this process has in the load of a user class."""
    return attach(environment)[user.__name__]


def attach(environment: Environment) -> dict[str, LoadRun]:
    """Make the loads of an environment's user classes known to Locust, once; return them by class name.

    Raises UsageError.
    """
    if environment not in _RUNS:
        users = [each for each in environment.user_classes if issubclass(each, UserAttributes)]
        _RUNS[environment] = {user.__name__: LoadRun(environment, user) for user in users}
        if users:
            _Wiring(environment, _RUNS[environment])
    return _RUNS[environment]


class _Wiring:
    """Connects the loads of an environment with Locust's events and messages."""

    def __init__(self, environment: Environment, runs: dict[str, LoadRun]) -> None:
        self._environment = environment
        self._runs = runs
        self._refused = False
        runner = environment.runner
        listen = environment.events
        listen.test_start.add_listener(self._on_start)
        listen.spawning_complete.add_listener(self._on_spawned)
        listen.test_stopping.add_listener(self._on_stopping)
        listen.quit.add_listener(self._on_quit)
        if isinstance(runner, WorkerRunner):
            listen.report_to_master.add_listener(self._on_report)
            runner.register_message("mockserver_account", self._on_account)
            runner.register_message("mockserver_arrivals", self._on_arrivals)
            runner.register_message("mockserver_halt", self._on_halt, concurrent=True)
        if environment.web_ui is not None:
            add_tab(environment.web_ui, lambda: [run.current() for run in runs.values()])
        if isinstance(runner, MasterRunner):
            listen.worker_report.add_listener(self._on_worker_report)
            runner.register_message("mockserver_account", self._on_account_asked)
            runner.register_message("mockserver_counts", self._on_counts)

    # In every process

    def _on_start(self, **_: Any) -> None:
        self._refused = False
        try:
            for run in self._runs.values():
                run.begin()
        except UsageError as error:
            self._refuse(error)

    def _on_spawned(self, **_: Any) -> None:
        if not isinstance(self._environment.runner, WorkerRunner):
            for run in self._runs.values():
                run.begin_schedule()

    def _on_stopping(self, **_: Any) -> None:
        runner = self._environment.runner
        if isinstance(runner, WorkerRunner) or self._refused:
            return
        if isinstance(runner, MasterRunner):
            workers = [client.id for client in runner.clients.all]
            for run in self._runs.values():
                run.halt()
            runner.send_message("mockserver_halt")
            for run in self._runs.values():
                run.wait_for_reports(workers)
        else:
            gevent.joinall([gevent.spawn(run.halt) for run in self._runs.values()])
        ledgers = [run.finish() for run in self._runs.values()]
        if not all(ledger.ok for ledger in ledgers):
            self._environment.process_exit_code = 1
        self._write(ledgers)

    def _on_quit(self, **_: Any) -> None:
        for run in self._runs.values():
            if run.ledger is not None:
                print(f"\n{run.ledger.text()}")

    def _refuse(self, error: UsageError) -> None:
        """End the load before anything is sent: it cannot begin as it is."""
        self._refused = True
        for run in self._runs.values():
            run.halted = True
        _logger.error("%s", error)
        self._environment.process_exit_code = 2
        if self._environment.runner is not None:
            gevent.spawn(self._environment.runner.quit)

    def _write(self, ledgers: list[Ledger]) -> None:
        file = getattr(self._environment.parsed_options, "ledger", None)
        if file:
            content = json.dumps([ledger.as_json() for ledger in ledgers], indent=2)
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(content + "\n", "utf-8")

    # In workers

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        data["mockserver_counts"] = {name: msgspec.to_builtins(run.counts) for name, run in self._runs.items()}

    def _on_account(self, msg: Any, **_: Any) -> None:
        self._runs[msg.data["user"]].take_account(msg.data["account"])

    def _on_arrivals(self, msg: Any, **_: Any) -> None:
        self._runs[msg.data["user"]].expect(**msg.data["deal"])

    def _on_halt(self, **_: Any) -> None:
        gevent.joinall([gevent.spawn(run.halt) for run in self._runs.values()])
        counts = {name: msgspec.to_builtins(run.counts) for name, run in self._runs.items()}
        assert self._environment.runner is not None  # noqa: S101 - a worker has one
        self._environment.runner.send_message("mockserver_counts", counts)

    # In the master

    def _on_account_asked(self, msg: Any, **_: Any) -> None:
        account = self._runs[msg.data["user"]].next_account()
        assert self._environment.runner is not None  # noqa: S101 - a master has one
        self._environment.runner.send_message("mockserver_account", {**msg.data, "account": account}, msg.node_id)

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        self._note(client_id, data.get("mockserver_counts", {}), final=False)

    def _on_counts(self, msg: Any, **_: Any) -> None:
        self._note(msg.node_id, msg.data, final=True)

    def _note(self, worker: str, counts: dict[str, Any], *, final: bool) -> None:
        for name, each in counts.items():
            self._runs[name].note_report(worker, msgspec.convert(each, Counts), final=final)


@events.init_command_line_parser.add_listener
def _add_options(parser: Any, **_: Any) -> None:
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        default="",
        env_var="MOCKSERVER_LEDGER",
        help="Write the ledgers of all webhook users as JSON.",
    )


@events.init.add_listener
def _on_init(environment: Environment, **_: Any) -> None:
    """Locust's own command: check the user classes before anything begins."""
    try:
        attach(environment)
    except UsageError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    # gevent starts a timer from the time that its loop has noted: the run time must not begin before the imports.
    gevent.get_hub().loop.update_now()
