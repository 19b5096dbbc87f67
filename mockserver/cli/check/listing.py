"""``mockserver check --list`` and ``--explain``: the checks themselves; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from mockserver.checks.model import Check
from mockserver.checks.registry import chosen_checks
from mockserver.cli import exit_codes
from mockserver.cli.listings import print_list, table, terminal_width

#: What ``--explain`` says that a level needs beside the URL and the secret.
_NEEDS = {0: "only the URL and the secret", 1: "--probe", 2: "--probe and --fail-once"}


def list_checks(only: Sequence[str], skip: Sequence[str], json: str | None) -> int:
    """List the checks that would be made.

    Args:
        only: Ids or names of those to make; none for all.
        skip: Ids or names of those not to make.
        json: The file for JSON; None prints a table.

    Returns:
        The exit code.
    """
    headings = ("ID", "SEVERITY", "LEVEL", "NAME", "WHAT IT SENDS")
    return print_list(json, chosen_checks(only, skip), _view, headings, _row)


def explain(name: str) -> int:
    """Explain one check.

    Args:
        name: Its id or name.

    Returns:
        The exit code.
    """
    # The control is always among the checks that are made, and so perhaps beside the one that is asked for.
    check = chosen_checks((name,))[-1]
    click.echo(f"{check.id} {check.title} ({check.severity})\n")
    rows = [("sends:", check.sends), ("correct:", check.good), ("why:", check.why), ("fix:", check.fix)]
    rows.append(("needs:", _NEEDS[check.level] if check.procedure else "a look at the code"))
    for line in table(rows, terminal_width()):
        click.echo(line)
    return exit_codes.OK


def _row(check: Check) -> Sequence[str]:
    return (check.id, check.severity, str(check.level), check.name, check.sends)


def _view(check: Check) -> dict[str, Any]:
    names = ("id", "name", "severity", "level", "sends", "good", "why", "fix")
    return {**{name: getattr(check, name) for name in names}, "testable": check.procedure is not None}
