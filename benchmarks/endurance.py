"""Endurance: ``python -m benchmarks.endurance [--events 1000000] [--seconds 300] [--seed N]``.

A script of that many planned events is replayed at speed ``max`` to a consumer that fails, hangs, breaks off, talks
garbage and restarts. Then one is killed in the middle, and then the mock is stopped in the middle, with Ctrl-C and with
SIGTERM. Each time every event has to be accounted for, and to agree with the consumer's own books:

- what the report counts as delivered, the consumer has accepted;
- what the consumer has accepted and the report does not count as delivered, was an answer of which the mock has on
  record that it did not come whole: the consumer cannot know whether its answer arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import psutil
import yaml

from benchmarks.accounting import RETRY, Outcome, Watch, judge_books, judge_report, judge_sum, observed_in
from benchmarks.chaotic_consumer import SECRET, ChaoticConsumer, chaos
from benchmarks.processes import ENVIRONMENT, ROOT
from mockserver.delivery.event_loop import new_event_loop
from mockserver.delivery.http1 import Http1Transport
from mockserver.model.messages import Exchange, Request
from mockserver.model.settings import read_settings
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock

#: How many exchanges the script and the settings let be in flight, and how many seconds each may take.
CONCURRENCY = 100
TIMEOUT = 0.25

#: How much resident memory may grow after the first tenth, in MB.
_GROWTH = 30.0

#: The steps: the share of the events in each (the last takes the rest), and what is particular about it.
_STEPS: tuple[tuple[float, dict[str, Any]], ...] = (
    (0.01, {"event": "run.completed"}),
    (0.15, {"event": "run.failed", "concurrency": 50}),
    (0.15, {"event": "evaluation.completed", "concurrency": 50}),
    (0.02, {"event": "run.completed", "concurrency": 1, "every": "1s", "retry": "none"}),
    (0.01, {"event": "run.failed", "fault": "wrong_secret"}),
    (0.01, {"event": "run.failed", "fault": "tampered_body"}),
    (0.01, {"event": "run.completed", "fault": "duplicate"}),
    (0.01, {"event": "run.completed", "fault": {"concurrent_duplicates": 2}, "concurrency": 50}),
    (0.005, {"event": "run.completed", "fault": "lost"}),
    (0.005, {"event": "run.completed", "fault": "disconnect"}),
    (0.005, {"event": "run.completed", "fault": "truncated_body"}),
    (0.005, {"event": "run.completed", "fault": "chunked"}),
    (0.005, {"event": "run.completed", "fault": [{"stale": "1h"}, "extra_fields", "spaced_json"]}),
    (0.005, {"event": "run.completed", "expect": {"body": {"json": {"status": "handled"}}}}),
    (0.001, {"event": "run.completed", "fault": "swap_with_next"}),
    (0.10, {"event": "optimization.completed", "concurrency": 2 * CONCURRENCY}),  # the settings allow less
    (0.0, {"event": "run.completed"}),
)
_TOGETHER = slice(1, 3)
#: What the events of the steps that happen together have in their data beside the number.
_WORDY = {"run_id": '{{ new_id("run") }}', "failure_summary": "Turn {{ index + 1 }} failed"}


def script_text(events: int, url: str, seed: int) -> str:
    """Return a script of a number of events, each with a number of its own in its data.

    Args:
        events: How many.
        url: Where they go.
        seed: The seed of the script.
    """
    shares = [max(1, int(share * events)) for share, _ in _STEPS[:-1]]
    shares.append(events - sum(shares))
    steps: list[dict[str, Any]] = []
    for repeat, (_, particular) in zip(shares, _STEPS, strict=True):
        number = {"number": [sum(shares[: len(steps)]), "{{ index }}"]}
        steps.append({"concurrency": CONCURRENCY, **particular, "repeat": repeat, "data": number})
    for step in steps[_TOGETHER]:
        step["data"] |= _WORDY
    steps[_TOGETHER] = [{"together": steps[_TOGETHER]}]
    script = {
        "version": 1,
        "name": "endurance",
        "seed": seed,
        "start": "2024-12-16T10:00:00Z",
        "webhook": {"url": url, "secret": SECRET},
        "retry": [f"{wait:g}s" for wait in RETRY],
        "steps": steps,
    }
    return yaml.safe_dump(script, sort_keys=False)


class CountingTransport:
    """The transport of the product, with a count of what is in flight."""

    def __init__(self) -> None:
        self._inner = Http1Transport()
        self._in_flight = self.most_in_flight = self.exchanges = 0

    async def exchange(self, request: Request, timeout: float) -> Exchange:
        """Send one request, as the inner transport does."""
        self.exchanges += 1
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._inner.exchange(request, timeout)
        finally:
            self._in_flight -= 1

    async def close(self) -> None:
        """Close every connection."""
        await self._inner.close()


def chaotic_run(events: int, seed: int, seconds: float) -> Outcome:
    """Replay to the consumer that misbehaves.

    Args:
        events: How many events are planned.
        seed: Makes the script and the consumer repeatable.
        seconds: After so long the replay is stopped: what it did until then has to add up all the same.
    """
    with chaos(events, seed) as consumer:
        return _on_loop(_replayed(f"{events:,} events to a chaotic consumer", consumer, events, seed, seconds))


def killed_consumer(events: int, seed: int, seconds: float) -> Outcome:
    """Replay to the consumer, and kill it when half of the events are over; arguments as for the run."""
    with chaos(events, seed) as consumer:
        title = f"{events:,} events, the consumer killed in the middle"
        outcome = _on_loop(_replayed(title, consumer, events, seed, seconds, {events // 2: consumer.kill}))
    if not any(name == "failed: connect" for name, _ in outcome.rows):
        outcome.problems.append("the consumer was killed, and no delivery failed to connect")
    return outcome


def _on_loop(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    loop = new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _replayed(
    title: str,
    consumer: ChaoticConsumer,
    events: int,
    seed: int,
    seconds: float,
    at: dict[int, Callable[[], object]] | None = None,
) -> Outcome:
    script = read_script(script_text(events, consumer.url, seed), load_catalog(), "endurance.yaml")
    transport, watch = CountingTransport(), Watch(script)
    watch.at = at or {}
    settings = read_settings(
        speed="max", timeout=TIMEOUT, max_concurrency=CONCURRENCY, max_deliveries=max(50, min(10_000, events // 50))
    )
    before = await _resources()
    mock = Mock(settings, transport)
    mock.records.subscribe(watch.note)
    replay = mock.replaying(script)
    begun = perf_counter()
    task = asyncio.get_running_loop().create_task(replay.run())
    await asyncio.wait([task], timeout=seconds)
    in_time = task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    took = perf_counter() - begun
    await mock.stop()
    # Fewer than before: something of the process itself, such as a pipe to a consumer of before, was still open then.
    left = {what: max(0, count - before[what]) for what, count in (await _resources()).items()}
    outcome = Outcome(title)
    rate = f"{watch.ended / took:,.0f} deliveries/s, {transport.exchanges / took:,.0f} attempts/s"
    outcome.rows += [
        ("time", f"{took:.1f} s" + ("" if in_time else f": stopped, as {seconds:g} s were up")),
        ("rate", f"{sum(map(bool, watch.observed.begun)) / took:,.0f} events/s, {rate}"),
        ("in flight", f"{transport.most_in_flight} at most"),
        ("by the script's clock", f"{replay.report.scripted_seconds:,.0f} s"),
        ("memory at tenths", " ".join(f"{mark:.1f}" for mark in watch.marks) + " MB"),
        ("µs at tenths", " ".join(f"{wall:.0f}" for wall, _ in watch.costs()) + " for a delivery"),
        ("processor µs at tenths", " ".join(f"{used:.0f}" for _, used in watch.costs()) + " for a delivery"),
        ("left behind", ", ".join(f"{count} {what}" for what, count in left.items())),
    ]
    if any(left.values()):
        outcome.problems.append(f"something was left behind: {left}")
    if not task.cancelled() and task.exception() is not None:
        outcome.problems.append(f"the replay raised {task.exception()!r}")
    if transport.most_in_flight > CONCURRENCY:
        outcome.problems.append(f"{transport.most_in_flight} exchanges were in flight, {CONCURRENCY} are allowed")
    growth = max(watch.marks[1:], default=0.0) - watch.marks[0] if watch.marks else 0.0
    if growth > _GROWTH:
        outcome.problems.append(f"memory grew by {growth:.1f} MB after the first tenth")
    judge_report(outcome, script, replay.report, watch.observed)
    judge_books(outcome, watch.observed, consumer.ledger)
    return outcome


async def _resources() -> dict[str, int]:
    # The first socket of a loop opens a descriptor that uvloop keeps as long as the loop lives.
    (await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)).close()
    await asyncio.sleep(0)
    tasks = len(asyncio.all_tasks())
    return {"descriptors": psutil.Process().num_fds(), "tasks": tasks, "threads": threading.active_count()}


def stopped_mock(events: int, seed: int, number: signal.Signals, after: int) -> Outcome:
    """Stop ``mockserver replay`` in the middle.

    Args:
        events: How many events are planned.
        seed: Makes the script and the consumer repeatable.
        number: The signal.
        after: How many requests have come to the consumer by then; at most as many as a report holds deliveries.
    """
    outcome = Outcome(f"{events:,} events, the mock stopped by {number.name} in the middle")
    with chaos(events, seed) as consumer, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "endurance.yaml")
        script.write_text(script_text(events, consumer.url, seed), encoding="utf-8")
        file = Path(folder, "report.json")
        exit_code = _stopped_command(script, file, number, lambda: sum(consumer.ledger.answers) >= after)
        report: dict[str, Any] = json.loads(file.read_bytes())
        ledger = consumer.ledger
        names = ("planned", "delivered", "failed", "not_sent", "reasons")
        judge_sum(outcome, *(report[name] for name in names))
        observed = observed_in(report, events)
        judge_books(outcome, observed, ledger)
    outcome.rows.append(("exit code", str(exit_code)))
    in_flight = observed.outcomes["interrupted"]
    if exit_code != 128 + number:
        outcome.problems.append(f"the exit code is {exit_code}, not {128 + number}")
    # None may be in flight at the very moment: all that had begun may wait for a retry.
    if in_flight > 2 * CONCURRENCY:
        outcome.problems.append(f"{in_flight} deliveries were in flight when it was stopped")
    if not report["not_sent"]:
        outcome.problems.append("it was stopped in the middle, and nothing was left to be sent")
    if sum(map(bool, observed.begun)) != report["delivered"] + report["failed"] + report["interrupted"]:
        outcome.problems.append("the deliveries in the report are not those that it counts")
    return outcome


def _stopped_command(script: Path, file: Path, number: signal.Signals, is_time: Callable[[], bool]) -> int:
    options = ["--speed", "max", "--timeout", f"{TIMEOUT}", "--json", str(file)]
    command = [sys.executable, "-m", "mockserver", "replay", str(script), *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not is_time() and process.poll() is None:
            sleep(0.002)
        process.send_signal(number)
        return process.wait(timeout=30)


def main(arguments: Sequence[str]) -> int:
    """Run everything and print what it came to.

    Args:
        arguments: The command line without the program.

    Returns:
        0 if nothing is wrong, otherwise 1.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endurance",
        description="A million events to a consumer that fails, hangs, disconnects and restarts: all accounted for.",
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events the script plans (>= 1000)")
    parser.add_argument("--seconds", type=float, default=300.0, help="stop the replay after so long")
    parser.add_argument("--seed", type=int, default=1, help="makes the script and the consumer repeatable")
    chosen = parser.parse_args(arguments)
    if chosen.events < 1000:
        parser.error("--events: at least 1000, so that each step has some")
    fewer = min(chosen.events, 20_000)
    runs: list[Callable[[], Outcome]] = [
        partial(chaotic_run, chosen.events, chosen.seed, chosen.seconds),
        partial(killed_consumer, fewer, chosen.seed, chosen.seconds),
        partial(stopped_mock, fewer, chosen.seed, signal.SIGINT, fewer // 4),
        partial(stopped_mock, fewer, chosen.seed, signal.SIGTERM, fewer // 3),
    ]
    outcomes = []
    for run in runs:
        outcomes.append(run())
        print(f"{outcomes[-1]}\n", flush=True)
    wrong = sum(len(outcome.problems) for outcome in outcomes)
    print(f"{wrong} problems" if wrong else "every event is accounted for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
