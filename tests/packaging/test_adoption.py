"""What others take up: the container file, the action, the GitLab component, the pre-commit hook.

No container engine and no runner is needed: the files are linted by tools of others, and their steps are run as they
are written.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.load.consumer import SECRET, consumer
from tests.packaging.installing import ROOT, TOOLS, run, uv_environment
from tests.receiving import free_port

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def steps() -> Any:
    return yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]


@pytest.fixture(scope="module")
def runner_temp(folder: Path, steps: Any) -> Path:
    """Where the action's first step has installed the package."""
    code, printed = run(
        "bash", "-c", steps[0]["run"], env={**os.environ, "RUNNER_TEMP": str(folder), "SOURCE": str(ROOT)}
    )
    assert code == 0, printed
    return folder


@pytest.mark.parametrize(
    "command", [["uvx", "--from"], ["pipx", "run", "--python", sys.executable, "--spec"]], ids=["uvx", "pipx"]
)
def test_one_line_without_an_installation(wheel: Path, tmp_path: Path, command: list[str]) -> None:
    """The first verified events, from an empty folder, which stays empty."""
    places = ("UV_TOOL_DIR", "PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")
    env = {**uv_environment(), **{name: str(tmp_path / "tools" / name) for name in places}}
    (tmp_path / "empty").mkdir()
    line = [TOOLS / command[0], *command[1:], wheel, "playgent-mockserver", "replay", "refund_flow", "--speed", "max"]
    code, printed = run(*line, cwd=tmp_path / "empty", env=env)
    assert code == 0, printed
    assert "3 signatures verified, 0 refused" in printed
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Containerfile", "examples/compose/Containerfile"],
        ["actionlint", *(str(file) for file in sorted((ROOT / ".github/workflows").glob("*.yml")))],
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "examples/compose/compose.yaml"],
    ],
    ids=["container", "workflows", "action", "compose"],
)
def test_the_linters_of_others_find_nothing(command: list[str]) -> None:
    """Each file is what its reader expects."""
    code, printed = run(TOOLS / command[0], *command[1:])
    assert code == 0, printed


def test_the_action_checks_and_replays(runner_temp: Path, steps: Any, tmp_path: Path) -> None:
    """Its shell step passes for a correct consumer, fails for a wrong secret, and leaves the reports."""
    given = {"RUNNER_TEMP": str(runner_temp), "WAIT": "120s", "WAIT_FOR": "", "ARGUMENTS": "", "SCRIPTS": "refund_flow"}
    with consumer() as url:
        codes = {}
        for name, secret in (("check", SECRET), ("check", "whsec_wrong"), ("replay", SECRET)):
            chosen = {
                "RUN": name,
                "MOCKSERVER_SECRET": secret,
                "MOCKSERVER_TARGET": f"{url}/hooks",
                "REPORTS": f"{name}-{secret}",
            }
            arguments = "--only control,missing_signature" if name == "check" else "--speed max"
            env = {**os.environ, **given, **chosen, "ARGUMENTS": arguments}
            codes[name, secret] = run("bash", "-e", "-c", steps[1]["run"], env=env, cwd=tmp_path)
    assert codes["check", SECRET][0] == 0, codes
    assert codes["check", "whsec_wrong"][0] == 1, codes
    assert codes["replay", SECRET][0] == 0, codes
    assert sorted(file.name for file in (tmp_path / f"check-{SECRET}").iterdir()) == [
        "check.json",
        "check.sarif",
        "check.xml",
    ]


def test_it_runs_as_in_the_container(folder: Path) -> None:
    """Without an environment, a home, a folder to write to or a name for its user: healthy, and ended by SIGTERM."""
    # Not this Python where another user may not read it, in the home of root.
    python = next(path for path in ("/usr/bin/python3", sys.executable) if Path(path).exists())
    run(python, "-m", "venv", folder / "image")
    code, printed = run(folder / "image/bin/pip", "install", "--quiet", ROOT)
    assert code == 0, printed
    command = folder / "image/bin/mockserver"
    port = free_port()
    options: dict[str, Any] = {"env": {"MOCKSERVER_PORT": str(port)}, "cwd": "/"}
    if os.getuid() == 0:
        options |= {"user": 10001, "group": 10001, "extra_groups": []}
    with subprocess.Popen(
        [command, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as mock:
        try:
            code, printed = run(command, "health", "--wait", "120s", **options)
            assert code == 0, printed
        finally:
            mock.send_signal(signal.SIGTERM)
    assert mock.returncode in (0, 143)
    assert run(command, "health", **options)[0] == 3


def test_the_compose_example_delivers(tmp_path: Path) -> None:
    """Its two services as processes, with the environment that it gives them; only their names lead to this machine."""
    services = yaml.safe_load((ROOT / "examples/compose/compose.yaml").read_text())["services"]
    port, app_port = free_port(), free_port()
    mock_url = f"http://127.0.0.1:{port}"
    of_mock = {**services["mock"]["environment"], "MOCKSERVER_PORT": str(port)}
    of_app = {**services["app"]["environment"], "PORT": str(app_port), "PLAYGENT_BASE_URL": mock_url}
    route = f"http://app:5000=http://127.0.0.1:{app_port}"
    mockserver = [sys.executable, "-m", "mockserver"]
    log = tmp_path / "app.log"
    with ExitStack() as stack:
        start(stack, [*mockserver, "serve", "--route", route], of_mock)
        code, printed = run(*mockserver, "health", mock_url, "--wait", "120s")
        assert code == 0, printed
        with log.open("wb") as output:
            start(stack, [sys.executable, "examples/compose/app.py"], of_app, output)
        wait_for(lambda: "registered wh_" in log.read_text())
        # How the other container calls it, and one that is not allowed.
        assert status(mock_url + "/_mock/health", "mock:8484") == 200
        assert status(mock_url + "/_mock/health", "elsewhere:8484") == 403
        (command,) = re.findall(r"`(curl [^`]+)`", (ROOT / "docs/guides/containers.md").read_text())
        code, printed = run("bash", "-c", command.replace("127.0.0.1:8484", f"127.0.0.1:{port}"))
        assert '"delivered"' in printed
        wait_for(lambda: "run.failed run_def456" in log.read_text())


def start(stack: ExitStack, command: list[str], more: dict[str, str], output: Any = subprocess.DEVNULL) -> None:
    """Start a program that ends with the test."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, stdout=output, stderr=output)
    stack.callback(process.wait)
    stack.callback(process.terminate)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(url: str, host: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host})) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_gitlab_component_runs(tmp_path: Path) -> None:
    """Its script, with the inputs filled in, starts the application, checks it and writes the reports that it names."""
    spec, job = yaml.safe_load_all((ROOT / "templates/webhook-check.yml").read_text())
    port = free_port()
    app = "import app; app.register = print; app.main()"
    inputs = {name: each.get("default", "") for name, each in spec["spec"]["inputs"].items()}
    inputs |= {
        "url": f"http://127.0.0.1:{port}/webhooks/playgent",
        "start": f"cd {ROOT / 'examples/compose'} && exec {sys.executable} -c '{app}'",
        "package": str(ROOT),
        "arguments": "--only control,missing_signature",
    }
    script = "\n".join(job["webhook-check"]["script"])
    script = re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda match: inputs[match[1]], script)
    variables = {
        "PLAYGENT_WEBHOOK_SECRET": SECRET,
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_URL": "",
        "PLAYGENT_BASE_URL": "",
        "PORT": str(port),
    }
    # The job's container ends what it started; here the shell does.
    script = f"trap 'kill $(jobs -p)' EXIT\n{script}"
    code, printed = run("bash", "-e", "-c", script, cwd=tmp_path, env={**os.environ, **variables})
    assert code == 0, printed
    for report in job["webhook-check"]["artifacts"]["reports"].values():
        assert (tmp_path / report).exists()


def test_the_pre_commit_hook_names_the_line(tmp_path: Path) -> None:
    """Taken from the repository as it is, it refuses a script with a typing error."""
    run("git", "init", "-q", cwd=tmp_path)
    script = tmp_path / "webhooks" / "broken.yaml"
    script.parent.mkdir()
    script.write_text("version: 1\nsteps:\n  - event: run.faild\n")
    run("git", "add", "-A", cwd=tmp_path)
    env = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    code, printed = run(TOOLS / "pre-commit", "try-repo", ROOT, "mockserver-validate", "-a", cwd=tmp_path, env=env)
    assert code == 1
    assert "webhooks/broken.yaml:3:12: unknown event 'run.faild'" in printed


@pytest.mark.parametrize("ours_last", [True, False], ids=["before", "after"])
def test_beside_the_real_mockserver_client(tmp_path: Path, ours_last: bool) -> None:
    """Installed before or after ours, that distribution is named in one line by the command and by the fixture."""
    python = tmp_path / "venv/bin/python"
    run(TOOLS / "uv", "venv", "-q", "-p", sys.executable, tmp_path / "venv")
    packages = ["mockserver-client", str(ROOT)] if ours_last else [str(ROOT), "mockserver-client"]
    for package in ("pytest", *packages):
        code, printed = run(TOOLS / "uv", "pip", "install", "-q", "-p", python, package, env=uv_environment())
        assert code == 0, printed
    (tmp_path / "test_it.py").write_text("def test_it(mockserver): mockserver.register('http://127.0.0.1:9/')\n")
    for command in ([tmp_path / "venv/bin/mockserver", "--version"], [python, "-m", "pytest", "-q"]):
        _, printed = run(*command, cwd=tmp_path)
        assert "mockserver-client" in printed
        assert "pip install --force-reinstall playgent-mockserver" in printed
        assert "Traceback" not in printed
