"""The events as OpenAPI webhooks: validators of others accept the document, and every event that is sent fits it."""

import json

import jsonschema
import pytest

from mockserver import MockServer
from mockserver.script.package_files import load_catalog
from mockserver.vendor_api.openapi import event_document


@pytest.mark.full
def test_the_document_is_valid() -> None:
    """OpenAPI 3.1, as a validator of another project sees it."""
    from openapi_spec_validator import validate  # noqa: PLC0415 - for the full tier alone

    validate(event_document(load_catalog()))


def test_the_document_names_every_event() -> None:
    """With the signature header required."""
    document = event_document(load_catalog())
    assert list(document["webhooks"]) == list(load_catalog().names)
    for item in document["webhooks"].values():
        (header,) = item["post"]["parameters"]
        assert (header["name"], header["required"]) == ("X-Playgent-Signature", True)


def test_what_is_sent_fits_what_is_described(closed_port: int) -> None:
    """Each event's own payload is valid by its schema, and so is the example."""
    document = event_document(load_catalog())
    with MockServer() as mock:
        mock.register(f"http://127.0.0.1:{closed_port}/hooks")
        for event, item in document["webhooks"].items():
            content = item["post"]["requestBody"]["content"]["application/json"]
            schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            sent = mock.send(event)
            jsonschema.validate(json.loads(sent.deliveries[0].event.payload), schema)
            jsonschema.validate(content["examples"]["sample"]["value"], schema)
