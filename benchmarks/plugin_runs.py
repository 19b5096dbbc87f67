"""What a plugin costs a run of pytest that never uses it.

A whole run takes a third of a second, give or take more than a good plugin costs. So a process imports pytest and runs
it once without any plugin; then each sample is a fork of that process, which runs it again with one plugin or none.
They differ by the imports, hooks and fixtures of the plugin. Processor time counts: other time is noise when busy.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from functools import partial
from importlib.metadata import entry_points
from time import process_time

import pytest

from benchmarks.rounds import Rounds

#: Each contender: the entry points of the plugins that it loads. pytest-aiohttp needs pytest-asyncio.
CONTENDERS: dict[str, Collection[str]] = {
    "none": (),
    "mockserver": ("playgent_mockserver",),
    "pytest_httpserver": ("pytest_httpserver",),
    "pytest-asyncio": ("asyncio",),
    "pytest-aiohttp": ("asyncio", "aiohttp"),
}


def only(plugins: Collection[str]) -> list[str]:
    """Return the arguments that have pytest load these plugins, and no other that happens to be installed."""
    others = [point.name for point in entry_points(group="pytest11") if point.name not in plugins]
    return ["-q", "-p", "no:cacheprovider", *(argument for name in others for argument in ("-p", f"no:{name}"))]


def _forked_ms(arguments: list[str]) -> float:
    """Run pytest in a fork of this process; return the milliseconds of processor time that it took."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        begin = process_time()
        status = pytest.main(arguments)
        os.write(writing, str((process_time() - begin) * 1000).encode())
        os._exit(int(status))
    os.close(writing)
    with os.fdopen(reading) as result:
        spent = result.read()
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError(f"pytest failed with status {status}")
    return float(spent)


def main(suite: str, count: int) -> None:
    """Measure, and print the least milliseconds of each contender as the last line, in JSON.

    Args:
        suite: The file of tests to run.
        count: How many times to run it with each contender.
    """
    pytest.main([*only(()), suite])
    runs = {name: [*only(plugins), suite] for name, plugins in CONTENDERS.items()}
    rounds = Rounds({name: partial(_forked_ms, arguments) for name, arguments in runs.items()}, count)
    print("\n" + json.dumps({name: rounds.best(name) for name in runs}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
