"""What correct consumers, in five frameworks, make of every fault: forged ones refused, the rest survived."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.delivery.http1 import Http1Transport
from mockserver.faults.registry import read_faults
from mockserver.faults.request_builder import build_request
from mockserver.model.messages import Exchange
from mockserver.model.targets import Target
from tests.consumers.launch import NAMES, SECRET, Consumer, launch
from tests.faults.requests import SENDER, compact, event
from tests.faults.test_registry import BODY, DELIVERY, SIGNATURE, TRANSPORT
from tests.presence import present

pytestmark = pytest.mark.full

TIMESTAMP = "2024-12-16T10:00:00Z"

REFUSED = [*SIGNATURE, "tampered_body"]
#: Signed correctly, and with the same meaning as ever.
ACCEPTED = [
    "extra_fields",
    "sorted_keys",
    "duplicate_keys",
    "spaced_json",
    "pretty_json",
    "escaped_unicode",
    "trailing_newline",
    "large_body(1MB)",
    "wrong_content_type",
    "chunked",
    "expect_continue(200ms)",
    "lowercase_headers",
    "slow_headers(100ms)",
    "slow_body(100ms)",
]
#: Signed correctly, and no event.
MALFORMED = ["missing_field", "null_field", "wrong_type", "invalid_json", "not_utf8", "empty_body"]
CLOSED = ["truncated_body", "disconnect", "disconnect(reset)"]


def deliver(consumer: Consumer, faults: object, run: str = "run_1") -> Exchange:
    """Deliver one event with faults, on a connection of its own."""
    payload = compact({"event": "run.failed", "timestamp": TIMESTAMP, "data": {"run_id": run, "name": "Café"}})
    target = Target.parse(consumer.webhook_url)
    request = build_request(event(payload), target, SECRET, SENDER, read_faults(faults), random.Random(4))

    async def exchange() -> Exchange:
        transport = Http1Transport()
        try:
            return await transport.exchange(request, 20)
        finally:
            await transport.close()

    return asyncio.run(exchange())


def assert_still_works(consumer: Consumer) -> None:
    """Show that a good event is accepted and handled."""
    assert present(deliver(consumer, [], "run_control").response).status == 200
    assert "run_control" in handled(consumer)


def handled(consumer: Consumer) -> list[str]:
    """The objects of the events that the consumer handled."""
    return [one["id"] for one in consumer.events()["events"]]


def test_every_fault_has_a_verdict() -> None:
    """Each fault is in one of the lists, but for those of the delivery, which change no request."""
    judged = {name.partition("(")[0] for name in (*REFUSED, *ACCEPTED, *MALFORMED, *CLOSED, "deep_nesting")}
    assert judged == {*SIGNATURE, *BODY, *TRANSPORT}
    assert not judged & set(DELIVERY)


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_forged_is_refused(consumer: Any, fault: str | None) -> None:
    """401, and no effect."""
    assert present(deliver(consumer, fault).response).status == 401
    assert consumer.events() == {"count": 0, "events": [], "refused": 1}


@pytest.mark.parametrize("fault", ACCEPTED)
def test_what_is_signed_is_accepted(consumer: Any, fault: str | None) -> None:
    """200, and one effect: however it is spelled and however it travels."""
    exchange = deliver(consumer, fault)
    assert (exchange.error, exchange.unsent) == (None, 0)
    assert present(exchange.response).status == 200
    expected = {"event": "run.failed", "id": "run_1", "timestamp": TIMESTAMP}
    assert consumer.events() == {"count": 1, "events": [expected], "refused": 0}


@pytest.mark.parametrize("fault", MALFORMED)
def test_what_is_no_event_is_refused(consumer: Any, fault: str | None) -> None:
    """400, although the signature is right, and no effect."""
    assert present(deliver(consumer, fault).response).status == 400
    assert consumer.events() == {"count": 0, "events": [], "refused": 1}
    assert_still_works(consumer)


def test_deep_nesting_is_survived(consumer: Any) -> None:
    """Whether a parser can read it or not, there is a proper answer."""
    assert present(deliver(consumer, "deep_nesting").response).status in {200, 400}
    assert_still_works(consumer)


@pytest.fixture(scope="module", params=NAMES)
def lone_consumer(request: pytest.FixtureRequest) -> Iterator[Consumer]:
    """A consumer that no other test looks at: it may handle an event some time after its connection has ended."""
    with launch(request.param, secret=SECRET) as running:
        yield running


@pytest.mark.parametrize("fault", CLOSED)
def test_an_end_of_the_connection_is_survived(lone_consumer: Any, fault: str | None) -> None:
    """There is no answer to read, half an event has no effect, and the next event is handled."""
    exchange = deliver(lone_consumer, fault, f"run_{fault}")
    assert exchange.response is None
    assert present(exchange.error).kind == "closed"
    assert "on purpose" in present(exchange.error).message
    assert_still_works(lone_consumer)
    assert "run_truncated_body" not in handled(lone_consumer)


def test_faults_together_are_judged_by_the_worst(consumer: Any) -> None:
    """A forged event is refused however it travels."""
    faults = ["wrong_secret", "chunked", "slow_body(50ms)", "pretty_json", "lowercase_headers"]
    assert present(deliver(consumer, faults).response).status == 401
    assert consumer.events()["count"] == 0
