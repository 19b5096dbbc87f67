"""The JSON Schemas of the requests and answers, made of the Structs that read and write them."""

from __future__ import annotations

from typing import Any

import msgspec

from mockserver.vendor_api.resources import answers, requests

_REQUESTS = (
    requests.RunRequest,
    requests.EvaluateRequest,
    requests.BatchRequest,
    requests.OptimizeRequest,
    requests.AgentRequest,
    requests.TestCaseRequest,
    requests.ScorerRequest,
    requests.ExperimentRequest,
)
_ANSWERS = (
    answers.RunAccepted,
    answers.Run,
    answers.Evaluation,
    answers.Batch,
    answers.Optimization,
    answers.Agent,
    answers.TestCase,
    answers.Scorer,
    answers.Experiment,
)

#: Defaults that stand for "left out": the vendor documents none.
_NO_DEFAULTS: tuple[Any, ...] = ("", [], (), {}, None)


def resource_schemas() -> dict[str, Any]:
    """Return the schemas by name; each field says whether the vendor documents it."""
    asked = msgspec.json.schema_components(_REQUESTS, ref_template="#/components/schemas/{name}")[1]
    given = msgspec.json.schema_components(_ANSWERS, ref_template="#/components/schemas/{name}")[1]
    return {name: _marked(schema) for name, schema in {**asked, **given}.items()}


def _marked(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose fields are marked, without defaults that mean nothing."""
    for field in schema.get("properties", {}).values():
        field.setdefault("x-documented", True)
        if field.get("type") == "array":
            field.setdefault("items", {})  # msgspec leaves them out where anything will do; generators want them
        if "default" in field and (field["default"] in _NO_DEFAULTS or "$ref" in field):
            del field["default"]
    return schema
