"""The way into playgent-mockserver: its commands and its pytest plugin start here.

Another distribution, ``mockserver-client``, brings a package of the name ``mockserver`` as well. In one environment the
one that was installed last has replaced files of the other, and pip does not warn. So this package, whose name is ours
alone, looks first, and says in one line what is the matter instead of failing with an ImportError.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

_ADVICE = (
    "both install a package named mockserver, so one environment cannot hold both: keep one of them, with "
    "`pip uninstall mockserver-client` and `pip install --force-reinstall playgent-mockserver`"
)


def why_broken() -> str:
    """Say why the package ``mockserver`` cannot be used, in one line; empty if it can."""
    try:
        import mockserver  # noqa: PLC0415 - this is the question
    except Exception as error:  # noqa: BLE001 - the package of another distribution may need what is not there
        return f"playgent-mockserver is broken ({error}); {_about_other()}"
    if getattr(mockserver, "_DISTRIBUTION", "") == "playgent-mockserver":
        return ""
    return f"playgent-mockserver was replaced by mockserver-client: {_ADVICE}"


def why_shared() -> str:
    """Say which other distribution shares the package ``mockserver`` with ours, in one line; empty if none does."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - faster to start
    for folder in {here, *(path for path in sys.path if path.endswith("site-packages"))}:
        try:
            names = os.listdir(folder)  # noqa: PTH208 - as above
        except OSError:
            continue
        if any(name.startswith("mockserver_client-") for name in names):
            return f"mockserver-client is installed as well, and does not work beside playgent-mockserver: {_ADVICE}"
    return ""


def _about_other() -> str:
    return why_shared() or "install it anew with `pip install --force-reinstall playgent-mockserver`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; see :func:`mockserver.cli.main`.

    Args:
        arguments: What follows the program's name; None for this process's own.

    Returns:
        The exit code.
    """
    if arguments is None:  # a process of its own
        gc.disable()  # modules leave no garbage; mockserver.cli looks for some again once the command is imported
    if broken := why_broken():
        print(f"playgent-mockserver: {broken}", file=sys.stderr)
        return 2
    if shared := why_shared():
        print(f"playgent-mockserver: {shared}", file=sys.stderr)
    from mockserver.cli import main as run  # noqa: PLC0415 - only once it is known to be there

    return run(arguments)
