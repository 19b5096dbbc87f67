"""``mockserver send`` and ``mockserver receive``."""

import json
from pathlib import Path
from typing import Any

import pytest

from mockserver import sign
from tests.cli.program import SECRET, Recorder, Result, answer, mockserver, recorder, running
from tests.consumers.post import post
from tests.consumers.serve import serve_flask

RECEIVES = "mockserver receives deliveries: "


def data_of(request: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])["data"]
    return data


def send(server: Recorder, *arguments: str, **more: Any) -> Result:
    return mockserver("send", "run.failed", *server.target, *arguments, **more)


def test_send_prints_the_delivery_and_the_answer() -> None:
    """The event arrives verified; its line and the application's answer are printed."""
    with serve_flask(SECRET, None) as consumer:
        done = mockserver("send", "run.failed", "--target", consumer.webhook_url, "--secret", SECRET)
        assert consumer.events()["count"] == 1
        line, about, status, body = done.out.splitlines()
        assert consumer.state(about.removeprefix("run_id: "))["events"]
    assert line.split()[0:4:3] == ["✓", "200"]
    assert status == "HTTP 200 OK"
    assert json.loads(body) == {"status": "handled"}
    assert (done.code, done.err) == (0, "")


def test_each_send_is_about_an_object_of_its_own() -> None:
    """A consumer takes none for a duplicate; --seed and --override make the same bytes but for the time."""
    with recorder() as server:
        for arguments in ([], [], ["--seed", "7"], ["--seed", "7"], ["--override", "run_id=run_1"]):
            assert send(server, *arguments).code == 0
    first, second, drawn, again, given = (data_of(request)["run_id"] for request in server.requests)
    assert len({first, second, drawn, "run_def456"}) == 4
    assert drawn == again
    assert given == "run_1"


def test_headers_can_be_added() -> None:
    """After the User-Agent, in their order; from the environment as well."""
    with recorder() as server:
        assert send(server, "--header", "X-Api-Key: abc", "--header", "Via: 1.1 me").code == 0
        assert send(server, MOCKSERVER_HEADER="X-Api-Key: abc\nVia: 1.1 me").code == 0
    heads = [request.partition(b"\r\n\r\n")[0].decode().split("\r\n") for request in server.requests]
    for head in heads:
        assert head[2:5] == ["User-Agent: playgent-mockserver", "X-Api-Key: abc", "Via: 1.1 me"]
    done = send(server, "--header", "Host: elsewhere")
    assert (done.code, done.out) == (2, "")
    assert "Invalid value for '--header': Host is written by the mock itself" in done.err


def test_send_changes_the_sample() -> None:
    """--override reads JSON where it can, text elsewhere, and follows dotted paths; --remove takes away."""
    changes = ("--override=run_id=run_1", "--override=failure_summary=[1, true]", "--override=test_case_name=NaN=1")
    with recorder() as server:
        assert send(server, *changes, "--remove", "test_case_id").code == 0
    assert data_of(server.requests[0]) == {"run_id": "run_1", "test_case_name": "NaN=1", "failure_summary": [1, True]}
    with recorder() as server:
        arguments = ("send", "run.completed", *server.target)
        assert mockserver(*arguments, "--override", "summary.turns_failed=2", "--override=run_id=NaN").code == 0
    assert data_of(server.requests[0])["summary"]["turns_failed"] == 2
    assert data_of(server.requests[0])["run_id"] == "NaN"


def test_send_exact_data(tmp_path: Path) -> None:
    """--data is sent as it is: from the command line, a file, or standard input."""
    (tmp_path / "data.json").write_bytes(b'\xef\xbb\xbf{"from": "file"}')
    with recorder() as server:
        assert send(server, "--data", '{"from": "argument"}').code == 0
        assert send(server, "--data", "@data.json", cwd=tmp_path).code == 0
        assert send(server, "--data", "-", stdin=b'{"from": "input"}').code == 0
    assert [data_of(request) for request in server.requests] == [
        {"from": "argument"},
        {"from": "file"},
        {"from": "input"},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", '{"a": }'], "--data is not JSON: Expecting value at line 1, column 7"),
        (["--data", "@missing.json"], "cannot read the file of --data, missing.json: No such file or directory"),
        (["--data", "@latin.json"], "--data is not UTF-8: invalid start byte at byte 11"),
        (["--data", "[1]"], "--data must be a JSON object such as {\"run_id\": \"run_1\"}, not a list"),
        (["--data", "true"], "not true or false"),
        (["--data", "1"], "not a number"),
        (["--data", '{"a":1,"a":2}'], "--data: line 1, column 8: the key 'a' is here twice"),
        (["--override", 'run_id={"a":1,"a":2}'], "--override run_id: line 1, column 8: the key 'a' is here twice"),
        (["--data", '{"a": NaN, "a": 1}'], "--data: the key 'a' is here twice"),
        (["--data", '{"a": NaN}'], "data.a is nan, which JSON cannot hold"),
        (["--data", "[" * 100_000], "--data is nested too deep"),
        (["--data", '{"run_id": ' + "1" * 5000 + "}"], "--data holds a number that is too long"),
        (["--data", "{}", "--override", "a=1"], "give either data, or override and remove"),
        (["--override", "run_id"], "--override 'run_id' is not KEY=VALUE"),
        (["--override", "run_di=1"], "did you mean 'run_id'?"),
        (["--remove", "nothing"], "no 'nothing' in the sample data"),
        (["--target", ""], "--target is missing: send needs the URL to deliver to"),
        (["--secret", ""], "--secret is missing: deliveries are signed with it"),
    ],
)  # fmt: skip
def test_send_refuses_what_it_cannot_send(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Whatever is wrong is one line, with nothing sent and exit code 2."""
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xfcber"}')
    with recorder() as server:
        done = send(server, *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mockserver: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert server.requests == []


def test_send_shows_where_a_redirection_leads() -> None:
    """It is not followed."""
    with recorder(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n") as server:
        done = send(server)
    assert done.code == 1
    assert done.out.splitlines()[-2:] == ["HTTP 302 Found", "Location: /login"]
    assert len(server.requests) == 1


def test_send_an_event_of_ones_own() -> None:
    """An event beyond the documented ones must be named twice, so that a typing error never passes."""
    with recorder() as server:
        arguments = ("send", "order.shipped", *server.target, "--data", '{"order": 1}')
        assert "unknown event 'order.shipped'" in mockserver(*arguments).err
        assert mockserver(*arguments, "--extra-event", "order.shipped").code == 0
    assert data_of(server.requests[0]) == {"order": 1}


def test_send_failures(closed_port: int) -> None:
    """A bad answer is printed, shortened, harmless, and exit code 1; no answer at all is exit code 3."""
    body = b"no\x1b[2J" + b"x" * 3000
    with recorder(answer("500 Oh no", body)) as server:
        done = send(server)
    assert done.code == 1
    assert "HTTP 500 Oh no\nno\\x1b[2Jxxx" in done.out
    assert done.out.endswith(" ... (1006 more characters)\n")
    assert done.err.startswith("mockserver: dlv_000001 run.failed to ")
    with recorder(answer("404 Not Found")) as server:
        done = send(server)
    assert done.out.endswith("HTTP 404 Not Found\n")
    assert done.err.endswith("mockserver: compare the path that is registered with that of the application\n")
    with recorder(b"garbage\r\n\r\n") as server:
        assert send(server).code == 1
    done = mockserver("send", "run.failed", "--target", f"http://127.0.0.1:{closed_port}/", "--secret", SECRET)
    assert done.code == 3
    assert done.err.startswith("mockserver: the target could not be reached: nothing listens on ")


def test_receive_verifies_and_prints() -> None:
    """Each request is printed as it comes: verified ones with their event, others with why they were refused."""
    body = b'{"event":"run.failed","data":{"text":"\\u001b"}}'
    with running("receive", "--port", "0", "--status", "202", MOCKSERVER_SECRET=SECRET) as command:
        url = command.wait_for_line(RECEIVES).removeprefix(RECEIVES).split(" ")[0]
        assert post(f"{url}/any/path", body, sign(body, SECRET)).status == 202
        assert command.wait_for_line("/any/path").split()[1:] == ["run.failed", "verified", "202", "/any/path"]
        assert command.wait_for_line("{").strip() == body.decode()
        assert post(f"{url}/", body, sign(body, "wrong")).status == 401
        line = command.wait_for_line("REFUSED")
        assert line.endswith("is not that of these bytes with this secret")
        assert post(f"{url}/", b"", sign(b"", SECRET)).status == 202
        assert "(not an event)" in command.wait_for_line("verified")
        command.process.terminate()
        done = command.end()
    assert done.code == 143
    assert "2 signatures verified, 1 refused" in done.out
    assert SECRET not in done.out


def test_a_short_secret_is_noted() -> None:
    """Hiding it may hide a part of other values."""
    with recorder() as server:
        done = mockserver("send", "run.failed", "--target", server.url, "--secret", "failed")
    assert done.code == 0
    assert done.err.startswith("mockserver: the secret is shorter than 8 characters: ")
