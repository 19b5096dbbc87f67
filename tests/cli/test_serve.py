"""``mockserver serve``: the ready line, what is printed, and what it is started with."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import (
    READY,
    ROOT,
    SECRET,
    environment,
    mockserver,
    mockserver_process,
    recorder,
    running,
    serving,
    url_of,
)
from tests.consumers.launch import launch
from tests.presence import present


def call(method: str, url: str, body: object = None, key: str = "k") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    authority, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(authority, timeout=60)
    try:
        connection.request(method, "/" + path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    finally:
        connection.close()


@pytest.mark.parametrize(
    "arguments", [("--port", "0", "--speed", "stepped"), pytest.param(("serve", "--port=0"), marks=pytest.mark.full)]
)
def test_the_ready_line(arguments: tuple[str, ...]) -> None:
    """With or without its name, serve prints one ready line with the real address, and then accepts connections."""
    with running(*arguments) as command:
        url = url_of(command.wait_for_line(READY))
        with urllib.request.urlopen(f"{url}/_mock/health") as response:
            assert response.status == 200
        assert command.lines == [f"{READY}{url} (vendor API /v1, control API /_mock)"]


#: What a mock needs when something is sent, replayed or asked of the control API, and not before.
LATE = (
    "mockserver.checks", "mockserver.cli.files", "mockserver.cli.report_files", "mockserver.control_api.routes",
    "mockserver.delivery.http1", "mockserver.delivery.in_process", "mockserver.faults", "mockserver.model.fields",
    "mockserver.model.retry_policies", "mockserver.model.settings_keywords", "mockserver.model.signing",
    "mockserver.replay", "mockserver.script", "mockserver.server.sending", "mockserver.testing",
    "mockserver.vendor_api.flows",
    "difflib", "httptools", "jinja2", "jsonpath", "rich", "yaml",
)  # fmt: skip


def test_what_sends_is_not_imported_before_something_is_sent(tmp_path: Path) -> None:
    """A mock that is started and registered with imports neither what delivers nor what reads scripts, or checks."""
    command = [sys.executable, "-X", "importtime", "-m", "mockserver", "serve", "--port", "0"]
    listing = tmp_path / "imported.txt"
    with (
        listing.open("wb") as errors,
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            url = url_of(present(process.stdout).readline().strip())
            webhook = {"url": "https://app.test/hooks", "events": ["run.failed"], "secret": SECRET}
            assert call("POST", f"{url}/v1/webhooks", webhook)[0] == 201
            assert call("GET", f"{url}/", None)[0] == 404
        finally:
            process.kill()  # its end imports more
    imported = {line.rpartition("|")[2].strip() for line in listing.read_text("utf-8").splitlines()}
    assert "mockserver.vendor_api.routes" in imported
    assert sorted(name for name in imported if name.startswith(LATE)) == []


def test_an_application_registers_and_gets_its_events(tmp_path: Path) -> None:
    """An application that registers gets the events of the script that waited for it; each call is logged."""
    steps = "steps: [{await: registration}, {event: run.failed, repeat: 2, override: {run_id: 'run_{{ index }}'}}]"
    (tmp_path / "s.yaml").write_text(f"version: 1\n{steps}\n", "utf-8")
    with serving("--script", "s.yaml", "--speed=max", cwd=tmp_path) as (command, url):
        with launch("flask", secret=SECRET, playgent_url=url) as consumer:
            command.wait_for_line("POST /v1/webhooks  201")
            summary = command.wait_for_line(" planned = ")
            handled = consumer.events()
        assert call("GET", f"{url}/v1/webhooks")[0] == 200
        command.wait_for_line("GET /v1/webhooks  200")
    assert summary == "s.yaml: 2 planned = 2 delivered + 0 failed + 0 not sent"
    assert [event["id"] for event in handled["events"]] == ["run_0", "run_1"]
    assert len([line for line in command.lines if line.endswith(consumer.webhook_url)]) == 2


def test_target_secret_and_script() -> None:
    """--target registers an address for all events at the start, and scripts follow one another."""
    scripts = ("--script=run_failed", "--script=run_completed")
    with recorder() as server, serving(*server.target, "--speed=max", *scripts) as (command, _):
        command.wait_for_line("run.failed")
        command.wait_for_line("1 planned = 1 delivered")
        command.wait_for_line("run.completed")
        command.wait_for_line("1 planned = 1 delivered")
        assert len(server.requests) == 2


def test_a_script_that_no_one_listens_to() -> None:
    """Events that no one takes are explained, and the server goes on."""
    with serving("--script", "run_failed", "--speed=max") as (command, url):
        command.wait_for_line("1 planned = 0 delivered + 0 failed + 1 not sent")
        assert call("GET", f"{url}/_mock/health")[0] == 200
        command.process.terminate()
        assert "1 not sent: no webhook is registered, and the script names none" in command.end().err


def test_a_call_that_is_refused_says_why() -> None:
    """The line of a refused call holds the reason, in one line and without secrets."""
    hook = {"url": "https://a.example/", "events": ["run.faild"], "secret": "whsec_private", "token": "run.faild"}
    with serving() as (command, url):
        call("GET", f"{url}/v1/webhooks", key="")  # "Bearer" alone
        assert command.wait_for_line("GET").endswith(
            "  GET /v1/webhooks  401 unauthorized: The Authorization header carries no API key:"
            " send it as 'Authorization: Bearer <api key>'"
        )
        call("POST", f"{url}/v1/webhooks", hook)
        refused = command.wait_for_line("POST")
        call("GET", f"{url}/v1/pk_live_private", key="pk_live_private")
        unknown = command.wait_for_line("GET")
        call("POST", f"{url}/_mock/faults", {"status": 503})
        call("POST", f"{url}/_mock/faults", {"status": 502, "body": "<html>"})
        call("GET", f"{url}/v1/webhooks")
        planned = command.wait_for_line("GET")
    assert "  POST /v1/webhooks  400 invalid_request: " in refused
    assert "'***'" in refused  # what is private in the body is hidden wherever it is
    assert "run.completed" in refused
    assert unknown.partition("  404 ")[2].startswith("not_found: No such path: /v1/***; there is ")
    assert planned.endswith("  GET /v1/webhooks  503 service_unavailable: This answer was planned by the test")


def test_a_reason_of_many_words_is_cut_off() -> None:
    """No one fills the terminal with a call."""
    hook = {"url": "https://a.example/", "events": ["x" * 40 + str(number) for number in range(50)], "secret": "s"}
    with serving() as (command, url):
        call("POST", f"{url}/v1/webhooks", {**hook, **{f"field_{number}": 1 for number in range(500)}})
        assert len(command.wait_for_line("POST")) < 400


def test_https(tmp_path: Path) -> None:
    """With --tls, or its variable, it serves https, and prints the CA file, which goes when it stops."""
    with running(MOCKSERVER_PORT="0", MOCKSERVER_TLS="1", TMPDIR=str(tmp_path)) as command:
        url = url_of(command.wait_for_line(READY))
        line = command.wait_for_line("CA file")
        ca_file = line.removeprefix("clients trust its certificate with the CA file ")
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=ca_file)
        with urllib.request.urlopen(f"{url}/_mock/health", timeout=60, context=trusting) as answer:
            assert json.load(answer)["status"] == "ok"
        with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
            urllib.request.urlopen(f"{url}/_mock/health", timeout=60)
        command.process.terminate()
        assert command.end().err == ""
    assert not Path(ca_file).exists()


def test_https_without_trustme(tmp_path: Path) -> None:
    """One line says what to install."""
    (tmp_path / "trustme.py").write_text("raise ImportError('not installed')\n", "utf-8")
    done = mockserver_process("serve", "--tls", "--port", "0", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.code, done.out) == (2, "")
    message = "TLS needs trustme, which is not installed: pip install 'playgent-mockserver[tls]'"
    assert done.err == f"mockserver: {message}\n"


def test_route() -> None:
    """--route delivers what is meant for a registered URL to another address; the line shows both."""
    with recorder() as server:
        base = server.url.removesuffix("/hooks")
        with serving("--route", f"https://your-app.com={base}") as (command, url):
            hook = {"url": "https://your-app.com/hooks", "events": ["run.failed"], "secret": SECRET}
            assert call("POST", f"{url}/v1/webhooks", hook)[0] == 201
            assert call("POST", f"{url}/_mock/events", {"event": "run.failed"})[1]["delivered"] is True
            assert command.wait_for_line("dlv_000001").endswith(f"https://your-app.com/hooks -> {server.url}")
        assert len(server.requests) == 1


def test_keys_strictness_and_limits() -> None:
    """The vendor API is as strict as the options say."""
    arguments = ("--api-key=one", "--api-key=two", "--strict", "--created-status=200", "--max-webhooks=1")
    hook = {"url": "https://a.example/", "events": ["run.failed", "own.event"], "secret": SECRET}
    with serving(*arguments, "--extra-event=own.event") as (_, base):
        url = f"{base}/v1/webhooks"
        assert call("POST", url, hook, key="three")[0] == 401
        assert call("GET", url, key="one")[0] == 405
        assert call("POST", url, {**hook, "url": "http://127.0.0.1/"}, key="one")[0] == 400
        assert call("POST", url, hook, key="one")[0] == 200
        assert call("POST", url, hook, key="two")[0] >= 400


def test_a_port_in_use() -> None:
    """It is one line that says what to do, and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for command in (("serve",), ("receive", "--secret", SECRET)):
            done = mockserver(*command, "--port", str(port))
            advice = "stop the other program, or choose another port (0 picks a free one)"
            assert done == (2, "", f"mockserver: port {port} on 127.0.0.1 is in use: {advice}\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_an_open_address_is_warned_about(host: str) -> None:
    """Listening for other machines is allowed, and said; localhost is this machine."""
    with running("--host", host, "--port", "0") as command:
        assert url_of(command.wait_for_line(READY)).startswith(("http://127.0.0.1:", "http://localhost:"))
        command.process.terminate()
        warning = "mockserver: it does not listen on a loopback address: other machines can reach it\n"
        assert command.end().err == (warning if host == "0.0.0.0" else "")


def test_a_delivery_that_fails_says_why(closed_port: int) -> None:
    """The line of a failed delivery holds the reason."""
    target = f"http://127.0.0.1:{closed_port}/"
    with serving("--target", target, "--secret", SECRET) as (command, url):
        call("POST", f"{url}/_mock/events", {"event": "run.failed"})
        line = command.wait_for_line("run.failed")
    assert " connect " in line
    assert line.endswith(": is the application running?")


AWAITS = """\
version: 1
name: Registers itself
steps:
  - {await: registration, within: 10m}
  - event: run.failed
"""


def test_a_service_that_registers_itself_in_a_ci(tmp_path: Path) -> None:
    """--exit: the script waits for the registration, is replayed, reported, and its verdict is the exit code."""
    (tmp_path / "s.yaml").write_text(AWAITS, "utf-8")
    with (
        recorder() as consumer,
        serving("--script", "s.yaml", "--exit", "--json", "r.json", cwd=tmp_path) as (command, url),
    ):
        assert [each["replay_id"] for each in call("GET", f"{url}/_mock/replays")[1]["replays"]] == ["rpl_000001"]
        call("POST", f"{url}/_mock/webhooks", {"url": consumer.url, "events": ["run.failed"], "secret": SECRET})
        done = command.end()
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("itself: 1 planned = 1 delivered + 0 failed + 0 not sent\n✓ as expected\n")
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["ok"] is True


def test_a_service_that_never_registers(tmp_path: Path) -> None:
    """The exit code is 1, and the report says what was waited for; stopped before, the report is there as well."""
    (tmp_path / "s.yaml").write_text(AWAITS.replace("10m", "200ms"), "utf-8")
    done = mockserver("--port=0", "--script", "s.yaml", "--exit", "--json", "-", cwd=tmp_path)
    assert done.code == 1
    assert json.loads(done.out)["not_sent"] == 1
    (tmp_path / "s.yaml").write_text(AWAITS, "utf-8")
    with serving("--script", "s.yaml", "--exit", "--json", "r.json", cwd=tmp_path) as (command, _):
        command.send_signal(signal.SIGTERM)
        assert command.end().code == 143
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["not_sent"] == 1


def test_registering_again_is_shown_and_can_replace() -> None:
    """An app that registers at every start gets each event several times: the log says so, --one-per-url replaces."""
    hook = {"url": "http://127.0.0.1:9/hooks?token=private", "events": ["run.failed"], "secret": SECRET}
    with serving() as (command, url):
        for _ in range(2):
            call("POST", f"{url}/_mock/webhooks", hook)
        line = command.wait_for_line("  webhook wh_")
        assert "registered" not in line
        assert "?token=***" in line
        line = command.wait_for_line("  webhook wh_")
        assert "registered 2 times: each event is delivered 2 times (check PG092); --one-per-url replaces" in line
        call("POST", f"{url}/_mock/events", {"event": "run.failed"})
        assert "?token=***" in command.wait_for_line("dlv_000001")
    with serving("--one-per-url") as (command, url):
        for _ in range(3):
            call("POST", f"{url}/_mock/webhooks", hook)
        assert len(call("GET", f"{url}/_mock/webhooks")[1]["webhooks"]) == 1
        command.wait_for_line("  webhook wh_")
        assert ", replaces wh_" in command.wait_for_line("  webhook wh_")


def test_a_call_its_states_and_its_event_are_shown_in_this_order() -> None:
    """The flows of a script decide what becomes of a call; a reset leaves them."""
    with recorder() as server, serving(*server.target, "--speed=max", "--script=nightly_runs") as (command, url):
        command.wait_for_line("5 flows for calls of the API")
        _, run = call("POST", f"{url}/v1/runs", {"test_case_id": "tc_refund"})
        command.wait_for_line("POST /v1/runs  201")
        command.wait_for_line(f"{run['run_id']}  queued → running")
        command.wait_for_line(f"{run['run_id']}  running → failed")
        command.wait_for_line("run.failed")
        call("POST", f"{url}/_mock/reset")
        _, again = call("POST", f"{url}/v1/runs", {"test_case_id": "tc_refund"})
        command.wait_for_line(f"{again['run_id']}  running → failed")
        command.wait_for_line("run.failed not sent: no webhook is registered")
