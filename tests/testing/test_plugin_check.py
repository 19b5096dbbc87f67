"""Checks in another team's test suite: each test here runs a suite of its own."""

from __future__ import annotations

import pytest

from tests.testing.suites import PLUGINS, Suite

pytestmark = pytest.mark.usefixtures("all_imported")

CONSUMER = '''
import json
import mockserver as package
import pytest

class Consumer:
    """A WSGI application; ``mistake`` makes it believe everything."""

    def __init__(self, mistake=False):
        self.mistake = mistake
        self.handled = set()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        status, answer = self.receive(body, environ.get("HTTP_X_PLAYGENT_SIGNATURE", ""), environ["REQUEST_METHOD"])
        start_response(status, [("Content-Type", "text/plain")])
        return [answer]

    def receive(self, body, signature, method):
        if method != "POST":
            return "405 Method Not Allowed", b"POST only"
        if not self.mistake and not package.verify(body, signature, SECRET):
            return "401 Unauthorized", b"bad signature"
        try:
            event = json.loads(body)
            self.handled.add(json.dumps([event["event"], event["data"]]))
        except (ValueError, RecursionError, TypeError, KeyError):
            return "400 Bad Request", b"no event"
        return "200 OK", b"accepted"

@pytest.fixture
def good():
    return Consumer()

@pytest.fixture
def bad():
    return Consumer(mistake=True)
'''


@pytest.fixture
def conftest() -> str:
    return CONSUMER


GOOD_AND_BAD = """
def test_good(mockserver, good): mockserver.check(good, SECRET)
def test_bad(mockserver, bad): mockserver.check(bad, SECRET)
"""
TABLE = [
    "*checks: *fail* the check*",
    "*verdict  check  severity  title *what was seen",
    "*PG012  must      wrong secret *",
    "*fix: verify first*",
    "*PG010 missing signature: *",
    "*  > POST /webhooks/playgent HTTP/1.1",
    "*  < 200 OK",
]


def test_one_line_is_a_test(suite: Suite) -> None:
    """It passes with a correct application, and fails with a table otherwise, in the test itself and not after it."""
    result = suite(GOOD_AND_BAD)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*_ test_bad _*", *TABLE, "FAILED *::test_bad *"])
    assert result.stdout.str().count("PG012  must") == 1
    assert "mockserver check" not in result.stdout.str()


def test_the_secret_is_not_shown(suite: Suite) -> None:
    """Neither by the table nor by the traceback, whichever form is called."""
    result = suite(
        """
        import mockserver as package
        WRONG = "whsec_that_is" + "_wrong"
        def test_fixture(mockserver, good): mockserver.check(good, WRONG)
        def test_raising(mockserver, good): mockserver.check(good, WRONG).raise_for_failures()
        def test_function(good): package.check(good, WRONG)
        """
    )
    result.assert_outcomes(failed=3)
    result.stdout.no_fnmatch_line("*whsec_that_is_wrong*")
    assert result.stdout.str().count("fail     PG001") == 3


def test_a_report_that_is_looked_at_is_judged_by_the_test(suite: Suite) -> None:
    """A test of a known mistake passes, and one that fails by itself shows the table in a section of its own."""
    result = suite(
        """
        def test_ok(mockserver, bad): assert not mockserver.check(bad, SECRET).ok
        def test_failures(mockserver, bad): assert len(mockserver.check(bad, SECRET).failures) > 3
        def test_finding(mockserver, bad):
            assert mockserver.check(bad, SECRET, only="PG012").finding("wrong_secret").verdict == "warn"
        def test_asserted(mockserver, bad): assert mockserver.check(bad, SECRET).ok
        """
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*where False = <CheckReport of https://testserver/*.ok", "*- mockserver check -*", *TABLE]
    )


def test_a_test_that_fails_otherwise_shows_the_table_too(suite: Suite) -> None:
    """It may be the reason; a test that is marked as failing counts so, for the check failed it while it ran."""
    result = suite(
        """
        import pytest

        def test_it(mockserver, bad):
            mockserver.check(bad, SECRET)
            assert False, "something else"

        @pytest.mark.xfail(strict=True)
        def test_expected(mockserver, bad): mockserver.check(bad, SECRET)
        """
    )
    result.assert_outcomes(failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*something else*", "*- mockserver check -*", *TABLE])


def test_a_check_alone_is_not_said_to_have_sent_nothing(suite: Suite) -> None:
    """The record of deliveries is empty, for checks are none of its business: it is left out."""
    result = suite(
        """
        def test_check(mockserver, bad): assert mockserver.check(bad, SECRET).ok
        def test_nothing(mockserver): assert False
        """
    )
    result.assert_outcomes(failed=2)
    assert result.stdout.str().count("Nothing was sent.") == 1


def test_wrong_usage_shows_the_line_of_the_test_and_the_message(suite: Suite) -> None:
    """And none of our own."""
    result = suite("def test_it(mockserver, good): mockserver.check(good, SECRET, only='PG0xx')", process=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*mockserver.check(good, *", "E *UsageError: no check 'PG0xx'*"])
    assert "/mockserver/testing/" not in result.stdout.str()


def test_a_check_in_a_fixture_is_not_lost(suite: Suite) -> None:
    """Before the test it fails the test, after it there is an error."""
    result = suite(
        """
        import pytest

        @pytest.fixture
        def before(mockserver, bad): mockserver.check(bad, SECRET, only="PG012")

        @pytest.fixture
        def after(mockserver, bad):
            yield
            mockserver.check(bad, SECRET, only="PG012")

        def test_before(before): pass
        def test_after(after): pass
        def test_next(mockserver): assert mockserver.broken_checks() == ()
        """
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    assert result.stdout.str().count("PG012  must") == 2


def test_the_function_needs_no_fixture(suite: Suite) -> None:
    """One line of it in any test function, or a unittest."""
    result = suite(
        """
        import unittest
        from mockserver import CheckError, check

        def test_good(good): assert check(good, SECRET).ok
        def test_bad(bad): check(bad, SECRET)

        class TestIt(unittest.TestCase):
            def test_bad(self):
                from conftest import Consumer
                self.assertRaises(CheckError, check, Consumer(mistake=True), SECRET)
        """,
        process=True,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines([">*check(bad, *", "*CheckError: *", *TABLE[1:]])


ASYNC = """
import mockserver as package
async def test_good(mockserver, good): await mockserver.acheck(good, SECRET)
async def test_bad(mockserver, bad): await mockserver.acheck(bad, SECRET, only="PG012")
async def test_known(mockserver, bad): assert not (await mockserver.acheck(bad, SECRET, only="PG012")).ok
async def test_function(bad): await package.acheck(bad, SECRET, only="PG012")
"""


@pytest.mark.full
@pytest.mark.parametrize(("plugins", "header", "ini"), PLUGINS)
def test_async_tests_under_every_plugin(suite: Suite, plugins: list[str], header: str, ini: str) -> None:
    """They fail while they run, as sync ones do."""
    result = suite(header + ASYNC, plugins=plugins, ini=ini)
    result.assert_outcomes(passed=2, failed=2)
    assert result.stdout.str().count("PG012  must") == 2


@pytest.mark.full
def test_under_xdist(suite: Suite) -> None:
    """Reports of workers have the table too."""
    result = suite(GOOD_AND_BAD, "-n2", plugins=["xdist.plugin"])
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(TABLE)


def test_nothing_is_left_behind(suite: Suite) -> None:
    """When a check is over, the function has left no thread, and the fixture none but its own."""
    result = suite(
        """
        import threading
        from mockserver import check

        def test_function(good):
            before = threading.enumerate()
            check(good, SECRET)
            assert threading.enumerate() == before

        def test_fixture(mockserver, good):
            before = threading.enumerate()
            mockserver.check(good, SECRET)
            assert threading.enumerate() == before
        """
    )
    result.assert_outcomes(passed=2)
