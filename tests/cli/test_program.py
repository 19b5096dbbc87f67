"""The program as a whole: its commands, its help, the environment, and how wrong usage ends."""

import asyncio
import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mockserver as package
from mockserver.cli import interruption, main
from mockserver.cli.exit_codes import STOPPING
from mockserver.cli.options import Destination
from tests.cli.program import COMMAND, LIMIT, SECRET, environment, mockserver, mockserver_process, recorder
from tests.tables import each_row

COMMANDS = ["serve", "replay", "send", "receive", "validate", "schema", "sign", "verify", "events", "check"]


def test_version() -> None:
    """--version prints the name and the version."""
    assert mockserver("--version") == (0, f"mockserver {package.__version__}\n", "")


def test_help_lists_the_commands_and_speaks_of_the_environment() -> None:
    """--help names every command, gives examples, the exit codes, and the rule for environment variables."""
    done = mockserver("--help")
    assert done.code == 0
    assert all(f"\n  {command} " in done.out for command in COMMANDS)
    assert "mockserver replay refund_flow" in done.out
    assert "MOCKSERVER_SECRET" in done.out
    assert "130 Ctrl-C" in done.out


@each_row("command", COMMANDS)
def test_each_command_has_help_with_an_example(command: str) -> None:
    """COMMAND --help shows how it is used."""
    done = mockserver(command, "--help")
    assert done.code == 0
    assert f"Usage: mockserver {command}" in done.out
    assert f"  mockserver {command}" in done.out


@each_row(
    ("arguments", "message"),
    [
        (["reply"], "no command 'reply'; there are serve, replay"),
        (["reply"], "did you mean 'replay'?"),
        (["--prot", "1"], "--prot"),
        (["--port", "65536"], "Invalid value for '--port': 65536 is not in the range"),
        (["replay"], "Missing argument 'SCRIPT...'"),
        (["trigger"], "Missing argument 'EVENT': `mockserver events` lists them"),
        (["replay", "refund_flow", "--speed", "0"], "'0' is neither a factor such as 1 or 10, nor max"),
        (["replay", "refund_flow", "--speed", "nan"], "'nan' is neither a factor such as 1 or 10, nor max"),
        (["replay", "refund_flow", "--speed", "fast"], "'fast' is neither a factor such as 1 or 10, nor max"),
        (["replay", "refund_flow", "--timeout", "0"], "'0' is no duration: it must be more than 0"),
        (["replay", "refund_flow", "--timeout", "soon"], "'soon' is not a duration such as 250ms"),
        (["serve", "--route", "a=b"], "'a=b' is not FROM=TO, such as https://your-app.com=http://127.0.0.1:5000"),
        (["serve", "--route", "ftp://a=http://b"], "'ftp://a' is not an http:// or https:// URL"),
        (["serve", "--target", "http://127.0.0.1:1/"], "--secret is missing"),
        (
            ["send", "run.failed", "--target", "localhost:3000/hooks", "--secret", "whsec_test"],
            "URL; did you mean 'http://localhost:3000/hooks'?",
        ),
        (["listen"], "did you mean 'serve'?"),
        (["serve", "--target", "nowhere", "--secret", "s"], "'nowhere' is not an http:// or https:// URL"),
        (["serve", "--script", "refund_flo"], "no script 'refund_flo'"),
        (["events", "run.faild"], "unknown event 'run.faild'; known are run.completed"),
        (["sign", "missing.json", "--secret", "s"], "cannot read missing.json: No such file or directory"),
        (["sign"], "--secret is missing: it is the key of the signature (it can also be set as MOCKSERVER_SECRET)"),
        (["verify", "--secret", "s"], "--signature is missing"),
        (["receive"], "--secret is missing"),
        (["serve", "--host", "192.88.99.1", "--port", "0"], "192.88.99.1 is not an address of this machine"),
        (["serve", "--speed", "slow"], "'slow' is neither a factor such as 1 or 10, nor max, nor stepped"),
        (["serve", "--exit"], "--exit needs --script"),
        (["serve", "--exit", "--script", "nightly_runs"], "--exit needs a script with steps"),
        (["serve", "--junit", "r.xml"], "--junit needs --exit"),
        (["serve", "--one-per-url", "--strict"], "--one-per-url is ours"),
        (
            ["replay", "run_failed", "--target", "http://127.0.0.1:1/"],
            "need a secret to sign with: give --secret, or set",
        ),
        (["replay", "run_failed", "--ca-file", "missing.pem"], "cannot use the CA file missing.pem: "),
        (["replay", "run_failed", "--ca-file", __file__], f"cannot use the CA file {__file__}: "),
        (["replay", "run_failed", "refund_flow", "--only", "3"], "run_failed.yaml has no step '3'; its steps are 1"),
        (["replay", "run_failed", "--retry", "strip"], "there is no retry policy 'strip'; there are none, "),
        (["replay", "run_failed", "--retry", "strip"], "did you mean 'stripe'?"),
        (["replay", "run_failed", "--speed", "stepped"], "stepped time is advanced by a test, and a replay has none"),
        (
            ["replay", "run_failed", "--json", "-", "--har", "-"],
            "--json and --har cannot both go to -: one would be lost",
        ),
        (
            ["replay", "run_failed", "--json", "r", "--har", "r"],
            "--json and --har cannot both go to r: one would be lost",
        ),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str) -> None:
    """Wrong usage is reported in one line on standard error, and the exit code is 2."""
    done = mockserver(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("mockserver: ")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    """Every option can be set in the environment, by one name for all commands."""
    (tmp_path / "body").write_bytes(b"abc")
    by_option = mockserver("sign", "body", "--secret", "s", cwd=tmp_path, MOCKSERVER_SECRET="of no use then")
    assert mockserver("sign", "body", cwd=tmp_path, MOCKSERVER_SECRET="s") == by_option
    done = mockserver("verify", "body", cwd=tmp_path, MOCKSERVER_SECRET="s", MOCKSERVER_SIGNATURE=by_option.out.strip())
    assert done == (0, "valid\n", "")


def test_a_wrong_value_from_the_environment_is_named() -> None:
    """A message about a value that came from the environment names the variable."""
    done = mockserver("serve", MOCKSERVER_PORT="eighty")
    assert done.code == 2
    assert "'--port' (or MOCKSERVER_PORT): 'eighty' is not a valid integer" in done.err


def test_lists_from_the_environment() -> None:
    """Several values are separated by spaces, or by line breaks where a value may have spaces."""
    arguments = ("send", "run.failed", "--dry-run", "--target", "http://127.0.0.1:1/", "--secret", "s")
    done = mockserver(
        *arguments,
        MOCKSERVER_HEADER="Accept: text/plain, text/html",
        MOCKSERVER_OVERRIDE="failure_summary=two words\nrun_id=run_9\n",
        MOCKSERVER_EXTRA_EVENT="run.paused run.resumed",
    )
    assert done.code == 0
    assert "'Accept: text/plain, text/html'" in done.out
    assert '"run_id":"run_9"' in done.out
    assert '"failure_summary":"two words"' in done.out


def test_the_port_of_a_kubernetes_service_is_ignored() -> None:
    """MOCKSERVER_PORT=tcp://... comes from Kubernetes, for a Service named mockserver."""
    done = mockserver("receive", "--port", "0", MOCKSERVER_PORT="tcp://10.0.0.1:8484")
    assert "--secret is missing" in done.err  # the port given is what counts
    done = mockserver("receive", MOCKSERVER_PORT="tcp://10.0.0.1:8484")
    assert done.err.startswith("mockserver: MOCKSERVER_PORT=tcp://10.0.0.1:8484 is ignored: it is what Kubernetes sets")
    assert "--secret is missing" in done.err


@each_row("arguments", [["--version"], ["sign", "--secret", "s"], ["validate", "refund_flow"], ["check", "URL"]])
def test_small_commands_import_little(arguments: list[str]) -> None:
    """What a command does not use, it does not import: no web framework, no rich, no Jinja2, mostly no event loop."""
    unwanted = {"aiohttp", "rich", "jinja2"} | ({"asyncio"} if arguments[0] != "check" else set())
    code = (
        "import sys; from mockserver.cli import main; main(sys.argv[1:]);"
        f"print(sorted({unwanted} & set(sys.modules)), file=sys.stderr)"
    )
    with recorder() as server:
        given = [server.url if each == "URL" else each for each in arguments]
        command, env = [sys.executable, "-c", code, *given], environment(MOCKSERVER_SECRET=SECRET)
        done = subprocess.run(command, input=b"", capture_output=True, env=env, check=True)
    assert done.stderr.decode().strip() == "[]"
    assert bool(server.requests) is ("URL" in arguments)


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """With the other end of the pipe closed, a command ends without a word, by the exit code of a broken pipe."""
    process = subprocess.Popen(
        [*COMMAND, "events"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(PYTHONUNBUFFERED="1")
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("events >/dev/full", 4, "cannot write the output: No space left on device"),
        ("events >&-", 4, "cannot write the output: standard output is closed"),
        ("events --json - >&-", 2, "standard output is closed, and the option - writes to it"),
        ("replay run_failed --json - >&-", 2, "standard output is closed, and the option - writes to it"),
        (
            f"replay run_failed --dry-run --target http://127.0.0.1:1/ --secret {SECRET} >&-",
            4,
            "cannot write the output: standard output is closed",
        ),
        ("serve --port 0 --script s.yaml --exit >&-", 0, ""),  # servers start so under some supervisors
        ("events >&- 2>&-", 4, ""),
        ("events 2>&-", 0, ""),
        ("no_such_command 2>/dev/full", 2, ""),
        ("sign --secret s <&-", 2, "standard input is closed: the body cannot be read from it"),
        ("replay run_failed <&-", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path: Path, command: str, code: int, reason: str) -> None:
    """The exit code says whether the work was done and its result was written."""
    (tmp_path / "s.yaml").write_text("version: 1\nsteps: [pause: 1ms]\n", "utf-8")
    done = subprocess.run(
        ["sh", "-c", f"exec {' '.join(COMMAND)} {command}"],
        check=False,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr.decode()) == (code, f"mockserver: {reason}\n" if reason else "")


def test_letters_that_the_output_cannot_show_are_spelled_out(tmp_path: Path) -> None:
    """On a terminal without Unicode nothing fails: such letters are printed as escapes."""
    (tmp_path / "s.yaml").write_text("version: 1\nname: Erstattung für Jürgen\nsteps: [event: run.failed]\n", "utf-8")
    done = mockserver_process("replay", "s.yaml", "--speed=max", cwd=tmp_path, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "Erstattung f\\xfcr J\\xfcrgen: 1 planned" in done.out


def test_called_from_a_program() -> None:
    """main() returns the exit code, and prints to whatever replaces standard output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["events", "--help"]) == 0
    assert "Usage: mockserver events" in out.getvalue()


def test_a_destination_does_not_show_its_secret() -> None:
    """What is shown of a destination is its URL."""
    assert repr(Destination("http://127.0.0.1:1/", SECRET)) == "Destination(http://127.0.0.1:1/)"


@pytest.fixture
def signals() -> Iterator[None]:
    """Give this process back what it does at a signal."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_only_the_first_stop_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stopped has its reason from the first stop, and is not interrupted in its cleaning up by a second."""
    monkeypatch.setattr(interruption, "_end_soon", lambda _: None)  # this process goes on
    work = interruption.Interruptible()
    work.stop(130)  # nothing runs yet: there is nothing to stop
    cleaned_up = []

    async def stop_twice() -> None:
        work.stop(143)
        work.stop(130)
        try:
            await asyncio.sleep(60)
        finally:
            work.stop(130)
            await asyncio.sleep(0)
            cleaned_up.append(True)

    assert work.run(stop_twice()) == 143
    assert cleaned_up == [True]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN


def test_nothing_is_left_running() -> None:
    """Tasks that the work leaves behind end with it."""
    left = []

    async def leave_one() -> None:
        left.append(asyncio.get_running_loop().create_task(asyncio.sleep(60)))
        await asyncio.sleep(0)

    assert interruption.Interruptible().run(leave_one()) == 0
    assert left[0].cancelled()
