"""The small commands: ``sign``, ``verify``, ``validate``, ``schema`` and ``events``."""

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mockserver import sign
from tests.cli.program import ROOT, SECRET, mockserver

BODY = b'{"event":"run.failed"}\r\n\xff\x00\n'


def test_sign_and_verify_work_on_raw_bytes(tmp_path: Path) -> None:
    """A signature is made and verified over the very bytes, from a file or from standard input."""
    (tmp_path / "body").write_bytes(BODY)
    signature = sign(BODY, SECRET)
    env: Any = {"MOCKSERVER_SECRET": SECRET}
    assert mockserver("sign", "body", cwd=tmp_path, **env) == (0, signature + "\n", "")
    assert mockserver("sign", stdin=BODY, **env) == (0, signature + "\n", "")
    assert mockserver("sign", "-", stdin=BODY, **env) == (0, signature + "\n", "")
    assert mockserver("verify", "body", "--signature", signature, cwd=tmp_path, **env) == (0, "valid\n", "")
    assert mockserver("verify", "--signature", signature, stdin=BODY[:-2], **env) == (1, "invalid\n", "")


@pytest.mark.parametrize(
    ("body", "signature", "why"),
    [
        (BODY[:-1], sign(BODY, SECRET), "it is the signature of this body with a line break at its end"),
        (BODY + b"\n", sign(BODY[:-1], SECRET), "it is the signature of this body without the line break at its end"),
        (BODY, sign(BODY, SECRET).removeprefix("sha256="), "the signature does not begin with sha256="),
        (BODY, "", "the signature does not begin with sha256="),
    ],
)
def test_usual_slips_of_verifying_by_hand_are_named(body: bytes, signature: str, why: str) -> None:
    """Most are a line break that echo or an editor adds."""
    done = mockserver("verify", "--signature", signature, "--secret", SECRET, stdin=body)
    assert done == (1, "invalid\n", f"mockserver: {why}\n")


def test_validate_reports_each_script(tmp_path: Path) -> None:
    """A good script is reported with its number of events and its duration, a bad one with every problem."""
    (tmp_path / "bad.yaml").write_text("version: 1\nsteps: [event: run.faild]\n", "utf-8")
    good = mockserver("validate", "refund_flow", "run_failed", cwd=tmp_path)
    assert (good.code, good.err) == (0, "")
    assert good.out.splitlines()[0].endswith("refund_flow.yaml: ok (3 events in 1.5s)")
    assert good.out.splitlines()[1].endswith("run_failed.yaml: ok (1 event in 0ms)")
    mixed = mockserver("validate", "bad.yaml", "refund_flow", "nowhere", cwd=tmp_path)
    assert mixed.code == 2
    assert mixed.out.count("\n") == 1
    assert mixed.err.startswith("bad.yaml:2:")
    assert "mockserver: no script 'nowhere'" in mixed.err


def test_validate_counts_flows_and_shows_notes(tmp_path: Path) -> None:
    """What a consumer would take for a duplicate is no error, and is said in its place."""
    (tmp_path / "flow.yaml").write_text("version: 1\nflows:\n  - {on: POST /v1/runs, outcome: failed}\n", "utf-8")
    (tmp_path / "again.yaml").write_text("version: 1\nsteps:\n  - event: run.failed\n  - event: run.failed\n", "utf-8")
    done = mockserver("validate", "flow.yaml", "again.yaml", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    flow, again, note = done.out.splitlines()
    assert (flow, again) == ("flow.yaml: ok (1 flow)", "again.yaml: ok (2 events in 0ms)")
    assert note.startswith("again.yaml:4: note: this is run.failed with the id ")
    done = mockserver("replay", "flow.yaml", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "flow.yaml has flows and no steps: there is nothing to replay" in done.err


def test_validating_is_fast(tmp_path: Path) -> None:
    """Thousands of steps are no work: ten thousand in a second; here is room for slow machines and coverage."""
    steps = "\n".join(
        f"  - event: run.failed\n    after: 1s\n    override: {{run_id: run_{number}}}" for number in range(5_000)
    )
    (tmp_path / "long.yaml").write_text(f"version: 1\nsteps:\n{steps}\n", "utf-8")
    before = time.process_time()
    done = mockserver("validate", "long.yaml", cwd=tmp_path)
    assert done == (0, "long.yaml: ok (5000 events in 1h23m20s)\n", "")
    assert time.process_time() - before < 15


def test_schema_fits_the_bundled_scripts() -> None:
    """The schema that is printed is one, and the bundled scripts fit it."""
    done = mockserver("schema")
    assert (done.code, done.err) == (0, "")
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    script = yaml.load((ROOT / "fixtures" / "refund_flow.yaml").read_text("utf-8"), yaml.BaseLoader)
    jsonschema.validate({**script, "version": 1}, {**schema, "properties": {**schema["properties"], "steps": {}}})


def test_events_lists_all_or_shows_one() -> None:
    """The list says whether the sample data of an event is the vendor's or ours; with a name, it is printed."""
    done = mockserver("events")
    assert (done.code, done.err) == (0, "")
    rows = {line.split()[0]: line.split()[1] for line in done.out.splitlines()[1:]}
    assert rows == {
        "run.completed": "ours",
        "run.failed": "documented",
        "evaluation.completed": "ours",
        "optimization.completed": "ours",
    }
    payload = json.loads(mockserver("events", "run.failed").out)
    assert list(payload) == ["event", "timestamp", "data"]
    assert (payload["event"], payload["data"]["run_id"]) == ("run.failed", "run_def456")


@pytest.mark.parametrize("json_option", [["--json", "-"], ["--json"]])
def test_events_as_json(json_option: list[str]) -> None:
    """--json prints the list, or the one event, for programs."""
    listed = json.loads(mockserver("events", *json_option).out)
    assert [each["event"] for each in listed][:2] == ["run.completed", "run.failed"]
    assert listed[1]["documented"] is True
    (one,) = json.loads(mockserver("events", "run.failed", *json_option).out)
    assert one == listed[1]


def test_events_to_a_file(tmp_path: Path) -> None:
    """--json FILE writes the file; one that cannot be written is one line."""
    assert mockserver("events", "--json", "e.json", cwd=tmp_path) == (0, "", "")
    assert len(json.loads((tmp_path / "e.json").read_text("utf-8"))) == 4
    done = mockserver("events", "--json", "/proc/no/e.json", cwd=tmp_path)
    assert done == (2, "", "mockserver: cannot write /proc/no/e.json: No such file or directory\n")
