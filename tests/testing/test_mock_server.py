"""MockServer: one object for sync and async tests, that starts, serves, waits and stops without surprises."""

import asyncio
import gc
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web

from mockserver import (
    DeliveryError,
    LoopRunningError,
    MockServer,
    NobodySubscribedError,
    ScriptError,
    StartError,
    UsageError,
    WaitTimeoutError,
)
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from tests.answering import VerifyingConsumer
from tests.receiving import SECRET, Received, consuming, eventually
from tests.tables import each_row


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer(speed="max", timeout=60) as running:
        yield running


def own_threads() -> set[threading.Thread]:
    """The threads of this package that are running; the fixture ``mockserver`` keeps its own until the session ends."""
    return {thread for thread in threading.enumerate() if thread.name == "mockserver"}


def call(mock: MockServer, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> tuple[int, Any]:
    """Call the vendor API as an application would, with the standard library."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
    request = urllib.request.Request(mock.url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_register_and_send(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """The first lines of the documentation: register, send, look at the answer."""
    hook = mock.register(consumer.url, events=["run.failed"], secret=SECRET)
    sent = mock.send("run.failed", override={"run_id": "run_1"}, remove=["test_case_name"])
    assert sent.delivered
    assert sent.response is not None
    assert (sent.response.status, sent.response.text, len(sent.attempts)) == (200, "ok", 1)
    assert json.loads(consumer.bodies[0])["data"] == {
        "run_id": "run_1",
        "test_case_id": "tc_xyz789",
        "failure_summary": "Turn 2 failed: Faithfulness score 0.45 below threshold 0.70",
    }
    assert mock.webhooks == (hook,)
    assert [delivery.webhook_id for delivery in mock.deliveries] == [hook.webhook_id]
    assert "secret" not in repr(hook)
    assert SECRET not in repr(hook)
    sent.raise_for_failures()


def test_the_application_registers_itself_as_in_production(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """POST /v1/webhooks with an https URL, a route to the local address, and the event arrives."""
    hook = {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": SECRET}
    status, answer = call(mock, "/v1/webhooks", hook)
    assert (status, answer["active"]) == (201, True)
    mock.route("https://your-app.com", to=consumer.url.removesuffix("/hooks"))
    assert mock.wait_for_registration(["run.failed"]).webhook_id == answer["webhook_id"]
    assert mock.send("run.failed").delivered
    (request,) = mock.requests
    assert (request.method, request.path, request.status) == ("POST", "/v1/webhooks", 201)
    assert request.json()["url"] == "https://your-app.com/hooks"


def test_the_vendor_api_fails_on_request(mock: MockServer) -> None:
    """The next calls are answered badly, or see their connection end, and then well again; all are on record."""
    mock.fail_next(status=503, times=2, headers={"Retry-After": "1"})
    body = {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": SECRET}
    assert [call(mock, "/v1/webhooks", body)[0] for _ in range(3)] == [503, 503, 201]
    assert [request.status for request in mock.requests] == [503, 503, 201]
    with pytest.raises(UsageError):
        mock.fail_next(times=0)
    mock.reset()
    mock.fail_next(refuse=True, times=2)
    for _ in range(2):
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            call(mock, "/v1/webhooks", method="GET")
    mock.fail_next(200, body={"webhooks": "many"})
    assert call(mock, "/v1/webhooks", method="GET")
    assert [each.status for each in mock.requests] == [0, 0, 200]
    with pytest.raises(UsageError, match="give body"):
        mock.fail_next(200)


def test_data_is_sent_exactly(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """What a test gives as data is the payload's data: braces are no templates, nothing is added."""
    mock.register(consumer.url, secret=SECRET)
    data = {"prompt": "{{ user }}", "é": ["😀", None, 1.5]}
    assert mock.send("run.completed", data=data).delivered
    assert json.loads(consumer.bodies[0])["data"] == data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event": "run.faild"}, "unknown event 'run.faild'.*did you mean 'run.failed'"),
        ({"event": None}, "unknown event None; known are"),
        ({"event": "run.failed", "override": "run_id"}, "override must be an object"),
        ({"event": "run.failed", "override": {"run": 1}}, "no 'run' in the sample data.*did you mean 'run_id'"),
        ({"event": "run.failed", "remove": "nope"}, "no 'nope'"),
        ({"event": "run.failed", "data": {}, "override": {"a": 1}}, "either data, or override and remove"),
        ({"event": "run.failed", "data": {"a": float("nan")}}, "data.a is nan, which JSON cannot hold"),
        ({"event": "run.failed", "data": [1]}, "data must be an object"),
    ],
)
def test_wrong_arguments_of_send(
    mock: MockServer, consumer: VerifyingConsumer, arguments: dict[str, Any], message: str
) -> None:
    """Each is refused with a sentence, and nothing is sent."""
    mock.register(consumer.url, secret=SECRET)
    with pytest.raises(UsageError, match=message):
        mock.send(**arguments)
    assert mock.deliveries == ()
    assert consumer.bodies == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "nowhere"}, "not an http:// or https:// URL"),
        ({"url": "http://a/", "events": ["run.faild"]}, "did you mean 'run.failed'"),
        ({"url": None}, "the url of a webhook is text, not NoneType"),
        ({"url": "http://a/", "events": "run.failed"}, r"events is a list, such as \['run.failed'\], not text"),
        ({"url": "http://a/", "secret": b"s"}, "the secret of a webhook is text, not bytes"),
        ({"url": "http://a/", "events": []}, "at least one event"),
        ({"url": "http://a/", "secret": ""}, "needs a secret"),
    ],
)
def test_wrong_arguments_of_register(mock: MockServer, arguments: dict[str, Any], message: str) -> None:
    """Each is refused with a sentence, and nothing is registered."""
    with pytest.raises(UsageError, match=message):
        mock.register(**arguments)
    assert mock.webhooks == ()


def test_extra_events_can_be_sent(consumer: VerifyingConsumer) -> None:
    """Event types beyond the documented ones, when they were announced."""
    with MockServer(extra_events=["agent.created"]) as mock:
        mock.register(consumer.url, secret=SECRET)
        assert mock.send("agent.created").delivered
        assert json.loads(consumer.bodies[0])["data"] == {}
        with pytest.raises(UsageError, match="has no sample data"):
            mock.send("agent.created", override={"a": 1})


def test_an_event_that_goes_to_no_webhook_raises(mock: MockServer) -> None:
    """A test of nothing would pass otherwise. The message shows who is registered for what, and how to allow it."""
    for fault in (None, "wrong_secret", "lost"):
        with pytest.raises(NobodySubscribedError, match=r"no webhook is registered.*nobody_ok=True"):
            mock.send("run.failed", fault=fault)
    mock.register("http://127.0.0.1:9/", events=["run.completed"])
    with pytest.raises(NobodySubscribedError, match=r"Webhook\(wh_.* http://127.0.0.1:9/ run.completed"):
        mock.send("run.failed")
    sent = mock.send("run.failed", nobody_ok=True)
    assert (sent.delivered, sent.deliveries) == (False, ())
    with pytest.raises(UsageError, match="not exactly one delivery"):
        _ = sent.response
    with pytest.raises(DeliveryError, match="went nowhere"):
        sent.raise_for_failures()


def test_each_event_after_the_first_has_an_object_of_its_own(consumer: VerifyingConsumer) -> None:
    """A consumer that drops duplicates would drop it otherwise; the ids are the same in each run of a test."""

    def run_ids(**settings: Any) -> list[str]:
        with MockServer(speed="max", **settings) as mock:
            mock.register(consumer.url, secret=SECRET)
            same = {"run_id": "run_def456"}
            given: list[dict[str, Any]] = [{}, {}, {"override": same}, {"data": same}, {}]
            for options in given:
                mock.send("run.failed", **options)
            mock.send("run.completed")
            return [delivery.data["run_id"] for delivery in mock.deliveries]

    ids = run_ids()
    assert [ids[0], *ids[2:4], ids[5]] == ["run_def456"] * 4
    assert len({ids[0], ids[1], ids[4]}) == 3
    assert all(re.fullmatch("run_[a-z]{3}[0-9]{3}", each) for each in ids)
    assert run_ids() == ids != run_ids(seed=1)


def test_an_event_happens_later_without_a_script(consumer: VerifyingConsumer) -> None:
    """Eight hours later at once, or at a moment; on a stepped clock when that is reached."""
    with MockServer(speed="max") as mock:
        mock.register(consumer.url, secret=SECRET)
        for late in ({"at": "2024-12-16T18:00:00Z"}, {"at": 1734343200.0, "after": "8h"}):
            assert mock.send("run.failed", **late).deliveries[0].payload["timestamp"] == "2024-12-16T18:00:00Z"
        with pytest.raises(UsageError, match="when the event happens"):
            mock.send("run.failed", after="soon")
    with MockServer(speed="stepped") as mock:
        mock.register(consumer.url, secret=SECRET)
        sent = mock.send("run.failed", after="8h")
        mock.clock.advance("7h")
        assert "is due at" in str(sent)
        mock.clock.advance("1h")
        assert sent.status == 200


def test_fan_out_has_several_deliveries(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """Each webhook gets its own; all of them must arrive."""
    mock.register(consumer.url, secret=SECRET)
    mock.register(consumer.url, secret="another")
    sent = mock.send("run.failed")
    assert [delivery.delivered for delivery in sent.deliveries] == [True, False]
    assert not sent.delivered
    assert str(sent).count("\n") == 1
    with pytest.raises(UsageError, match="not exactly one"):
        _ = sent.attempts


def test_replay_takes_a_file_a_name_a_dict_or_a_script(
    mock: MockServer, consumer: VerifyingConsumer, tmp_path: Path
) -> None:
    """The forms of a script, all of them delivered."""
    mock.register(consumer.url, secret=SECRET)
    text = "version: 1\nsteps: [{event: run.failed}]\n"
    file = tmp_path / "one.yaml"
    file.write_text(text)
    steps = {"version": 1, "steps": [{"event": "run.failed"}]}
    forms: list[Any] = [file, str(file), "run_failed", steps, read_script(text, load_catalog())]
    for form in forms:
        report = mock.replay(form)
        report.raise_for_failures()
        assert (report.planned, len(report.deliveries)) == (1, 1)
    assert len(consumer.bodies) == len(forms)


def test_a_script_with_problems_is_refused_before_anything_is_sent(
    mock: MockServer, consumer: VerifyingConsumer, tmp_path: Path
) -> None:
    """The error has file, line and column."""
    mock.register(consumer.url, secret=SECRET)
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nsteps:\n- event: run.failed\n- event: run.faild\n")
    with pytest.raises(ScriptError, match=r"bad\.yaml:4:10: unknown event"):
        mock.replay(file)
    with pytest.raises(UsageError, match=r"no script 'run_fialed'.*did you mean 'run_failed'"):
        mock.replay("run_fialed")
    with pytest.raises(UsageError, match="is a folder"):
        mock.replay(tmp_path)
    for value in (float("nan"), {1: 2}, object()):  # JSON has none of these: they would be sent as something else
        with pytest.raises(UsageError, match=r"script\.steps\[0\]\.data"):
            mock.replay({"version": 1, "steps": [{"event": "run.failed", "data": {"a": value}}]})
    assert consumer.bodies == []


def test_wait_for_sees_what_came_before_and_what_comes_later(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """Deliveries made by another thread end the waiting."""
    mock.register(consumer.url, secret=SECRET)
    mock.send("run.failed", override={"run_id": "run_1"})
    assert len(mock.wait_for("run.failed", timeout=0)) == 1

    def send_later() -> None:
        time.sleep(0.02)
        mock.send("run.failed", override={"run_id": "run_2"})

    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(send_later)
        (delivery,) = mock.wait_for("run.failed", timeout=60, where={"run_id": "run_2"})
        later.result()
    assert delivery.data["run_id"] == "run_2"


def test_wait_for_says_what_did_come(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """A time-out names what was waited for, what arrived, and how it differs."""
    mock.register(consumer.url, secret="wrong")
    mock.send("run.failed")
    with pytest.raises(WaitTimeoutError) as caught:
        mock.wait_for("run.failed", count=2, timeout=0.01)
    text = str(caught.value)
    assert "waited 10ms for 2 of run.failed; 0 came." in text
    assert "failed, 401" in text
    with pytest.raises(UsageError, match="unknown event"):
        mock.wait_for("run.faild")


@pytest.mark.parametrize(("timeout", "message"), [("soon", "'soon' is not a duration"), (-1, "-1 is not a duration")])
def test_time_outs_are_durations(mock: MockServer, timeout: float | str, message: str) -> None:
    """In the words of scripts or in seconds, wherever something is waited for."""
    waits: list[Callable[[float | str], object]] = [
        lambda timeout: mock.wait_for("run.failed", timeout=timeout),
        lambda timeout: mock.wait_for_registration(timeout=timeout),
        mock.settle,
    ]
    for wait in waits:
        with pytest.raises(UsageError, match=message):
            wait(timeout)
    with pytest.raises(WaitTimeoutError, match="waited 10ms"):
        mock.wait_for("run.failed", timeout="10ms")


@each_row("speed", ["fast", 0, float("inf")])
def test_wrong_speeds(mock: MockServer, speed: Any) -> None:
    """A replay is not begun at a speed that there is not."""
    for replay in (mock.replay, mock.start_replay):
        with pytest.raises(UsageError, match="speed must be more than 0, 'max' or 'stepped', not"):
            replay("refund_flow", speed)


def test_wait_for_registration_says_what_the_api_received(mock: MockServer) -> None:
    """A time-out shows the calls that came instead."""
    call(mock, "/v1/webhooks", {"url": "http://public.example/", "events": ["run.failed"], "secret": "s"})
    waited = r"for a webhook for run.failed to be registered[\s\S]*POST /v1/webhooks -> 400"
    with pytest.raises(WaitTimeoutError, match=waited):
        mock.wait_for_registration(["run.failed"], timeout=0.01)
    mock.reset()
    with pytest.raises(WaitTimeoutError, match="none"):
        mock.wait_for_registration(timeout=0)


def test_assertions(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """assert_delivered returns what it found, and fails with what there is."""
    mock.register(consumer.url, secret=SECRET)
    none = r"expected at least one delivery of run.failed, and there are 0\nNothing was sent."
    with pytest.raises(AssertionError, match=none):
        mock.assert_delivered("run.failed")
    mock.send("run.failed")
    mock.send("run.completed")
    assert len(mock.assert_delivered("run.failed", times=1, where={"run_id": "run_def456"})) == 1
    mock.assert_delivered("run.completed", where={"summary.turns_passed": 3})
    mock.assert_not_delivered("evaluation.completed")
    with pytest.raises(DeliveryError, match="differs: the data has no 'run'"):
        mock.assert_delivered("run.failed", where={"run": 1})
    differences = r"run_id is 'run_def456', not 'run_1'[\s\S]*differs: the event is run.completed"
    with pytest.raises(DeliveryError, match=differences):
        mock.assert_delivered("run.failed", times=1, where={"run_id": "run_1"})
    with pytest.raises(DeliveryError, match=r"expected 2 deliveries of run.failed, and there is 1"):
        mock.assert_delivered("run.failed", times=2)
    with pytest.raises(UsageError, match="did you mean"):
        mock.assert_delivered("run.faild")


def test_a_long_record_is_shown_by_its_end(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """A message shows the last twenty deliveries and says so."""
    mock.register(consumer.url, secret=SECRET)
    for _ in range(25):
        mock.send("run.failed")
    text = mock.describe()
    assert "25 deliveries, the last 20 of them" in text
    assert text.count("dlv_") == 20


def test_reset_makes_everything_new(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """Webhooks, deliveries, requests, routes and planned answers are gone, and ids begin again."""
    first = mock.register(consumer.url, secret=SECRET)
    mock.send("run.failed")
    call(mock, "/v1/webhooks")
    mock.fail_next()
    mock.reset()
    assert (mock.webhooks, mock.deliveries, mock.requests) == ((), (), ())
    assert call(mock, "/v1/webhooks")[0] == 200
    assert mock.register(consumer.url, secret=SECRET).webhook_id == first.webhook_id
    assert mock.send("run.failed").deliveries[0].delivery_id == "dlv_000001"


def test_reset_ends_what_is_in_flight(mock: MockServer, consumer: VerifyingConsumer) -> None:
    """A delivery that hangs does not leak into the time after the reset."""
    consumer.release.clear()
    mock.register(consumer.url, secret=SECRET)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(mock.send, "run.failed")
        while not consumer.bodies:
            time.sleep(0.001)
        mock.reset()
        with pytest.raises(BaseException):  # noqa: B017, PT011 - cancelled: the class depends on the Python version
            hanging.result(timeout=60)
    consumer.release.set()
    assert mock.deliveries == ()
    assert mock.unseen_failures() == ()


def test_a_port_in_use_is_reported_at_once() -> None:
    """No hang: the exception comes out of the start, with what to do."""
    before = own_threads()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port} on 127.0.0.1 is in use"):
            MockServer(port=port).start()
        assert own_threads() <= before


def test_life_is_forgiving_and_clear() -> None:
    """Stopping twice is fine, and starting again; using it before the start or starting twice says what to do."""
    mock = MockServer()
    with pytest.raises(UsageError, match="not running"):
        _ = mock.url
    with pytest.raises(UsageError, match="call start"):
        mock.register("http://a/")
    mock.start()
    with pytest.raises(UsageError, match="running already"):
        mock.start()
    mock.stop()
    mock.stop()
    with mock:
        assert call(mock, "/v1/webhooks")[0] == 200
    with pytest.raises(UsageError, match="unknown setting"):
        MockServer(sped=1)  # type: ignore[call-arg] # that is the test


def test_stopping_leaves_nothing_behind(consumer: VerifyingConsumer) -> None:
    """With connections open on both sides the server is gone; no thread, task or socket stays."""
    before = own_threads()
    mock = MockServer().start()
    mock.register(consumer.url, secret=SECRET)
    assert mock.send("run.failed").delivered
    port = int(mock.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"POST /v1/webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        mock.stop()
    gc.collect()
    assert own_threads() <= before
    ours = psutil.Process().net_connections("inet")
    assert [each for each in ours if each.laddr[1:] == (port,) and each.status == psutil.CONN_LISTEN] == []


def test_fifty_servers_do_not_disturb_each_other(consumer: VerifyingConsumer) -> None:
    """Each has its own port, webhooks and record."""
    servers = [MockServer(seed=number).start() for number in range(50)]
    try:
        assert len({mock.url for mock in servers}) == 50
        for mock in servers[::2]:
            mock.register(consumer.url, secret=SECRET)
        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(lambda mock: mock.send("run.failed", nobody_ok=True), servers))
        assert [outcome.delivered for outcome in sent] == [True, False] * 25
        assert [len(mock.deliveries) for mock in servers] == [1, 0] * 25
    finally:
        for mock in servers:
            mock.stop()


async def test_async_with_and_the_twins() -> None:
    """The same object in an async test, with an app on the test's own loop."""
    async with consuming() as consumer, MockServer(speed="max") as mock:
        mock.register(consumer.url, secret=SECRET)
        assert (await mock.asend("run.failed")).delivered
        assert (await mock.areplay("refund_flow")).ok
        assert len(await mock.await_for("run.failed", count=2)) == 2
        assert (await mock.await_for_registration()).url == consumer.url
        assert all(received.is_signed_with(SECRET) for received in consumer.received)


async def test_sync_waits_are_refused_where_a_loop_is_running() -> None:
    """They would deadlock an app on this loop: an error at once that names the twin, and nothing is sent."""
    async with MockServer() as mock:

        def deep(method: str) -> None:
            getattr(mock, method)("run.failed")

        for method, twin in (("send", "asend"), ("replay", "areplay"), ("wait_for", "await_for")):
            with pytest.raises(LoopRunningError, match=rf"{method}\(\) waits.*`await {twin}\(\.\.\.\)`"):
                deep(method)
        with pytest.raises(LoopRunningError, match="await_for_registration"):
            mock.wait_for_registration()
        assert mock.deliveries == ()


async def test_cancelling_a_twin_cancels_the_work() -> None:
    """A replay that a test gives up does not go on behind its back."""
    async with consuming() as consumer, MockServer(speed="max") as mock:
        hang = asyncio.Event()

        async def answer(_: Received) -> web.Response:
            await hang.wait()
            return web.Response()

        consumer.answer = answer
        mock.register(consumer.url, secret=SECRET)
        running = asyncio.create_task(mock.areplay({"version": 1, "steps": [{"event": "run.failed", "repeat": 9}]}))
        await eventually(lambda: len(consumer.received) == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        hang.set()
        await eventually(lambda: mock.deliveries[0].outcome == "interrupted")
        assert len(mock.deliveries) == 1


FORK = """
import os, sys, warnings
from mockserver import MockServer, UsageError
warnings.simplefilter("ignore")  # of Python, about forking where there are threads
mock = MockServer().start()
child = os.fork()
if not child:
    try:
        mock.send("run.failed")
    except UsageError as error:
        print(error)
    mock.stop()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print("parent", mock.send("run.failed", nobody_ok=True))
mock.stop()
"""


def test_a_forked_child_is_refused() -> None:
    """Its copy of the mock has no thread: it would wait for ever. The mock itself goes on."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=300)
    assert "not in a forked child" in done.stdout
    assert "parent run.failed went nowhere" in done.stdout


def test_a_mock_that_was_not_stopped_is_reported() -> None:
    """As a file is that was not closed."""
    mock = MockServer().start()
    thread = mock._thread
    with pytest.warns(ResourceWarning, match="unclosed MockServer at http://127"):
        mock.__del__()
    mock.stop()
    mock.__del__()
    assert thread is not None
    assert not thread.loop.is_running()
