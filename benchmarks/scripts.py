"""Validating a script of 10,000 steps; for comparison, what PyYAML in C takes to load the text and check nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter

import yaml

from benchmarks.rounds import Rounds
from benchmarks.table import Figure, Measurement
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script

_PEER = "yaml.load with CSafeLoader"
_HEAD = "version: 1\nname: Ten thousand steps\nseed: 7\nvars: {run: run_def456}\nsteps:\n"
#: A mix: sample data, changed data with templates, data of its own, waits, pauses, events at the same time.
_STEPS = (
    """\
  - event: run.completed
""",
    """\
  - event: run.failed
    after: 2s
    repeat: 3
    every: 500ms
    override: {run_id: "{{ run }}", failure_summary: "Turn {{ index + %d }} failed"}
    remove: [test_case_name]
""",
    """\
  - event: evaluation.completed
    data:
      evaluation_id: eval_mno%03d
      overall_pass: false
      results: {relevance: {score: 0.45, pass: false}}
""",
    """\
  - pause: %dms
""",
    """\
  - together:
      - event: run.completed
      - event: run.failed
        override: {run_id: "{{ new_id('run') }}"}
""",
)


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to validate a short script only.
    """
    steps, count = (100, 1) if quick else (10_000, 5)
    catalog = load_catalog()
    # A new text each time: parsed templates are remembered.
    texts = [_script(steps, first=number * steps).encode() for number in range(count)]
    unread = iter(texts)
    rounds = Rounds(
        {
            "ours": lambda: _seconds(lambda: read_script(next(unread), catalog)),
            _PEER: lambda: _seconds(lambda: yaml.load(texts[0], Loader=yaml.CSafeLoader)),
        },
        count,
    )
    return [
        Measurement(
            f"validating a script of {steps:,} steps",
            "s",
            rounds.median("ours"),
            _PEER,
            rounds.median(_PEER),
            rounds.ratio("ours", _PEER),
            Figure("value", "at most", 1.0),
            note=f"{len(texts[0]) / 1e6:.2f} MB of YAML",
        )
    ]


def _script(count: int, first: int) -> str:
    steps = ((number, _STEPS[number % len(_STEPS)]) for number in range(first, first + count))
    return _HEAD + "".join(step % number if "%" in step else step for number, step in steps)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()  # none pays for what others have left behind
    begin = perf_counter()
    work()
    return perf_counter() - begin
