"""Faults, retries, background replays, stepped time and probes through MockServer."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from mockserver import DeliveryError, LoopRunningError, MockServer, UsageError
from tests.answering import VerifyingConsumer
from tests.receiving import SECRET, Received, consuming, eventually


def test_send_with_a_fault(consumer: VerifyingConsumer) -> None:
    """A forged event is refused; duplicates are sent twice; a list composes."""
    with MockServer() as mock:
        mock.register(consumer.url, secret=SECRET)
        sent = mock.send("run.failed", fault="wrong_secret")
        assert sent.response
        assert sent.response.status == 401
        assert sent.deliveries[0].unmet == ()
        assert len(mock.send("run.failed", fault={"duplicate": 2}).deliveries) == 2
        assert mock.send("run.failed", fault=["spaced_json", "lowercase_headers"]).delivered
        assert consumer.accepted[2].startswith(b'{"event": "run.failed", ')
        assert mock.send("run.failed", fault="lost").deliveries == ()
        with pytest.raises(UsageError, match="did you mean 'wrong_secret'"):
            mock.send("run.failed", fault="wrong_secrt")


def test_send_with_retries(consumer: VerifyingConsumer) -> None:
    """At speed max the waits between attempts are skipped; the attempts are on record."""
    consumer.fail = 2
    with MockServer(speed="max") as mock:
        mock.register(consumer.url, secret=SECRET)
        sent = mock.send("run.failed", retry=[0, 3600, 3600])
        assert (sent.delivered, len(sent.attempts)) == (True, 3)
        assert sent.attempts[2].at - sent.attempts[0].at >= 7200
        with pytest.raises(UsageError, match="did you mean 'stripe'"):
            mock.send("run.failed", retry="stripee")


def test_stepped_time_in_a_sync_test(consumer: VerifyingConsumer) -> None:
    """An outage and what follows, minute by minute, without a sleep."""
    consumer.fail = 2
    with MockServer(speed="stepped", retry=[0, "5m", "5m"]) as mock:
        mock.register(consumer.url, secret=SECRET)
        begun = mock.clock.now()
        (delivery,) = mock.send("run.failed").deliveries
        assert (delivery.outcome, len(delivery.attempts)) == ("pending", 1)
        mock.clock.advance("5m")
        assert len(delivery.attempts) == 2
        mock.clock.advance(300)
        assert (delivery.outcome, len(consumer.accepted)) == ("delivered", 1)
        assert mock.clock.now() == begun + 600
        replay = mock.start_replay({"version": 1, "steps": [{"pause": "1h"}, {"event": "run.completed"}]})
        assert not replay.done
        mock.clock.advance("1h")
        assert (replay.result().ok, replay.done) == (True, True)
        with pytest.raises(UsageError, match="is not a duration"):
            mock.clock.advance("soon")


async def test_stepped_time_in_an_async_test() -> None:
    """The same with the twins, with a consumer on the test's own loop."""
    async with consuming() as consumer, MockServer(speed="stepped") as mock:
        mock.register(consumer.url, secret=SECRET)
        replay = mock.start_replay({"version": 1, "steps": [{"event": "run.failed", "repeat": 3, "every": "1m"}]})
        await mock.clock.aadvance("61s")
        assert len(consumer.received) == 2
        replay.stop()
        report = await replay.aresult()
        assert (report.delivered, report.not_sent) == (2, 1)
        with pytest.raises(LoopRunningError, match="aadvance"):
            mock.clock.advance(1)
        with pytest.raises(LoopRunningError, match="aresult"):
            replay.result()


def test_a_replay_in_the_background_in_real_time(consumer: VerifyingConsumer) -> None:
    """The test goes on at once, looks at the report so far, and waits for the end; this clock is not advanced."""
    with MockServer() as mock:
        with pytest.raises(UsageError, match="choose speed='stepped'"):
            mock.clock.advance(1)
        mock.register(consumer.url, secret=SECRET)
        replay = mock.start_replay({"version": 1, "steps": [{"event": "run.failed"}, {"pause": 0.05}]})
        mock.wait_for("run.failed")
        assert replay.result().delivered == replay.report.delivered == 1


def test_a_probe_proves_an_effect(consumer: VerifyingConsumer) -> None:
    """A function of the test's sees that a duplicate had two effects where one was expected."""
    with MockServer(speed="max") as mock:
        mock.register(consumer.url, secret=SECRET)
        mock.probe("accepted", lambda: len(consumer.accepted))
        effect = {"effect": {"probe": "accepted", "change": 1}}
        report = mock.replay({"version": 1, "steps": [{"event": "run.failed", "fault": "duplicate", "expect": effect}]})
        assert report.explanations() == [
            "<script>:1: step 1 (run.failed [duplicate]): expected an effect of +1, got +2 (from 0 to 2)"
        ]


async def test_cancelling_while_a_retry_waits() -> None:
    """Giving up a send in the middle of its retries ends them."""
    async with consuming() as consumer, MockServer(retry=[0, 3600]) as mock:
        mock.register(consumer.url, secret="wrong")

        async def answer(_: Received) -> web.Response:
            return web.Response(status=500)

        consumer.answer = answer
        sending = asyncio.create_task(mock.asend("run.failed"))
        await eventually(lambda: any(delivery.attempts for delivery in mock.deliveries))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await eventually(lambda: mock.deliveries[0].outcome == "failed")


def test_reports_from_python(consumer: VerifyingConsumer, tmp_path: Path) -> None:
    """A report is written as JUnit XML, HAR and Markdown, without the secret."""
    with MockServer(speed="max") as mock:
        mock.register(consumer.url, secret=SECRET)
        report = mock.replay({"version": 1, "steps": [{"event": "run.failed", "expect": {"status": 401}}]})
        files = [tmp_path / "new" / name for name in ("junit.xml", "report.har", "report.md")]
        mock.write_report(report, junit=files[0], har=files[1], markdown=str(files[2]))
        mock.write_report(report)
        with pytest.raises(DeliveryError, match="expected status 401, got 200"):
            mock.raise_for_unseen()  # a file is not looked at by the test
    texts = [file.read_text("utf-8") for file in files]
    assert "expected status 401, got 200" in texts[0]
    assert '"version": "1.2"' in texts[1]
    assert "expected status 401, got 200" in texts[2]
    assert not any(SECRET in text for text in texts)
