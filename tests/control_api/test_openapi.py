"""The OpenAPI document of the control API."""

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mockserver.edges.control_api.operations import OPERATIONS
from tests.control_api.calling import unused_port


@pytest.fixture
async def document(control):
    """The document as it is served."""
    return await control.get("/openapi.json")


async def test_the_document_is_valid(document):
    """A validator of another project accepts it."""
    OpenAPIV31SpecValidator(document).validate()


async def test_it_describes_every_operation(document):
    """Each operation of the table, under its path and method, and no other."""
    described = {(path, method): item["operationId"] for path, methods in document["paths"].items()
                 for method, item in methods.items()}  # fmt: skip
    assert described == {(f"/_mock{each.path}", each.method.lower()): each.name for each in OPERATIONS}


async def test_no_schema_is_left_over(document):
    """Whatever is defined is referred to, and the other way round."""
    text = str(document)
    for kind, defined in document["components"].items():
        for name in defined:
            assert f"'#/components/{kind}/{name}'" in text, name


async def test_a_consumer_in_another_language_can_check_answers_with_it(control, consumer, document):
    """A delivery with everything in it, and one with nothing, are as described."""
    await control.register(consumer.url, "run.failed")
    await control.register(f"http://127.0.0.1:{unused_port()}", "run.completed")
    schema = {"$ref": "#/components/schemas/Deliveries", "components": document["components"]}
    await control.event("run.failed", fault="not_utf8")
    await control.event("run.completed")
    listed = await control.get("/deliveries")
    jsonschema.validate(listed, schema)
    assert [delivery["outcome"] for delivery in listed["deliveries"]] == ["delivered", "failed"]
    del listed["deliveries"][0]["unmet"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(listed, schema)
