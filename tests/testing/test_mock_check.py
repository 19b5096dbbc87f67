"""``mock.check``: which consumer is checked, with what, what is left as it was, and what the report says."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import mockserver
from mockserver import CheckError, CheckReport, LoopRunningError, MockServer, UsageError
from tests.consumers import flask_app
from tests.consumers.launch import SECRET, Consumer

COUNT: dict[str, Any] = {"probe": "/debug/events", "probe_json": "$.count"}


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture
def url(launched: Callable[[str], Consumer]) -> str:
    """A correct consumer behind a port; it verifies with ``SECRET``."""
    return launched("fastapi").webhook_url


def made(report: CheckReport) -> set[str]:
    return {finding.check.id for finding in report.findings}


# ---------------------------------------------------------------- which consumer


def test_a_correct_consumer_behind_a_port_passes(mock: MockServer, url: str) -> None:
    """Every check that it must pass, it passes; with a probe the effects are among them."""
    report = mock.check(url, SECRET, skip=["PG052", "PG053"], **COUNT)
    assert report.ok, str(report)
    assert report.finding("duplicate_effect").verdict == "pass"
    assert report.finding("PG012").verdict == "pass"


async def test_the_async_form_finds_the_same(url: str) -> None:
    """It does not block the loop that it is awaited on."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with MockServer() as mock:
        ticking = asyncio.ensure_future(tick())
        report = await mock.acheck(url, SECRET, only="wrong_secret")
        ticking.cancel()
    assert report.ok
    assert made(report) == {"PG001", "PG012"}
    assert ticks > 10


def test_nothing_of_the_mock_is_changed(mock: MockServer, url: str) -> None:
    """Deliveries, webhooks, routes and calls are what they were, also after an application object was checked."""
    mock.route("https://your-app.com", to=flask_app.create_app("whsec_test"))
    mock.register("https://your-app.com/webhooks/playgent", events=["run.failed"])
    mock.send("run.failed")
    before = mock.deliveries, mock.webhooks, mock.requests
    mock.check(url, SECRET, only="PG012")
    mock.check(flask_app.create_app("whsec_test"), only="PG012")
    assert (mock.deliveries, mock.webhooks, mock.requests) == before
    assert "https://testserver" not in mock._mock.routes  # the network must not be asked for that name
    assert mock.send("run.failed").delivered


def test_without_a_target_the_registered_webhook_is_checked(mock: MockServer, url: str) -> None:
    """With its secret, its events, and the routes that apply to it."""
    mock.route("https://your-app.com", to=url.removesuffix("/webhooks/playgent"))
    mock.register("https://your-app.com/webhooks/playgent", events=["run.failed"], secret=SECRET)
    report = mock.check(only="every_event_type")
    assert report.ok, str(report)
    assert report.target == "https://your-app.com/webhooks/playgent"
    assert "run.failed" in report.finding("every_event_type").summary
    assert "run.completed" not in report.finding("every_event_type").summary


def test_the_only_webhook_must_be_the_only_one(mock: MockServer, url: str) -> None:
    """With none or several, the message says what to do."""
    with pytest.raises(UsageError, match=r"no webhook is registered.*check\(app\)"):
        mock.check()
    mock.register(url)
    mock.register("http://127.0.0.1:9/other")
    with pytest.raises(UsageError, match=f"2 webhooks are registered: say which.*{url}, http://127.0.0.1:9/other"):
        mock.check()


def test_the_secret_is_the_one_of_the_webhook_with_this_url(mock: MockServer, url: str) -> None:
    """The last one that was registered, unless another is given; the test secret where none is registered."""
    assert mock.check(flask_app.create_app("whsec_test"), only="PG001").ok
    assert not mock.check(flask_app.create_app("whsec_other"), only="PG001").ok
    mock.register(url, secret="an old one")
    mock.register(url, secret=SECRET)
    assert mock.check(url, only="PG001").ok
    assert not mock.check(url, "another", only="PG001").ok


def test_one_of_several_may_be_a_string(mock: MockServer, url: str) -> None:
    """``events``, ``only`` and ``skip`` take one or several."""
    report = mock.check(url, SECRET, events="run.failed", only=["wrong_secret", "PG010"], skip="PG010")
    assert made(report) == {"PG001", "PG012"}
    assert report.finding("PG001").evidence[0].event.type == "run.failed"


def test_a_seed_makes_ids_repeatable(mock: MockServer, url: str) -> None:
    """The same seed gives the same ids; without one they are new, so that none is taken for a duplicate."""

    def run_id(**options: Any) -> str:
        return str(mock.check(url, SECRET, only="PG001", **options).finding("PG001").evidence[0].data["run_id"])

    assert run_id(seed=7) == run_id(seed=7)
    assert run_id() != run_id()


# ---------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"onyl": "PG012"}, "check takes no 'onyl'.*did you mean 'only'"),
        ({"only": "wrong_secrets"}, "no check 'wrong_secrets'.*did you mean 'wrong_secret'"),
        ({"events": "run.faild"}, "did you mean 'run.failed'"),
        ({"probe": "/debug/events", "probe_json": "$["}, "is not a JSONPath"),
        ({"probe": "/nowhere"}, "nowhere answered 404"),
        ({"probe": lambda: "many"}, "the probe must read a number.*read 'many'"),
        ({"probe": lambda: {"count": 3}}, r"read \{'count': 3\}; --probe-json '\$\.count' reads a"),
        ({"fail_on": "must"}, "fail_on is one of proven, suspected and should, not 'must'"),
        ({"probe": lambda: 1 / 0}, "the probe fails: ZeroDivisionError"),
        ({"probe": "/debug/events", "state": "/debug/objects"}, "needs {id}"),
        ({"path": "/hooks"}, "path is for an application object"),
        ({"interface": "wsgi"}, "an interface belongs to an application object"),
    ],
)
def test_what_cannot_be_used_is_refused(mock: MockServer, url: str, options: dict[str, Any], message: str) -> None:
    """The message says what is wrong; the consumer is not blamed for it."""
    with pytest.raises(UsageError, match=message):
        mock.check(url, SECRET, **options)


async def test_the_sync_forms_refuse_to_block_a_loop(url: str) -> None:
    """Both name the method to await instead."""
    async with MockServer() as mock:
        for check in (mock.check, mockserver.check):
            with pytest.raises(LoopRunningError, match=r"await acheck\("):
                check(url, SECRET)


# ---------------------------------------------------------------- functions of the test's


def test_a_plain_function_runs_beside_the_mock(mock: MockServer, url: str, launched: Callable[[str], Consumer]) -> None:
    """It may block, and call the consumer itself; so may the one that makes the consumer fail."""
    consumer = launched("fastapi")
    threads = set()

    def count() -> int:
        threads.add(threading.current_thread())
        return consumer.events()["count"]

    report = mock.check(url, SECRET, probe=count, fail_once=consumer.fail_next, only=["PG072", "PG081"])
    assert {report.finding("PG072").verdict, report.finding("PG081").verdict} == {"pass"}
    assert threading.main_thread() not in threads


class Counting:
    """Reads a consumer's count in an async function, and notes the loops that it runs on."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def read(self) -> int:
        self.loops.add(asyncio.get_running_loop())
        return self._consumer.events()["count"]


@pytest.fixture
def count(launched: Callable[[str], Consumer]) -> Counting:
    return Counting(launched("fastapi"))


async def test_an_async_function_runs_on_the_loop_of_the_test(url: str, count: Counting) -> None:
    """There its connections and locks are at home; a function that returns something to await is as good."""
    async with MockServer() as mock:
        for probe in (count.read, lambda: count.read()):  # noqa: PLW0108 - a function that is not async
            report = await mock.acheck(url, SECRET, probe=probe, only="effect")
            assert report.finding("effect").verdict == "pass"
    assert count.loops == {asyncio.get_running_loop()}


SCRIPT = {"version": 1, "steps": [{"event": "run.failed", "expect": {"effect": {"probe": "runs", "change": 1}}}]}


@pytest.mark.parametrize("how", ["areplay", "start_replay"])
async def test_a_probe_of_a_script_runs_on_the_loop_of_the_test(
    launched: Callable[[str], Consumer], url: str, count: Counting, how: str
) -> None:
    """An async one that was named with ``mock.probe``, whichever way the script is replayed."""
    launched("fastapi").clear()
    async with MockServer() as mock:
        mock.probe("runs", count.read)
        mock.register(url, secret=SECRET)
        report = await mock.areplay(SCRIPT) if how == "areplay" else await mock.start_replay(SCRIPT).aresult()
    assert report.ok, str(report)
    assert count.loops == {asyncio.get_running_loop()}


def test_an_async_function_of_a_sync_test_runs_all_the_same(mock: MockServer, url: str, count: Counting) -> None:
    """On the loop of the mock, as there is no other one."""
    assert mock.check(url, SECRET, probe=count.read, only="effect").finding("effect").verdict == "pass"
    assert len(count.loops) == 1


# ---------------------------------------------------------------- without a mock


def test_the_function_fails_for_a_consumer_with_a_mistake_and_leaves_no_thread() -> None:
    """It needs no fixture, and raises an AssertionError, so that a test fails and does not crash, with the report."""
    before = threading.enumerate()
    right = flask_app.create_app(SECRET)
    assert mockserver.check(right, SECRET, only="PG012").finding("wrong_secret").verdict == "pass"
    with pytest.raises(CheckError) as caught:
        mockserver.check(flask_app.create_app(SECRET, "no_verification"), SECRET)
    assert isinstance(caught.value, AssertionError)
    assert "PG012  must      wrong secret" in str(caught.value)
    assert threading.enumerate() == before


async def test_the_async_function_does_so_too_and_leaves_no_task(url: str) -> None:
    """On the loop of the test."""
    before = asyncio.all_tasks()
    assert (await mockserver.acheck(url, SECRET, only="PG012")).ok
    with pytest.raises(CheckError, match="wrong secret"):
        await mockserver.acheck(flask_app.create_app(SECRET, "no_verification"), SECRET)
    assert asyncio.all_tasks() == before


def test_a_consumer_that_is_not_there_fails_too(closed_port: int) -> None:
    """What cannot be reached has proved nothing."""
    with pytest.raises(CheckError, match="could not be reached"):
        mockserver.check(f"http://127.0.0.1:{closed_port}/hooks")


def test_both_forms_are_public_and_take_the_same() -> None:
    """The function and the method differ in one thing: without a mock there must be a target."""
    assert {"check", "acheck", "CheckError", "CheckReport"} <= set(mockserver.__all__)
    assert list(inspect.signature(mockserver.check).parameters) == ["target", "secret", "options"]
    assert list(inspect.signature(mockserver.MockServer.check).parameters)[1:] == ["target", "secret", "options"]


def test_a_consumer_behind_a_gateway() -> None:
    """Every request brings the headers that the user adds: deliveries, and looks at the state."""
    app = flask_app.create_app(SECRET)

    def gateway(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_X_API_KEY") != "letmein":
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        return app(environ, start_response)

    more = {**COUNT, "fail_once": "https://testserver/debug/fail-next"}
    with MockServer(headers={"X-Api-Key": "letmein"}) as mock:
        report = mock.check(gateway, SECRET, **more)
    assert report.ok, str(report)
    assert report.finding("retry_after_failure").verdict == "pass"
    with MockServer() as mock:
        assert mock.check(gateway, SECRET).finding("control").verdict == "fail"


# ---------------------------------------------------------------- what the report says


@pytest.fixture
def report(mock: MockServer) -> CheckReport:
    return mock.check(flask_app.create_app(SECRET, "no_verification"), SECRET, skip="PG010", seed=5)


def test_the_report_is_a_readable_table(report: CheckReport) -> None:
    """What is wrong, how bad it is, what was seen, and how to fix it; the failures before the warnings."""
    text = str(report)
    lines = text.splitlines()
    assert lines[0] == f"failed: PG011 empty signature, PG012 wrong secret and 7 more; {report.summary}"
    assert "https://testserver/webhooks/playgent: " in lines[1]
    assert lines[1].endswith("seed 5")
    assert lines[3].split() == ["verdict", "check", "severity", "title", "what", "was", "seen"]
    row = next(line for line in lines[3:] if "PG012" in line)
    assert row.startswith("fail     PG012  must      wrong secret ")
    assert "a forged run.completed (answered 200)" in row
    assert "fix: verify first, for every request" in text
    assert text.index("\nfail     PG012") < text.index("\nwarn     PG022")
    assert "PG030" not in text  # it passed
    assert max(map(len, (line for line in lines[3:] if not line.startswith("  ")))) <= 120


def test_the_report_shows_the_request_that_proves_a_failure(report: CheckReport) -> None:
    """The request line, the headers, the body and the answer, for the first failure of each cause."""
    proof = str(report).partition("\nPG011 empty signature: ")[2].partition("\n\n")[0]
    assert "\n  > POST /webhooks/playgent HTTP/1.1\n" in proof
    assert "\n  > X-Playgent-Signature: \n" in proof
    assert '\n  > {"event":"run.completed",' in proof
    assert '\n  < 200 OK\n  < {"status": "handled"}\n' in proof
    assert "expected: 4xx" in proof
    assert str(report).count("\n  > POST") == 1


def test_what_many_checks_have_in_common_is_reported_once(report: CheckReport) -> None:
    """A cause, which the other failures name by the first of them; why something was not tested."""
    text = str(report)
    words, seen = " ".join(text.split()), report.finding("PG012").particular
    assert words.count("the genuine event after it was answered as a duplicate") == 1
    assert (seen.startswith("a forged run.completed"), seen.endswith("(answered 200)")) == (True, True)
    assert f"{seen}: as PG011" in words
    assert text.count("\nnot tested: ") == 4
    assert re.search("^not tested: .*PG090, PG091, PG092: cannot be seen from outside", text, re.MULTILINE)


def test_no_secret_is_in_what_the_report_prints(mock: MockServer) -> None:
    """Not even that of a consumer that answers with it."""
    report = mock.check(flask_app.create_app(SECRET, "leaks_secret"), SECRET)
    assert [finding.check.id for finding in report.failures] == ["PG061"]
    response = report.finding("PG061").evidence[0].response
    assert response
    assert SECRET.encode() in response.body
    for text in (str(report), repr(report), repr(report.finding("PG061")), repr(report.findings)):
        assert SECRET not in text
    assert "***" in str(report)


def test_what_a_consumer_answers_cannot_command_the_terminal(mock: MockServer) -> None:
    """Control characters are spelled out, and every answer stays on its line."""

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("500 Oh", [("Content-Type", "text/plain")])
        return [b"\x1b[2Jgone\nPG001 pass"]

    report = mock.check(app, only="PG001")
    assert "\n  < \\x1b[2Jgone\\nPG001 pass\n" in str(report)


def test_an_unreachable_consumer_is_reported_in_one_line(mock: MockServer, closed_port: int) -> None:
    """There is nothing else to say."""
    report = mock.check(f"http://127.0.0.1:{closed_port}/hooks")
    assert not report.ok
    assert "could not be reached" in str(report)
    assert "\n" not in str(report)


def test_broken_checks_are_those_that_failed_since_the_last_reset(mock: MockServer, url: str) -> None:
    """To list them does not count as looking at them."""
    mock.check(url, SECRET, only="PG001")
    report = mock.check(url, "wrong", only="PG001")
    assert mock.broken_checks() == (report,)
    assert (report.looked_at, report.ok, report.looked_at) == (False, False, True)
    mock.reset()
    assert mock.broken_checks() == ()


def test_the_report_shows_why_correct_events_are_refused(mock: MockServer) -> None:
    """When that was asked for: the mistake, and how to fix it."""
    app = flask_app.create_app(SECRET, "secret_without_prefix")
    assert "diagnosis: " not in str(mock.check(app, SECRET, only="PG001"))
    text = str(mock.check(app, SECRET, only="PG001", diagnose=True))
    assert "\n\ndiagnosis: it uses the secret without its prefix" in text
    assert text.index("\nfix: ") > text.index("\ndiagnosis: ")
    assert SECRET.removeprefix("whsec_") not in text
