"""``mockserver trigger``, ``deliveries``, ``resend`` and ``health``: what talks to a running mock."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.program import OK, Recorder, Running, answer, mockserver, recorder, running, serving


class Served(NamedTuple):
    """A running mock, and its consumer."""

    command: Running
    here: tuple[str, str]
    consumer: Recorder


@pytest.fixture
def served() -> Iterator[Served]:
    """A mock with one webhook, whose consumer refuses the first delivery."""
    with recorder(answer("500 No"), OK) as consumer, serving(*consumer.target) as (command, url):
        yield Served(command, ("--server", url), consumer)


def test_one_event_is_triggered_listed_and_sent_again(served: Served) -> None:
    """What a developer does beside a running mock; its log shows the re-send as one."""
    done = mockserver("trigger", "run.failed", "--override", "run_id=run_7", *served.here)
    assert (done.code, done.err) == (1, "")
    assert done.out.split()[0::2][:3] == ["✗", "dlv_000001", "500"]
    assert b'"run_id":"run_7"' in served.consumer.requests[0]
    done = mockserver("resend", "dlv_000001", *served.here)
    assert done.code == 0
    assert done.out.split()[0::2][:3] == ["✓", "dlv_000002", "200"]
    assert "resend of dlv_000001" in served.command.wait_for_line("dlv_000002")
    assert served.consumer.requests[0] == served.consumer.requests[1]
    lines = mockserver("deliveries", *served.here).out.splitlines()
    assert [line.split()[2] for line in lines if line[0] in "✓✗"] == ["dlv_000001", "dlv_000002"]
    assert "  expected status 2xx, got 500" in lines
    found = json.loads(mockserver("deliveries", "-q", "is:failed", "--json", "-", *served.here).out)
    assert [view["delivery_id"] for view in found] == ["dlv_000001"]


def test_deliveries_are_followed(served: Served) -> None:
    """Those on record first, then each as it comes, until Ctrl-C."""
    mockserver("trigger", "run.failed", *served.here)
    with running("deliveries", "--follow", "-q", "event:run.failed", *served.here, PYTHONUNBUFFERED="1") as following:
        following.wait_for_line("dlv_000001")
        assert mockserver("trigger", "run.completed", *served.here).code == 0
        assert mockserver("trigger", "run.failed", *served.here).code == 0
        following.wait_for_line("dlv_000003")
        following.send_signal(signal.SIGINT)
        done = following.end()
    assert (done.code, done.err) == (130, "")
    assert "dlv_000002" not in done.out


def test_what_the_mock_refuses_is_one_line(served: Served) -> None:
    """The message is the mock's, and the exit code that of wrong usage."""
    search = ("deliveries", "-q", "status:x")
    for command in (("trigger", "run.faild"), ("resend", "dlv_000009"), search, (*search, "--follow")):
        done = mockserver(*command, *served.here)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "-q" not in command or "status" in done.err
    refused = mockserver("trigger", "run.faild", *served.here).err
    assert refused.startswith("mockserver: unknown event 'run.faild'; known are ")
    assert "did you mean 'run.failed'?" in refused


def test_an_event_without_a_webhook_explains_itself() -> None:
    """Nothing was delivered: that is no success."""
    with serving() as (_, url):
        done = mockserver("trigger", "run.failed", MOCKSERVER_SERVER=url)
    assert done.code == 1
    assert "run.failed" in done.out


def test_health(served: Served, closed_port: int) -> None:
    """A mock that is ready is distinguished from one that is not, and from something else."""
    done = mockserver("health", served.here[1])
    assert done == (0, f"ready: {served.here[1]} (1 webhooks, 0 deliveries)\n", "")
    done = mockserver("health", "--wait", "300ms", MOCKSERVER_PORT=str(closed_port))
    assert (done.code, done.out) == (3, "")
    nowhere = f"http://127.0.0.1:{closed_port}"
    assert done.err.startswith(f"mockserver: not ready within 300ms: no mock answers at {nowhere} ")
    done = mockserver("deliveries", "--server", nowhere)
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert "nothing listens there" in done.err
    with recorder() as other:
        done = mockserver("health", other.url)
    assert (done.code, "is not a mock" in done.err) == (3, True)
    assert mockserver("health", "http://127.0.0.1:x").code == 2


def test_what_came_of_it_as_json(served: Served) -> None:
    """All that the control API answers."""
    here = (*served.here, "--json", "-")
    done = mockserver("trigger", "run.failed", *here)
    assert done.code == 1
    (view,) = json.loads(done.out)["deliveries"]
    assert (view["delivery_id"], view["attempts"][0]["response"]["status"]) == ("dlv_000001", 500)
    done = mockserver("resend", "dlv_000001", *here)
    assert (done.code, json.loads(done.out)["delivery_id"]) == (0, "dlv_000002")
    done = mockserver("deliveries", "--follow", *here)
    assert (done.code, done.out) == (2, "")
    assert "--follow prints lines and goes on" in done.err
    assert mockserver("deliveries", "-q", "is:delivered status:404", *here).out == "[]\n"


def test_a_reader_who_was_too_slow_learns_what_is_missing() -> None:
    """The stream says how many there were."""
    stream = b'event: dropped\ndata: {"events": 3}\n\n'
    none = b'{"deliveries": []}'
    with recorder(answer("200 OK", stream), answer("200 OK", none)) as server:
        done = mockserver("deliveries", "--follow", "--server", server.url)
    assert done == (0, "... 3 left out: they came faster than they were read\n", "")


def test_a_mock_with_tls(tmp_path: Path) -> None:
    """Its CA file makes it trusted."""
    with serving("--tls", TMPDIR=str(tmp_path)) as (command, url):
        ca_file = command.wait_for_line("CA file").rpartition(" ")[2]
        assert mockserver("health", url, "--ca-file", ca_file).code == 0
        done = mockserver("deliveries", "--server", url)
        assert (done.code, "no mock answers at https://" in done.err) == (3, True)
        done = mockserver("deliveries", "--server", url, "--ca-file", "nothing.pem")
    assert (done.code, done.err) == (2, "mockserver: cannot use the CA file nothing.pem: No such file or directory\n")
