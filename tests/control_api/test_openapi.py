"""The OpenAPI document of the control API."""

from typing import Any

import jsonschema
import pytest

from mockserver.control_api.operations import OPERATIONS
from tests.control_api.calling import Control, Start
from tests.receiving import Consumer


@pytest.fixture
async def document(control: Control) -> Any:
    """The document as it is served."""
    return await control.get("/openapi.json")


@pytest.mark.full
async def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """A validator of another project accepts it."""
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415 - for the full tier alone

    OpenAPIV31SpecValidator(document).validate()


async def test_it_describes_every_operation(document: dict[str, Any]) -> None:
    """Each operation of the table, under its path and method, and no other."""
    described = {(path, method): item["operationId"] for path, methods in document["paths"].items()
                 for method, item in methods.items()}  # fmt: skip
    assert described == {(f"/_mock{each.path}", each.method.lower()): each.name for each in OPERATIONS}


async def test_it_names_the_bundled_scripts(document: dict[str, Any]) -> None:
    """A client that is made from it knows what can be replayed by name, and that then no body is needed."""
    operation = document["paths"]["/_mock/replays"]["post"]
    (script,) = [each for each in operation["parameters"] if each["name"] == "script"]
    assert {"refund_flow", "night_of_runs", "hostile_night"} <= set(script["schema"]["enum"])
    assert operation["requestBody"]["required"] is False


async def test_every_error_is_described(document: dict[str, Any]) -> None:
    """Those that every operation has, and those of bodies and ids."""
    for each in OPERATIONS:
        responses = document["paths"][f"/_mock{each.path}"][each.method.lower()]["responses"]
        by_id = {"404"} if "{" in each.path else set()
        expected = {"400", "403", *by_id, *({"413"} if each.takes else ()), *map(str, each.errors)}
        assert {status for status in responses if status >= "400"} == expected, each.name
        assert str(each.status) in responses


async def test_what_can_be_sent_and_what_comes_back(document: dict[str, Any]) -> None:
    """Scripts and steps may be YAML; a replay that is waited for is 200; the stream is one of events."""
    paths = document["paths"]
    for path, media_types in (
        ("/_mock/events", {"application/json", "application/yaml"}),
        ("/_mock/replays", {"application/json", "application/yaml"}),
        ("/_mock/faults", {"application/json"}),
    ):
        assert set(paths[path]["post"]["requestBody"]["content"]) == media_types
    assert paths["/_mock/events"]["post"]["requestBody"]["required"] is True
    assert {"200", "202"} <= set(paths["/_mock/replays"]["post"]["responses"])
    assert set(paths["/_mock/stream"]["get"]["responses"]["200"]["content"]) == {"text/event-stream"}
    (event,) = [each for each in paths["/_mock/deliveries"]["get"]["parameters"] if each["name"] == "event"]
    documented = {"run.completed", "run.failed", "evaluation.completed", "optimization.completed"}
    assert set(event["schema"]["enum"]) == documented


async def test_extra_events_are_named(start: Start) -> None:
    """An event of the settings is one of those that can be asked for."""
    document = await (await start(extra_events=["own.event"])).get("/openapi.json")
    (event,) = [each for each in document["paths"]["/_mock/deliveries"]["get"]["parameters"] if each["name"] == "event"]
    assert "own.event" in event["schema"]["enum"]


async def test_no_schema_is_left_over(document: dict[str, Any]) -> None:
    """Whatever is defined is referred to, and the other way round."""
    text = str(document)
    for kind, defined in document["components"].items():
        for name in defined:
            assert f"'#/components/{kind}/{name}'" in text, name


async def test_a_consumer_in_another_language_can_check_answers_with_it(
    control: Control, consumer: Consumer, document: dict[str, Any], closed_port: int
) -> None:
    """A delivery with everything in it, and one with nothing, are as described."""
    await control.register(consumer.url, "run.failed")
    await control.register(f"http://127.0.0.1:{closed_port}", "run.completed")
    schema = {"$ref": "#/components/schemas/Deliveries", "components": document["components"]}
    await control.event("run.failed", fault="not_utf8")
    await control.event("run.completed")
    listed = await control.get("/deliveries")
    jsonschema.validate(listed, schema)
    assert [delivery["outcome"] for delivery in listed["deliveries"]] == ["delivered", "failed"]
    del listed["deliveries"][0]["unmet"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(listed, schema)
