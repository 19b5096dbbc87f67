"""What the control API can do: one table, for routing and for its OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: The most deliveries in one answer; callers that want more ask for the next page.
MOST_LISTED = 1000

#: The most deliveries in one answer that shows them in brief.
MOST_BRIEF = 2000

#: The longest that one call may wait for deliveries, in seconds.
LONGEST_WAIT = 600.0

#: More repeats than this in one call are for a script: the answer holds all deliveries.
MOST_REPEATS_OF_A_CALL = 1000

#: What calls of the vendor API make, and the states that it can be in.
KINDS = ("run", "evaluation", "batch", "optimization", "agent", "test_case", "scorer", "experiment")
RESOURCE_STATES = ("queued", "running", "completed", "failed", "created")

# The forms of parameters, for the reader and the document alike.
DELIVERY_ID = "dlv_[0-9]{6,18}"
STATUS = "pending|delivered|failed|[1-5][0-9]{2}|[1-5][xX]{2}"
SPEED = r"[1-9][0-9]{0,5}(\.[0-9]{1,6})?|1000000|0\.[0-9]{0,5}[1-9][0-9]{0,5}"


class Query(msgspec.Struct, frozen=True):
    """A query parameter: its name, what it is for, and its JSON Schema."""

    name: str
    doc: str
    schema: dict[str, Any]


class Operation(msgspec.Struct, frozen=True):
    """One operation.

    Args:
        method: The HTTP method.
        path: The path below ``/_mock``, with parameters in braces.
        name: Its ``operationId``; the method of the API that does it has the same name.
        doc: What it does, in a sentence.
        takes: The name of the schema of its request body; None if it takes none.
        body_required: Whether there must be a body.
        query: Its query parameters.
        status: The status when all is well.
        gives: The name of the schema of its answer; None for no body, and for the stream.
        answer: What the answer holds, in a few words.
        errors: Statuses of errors beyond 400 and 403, which every operation has.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    name: str
    doc: str
    takes: str | None = None
    body_required: bool = True
    query: tuple[Query, ...] = ()
    status: int = 200
    gives: str | None = None
    answer: str = "Done"
    errors: tuple[int, ...] = ()


_TEXT = {"type": "string"}

_COUNT = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 1}

SEARCH = Query("q", 'a search, such as: event:run.failed status:4xx -fault:wrong_secret "some text"', _TEXT)

ACCOUNT = Query("account", "only of this account, where each API key is one: its name, or the key", _TEXT)

FILTERS = (
    SEARCH,
    ACCOUNT,
    Query("event", "only this event type", _TEXT),
    Query("status", "only these: pending, delivered, failed, a status such as 401, or a class such as 4xx",
          {"type": "string", "pattern": f"^({STATUS})$"}),
    Query("webhook_id", "only those of this webhook", _TEXT),
    Query("limit", "how many at most", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 100}),
    Query("after", "only those after the delivery with this id", {"type": "string", "pattern": f"^{DELIVERY_ID}$"}),
)  # fmt: skip

REPLAY_OPTIONS = (
    ACCOUNT,
    Query("script", "the name of a bundled script, to replay it in place of one in the body", _TEXT),
    Query("wait", "whether to answer when the replay is over", {"type": "boolean", "default": False}),
    Query("speed", "a factor more than 0, max or stepped; the mock's own without",
          {"type": "string", "pattern": rf"^({SPEED}|max|stepped)$"}),
)  # fmt: skip

WAIT_OPTIONS = (
    ACCOUNT,
    SEARCH,
    Query("count", "how many deliveries to wait for", _COUNT),
    Query("timeout", "how long to wait, in real time: a duration such as 250ms or 5s, or seconds",
          {"type": "string", "pattern": "^[0-9]{1,2}(ms|s)$", "default": "5s"}),
)  # fmt: skip

_BRIEF_LIMIT = Query(
    "limit", "how many at most", {"type": "integer", "minimum": 1, "maximum": MOST_BRIEF, "default": 1000}
)
BRIEF_OPTIONS = (
    ACCOUNT,
    SEARCH,
    _BRIEF_LIMIT,
    Query("before", "only those before the delivery with this id", {"type": "string", "pattern": f"^{DELIVERY_ID}$"}),
)

TIMELINE_OPTIONS = (ACCOUNT, SEARCH, _BRIEF_LIMIT, Query("replay_id", "only those of this replay", _TEXT))

STREAM_OPTIONS = (
    ACCOUNT,
    SEARCH,
    Query("brief", "whether deliveries come in brief, many at once, also while they are under way",
          {"type": "boolean", "default": False}),
)  # fmt: skip

RESOURCE_OPTIONS = (
    ACCOUNT,
    Query("kind", "only these", {"enum": list(KINDS)}),
    Query("state", "only those in this state", {"enum": list(RESOURCE_STATES)}),
)

OPERATIONS = (
    Operation("GET", "/health", "health", "Say that the mock is there, and how much it holds.",
              gives="Health", answer="What the mock holds"),
    Operation("GET", "/openapi.json", "openapi", "Return this document.", gives="Document", answer="This document"),
    Operation("POST", "/events", "send", "Let one event happen now: an event step of the script format.",
              takes="EventStep", gives="Sent", answer="The deliveries that it made, each with its outcome",
              query=(Query("webhook_id", "only to this webhook, whatever it is subscribed to", _TEXT), ACCOUNT),
              errors=(404, 413)),
    Operation("POST", "/replays", "start_replay",
              "Replay a script, of the body or a bundled one; with wait=true the answer is its whole report.",
              takes="Script", body_required=False, query=REPLAY_OPTIONS, status=202, gives="Replay",
              answer="The replay, with its report so far", errors=(413,)),
    Operation("GET", "/replays", "replays", "List the replays in the background, the newest first.",
              query=(ACCOUNT,), gives="Replays", answer="The replays in brief"),
    Operation("DELETE", "/replays/{replay_id}", "stop_replay", "End a replay; its report accounts for every event.",
              query=(ACCOUNT,), gives="Replay", answer="The replay, which is over", errors=(404,)),
    Operation("GET", "/replays/{replay_id}", "replay", "Return a replay with its report.",
              query=(ACCOUNT,), gives="Replay", answer="The replay, with its report so far", errors=(404,)),
    Operation("GET", "/deliveries", "deliveries", "List the deliveries on record, the oldest first.",
              query=FILTERS, gives="Deliveries", answer="A page of deliveries"),
    Operation("GET", "/deliveries/latest", "latest_delivery", "Return the newest delivery that a search finds.",
              query=(SEARCH, ACCOUNT), gives="Delivery", answer="The delivery", errors=(404,)),
    Operation("GET", "/deliveries/wait", "wait_for_deliveries",
              "Wait until enough deliveries that a search finds have their final outcome; those on record count.",
              query=WAIT_OPTIONS, gives="Found", answer="The deliveries, the oldest first", errors=(408,)),
    Operation("GET", "/deliveries/brief", "brief_deliveries", "List deliveries in brief, the newest first.",
              query=BRIEF_OPTIONS, gives="BriefDeliveries", answer="A page of deliveries"),
    Operation("GET", "/timeline", "timeline", "Return deliveries with the moments of their attempts, for a chart.",
              query=TIMELINE_OPTIONS, gives="Timeline", answer="The deliveries, the oldest first", errors=(404,)),
    Operation("GET", "/deliveries/{delivery_id}/snippets", "snippets",
              "Return a delivery as code: curl, a step of a script, a test for pytest, a test for Node.js.",
              query=(ACCOUNT,), gives="Snippets", answer="The code, without secrets, and whether the signature fits",
              errors=(404,)),
    Operation("GET", "/deliveries/{delivery_id}", "delivery", "Return a delivery with its attempts.",
              query=(ACCOUNT,), gives="Delivery", answer="The delivery", errors=(404,)),
    Operation("POST", "/deliveries/{delivery_id}/resend", "resend",
              "Deliver it once more: the same bytes, or with fresh: true a new timestamp and signature.",
              query=(ACCOUNT,), takes="Resend", body_required=False, gives="Delivery",
              answer="The new delivery, with its outcome", errors=(404, 413)),
    Operation("GET", "/webhooks", "webhooks", "List the registered webhooks, in the order of registration.",
              query=(ACCOUNT,), gives="Webhooks", answer="The webhooks"),
    Operation("POST", "/webhooks", "register", "Register a webhook on behalf of an application; any URL will do.",
              takes="Registration", query=(ACCOUNT,), status=201, gives="Webhook", answer="The webhook", errors=(413,)),
    Operation("PATCH", "/webhooks/{webhook_id}", "change_webhook", "Switch a webhook on or off.",
              query=(ACCOUNT,), takes="WebhookChange", gives="Webhook", answer="The webhook", errors=(404, 413)),
    Operation("GET", "/webhooks/{webhook_id}", "webhook", "Return a webhook.",
              query=(ACCOUNT,), gives="Webhook", answer="The webhook", errors=(404,)),
    Operation("DELETE", "/webhooks", "forget_webhooks", "Forget every webhook.", query=(ACCOUNT,), status=204),
    Operation("DELETE", "/webhooks/{webhook_id}", "forget_webhook", "Forget a webhook.",
              query=(ACCOUNT,), status=204, errors=(404,)),
    Operation("GET", "/requests", "requests", "List the calls that the vendor API received, the oldest first.",
              query=(ACCOUNT,), gives="Requests", answer="The calls, with secrets and API keys hidden"),
    Operation("POST", "/faults", "fail_next", "Make the vendor API answer its next calls badly.",
              takes="PlannedAnswer", query=(ACCOUNT,), body_required=False, status=204, errors=(413,)),
    Operation("GET", "/faults", "planned_failures", "Return how many calls will still be answered badly.",
              gives="PlannedFailures", answer="How many"),
    Operation("DELETE", "/faults", "forget_failures", "Make the vendor API answer as usual again.",
              query=(ACCOUNT,), status=204),
    Operation("GET", "/catalog", "catalog",
              "Return what can be sent: event types with sample data, faults, retry policies, bundled scripts.",
              gives="Catalog", answer="What there is"),
    Operation("POST", "/scripts/validate", "validate", "Check a script; nothing is sent.",
              takes="Script", gives="Validated", answer="How many events it makes happen, in how many seconds",
              errors=(413,)),
    Operation("POST", "/checks", "start_check",
              "Check a consumer in the background, a webhook or a URL: what does it get wrong?",
              takes="CheckRequest", status=202, gives="CheckRun", answer="The run, with its findings so far",
              errors=(404, 413)),
    Operation("GET", "/checks/{check_id}", "check", "Return a run of checks.", gives="CheckRun",
              answer="The run, with its findings so far", errors=(404,)),
    Operation("GET", "/checks/{check_id}/findings/{finding}", "finding", "Return a finding with its evidence.",
              gives="CheckFinding", answer="The finding, with the deliveries that prove it", errors=(404,)),
    Operation("DELETE", "/checks/{check_id}", "stop_check", "End a run of checks.", gives="CheckRun",
              answer="The run, which is over", errors=(404,)),
    Operation("GET", "/resources", "resources",
              "List what calls of the vendor API have made, the oldest first: runs, evaluations, agents and the rest.",
              query=RESOURCE_OPTIONS, gives="Resources", answer="The resources"),
    Operation("GET", "/resources/{resource_id}", "resource", "Return a resource with its states and events.",
              query=(ACCOUNT,), gives="Resource", answer="The resource", errors=(404,)),
    Operation("POST", "/resources/{resource_id}/advance", "advance_resource",
              "Move a resource one state on, whose flow is advanced by hand or by reads.",
              query=(ACCOUNT,), gives="Resource", answer="The resource in its new state", errors=(404,)),
    Operation("GET", "/flows", "flows", "List the flows, in their order: the first that matches a call decides.",
              query=(ACCOUNT,), gives="Flows", answer="The flows"),
    Operation("POST", "/flows", "install_flows", "Add flows: one as an object, or those of a script.",
              takes="NewFlows", query=(ACCOUNT,), status=201, gives="Flows", answer="The flows that were added",
              errors=(413,)),
    Operation("DELETE", "/flows", "forget_flows", "Forget every flow.", query=(ACCOUNT,), status=204),
    Operation("POST", "/clock/advance", "advance",
              "Let time pass on a stepped clock; answers when all that became due is over.",
              takes="Advance", gives="Time", answer="What the clock shows", errors=(413,)),
    Operation("POST", "/reset", "reset", "Forget everything, and end what is in flight.",
              query=(ACCOUNT,), status=204),
    Operation("GET", "/stream", "stream",
              "Server-sent events: delivery, webhook and request, each as it comes; dropped, when the reader is slow.",
              query=STREAM_OPTIONS, answer="The events, until the reader goes"),
)  # fmt: skip
