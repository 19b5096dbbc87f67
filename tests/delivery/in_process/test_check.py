"""Checks of application objects: correct ones pass, broken ones do not, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import mockserver
from mockserver import CheckReport, MockServer, UsageError
from tests.consumers.frameworks import FRAMEWORKS, create_app
from tests.delivery.in_process.apps import HOOK, SECRET, URL, AsgiProbe, Serve, WsgiProbe

Check = Callable[..., CheckReport]

ACCESS: dict[str, Any] = {
    "probe": "/debug/events",
    "probe_json": "$.count",
    "state": "/debug/objects/{id}",
    "fail_once": "https://testserver/debug/fail-next",
}


@pytest.fixture(params=["sync", "async"])
def check(request: pytest.FixtureRequest) -> Check:
    """Check an application from sync code, or from a running loop."""

    async def acheck(*args: Any, **options: Any) -> CheckReport:
        async with MockServer() as mock:
            report = await mock.acheck(*args, **options)
            report.looked_at = True  # each test does
            return report

    def check(*args: Any, **options: Any) -> CheckReport:
        with MockServer() as mock:
            report = mock.check(*args, **options)
            report.looked_at = True
            return report

    return check if request.param == "sync" else lambda *args, **options: asyncio.run(acheck(*args, **options))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_correct_application_passes(check: Check, framework: str) -> None:
    """Whatever it is made with, and wherever it is called from; what needs a connection is not tested."""
    report = check(create_app(framework, SECRET), SECRET)
    assert report.ok, str(report)
    wrong = {each.check.id for each in report.findings if each.verdict in {"fail", "inconclusive"}}
    assert not wrong, str(report)
    assert report.finding("slow_sender").verdict == "not tested"


@pytest.mark.parametrize(
    "framework", FRAMEWORKS[:1] + [pytest.param(*each.values, marks=pytest.mark.full) for each in FRAMEWORKS[1:3]]
)
def test_a_correct_application_has_the_right_effects(check: Check, framework: str) -> None:
    """Its own addresses can be given as the probe: relative ones, or those of the made-up host."""
    report = check(create_app(framework, SECRET), SECRET, **ACCESS)
    assert report.ok, str(report)
    verdicts = {each.check.level: each.verdict for each in report.findings if each.check.procedure}
    assert verdicts[1] == verdicts[2] == "pass"


@pytest.mark.parametrize(
    ("framework", "mistake", "caught", "options"),
    [
        ("flask", "missing_signature_accepted", "PG010", {}),
        ("fastapi", "redirects", "PG003", {}),
        ("flask", "redirects", "PG003", {}),
        ("fastapi", "no_dedupe", "PG072", {**ACCESS, "only": "PG072"}),
    ],
)
def test_a_broken_application_is_caught(framework: str, mistake: str, caught: str, options: dict[str, Any]) -> None:
    """By the check that is meant for its mistake."""
    with pytest.raises(mockserver.CheckError, match=f"fail +{caught}"):
        mockserver.check(create_app(framework, SECRET, mistake), SECRET, **options)


def test_an_application_that_raises_is_told_what_it_raised(check: Check) -> None:
    """Its exception is what was seen."""

    async def fails(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("no such run")

    report = check(AsgiProbe(fails), SECRET)
    assert not report.ok
    assert "ValueError: no such run" in report.finding("control").summary


def test_the_application_is_told_where_it_is(check: Check) -> None:
    """An address that test clients use as well; the path may be chosen."""
    app = AsgiProbe()
    check(app, SECRET, only="PG001", path="/hooks/playgent")
    scope = app.scopes[0]
    assert (scope["scheme"], scope["server"], scope["path"]) == ("https", ("testserver", 443), "/hooks/playgent")
    assert (b"host", b"testserver") in scope["headers"]


def test_the_interface_can_be_said(check: Check) -> None:
    """Where the shape of the object does not show it."""
    app = WsgiProbe()

    def variadic(*args: Any) -> Any:
        return app(*args)

    with pytest.raises(UsageError, match="cannot see how to call"):
        check(variadic, SECRET)
    check(variadic, SECRET, interface="wsgi", only="PG001")
    assert app.environs[0]["PATH_INFO"] == "/webhooks/playgent"


def test_the_application_is_shut_down_after_its_check() -> None:
    """It is started for the check, and ends with it, although the mock goes on."""
    app = AsgiProbe()
    with MockServer() as mock:
        for _ in range(2):
            mock.check(app, SECRET, only="PG001")
            assert app.log[0] == "startup"
            assert app.log[-1] == "shutdown"


async def test_the_application_lives_on_the_loop_of_the_test() -> None:
    """There it is started, called, and shut down before the check returns."""
    app = AsgiProbe()
    async with MockServer() as mock:
        await mock.acheck(app, SECRET, only="PG001")
        assert app.log[-1] == "shutdown"
    assert set(app.loops) == {asyncio.get_running_loop()}


def test_an_application_that_the_test_has_routed_goes_on(serve: Serve) -> None:
    """It is the same application with the same state: not started anew, and not shut down."""
    app = AsgiProbe()
    mock = serve(app)
    mock.send("run.failed")
    mock.check(app, SECRET, only="PG001")
    mock.send("run.failed")
    assert app.log.count("startup") == 1
    assert "shutdown" not in app.log


def test_a_route_of_the_tests_is_not_in_the_way(serve: Serve) -> None:
    """Not even one from the address that an application sees otherwise."""
    mock = serve(AsgiProbe())
    other, app = AsgiProbe(), AsgiProbe()
    mock.route("https://testserver", to=other)
    report = mock.check(app, SECRET, only="PG001")
    assert (len(app.scopes), len(other.scopes)) == (report.deliveries, 0)
    mock.register("https://testserver/hooks")
    mock.send("run.failed")
    assert len(other.scopes) == 1


def test_the_registered_webhook_of_a_routed_application_is_checked(mock: MockServer) -> None:
    """Routes apply to what is checked as to what is sent."""
    mock.route(URL, to=create_app("flask", SECRET))
    mock.register(HOOK, secret=SECRET)
    report = mock.check()
    assert report.ok, str(report)
    assert report.target == HOOK


async def test_applications_can_be_checked_at_the_same_time() -> None:
    """Each has its own address for as long as it takes."""
    apps = [create_app(name, SECRET) for name in ("flask", "fastapi", "aiohttp")]
    looks = {name: value for name, value in ACCESS.items() if name != "fail_once"}
    async with MockServer() as mock:
        for report in await asyncio.gather(*(mock.acheck(app, SECRET, **looks) for app in apps)):
            assert report.ok, str(report)
            assert {each.verdict for each in report.findings if each.check.level == 1} == {"pass"}


def test_an_application_can_be_delivered_to_after_it_was_shut_down(serve: Serve) -> None:
    """It is started again."""
    app = AsgiProbe()
    mock = serve(app)
    assert mock.send("run.failed").delivered
    mock.shut_down_apps()
    assert mock.send("run.failed").delivered
    assert app.log == ["startup", "request", "shutdown", "startup", "request"]
