"""The scripts that a command is given, and ``mockserver validate`` and ``mockserver schema``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from mockserver.cli import exit_codes
from mockserver.cli.exit_codes import InvalidScriptsError
from mockserver.cli.files import STANDARD_OUTPUT, check_writable, remove_old, write_file
from mockserver.cli.options import ENVIRONMENT, option
from mockserver.errors import Problem, ScriptError, UsageError
from mockserver.model.quantities import format_duration
from mockserver.script.format import script_schema
from mockserver.script.model import Script
from mockserver.script.package_files import find_script, load_catalog, read_script_file, shown_path
from mockserver.script.reader import notes, read_script


def read_one(name: str) -> Script:
    """Read a script; raises UsageError or ScriptError."""
    path = find_script(name)
    return read_script(read_script_file(path), load_catalog(), _shown(Path(shown_path(path))))


def read_all(names: Sequence[str]) -> list[Script]:
    """Read scripts; raises InvalidScriptsError."""
    scripts: list[Script] = []
    failures: list[UsageError] = []
    for read in map(_script_or_failure, names):
        if isinstance(read, Script):
            scripts.append(read)
        else:
            failures.append(read)
    if failures:
        raise InvalidScriptsError(failures)
    return scripts


def _script_or_failure(name: str) -> Script | UsageError:
    try:
        return read_one(name)
    except UsageError as error:
        return error


def _shown(path: Path) -> str:
    """A path as messages show it: below the working directory, without that directory's own path."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return os.fsencode(shown).decode("utf-8", "replace")


_HELP = """Check scripts: print a line and notes for each good one, and every problem with its place.

A SCRIPT is a file, or the name of a bundled script such as refund_flow.

\b
Examples:
  mockserver validate my.yaml refund_flow
  mockserver validate webhooks/*.yaml --codequality gl-code-quality-report.json
"""


@click.command("validate", help=_HELP, epilog=ENVIRONMENT)
@click.argument("scripts", nargs=-1, required=True, metavar="SCRIPT...")
@option("--codequality", metavar="FILE", help="Write the problems as code quality, for GitLab's merge requests.")
def validate(scripts: tuple[str, ...], codequality: str | None) -> int:
    """Check every script."""
    check_writable(codequality)
    remove_old(codequality)
    problems = [
        (name, problem) for name in scripts for problem in _problems(name, to_stderr=codequality == STANDARD_OUTPUT)
    ]
    if codequality is not None:
        from mockserver.reports.code_quality import script_code_quality  # noqa: PLC0415 - only when it is asked for

        report = script_code_quality(problems)
        if codequality == STANDARD_OUTPUT:
            click.echo(report)
        else:
            write_file(codequality, report.encode("utf-8", "replace"))
    return exit_codes.USAGE if problems else exit_codes.OK


def _problems(name: str, *, to_stderr: bool) -> tuple[Problem, ...]:
    """Print what there is to say about a script, and return what is wrong with it."""
    try:
        script = read_one(name)
    except ScriptError as error:
        click.echo(str(error), err=True)
        return error.problems
    except UsageError as error:
        click.echo(f"mockserver: {error}", err=True)
        return (Problem(0, 0, str(error)),)
    click.echo(_verdict(script), err=to_stderr)
    for note in notes(script, load_catalog()):
        click.echo(f"{script.source}:{note.line}: note: {note.message}", err=to_stderr)
    return ()


def _verdict(script: Script) -> str:
    flows = f"{len(script.flows)} flow{'' if len(script.flows) == 1 else 's'}"
    if script.flows and not script.steps:
        return f"{script.source}: ok ({flows})"
    events = f"{script.planned} event{'' if script.planned == 1 else 's'}"
    more = f", {flows}" if script.flows else ""
    return f"{script.source}: ok ({events} in {format_duration(script.seconds)}{more})"


@click.command("schema")
@click.option("--openapi", is_flag=True, help="Print the events as an OpenAPI 3.1 document with webhooks instead.")
def schema(*, openapi: bool) -> int:
    """Print the JSON Schema of scripts, for editors.

    \b
    Examples:
      mockserver schema > mockserver.schema.json
      mockserver schema --openapi > events.openapi.json
    """  # noqa: D301 - the mark makes click keep the lines
    from mockserver.vendor_api.openapi import event_document  # noqa: PLC0415 - a replay does without

    document = event_document(load_catalog()) if openapi else script_schema()
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
    return exit_codes.OK
