"""The pytest plugin, as another team's test suite sees it: each test here runs a suite of its own."""

import pytest

from tests.answering import VerifyingConsumer
from tests.testing.suites import MARK, PLUGINS, Suite

pytestmark = pytest.mark.usefixtures("all_imported")


@pytest.fixture
def conftest(consumer: VerifyingConsumer) -> str:
    """Gives the tests of a suite the URL of a consumer."""
    return f"import pytest\n\n@pytest.fixture\ndef consumer(): return {consumer.url!r}\n"


THREE_LINES = """
def test_it(mockserver, consumer):
    mockserver.register(consumer, events=["run.failed"], secret=SECRET)
    assert mockserver.send("run.failed").delivered
"""

ASYNC = """
async def test_it(mockserver, consumer):
    mockserver.register(consumer, events=["run.failed"], secret=SECRET)
    assert (await mockserver.asend("run.failed")).delivered
    assert (await mockserver.areplay("run_failed")).ok
    assert len(await mockserver.await_for("run.failed", count=2)) == 2
"""


def test_the_plugin_is_found_without_being_named(pytester: pytest.Pytester) -> None:
    """Installing the package is enough: pytest loads the plugin by its entry point."""
    pytester.makeini("[pytest]\n")
    pytester.makepyfile("def test_it(mockserver): assert mockserver.url")
    args = [f"-pno:{name}" for name in ("schemathesis", "hypothesispytest", "randomly", "xdist", "anyio", "aiohttp")]
    pytester.runpytest_subprocess(*args).assert_outcomes(passed=1)


@pytest.mark.full
@pytest.mark.parametrize(("plugins", "header", "ini"), PLUGINS)
def test_async_tests_under_every_plugin(suite: Suite, plugins: list[str], header: str, ini: str) -> None:
    """The same fixture serves async tests beside each async plugin."""
    suite(header + ASYNC, plugins=plugins, ini=ini).assert_outcomes(passed=1)


def test_each_test_has_a_clean_server_and_the_server_is_shared(suite: Suite) -> None:
    """Nothing of one test is seen by the next, and the port stays the same."""
    suite(
        """
        urls = set()

        def test_one(mockserver, consumer):
            mockserver.register(consumer, secret=SECRET)
            mockserver.send("run.failed")
            mockserver.fail_next(status=500)
            mockserver.route("https://a.example", to="http://127.0.0.1:1")
            urls.add(mockserver.url)

        def test_two(mockserver):
            assert mockserver.webhooks == mockserver.deliveries == mockserver.requests == ()
            urls.add(mockserver.url)
            assert len(urls) == 1
        """
    ).assert_outcomes(passed=2)


def test_a_failing_test_shows_its_deliveries(suite: Suite) -> None:
    """The report says what was sent and what came back."""
    result = suite(
        """
        def test_it(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            assert mockserver.send("run.failed").delivered
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- mockserver -*",
            "The record has 1 delivery:",
            "*dlv_000001 run.failed to http://127.0.0.1:*/hooks: failed, 401 in * ms",
            "*answer: bad signature",
            "*hint: its signature is right: compare the secret that is registered with that of the application*",
            "Registered:",
        ]
    )


def test_a_route_that_was_forgotten(suite: Suite) -> None:
    """A test that lacks the route of the one before it is shown what to add, and why once."""
    result = suite(
        """
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]

        def test_first(mockserver):
            mockserver.route("https://your-app.test", to=app)
            mockserver.register("https://your-app.test/hooks")
            assert mockserver.send("run.failed").delivered

        def test_second(mockserver):
            mockserver.register("https://your-app.test/hooks")
            mockserver.send("run.failed")
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*hooks: failed (* ms): no route leads from https://your-app.test any more: *; expected status 2xx*"]
    )


def test_an_answer_is_shown_and_commands_neither_terminal_nor_ci(suite: Suite) -> None:
    """Control characters are spelled out, and each line is indented: at its beginning it could be a command."""
    result = suite(
        """
        def app(environ, start_response):
            start_response("500 Broken", [])
            return [b"broken\\n::error::x\\x1b[31m"]

        def test_it(mockserver):
            mockserver.route("http://app.example", to=app)
            mockserver.register("http://app.example/hooks")
            assert mockserver.send("run.failed").delivered
        """
    )
    result.stdout.fnmatch_lines(["*answer: broken", r"      ::error::x\x1b[[]31m"])
    result.stdout.no_fnmatch_line("::error*")


def test_an_error_of_ours_does_not_show_our_source(suite: Suite) -> None:
    """It ends at the line of the test, by whichever name the fixture was asked for."""
    result = suite(
        """
        def test_name(playgent): playgent.send("run.faild")

        def test_chain(mockserver):
            mockserver.replay({"version": 1, "steps": [{"event": "run.faild"}]})
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*unknown event 'run.faild'*did you mean*"])
    result.stdout.no_fnmatch_line("*mock_server.py*")
    result.stdout.no_fnmatch_line("*def send*")


def test_failures_that_no_one_looked_at_fail_the_test(suite: Suite) -> None:
    """Of deliveries that are not as expected, and of replays; a forgery that was refused is as expected."""
    result = suite(
        """
        def test_delivery(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            mockserver.send("run.failed")

        def test_replay(mockserver, consumer):
            mockserver.register(consumer, events=["run.completed"])
            mockserver.replay("run_failed")

        def test_refused_forgery(mockserver, consumer):
            mockserver.register(consumer)
            mockserver.send("run.failed", fault="wrong_secret")
        """
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*run.failed to*failed, 401*"])
    result.stdout.fnmatch_lines(["*no active webhook is subscribed to run.failed*"])


def test_failures_that_no_one_looked_at_can_be_allowed(suite: Suite) -> None:
    """By marker or ini."""
    tests = THREE_LINES.replace("SECRET", "'wrong'").replace("assert ", "").replace(".delivered", "")
    marker = MARK.format("mockserver(strict_deliveries=False)")
    suite(marker + tests).assert_outcomes(passed=1)
    suite(tests, ini="mockserver_strict_deliveries = false").assert_outcomes(passed=1)


def test_failures_that_were_looked_at_do_not_fail_the_test(suite: Suite) -> None:
    """Looking at an outcome, a report or the record is enough; a test that failed anyway is not failed twice."""
    result = suite(
        """
        def test_outcome(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            assert not mockserver.send("run.failed").delivered

        def test_report(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            assert not mockserver.replay("run_failed").ok

        def test_record(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            mockserver.send("run.failed")
            assert mockserver.deliveries[0].response.status == 401

        def test_failed_anyway(mockserver, consumer):
            mockserver.register(consumer, secret="wrong")
            mockserver.send("run.failed")
            assert False
        """
    )
    result.assert_outcomes(passed=3, failed=1)


def test_the_marker_takes_the_constructors_settings(suite: Suite) -> None:
    """A marker on a test adds to a marker on its class, and both to the settings fixture."""
    suite(
        """
        import pytest, urllib.request, urllib.error

        @pytest.fixture(scope="session")
        def mockserver_settings():
            return {"api_keys": ["key-a"], "user_agent": "from-settings"}

        def status(mockserver, key):
            headers = {"Authorization": "Bearer " + key}
            request = urllib.request.Request(mockserver.url + "/v1/webhooks", headers=headers)
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        @pytest.mark.mockserver(api_keys=["key-b"])
        class TestIt:
            def test_class(self, mockserver):
                assert status(mockserver, "key-b") == 200
                assert status(mockserver, "key-a") == 401

            @pytest.mark.mockserver(strict=True)
            def test_both(self, mockserver):
                assert status(mockserver, "key-b") == 405
                assert status(mockserver, "key-a") in (401, 405)

        def test_fixture(mockserver):
            assert status(mockserver, "key-a") == 200
        """
    ).assert_outcomes(passed=3)


def test_a_wrong_setting_is_an_error_that_names_it(suite: Suite) -> None:
    """A typing error in the marker says what was probably meant."""
    result = suite("import pytest\n@pytest.mark.mockserver(sped=1)\ndef test_it(mockserver): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unknown setting 'sped'*did you mean 'speed'?*"])
    result = suite("import pytest\n@pytest.mark.mockserver(5)\ndef test_it(mockserver): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker mockserver takes settings by name, such as seed=7, not 5*"])


def test_speed_can_be_chosen_on_the_command_line(suite: Suite) -> None:
    """The default is max; the option makes a script of 0.2 seconds take its time."""
    tests = """
        import time

        def test_it(mockserver, consumer):
            mockserver.register(consumer, secret=SECRET)
            report = mockserver.replay({"version": 1, "steps": [{"pause": 0.2}, {"event": "run.failed"}]})
            assert report.ok and report.scripted_seconds >= 0.2
            print("took", "long" if report.seconds >= 0.19 else "short")
    """
    suite(tests, "-rP").stdout.fnmatch_lines(["took short"])
    suite(tests, "-rP", "--mockserver-speed=1").stdout.fnmatch_lines(["took long"])
    result = suite(tests, "--mockserver-speed=fast")
    result.stdout.fnmatch_lines(["*speed must be a number or max*"])


def test_ini_settings(suite: Suite) -> None:
    """Speed and time-out can be in the ini file."""
    suite(
        "def test_it(mockserver): assert mockserver.settings.timeout == 2.5 and mockserver.settings.speed == 10\n",
        ini="mockserver_speed = 10\nmockserver_timeout = 2.5",
    ).assert_outcomes(passed=1)


@pytest.mark.full
def test_under_xdist(suite: Suite) -> None:
    """Two workers have servers of their own."""
    tests = THREE_LINES + THREE_LINES.replace("test_it", "test_other")
    suite(tests, "-n2", plugins=["xdist.plugin"], process=True).assert_outcomes(passed=2)


def test_the_plugin_imports_nothing_heavy_until_it_is_used(suite: Suite) -> None:
    """A suite that never uses the fixture pays for no web framework, and no thread is started."""
    suite(
        """
        import sys, threading
        import mockserver

        def test_it():
            heavy = {"aiohttp", "msgspec", "httptools", "yaml", "jinja2", "rich", "click"}
            assert not heavy & set(sys.modules)
            assert threading.active_count() == 1
        """,
        process=True,
    ).assert_outcomes(passed=1)


@pytest.mark.full
@pytest.mark.parametrize(("plugins", "header", "ini"), PLUGINS[:3])
def test_an_app_is_shut_down_on_the_loop_of_its_test(suite: Suite, plugins: list[str], header: str, ini: str) -> None:
    """An app's lifespan begins before its first request and ends, in order, at the end of the test."""
    tests = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

log = []

@asynccontextmanager
async def lifespan(app):
    log.append("up")
    yield
    log.append("down")

app = FastAPI(lifespan=lifespan)

@app.post("/hooks")
async def hooks():
    log.append("request")
    return {}

async def test_it(mockserver):
    mockserver.route("https://your-app.com", to=app)
    mockserver.register("https://your-app.com/hooks")
    assert (await mockserver.asend("run.failed")).delivered

async def test_after():
    assert log == ["up", "request", "down"]
"""
    suite(header + tests, plugins=plugins, ini=ini).assert_outcomes(passed=2)
