"""What the control API can do: one table, for routing and for its OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: The most deliveries in one answer; whoever wants more asks for the next page.
MOST_LISTED = 1000

#: More repeats than this in one call are for a script: the answer holds all deliveries.
MOST_REPEATS_OF_A_CALL = 1000

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

    method: Literal["GET", "POST", "DELETE"]
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

FILTERS = (
    Query("event", "only this event type", _TEXT),
    Query("status", "only these: pending, delivered, failed, a status such as 401, or a class such as 4xx",
          {"type": "string", "pattern": f"^({STATUS})$"}),
    Query("webhook_id", "only those of this webhook", _TEXT),
    Query("limit", "how many at most", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 100}),
    Query("after", "only those after the delivery with this id", {"type": "string", "pattern": f"^{DELIVERY_ID}$"}),
)  # fmt: skip

REPLAY_OPTIONS = (
    Query("script", "the name of a bundled script, to replay it in place of one in the body", _TEXT),
    Query("wait", "whether to answer when the replay is over", {"type": "boolean", "default": False}),
    Query("speed", "a factor more than 0, max or stepped; the mock's own without",
          {"type": "string", "pattern": rf"^({SPEED}|max|stepped)$"}),
)  # fmt: skip

OPERATIONS = (
    Operation("GET", "/health", "health", "Tell that the mock is there, and how much it holds.",
              gives="Health", answer="What the mock holds"),
    Operation("GET", "/openapi.json", "openapi", "Return this document.", gives="Document", answer="This document"),
    Operation("POST", "/events", "send", "Let one event happen now: an event step of the script format.",
              takes="EventStep", gives="Sent", answer="The deliveries that it made, each with its outcome",
              errors=(413,)),
    Operation("POST", "/replays", "start_replay",
              "Replay a script, of the body or a bundled one; with wait=true the answer is its whole report.",
              takes="Script", body_required=False, query=REPLAY_OPTIONS, status=202, gives="Replay",
              answer="The replay, with its report so far", errors=(413,)),
    Operation("GET", "/replays/{replay_id}", "replay", "Return a replay with its report.",
              gives="Replay", answer="The replay, with its report so far", errors=(404,)),
    Operation("GET", "/deliveries", "deliveries", "List the deliveries on record, the oldest first.",
              query=FILTERS, gives="Deliveries", answer="A page of deliveries"),
    Operation("GET", "/deliveries/{delivery_id}", "delivery", "Return a delivery with its attempts.",
              gives="Delivery", answer="The delivery", errors=(404,)),
    Operation("POST", "/deliveries/{delivery_id}/resend", "resend",
              "Deliver it once more: the same bytes, or with fresh: true a new timestamp and signature.",
              takes="Resend", body_required=False, gives="Delivery", answer="The new delivery, with its outcome",
              errors=(404, 413)),
    Operation("GET", "/webhooks", "webhooks", "List the registered webhooks, in the order of registration.",
              gives="Webhooks", answer="The webhooks"),
    Operation("GET", "/webhooks/{webhook_id}", "webhook", "Return a webhook.",
              gives="Webhook", answer="The webhook", errors=(404,)),
    Operation("DELETE", "/webhooks", "forget_webhooks", "Forget every webhook.", status=204),
    Operation("DELETE", "/webhooks/{webhook_id}", "forget_webhook", "Forget a webhook.", status=204, errors=(404,)),
    Operation("GET", "/requests", "requests", "List the calls that the vendor API received, the oldest first.",
              gives="Requests", answer="The calls, with secrets and API keys hidden"),
    Operation("POST", "/faults", "fail_next", "Make the vendor API answer its next calls badly.",
              takes="PlannedAnswer", body_required=False, status=204, errors=(413,)),
    Operation("POST", "/clock/advance", "advance",
              "Let time pass on a stepped clock; answers when all that became due is over.",
              takes="Advance", gives="Time", answer="What the clock shows", errors=(413,)),
    Operation("POST", "/reset", "reset", "Forget everything, and end what is in flight.", status=204),
    Operation("GET", "/stream", "stream",
              "Server-sent events: delivery, webhook and request, each as it comes; dropped, when the reader is slow.",
              answer="The events, until the reader goes"),
)  # fmt: skip
