"""The bundled scripts: none missing, none an orphan, each valid, replayable and mentioned in the documentation."""

import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from mockserver.errors import ScriptError, UsageError
from mockserver.model.events import DOCUMENTED_EVENTS, EventType
from mockserver.model.settings import read_settings
from mockserver.script.format import script_schema
from mockserver.script.package_files import bundled_scripts, find_script, load_catalog
from mockserver.script.reader import read_script
from mockserver.server.mock import Mock
from tests.receiving import SECRET, consuming
from tests.tables import each_row

ROOT = Path(__file__).parents[2]
SCRIPTS = bundled_scripts()
#: Those with nothing but flows: they answer calls, and there is nothing to replay.
FLOWS = {"nightly_runs", "race_at_registration"}
VALIDATOR = Draft202012Validator(script_schema())


class StrictLoader(yaml.SafeLoader):
    """Another reader of YAML, in which timestamps and the key ``on`` stay text, as in JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to configure a loader
        key: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp") and key not in "oO"]
        for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def test_the_bundled_scripts_are_the_files_in_fixtures() -> None:
    """Every YAML file of fixtures is bundled, and nothing else lies there."""
    assert {file.name for file in (ROOT / "fixtures").iterdir()} == {file.name for file in SCRIPTS.values()}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in SCRIPTS)


def test_every_documented_event_occurs_and_has_a_script_of_its_own() -> None:
    """Each of the four events alone, and no event is left out."""
    catalog = load_catalog()
    occurring = {event for file in SCRIPTS.values() for event in read_script(file.read_bytes(), catalog).events}
    assert occurring == set(DOCUMENTED_EVENTS)
    for event in DOCUMENTED_EVENTS:
        script = read_script(SCRIPTS[event.replace(".", "_")].read_bytes(), catalog)
        assert (script.events, script.planned) == ((event,), 1)


def test_every_event_has_one_data_file_and_each_is_marked() -> None:
    """The catalogue: none missing, no orphan, each valid and named by one convention, the documented one marked so."""
    files = sorted((ROOT / "mockserver" / "data" / "events").glob("*"))
    types = [msgspec.json.decode(file.read_bytes(), type=EventType) for file in files]
    assert {file.name for file in files} == {f"{event}.json" for event in DOCUMENTED_EVENTS}
    assert all(file.stem == event_type.event for file, event_type in zip(files, types, strict=True))
    assert [event_type.event for event_type in types if event_type.documented] == ["run.failed"]
    assert all(event_type.source.startswith("ours: ") for event_type in types if not event_type.documented)
    assert all(event_type.object_id in event_type.data for event_type in types)


@each_row("name", SCRIPTS)
def test_each_script_fits_the_json_schema_of_another_projects_validator(name: str) -> None:
    """What we read, the published schema accepts."""
    document = yaml.load(SCRIPTS[name].read_text("utf-8"), StrictLoader)
    assert list(VALIDATOR.iter_errors(document)) == []


@each_row("name", SCRIPTS)
def test_each_script_is_mentioned_in_the_readme(name: str) -> None:
    """No script is an orphan."""
    assert f"`{name}`" in (ROOT / "docs" / "bundled-scripts.md").read_text("utf-8")


def test_only_the_hostile_night_has_faults() -> None:
    """Of the others every event can be accepted by any consumer."""
    scripts = {name: read_script(file.read_bytes(), load_catalog()) for name, file in SCRIPTS.items()}
    hostile = [name for name, script in scripts.items() if any(step.faults for step in script.event_steps())]
    assert hostile == ["hostile_night"]


@each_row("name", sorted(SCRIPTS.keys() - {"hostile_night"} - FLOWS))
async def test_each_script_replays_and_every_event_is_accepted(name: str) -> None:
    """Replayed at speed max to a real consumer, every planned event arrives, signed."""
    service = Mock(read_settings(speed="max"))
    async with consuming() as consumer:
        service.register(consumer.url, None, SECRET)
        try:
            report = await service.replay(read_script(SCRIPTS[name].read_bytes(), service.catalog, name))
        finally:
            await service.stop()
    report.raise_for_failures()
    assert len(consumer.received) == report.planned > 0
    assert all(received.is_signed_with(SECRET) for received in consumer.received)


def test_the_schema_is_one_and_refuses_what_the_reader_refuses() -> None:
    """A draft 2020-12 schema; structural mistakes are found by both, and valid scripts pass both."""
    Draft202012Validator.check_schema(script_schema())
    event = {"event": "run.failed"}
    wrong = [
        [],
        {},
        {"version": 1},
        {"version": 2, "steps": [event]},
        {"version": 1, "steps": []},
        {"version": 1, "steps": [event], "extra": 1},
        {"version": 1, "steps": [{"event": "run.failed", "afer": 1}]},
        {"version": 1, "steps": [{"event": "run.failed", "repeat": 0}]},
        {"version": 1, "steps": [{"event": "run.failed", "after": "soon"}]},
        {"version": 1, "steps": [{"pause": -1}]},
        {"version": 1, "steps": [{"await": "rain"}]},
        {"version": 1, "steps": [{"together": []}]},
        {"version": 1, "steps": [{"together": [{"pause": 1}]}]},
        {"version": 1, "steps": [event], "webhook": {"url": "http://a/"}},
        {"version": 1, "steps": [event], "start": "yesterday"},
        {"version": 1, "steps": [event], "seed": -1},
        {"version": 1, "steps": [event], "defaults": {"event": "run.failed"}},
        {"version": 1, "steps": [{"event": "run.faild"}]},
        {"version": 1, "steps": [{"event": "run.failed", "data": {}, "override": {"run_id": "x"}}]},
    ]
    for document in wrong:
        assert list(VALIDATOR.iter_errors(document)), document
        with pytest.raises(ScriptError):
            read_script(json.dumps(document), load_catalog())


@each_row("duration", ["250ms", "2s", "1m30s", "2h", 5, 0.5, "3", "1d"])
def test_durations_in_the_schema_are_those_of_the_reader(duration: float | str) -> None:
    """Every documented form passes both."""
    document = {"version": 1, "steps": [{"pause": duration}]}
    assert list(VALIDATOR.iter_errors(document)) == []
    assert read_script(json.dumps(document), load_catalog()).seconds > 0


def test_a_script_is_found_by_path_before_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the way of a bundled name wins; a wrong name says what there is."""
    monkeypatch.chdir(tmp_path)
    assert find_script("refund_flow") == SCRIPTS["refund_flow"]
    (tmp_path / "refund_flow").write_text("version: 1")
    assert find_script("refund_flow") == Path("refund_flow")
    with pytest.raises(UsageError, match=r"no script 'refund': neither a file nor a bundled script \(burst, .*\)"):
        find_script("refund")
