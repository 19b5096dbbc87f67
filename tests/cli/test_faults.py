"""Faults and retries on the command line: ``send --fault``, ``--dry-run`` of faults, ``faults`` and ``retries``."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mockserver import verify
from mockserver.faults.registry import FAULTS
from mockserver.model.retry_policies import POLICY_NAMES
from mockserver.script.package_files import load_retry_policies
from tests.cli.program import SECRET, Recorder, Result, answer, mockserver, recorder, running
from tests.consumers.serve import serve_flask
from tests.tables import each_row

REFUSAL = answer("401 Unauthorized", b"no")


def send(server: Recorder, *arguments: str, **more: Any) -> Result:
    return mockserver("send", "run.failed", *server.target, *arguments, **more)


def test_a_forged_event_that_is_refused_is_well() -> None:
    """The consumer did what it must: exit code 0, with its answer printed."""
    with serve_flask(SECRET, None) as consumer:
        arguments = ("--target", consumer.webhook_url, "--secret", SECRET, "--fault", "wrong_secret")
        done = mockserver("send", "run.failed", *arguments)
        assert consumer.events()["refused"] == 1
    assert (done.code, done.err) == (0, "")
    assert "[wrong_secret]" in done.out
    assert "HTTP 401 UNAUTHORIZED" in done.out


def test_a_forged_event_that_is_accepted_is_a_failure() -> None:
    """Exit code 1, and what was expected."""
    with recorder() as server:
        done = send(server, "--fault", "missing_signature")
    assert done.code == 1
    assert done.err.endswith("; expected status 4xx, got 200\n")
    assert b"X-Playgent-Signature" not in server.requests[0]


@pytest.mark.parametrize("forms", [("pretty_json", "extra_fields"), ('{"pretty_json": null}', "extra_fields()")])
def test_several_faults_are_combined(forms: tuple[str, str]) -> None:
    """In the short form or as JSON; an answer that is not judged is only shown."""
    with recorder(REFUSAL) as server:
        done = send(server, *(part for form in forms for part in ("--fault", form)))
    assert done.code == 0
    assert "[pretty_json, extra_fields]" in done.out
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    signature = next(line for line in head.decode().split("\r\n") if line.startswith("X-Playgent-Signature: "))
    assert verify(body, signature.partition(": ")[2], SECRET)
    assert b"unexpected_field" in body
    assert body.startswith(b'{\n  "event"')


def test_duplicates_are_judged_together() -> None:
    """One delivery that is not accepted among several is reported; an ordinary fault has no expectation."""
    with recorder(answer("200 OK"), REFUSAL) as server:
        done = send(server, "--fault", "duplicate(3)")
    assert (done.code, len(server.requests)) == (0, 3)
    assert len(set(server.requests)) == 1


def test_an_event_that_is_lost() -> None:
    """Nothing is sent, and that is what was asked for."""
    with recorder() as server:
        done = send(server, "--fault", "lost")
    assert done == (0, "run.failed was lost on purpose\n", "")
    assert server.requests == []


@each_row(
    ("fault", "message"),
    [
        ("wrong_secet", "run.failed: unknown fault 'wrong_secet'; known are missing_signature, "),
        ("large_body(huge)", "run.failed: fault 'large_body': size must be a size from"),
        ('{"slow_body": ', "is not JSON; give it as 'slow_body(2s)' or '{\"slow_body\": \"2s\"}'"),
        ("swap_with_next", "swap_with_next needs a next event: use it in a script"),
        ("missing_field(nope)", "run.failed has no field 'nope'"),
        ("empty_signature", "run.failed: faults 'wrong_secret' and 'empty_signature' exclude each other"),
    ],
)
def test_a_fault_that_cannot_be_had(fault: str, message: str) -> None:
    """It is one line that says what is allowed, and nothing is sent."""
    other = ("--fault", "wrong_secret") if fault == "empty_signature" else ()
    with recorder() as server:
        done = send(server, *other, "--fault", fault)
    assert (done.code, server.requests) == (2, [])
    assert message in done.err
    assert "Traceback" not in done.err


def test_the_answer_of_a_consumer_that_shows_its_secret() -> None:
    """What is printed does not have it."""
    with recorder(answer(f"500 {SECRET}", f"secret={SECRET}".encode())) as server:
        done = send(server)
    assert done.code == 1
    assert "HTTP 500 ***\nsecret=***\n" in done.out
    assert SECRET not in done.out + done.err


def test_send_retries() -> None:
    """--retry takes a schedule; the last answer is the one that is printed."""
    with recorder(answer("503 No"), REFUSAL) as server:
        done = send(server, "--retry", "0s,1ms,1ms")
    assert done.code == 1
    assert len(server.requests) == 3
    assert "failed after 3 attempts, 401" in done.err


def test_the_list_of_faults() -> None:
    """Each has a line with its layer, its parameters and a sentence; --json has the schema of each parameter too."""
    done = mockserver("faults")
    header, *lines = done.out.splitlines()
    assert (done.code, header.split()) == (0, ["FAULT", "LAYER", "PARAMETERS", "WHAT", "IT", "DOES"])
    assert [line.split()[:2] for line in lines] == [[fault.name, fault.layer] for fault in FAULTS.values()]
    assert "slow_body                   transport  over=2s" in done.out
    assert "truncated_body              transport  after=..." in done.out
    listed = json.loads(mockserver("faults", "--json").out)
    assert {each["name"]: each["doc"] for each in listed} == {name: fault.doc for name, fault in FAULTS.items()}
    (parameter,) = next(each for each in listed if each["name"] == "large_body")["parameters"]
    assert (parameter["name"], parameter["default"]) == ("size", "1MB")
    Draft202012Validator(parameter["schema"]).validate("64KiB")


def test_the_list_of_retry_policies() -> None:
    """Each has its waits and the source of its numbers."""
    header, *lines = mockserver("retries").out.splitlines()
    assert header.startswith("POLICY ")
    assert [line.split()[0] for line in lines] == list(load_retry_policies())
    assert lines[-1].split()[1:5] == ["3", "0s,", "1s,", "4s"]
    listed = json.loads(mockserver("retries", "--json", "-").out)
    assert [each["name"] for each in listed] == list(POLICY_NAMES)
    assert listed[1]["source"].startswith("https://")


def test_the_schema_knows_faults_and_policies() -> None:
    """An editor offers their names, and marks a typing error."""
    schema = Draft202012Validator(json.loads(mockserver("schema").out))
    good = {"event": "run.failed", "fault": ["chunked", {"slow_body": "1s"}], "retry": "stripe"}
    wrong = ({**good, "fault": "chunkd"}, {**good, "retry": "strip"}, {**good, "fault": [{"slow_bdy": "1s"}]})
    assert schema.is_valid({"version": 1, "retry": {"policy": "svix", "jitter": 0}, "steps": [good]})
    assert not any(schema.is_valid({"version": 1, "steps": [step]}) for step in wrong)


def test_a_dry_run_asks_and_expects_nothing(tmp_path: Path) -> None:
    """Effects are not probed, answers not judged; an event that is lost is a comment."""
    effect = '{effect: {url: "http://127.0.0.1:1/", change: 1}}'
    steps = f"  - {{event: run.failed, expect: {effect}}}\n  - {{event: run.failed, fault: lost, repeat: 2}}\n"
    (tmp_path / "s.yaml").write_text(f"version: 1\nsteps:\n{steps}", "utf-8")
    done = mockserver("replay", "s.yaml", "--dry-run", "--only", "1", "--only", "2", cwd=tmp_path)
    assert done.code == 0
    assert done.out.count("\ncurl ") == 1
    lost = "# run.failed [lost]  step 2 of s.yaml:4: 2 lost on purpose, no command"
    assert done.out.splitlines()[-1] == lost


def test_serve_retries(tmp_path: Path) -> None:
    """Serve --retry makes failed attempts again, and shows no secret that a consumer echoes."""
    (tmp_path / "s.yaml").write_text("version: 1\nsteps:\n  - {event: run.failed, expect: {body: thanks}}\n", "utf-8")
    with recorder(answer("500 No", SECRET.encode())) as server:
        arguments = (*server.target, "--script", "s.yaml", "--retry", "0s,1ms,1ms")
        with running("serve", "--port", "0", *arguments, cwd=tmp_path) as serving:
            serving.wait_for_line("1 planned = 0 delivered + 1 failed")
            serving.process.terminate()
            done = serving.end()
    assert len(server.requests) == 3
    assert "expected the body 'thanks', got '***'" in done.err
    assert SECRET not in done.out + done.err
