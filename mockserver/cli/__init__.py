"""The command line: ``mockserver``, and ``python -m mockserver``.

Each command lives in a module of its own, imported when it is used: ``sign`` must not pay for what ``serve`` needs.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

#: How many new objects start the search for garbage once a command is imported, and not before: commands leave hardly
#: any, and modules none. Python's 700 would have it run a hundred times until then.
_GARBAGE = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: What follows the program's name; None for this process's own.

    Returns:
        The exit code, see :mod:`mockserver.cli.exit_codes`.
    """
    try:
        if arguments is None:  # a process of its own
            from mockserver.cli.exit_codes import end_at_once_on_signals  # noqa: PLC0415 - as below

            end_at_once_on_signals()
            gc.disable()
            gc.set_threshold(_GARBAGE)
        from mockserver.cli.program import run  # noqa: PLC0415 - Ctrl-C may come while it is imported

        return run(arguments)
    except KeyboardInterrupt:
        return 130
