"""``POST /_mock/replays``: whole scripts, in the background or waited for."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mockserver.model.messages import Exchange, Request
from mockserver.model.settings import read_settings
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock
from tests.control_api.calling import Control, Start
from tests.receiving import Consumer, eventually
from tests.tables import each_row

YAML = """
version: 1
name: Two runs
steps:
  - event: run.failed
    repeat: 2
    every: 1h
  - pause: 1d
  - event: run.completed
"""
AS_JSON = {
    "version": 1,
    "name": "Two runs",
    "steps": [{"event": "run.failed", "repeat": 2, "every": "1h"}, {"pause": "1d"}, {"event": "run.completed"}],
}


@pytest.mark.parametrize("script", [YAML, AS_JSON, json.dumps(AS_JSON, indent=2)], ids=["yaml", "json", "indented"])
async def test_a_replay_that_is_waited_for(control: Control, consumer: Consumer, script: dict[str, Any] | str) -> None:
    """The answer is the whole report: planned = delivered + failed + not sent."""
    await control.register(consumer.url)
    replay = await control.post("/replays?wait=true", script)
    report = replay["report"]
    assert (replay["replay_id"], replay["done"]) == ("rpl_000001", True)
    assert (report["name"], report["ok"], report["planned"], report["delivered"]) == ("Two runs", True, 3, 3)
    assert report["scripted_seconds"] == 25 * 3600
    assert consumer.events == ["run.failed", "run.failed", "run.completed"]
    assert await control.get("/replays/rpl_000001") == replay


async def test_a_replay_in_the_background(control: Control, consumer: Consumer) -> None:
    """It is answered at once; what it has done so far can be asked for until it is over."""
    go = consumer.hold()
    await control.register(consumer.url)
    begun = await control.post("/replays?wait=false", YAML, 202)
    assert begun["done"] is False
    await eventually(lambda: consumer.in_flight == 1)
    so_far = await control.get(f"/replays/{begun['replay_id']}")
    assert (so_far["done"], so_far["report"]["planned"], so_far["report"]["delivered"]) == (False, 3, 0)
    go.set()
    replay = await control.until(f"/replays/{begun['replay_id']}", lambda replay: replay["done"])
    assert replay["report"]["delivered"] == 3


async def test_a_report_of_what_went_wrong(control: Control, consumer: Consumer) -> None:
    """What was not met is explained with the line of the script."""
    await control.register(consumer.url)
    script = "version: 1\nsteps:\n  - event: run.failed\n    fault: empty_signature\n  - event: evaluation.completed\n"
    report = (await control.post("/replays?wait=true", script))["report"]
    assert (report["ok"], report["unmet"], report["not_sent"]) == (False, 1, 1)
    assert "expected status 4xx, got 200" in report["explanations"][0]
    assert report["explanations"][0].startswith("<script>:3: step 1 (run.failed")
    assert report["reasons"] == {"no active webhook is subscribed to evaluation.completed": 1}


async def test_a_bundled_script_by_its_name(control: Control, consumer: Consumer) -> None:
    """Its events are those of the file, and the report goes by its name."""
    await control.register(consumer.url, "run.failed", "evaluation.completed", "run.completed")
    replay = await control.post("/replays?script=refund_flow&wait=true")
    assert (replay["report"]["script"], replay["report"]["delivered"]) == ("refund_flow", 3)
    assert consumer.events == ["run.failed", "evaluation.completed", "run.completed"]


@each_row(
    ("query", "body", "message"),
    [
        ("script=refnd_flow", None, "did you mean 'refund_flow'?"),
        ("script=fixtures/refund_flow.yaml", None, "no bundled script 'fixtures/refund_flow.yaml'"),
        ("script=..%2Fpyproject", None, "no bundled script '../pyproject'"),
        (f"script={'x' * 5000}", None, f"no bundled script '{'x' * 64}'"),
        ("script=refund_flow&script=burst", None, "script is given twice"),
        ("script=refund_flow", YAML, "there is a script in the body, and script names another: send one of the two"),
        ("scrpt=refund_flow", None, "did you mean 'script'?"),
    ],
)
async def test_names_of_no_bundled_script(control: Control, query: str, body: str | None, message: str) -> None:
    """Only what is bundled has a name: no file of the machine can be asked for."""
    assert message in (await control.call("POST", f"/replays?{query}", body)).fails()
    assert control.mock._mock.replays == {}


ON_ONE_LINE = "(all of it is on one line: curl -d @FILE takes line breaks out, --data-binary @FILE keeps them)"


@pytest.mark.parametrize("path", ["/replays", "/events"])
@pytest.mark.parametrize(
    "body",
    [
        YAML.replace("\n", ""),
        "# A refund\nversion: 1\nsteps:\n  - event: run.failed\n".replace("\n", ""),
        "event: run.failed\noverride:\n  run_id: r1\nfault: nope".replace("\n", ""),
        "version: 1\nsteps:\n".replace("\n", "") + "\n",
    ],
)
async def test_yaml_that_lost_its_line_breaks(control: Control, path: str, body: str) -> None:
    """What curl -d @FILE makes of YAML cannot be read; the message says how the file comes through whole."""
    assert (await control.call("POST", path, body)).fails().splitlines()[-1] == ON_ONE_LINE


@each_row(
    "body", ["event: run.faild", '{"event": "run.faild", "repeat": 0}', "event: run.faild\nrepeat: 0", "[]", "a:b"]
)
async def test_yaml_whose_line_breaks_are_not_what_is_wrong(control: Control, body: str) -> None:
    """Nothing is said of them, where there is another mistake."""
    for path in ("/replays", "/events"):
        assert "--data-binary" not in (await control.call("POST", path, body)).fails()


@pytest.mark.full
async def test_curl_sends_a_script(control: Control, consumer: Consumer, tmp_path: Path) -> None:
    """As the message says it: with --data-binary it is whole, with -d it is not."""
    await control.register(consumer.url)
    (tmp_path / "two.yaml").write_text(YAML, "utf-8")
    answers = []
    for option in ("-d", "--data-binary"):
        command = ["curl", "-s", f"{control.url}/_mock/replays?wait=true", option, "@two.yaml"]
        run = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        answers.append(json.loads((await asyncio.wait_for(run.communicate(), 60))[0]))
    assert answers[0]["error"]["message"].endswith(ON_ONE_LINE)
    assert answers[1]["report"]["delivered"] == 3


async def test_a_speed_is_kept_to(start: Start, consumer: Consumer) -> None:
    """The speed of one replay may differ from the mock's: a factor makes waits shorter or longer by just so much."""
    control = await start()
    await control.register(consumer.url)
    script = "version: 1\nsteps: [{event: run.failed, after: 1000s}]"
    for speed in ("1000000", "max"):
        report = (await control.post(f"/replays?wait=true&speed={speed}", script))["report"]
        assert report["scripted_seconds"] >= 1000
        assert report["seconds"] < 100
    script = "version: 1\nsteps: [{event: run.failed, after: 20ms}]"
    assert (await control.post("/replays?wait=true&speed=0.2", script))["report"]["seconds"] >= 0.1


@each_row("speed", ["0", "-1", "fast", "", "nan", "1e3", "1_0", "%201", "0.0", "1000001", "9" * 400])
async def test_bad_speeds(control: Control, speed: str) -> None:
    """Only a factor more than 0, max and stepped are speeds."""
    answer = await control.call("POST", f"/replays?speed={speed}", YAML)
    assert "speed must be a factor such as 10 (from 0.000001 to 1000000), max or stepped" in answer.fails()
    assert control.mock._mock.replays == {}


async def test_stepped_time_is_the_whole_mocks(control: Control) -> None:
    """A mock whose clock runs by itself has no stepped time to give."""
    answer = await control.call("POST", "/replays?speed=stepped", YAML)
    assert "choose it in the settings" in answer.fails()
    assert (await control.post("/replays?wait=true", YAML))["replay_id"] == "rpl_000001"


@each_row("query", ["wait=1", "wait=", "wait=True", "wiat=true", "wait=true&wait=true"])
async def test_bad_flags(control: Control, query: str) -> None:
    """A wrong parameter is refused before anything happens."""
    assert "wait" in (await control.call("POST", f"/replays?{query}", YAML)).fails()


async def test_all_problems_of_a_script_are_reported_at_once(control: Control, consumer: Consumer) -> None:
    """Each with line and column, in the order of the file; nothing is sent."""
    await control.register(consumer.url)
    script = "version: 2\nsteps:\n  - event: run.faild\n    repeat: 0\n  - evnt: run.failed\n"
    answer = await control.call("POST", "/replays?wait=true", script)
    problems = answer.json["error"]["problems"]
    assert [(problem["line"], problem["column"]) for problem in problems] == [(1, 10), (3, 12), (4, 13), (5, 5)]
    assert "did you mean 'run.failed'" in problems[1]["message"]
    assert answer.fails() == "\n".join(
        f"<script>:{problem['line']}:{problem['column']}: {problem['message']}" for problem in problems
    )
    assert consumer.received == []


@each_row(
    ("body", "message"),
    [
        ("", "the body is empty: send a script in it, or name a bundled one, as ?script=refund_flow"),
        (" \n", "the body is empty"),
        ("# nothing\n", "the file is empty"),
        (b"\xff\xfe", "UTF-16"),
        (b"a: \xff", "not UTF-8"),
        ("{", "expected a value"),
        ("[]", "object"),
    ],
)
async def test_what_is_no_script(control: Control, body: bytes | str, message: str) -> None:
    """Whatever comes, the answer says why it cannot be read."""
    assert message in (await control.call("POST", "/replays", body)).fails()


@each_row("name", ["rpl_000001", "nope", "%FF"])
async def test_no_such_replay(control: Control, name: str) -> None:
    """An id that is not known is not found."""
    assert "there is no replay" in (await control.call("GET", f"/replays/{name}")).fails(404)


async def test_a_failure_of_our_own_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Should a replay fail in a way that no one foresaw, its report and the log say so."""

    class Broken:
        async def exchange(self, *_: Request | float) -> Exchange:
            raise RuntimeError("broken on purpose")

        async def close(self) -> None:
            pass

    mock = Mock(read_settings(), Broken())
    mock.register("http://127.0.0.1:9/", None, "s")
    running = mock.start_replay(read_script(YAML, load_catalog()))
    report = await running.wait()
    await mock.stop()
    assert not report.ok
    assert report.halted == "the replay failed: RuntimeError('broken on purpose'); the log says where"
    assert "unexpected error in the replay rpl_000001" in caplog.text
