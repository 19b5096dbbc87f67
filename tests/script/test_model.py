"""Parts of a script: some of its steps, at their own times."""

import pytest

from mockserver.errors import UsageError
from mockserver.model.settings import read_settings
from mockserver.script.model import Script, only_steps, unjudged
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock
from tests.receiving import SECRET, consuming

STEPS = """\
- event: run.completed
  repeat: 3
  every: 1h
- pause: 10m
- await: registration
- event: run.failed
  after: 5m
  override: {run_id: "{{ new_id('run') }}"}
- together:
    - {event: run.completed, repeat: 2, every: 1h}
    - {event: run.failed, override: {run_id: "{{ new_id('run') }}"}}
  after: 1m
- pause: 20m
- event: evaluation.completed
"""


def script(**more: str) -> Script:
    head = "".join(f"{key}: {value}\n" for key, value in more.items())
    return read_script(f"version: 1\n{head}steps:\n{STEPS}", load_catalog(), "s.yaml")


async def bodies_of(replayed: Script) -> dict[str, list[bytes]]:
    """Replay a script, and return the bodies that came by the number of their step."""
    service = Mock(read_settings(speed="max"))
    async with consuming() as consumer:
        service.register(consumer.url, None, SECRET)
        try:
            report = await service.replay(replayed)
        finally:
            await service.stop()
    assert report.ok
    assert report.planned == len(consumer.received)
    lines = {f"s.yaml:{step.line}": step.number for step in replayed.event_steps()}
    bodies: dict[str, list[bytes]] = {}
    for delivery in report.deliveries:
        bodies.setdefault(lines[delivery.source], []).append(delivery.event.payload)
    return bodies


@pytest.mark.parametrize("pacing", ["settled", "timed"])
@pytest.mark.parametrize(
    ("only", "left"),
    [
        (["1"], ["1"]),
        (["4"], ["4"]),
        (["4", "7"], ["4", "7"]),
        (["1", "3", "4"], ["1", "4"]),
        (["1", "2", "5.2", "7"], ["1", "5.2", "7"]),
        (["5", "6", "7"], ["5.1", "5.2", "7"]),
        (["1", "6", "7"], ["1", "7"]),
        (["5.2", "7"], ["5.2", "7"]),
    ],
)
async def test_the_steps_that_are_left_send_the_bytes_that_they_send_in_the_whole_script(
    only: list[str], left: list[str], pacing: str
) -> None:
    """Numbers, ids and timestamps are those of the whole script; the others are neither sent nor planned."""
    whole = script(start="2024-12-16T10:00:00Z", pacing=pacing)
    everything = await bodies_of(whole)
    assert await bodies_of(only_steps(whole, only)) == {number: everything[number] for number in left}


def test_what_comes_before_is_not_waited_for() -> None:
    """The script begins with the first step that is left; without a start of its own it begins now."""
    part = only_steps(script(), ["4", "7"])
    assert part.start is None
    assert [step.after for step in part.event_steps()] == [300.0, 60.0 + 3600.0 + 1200.0]


def test_a_number_that_is_not_there() -> None:
    """It is an error that lists the numbers that are."""
    with pytest.raises(UsageError) as error:
        only_steps(script(), ["1", "8"])
    assert str(error.value) == "s.yaml has no step '8'; its steps are 1, 2, 3, 4, 5, 5.1, 5.2, 6, 7"


def test_nothing_is_expected_of_a_dry_run() -> None:
    """Every event step, those of a together too, takes any answer; the rest stays."""
    part = unjudged(script())
    assert {step.expect.status for step in part.event_steps()} == {("any",)}
    assert [step.number for step in part.steps] == ["1", "2", "3", "4", "5", "6", "7"]
