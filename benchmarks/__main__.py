"""The benchmark: ``python -m benchmarks [NAME ...] [--quick] [--json FILE]``, from the root of the repository."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks.page import machine, write_page
from benchmarks.peers import is_installed, not_installed
from benchmarks.table import Measurement, missing, render

#: Each topic: the module that measures it, and what it is about.
TOPICS = {
    "deliveries": "deliveries per second to a fast receiver, against HTTP client libraries",
    "replay_command": "the command `replay`, against the library's own replay of the same script",
    "startup": "start of `serve` to its first answer, and its memory, against a bare aiohttp application; `import`",
    "vendor_api": "POST /v1/webhooks per second, against a bare aiohttp handler",
    "flows": "POST /v1/runs per second, and from its answer to its event; 10,000 runs of an hour on virtual time",
    "latency": "time from the trigger to the receiver, against a bare http.client call",
    "memory": "memory and pace over 1,000,000 deliveries",
    "scripts": "validating a script of 10,000 steps",
    "checks": "how long `mockserver check` takes, and answers that come in two writes",
    "dashboard": "the page in Chromium: first rows, a flood; what it costs `serve` when no one looks",
    "files_entered": "how many files of the package one call enters",
    "locust_load": "signed events a second of one Locust worker, against a user that posts a constant body",
    "pytest_costs": "what the plugin and the fixture cost a test suite, against other plugins",
}

#: The page of the documentation that shows a run.
_PAGE = Path("docs/performance.md")

#: What peers need beside the `test` extra.
PEERS = ("uvloop", "requests", "httpx", "pytest_httpserver", "locust", "playwright", "chromium", "wrk")

#: What whole topics need.
_NEEDS = {
    "pytest_costs": ("pytest_httpserver",),
    "locust_load": ("locust",),
    "dashboard": ("playwright", "chromium"),
}


def main(arguments: Sequence[str]) -> int:
    """Measure and print.

    Args:
        arguments: The command line without the program.

    Returns:
        0; a figure that was not reached is in the table, not in the exit code, for a busy machine misses some. With
        ``--quick``, a smoke test, 1 if a topic could not be measured.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in TOPICS:
            parser.error(f"no topic {name!r}; there are {', '.join(TOPICS)}")
    begin = perf_counter()
    rows: list[Measurement] = []
    failed = False
    for package in sorted({package for package in PEERS if not is_installed(package)}):
        print(f"{package} is not installed: what needs it is left out", file=sys.stderr, flush=True)
    for topic in chosen.names or TOPICS:
        print(f"measuring {topic} ...", file=sys.stderr, flush=True)
        measured, broken = _measured(topic, quick=chosen.quick)
        rows += measured
        failed |= broken
    print(render(rows, judged=not chosen.quick))
    took = f"{perf_counter() - begin:.0f} s in all" + " (quick: too little to judge)" * chosen.quick
    print(f"\n{machine()}; {took}")
    if chosen.page:
        write_page(_PAGE, rows)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps([row.as_dict() for row in rows], indent=2) + "\n", encoding="utf-8")
    return int(failed and chosen.quick)


def _measured(topic: str, *, quick: bool) -> tuple[list[Measurement], bool]:
    """The rows of a topic, and whether it broke; the others are measured all the same."""
    absent = [needed for needed in _NEEDS.get(topic, ()) if not is_installed(needed)]
    if absent:
        return [not_installed(topic, absent[0])], False
    try:
        return import_module(f"benchmarks.{topic}").measure(quick=quick), False
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the figures of the other topics
        traceback.print_exc()
        return [missing(topic, f"{type(error).__name__}: {error}")], True


def _parser() -> argparse.ArgumentParser:
    topics = "\n".join(f"  {name:<14}{what}" for name, what in TOPICS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ratios measured in one run, each against a named peer on the same work.",
        epilog=f"topics:\n{topics}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="topics to measure; all of them by default")
    parser.add_argument("--quick", action="store_true", help="a few seconds, no judgement: to see that it runs")
    parser.add_argument("--page", action="store_true", help=f"write the rows into {_PAGE} as well")
    parser.add_argument("--json", metavar="FILE", help="write the rows to a file as well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
