"""The operations of the vendor API, as one table: dispatch and the OpenAPI document both read it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote

import msgspec

WEBHOOKS = "/v1/webhooks"
WEBHOOK = "/v1/webhooks/{webhook_id}"
RUN = "/v1/runs/{run_id}"
OPENAPI = "/openapi.json"

#: The code of each error. Documented is one, ``invalid_request``; the others are ours, as are the statuses.
CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    429: "rate_limited",
    500: "internal_error",
}


class Operation(msgspec.Struct, frozen=True):
    """One method of one path.

    Args:
        name: Its name in the OpenAPI document.
        method: The HTTP method.
        path: The path, with ``{webhook_id}`` or ``{run_id}`` at its end where an id is.
        summary: What it does, in one line.
        takes: The schema of its request body; None for no body.
        gives: The schema of its answer; None for an empty one.
        documented: Whether the vendor documents it; otherwise it is ours.
        open: Whether it needs no API key.
        creates: Whether what it makes is answered with the status of a creation; the vendor states none.
    """

    name: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    takes: str | None = None
    gives: str | None = "Webhook"
    documented: bool = False
    open: bool = False
    creates: bool = False


OPERATIONS = (
    Operation("createWebhook", "POST", WEBHOOKS, "Register a webhook", "Registration", documented=True, creates=True),
    Operation("listWebhooks", "GET", WEBHOOKS, "List the webhooks, in the order of registration", gives="WebhookList"),
    Operation("getWebhook", "GET", WEBHOOK, "Read a webhook"),
    Operation("updateWebhook", "PATCH", WEBHOOK, "Change fields of a webhook", takes="Changes"),
    Operation("deleteWebhook", "DELETE", WEBHOOK, "Forget a webhook", gives=None),
    *(
        Operation(name, "POST", f"/v1/{path}", summary, f"{thing}Request", gives, documented=True, creates=creates)
        for name, path, summary, thing, gives, creates in (
            ("createRun", "runs", "Start a run", "Run", "RunAccepted", True),
            ("evaluate", "evaluate", "Evaluate one answer of an agent", "Evaluate", "Evaluation", False),
            ("evaluateBatch", "evaluate/batch", "Evaluate several answers", "Batch", "Batch", False),
            ("createScorer", "scorers", "Create a custom scorer", "Scorer", "Scorer", True),
            ("optimizePrompt", "optimize/prompt", "Optimize the prompt of an agent", "Optimize", "Optimization", False),
            ("createExperiment", "experiments", "Compare variants of an agent", "Experiment", "Experiment", True),
            ("createAgent", "agents", "Create an agent", "Agent", "Agent", True),
            ("createTestCase", "test-cases", "Create a test case", "TestCase", "TestCase", True),
        )
    ),
    Operation("getRun", "GET", RUN, "Read a run", gives="Run", documented=True),
    Operation("getOpenApi", "GET", OPENAPI, "This document", gives="Document", open=True),
)


def offered(*, strict: bool) -> tuple[Operation, ...]:
    """Return the operations that are offered; ``strict`` leaves out routes of ours below ``/v1``."""
    return tuple(item for item in OPERATIONS if item.documented or not (strict and item.path.startswith("/v1")))


class Match(msgspec.Struct, frozen=True):
    """Where a path leads: its operations by method, its ``Allow`` header, and the id in it."""

    operations: dict[str, Operation]
    allow: str
    id: str


class Directory:
    """Finds the operations of a path; ``paths`` are those that are offered, for a message."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        paths: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            paths.setdefault(operation.path, {})[operation.method] = operation
        self._found = {path: Match(methods, _allow(methods), "") for path, methods in paths.items()}
        self._below = {path[: path.index("{")]: self._found.pop(path) for path in paths if path.endswith("}")}
        self.paths = tuple(paths)
        self._found["*"] = Match({}, _allow({item.method: item for item in operations}), "")  # for "OPTIONS *"

    def find(self, path: str) -> Match | None:
        """Return what a path, percent-encoded as it was sent, offers; None if there is no such path."""
        found = self._found.get(path)
        if found is not None:
            return found
        parent, _, identifier = path.rpartition("/")
        below = self._below.get(f"{parent}/")
        return msgspec.structs.replace(below, id=unquote(identifier)) if below and identifier else None


def _allow(methods: dict[str, Operation]) -> str:
    implied = ["HEAD", "OPTIONS"] if "GET" in methods else ["OPTIONS"]
    return ", ".join(sorted([*methods, *implied]))
