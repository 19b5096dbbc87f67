"""The OpenAPI document."""

import re
from typing import Any

import pytest

from mockserver.model.webhooks import SECRET_MAX_LENGTH, URL_MAX_LENGTH
from tests.vendor_api.serving import EVENTS, Mock, Start


async def document(mock: Mock) -> Any:
    """The document as it is served, without an API key."""
    answer = await mock.call("GET", "/openapi.json", headers={"Authorization": ""})
    assert answer.status == 200
    return answer.json


@pytest.mark.full
@pytest.mark.parametrize("chosen", [{}, {"strict": True}, {"api_keys": ["k"], "extra_events": ["run.started"]}])
async def test_the_document_is_valid(start: Start, chosen: Any) -> None:
    """A validator of another project accepts it, whatever the settings."""
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415 - for the full tier alone

    OpenAPIV31SpecValidator(await document(await start(**chosen))).validate()


async def test_each_operation_says_whether_it_is_documented(mock: Mock) -> None:
    """Ours are reading and changing webhooks, and this document; each field of a body says so, too."""
    described = await document(mock)
    marks = {item["operationId"]: item["x-documented"] for path in described["paths"].values()
             for method, item in path.items() if method != "parameters"}  # fmt: skip
    ours = {"listWebhooks", "getWebhook", "updateWebhook", "deleteWebhook", "getOpenApi"}
    assert {name for name, documented in marks.items() if not documented} == ours
    run = described["components"]["schemas"]["Run"]["properties"]
    assert list(run) == ["run_id", "status", "success", "test_case", "agent", "turns", "summary"]
    assert all(field["x-documented"] for field in run.values())


async def test_the_document_follows_the_settings(start: Start) -> None:
    """Statuses, events and the form of a url are those of the server; a strict one has no routes of ours."""
    described = await document(await start(created_status=200, extra_events=["run.started"], strict=True))
    assert "/v1/runs" in described["paths"]
    assert "/v1/webhooks/{webhook_id}" not in described["paths"]
    assert "get" not in described["paths"]["/v1/webhooks"]
    assert "Changes" not in described["components"]["schemas"]
    assert "200" in described["paths"]["/v1/webhooks"]["post"]["responses"]
    fields = described["components"]["schemas"]["Registration"]["properties"]
    assert fields["events"]["items"]["enum"] == [*EVENTS, "run.started"]
    assert (fields["url"]["maxLength"], fields["secret"]["maxLength"]) == (URL_MAX_LENGTH, SECRET_MAX_LENGTH)
    assert re.search(fields["url"]["pattern"], "https://a.b")
    assert not re.search(fields["url"]["pattern"], "http://localhost")


async def test_every_answer_is_described_with_the_rate_limit_headers(mock: Mock) -> None:
    """Each answer of each operation has the documented headers."""
    described = await document(mock)
    shared = described["components"]["responses"]
    for path in described["paths"].values():
        for method, operation in path.items():
            if method == "parameters":
                continue
            for response in operation["responses"].values():
                resolved = shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
                assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(resolved["headers"])
