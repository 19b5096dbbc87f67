"""The program: its commands, loaded when used, and how every failure becomes one line and an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

import click

from mockserver import __version__
from mockserver.cli import exit_codes
from mockserver.cli.exit_codes import InvalidScriptsError, UnreachableError, UnwritableError
from mockserver.cli.options import ENVIRONMENT
from mockserver.errors import MockServerError
from mockserver.model.wording import did_you_mean

NAME = "mockserver"

#: The number of standard error; the other standard streams have lower ones.
_STDERR = 2

#: Each command: the module that it lives in, and what it does.
COMMANDS = {
    "serve": ("serve", "Serve the vendor API and the control API (the default)."),
    "replay": ("replay", "Replay scripts as signed deliveries."),
    "check": ("check", "Find out what a webhook consumer does wrong."),
    "send": ("send", "Send one event now."),
    "trigger": ("remote", "Let one event happen in a running mock."),
    "deliveries": ("remote", "List or follow the deliveries of a running mock."),
    "resend": ("remote", "Deliver once more what a running mock has delivered."),
    "health": ("remote", "Ask a running mock whether it is ready."),
    "receive": ("receive", "Receive deliveries and verify their signatures."),
    "validate": ("scripts", "Check scripts."),
    "schema": ("scripts", "Print the JSON Schema of scripts."),
    "sign": ("signatures", "Print the signature of a body."),
    "verify": ("signatures", "Check whether a signature is valid."),
    "events": ("listings", "List the event types and their sample payloads."),
    "faults": ("listings", "List the deliberate defects that a delivery can have."),
    "retries": ("listings", "List the retry policies."),
}

#: What commands are called in similar programs.
_ELSEWHERE = {"listen": "serve", "start": "serve", "run": "replay", "logs": "deliveries", "test": "check"}

_HELP = """A test double for the Playgent webhooks API: the vendor's server in memory, and scripted, signed events.

\b
Examples:
  mockserver                                 serve on http://127.0.0.1:8484
  mockserver replay refund_flow              to an embedded consumer
  mockserver replay my.yaml --target http://127.0.0.1:5000/hooks --secret whsec_x
  mockserver check http://127.0.0.1:5000/hooks --secret whsec_x
  mockserver send run.failed --target http://127.0.0.1:5000/hooks --secret whsec_x
  mockserver trigger run.failed              by the mock that is running
  mockserver validate my.yaml

\b
Exit codes: 0 all well, 1 an expectation was not met, an event was not sent or a
check failed that must pass, 2 wrong usage or an invalid script, 3 the target could
not be reached, 4 a report or the output could not be written, 129 SIGHUP,
130 Ctrl-C, 143 SIGTERM.
"""


#: What the context holds in a process that is there for the command alone.
_OWN_PROCESS = "own process"


class _Commands(click.Group):
    """The commands; with none given, options are those of ``serve``."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = import_module(f"mockserver.cli.{COMMANDS[cmd_name][0]}")
        if ctx.obj is _OWN_PROCESS:  # what was imported stays: no collection is to go through it
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            meant = _ELSEWHERE.get(args[0])
            hint = f"; did you mean {meant!r}?" if meant else did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"no command {args[0]!r}; there are {', '.join(COMMANDS)}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as click calls it
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in COMMANDS.items()])


_program = _Commands(NAME, help=_HELP, epilog=ENVIRONMENT, context_settings={"help_option_names": ["-h", "--help"]})
_program = click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")(_program)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; see :func:`mockserver.cli.main`."""
    _prepare_streams()
    try:
        code = _invoke(sys.argv[1:], _OWN_PROCESS) if arguments is None else _invoke(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        code = exit_codes.BROKEN_PIPE
        _drop_output()
    except OSError as error:  # what commands expect, they word themselves: this is about the output
        code = _fail(f"cannot write the output: {error.strerror or error}", exit_codes.UNWRITABLE)
        _drop_output()
    return code


def _invoke(arguments: list[str], process: str = "") -> int:
    try:
        with _program.make_context(NAME, arguments, obj=process) as context:
            code: int | None = _program.invoke(context)
            return code or exit_codes.OK
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _fail(_with_help(error), exit_codes.USAGE)
    except InvalidScriptsError as error:
        for line in error.lines():
            click.echo(line, err=True)
        return exit_codes.USAGE
    except UnreachableError as error:
        return _fail(str(error), exit_codes.UNREACHABLE)
    except UnwritableError as error:
        return _fail(str(error), exit_codes.UNWRITABLE)
    except MockServerError as error:
        return _fail(str(error), exit_codes.USAGE)


def _with_help(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".").replace("\n", " ")
    if isinstance(error, click.MissingParameter) and error.param is not None and error.param.name == "event":
        message += ": `mockserver events` lists them"
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} (see '{context.command_path if context else NAME} --help')"


def _fail(message: str, code: int) -> int:
    try:
        click.echo(f"{NAME}: {message}", err=True)
    except OSError:  # there is no other place to say it: the exit code remains
        _drop_output()
    return code


def _prepare_streams() -> None:
    """Make sure that printing never fails for lack of a character, and that nothing gets the number of a closed stream.

    uvloop ends the process when a file of its own has one of the first three numbers.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        from mockserver.cli.output import ClosedOutput  # noqa: PLC0415 - nearly every process has one

        sys.stdout = ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(_STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Drop what is buffered for a stream that takes no more: nothing complains about it at the end of the process."""
    for stream in (sys.stdout, sys.stderr):
        _drop_unwritable(stream)


def _drop_unwritable(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
