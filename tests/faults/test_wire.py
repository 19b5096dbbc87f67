"""Byte by byte: what each fault makes go over the wire, as a socket at the other end sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from mockserver.delivery.http1.transport import Http1Transport
from mockserver.errors import UsageError
from mockserver.faults.registry import FAULTS
from mockserver.model.messages import AwaitContinue, Close, Pause
from tests.delivery.http1.raw_server import OK, Peer, Serve
from tests.faults.requests import BODY, DATA, PAYLOAD, SECRET, TIMESTAMP, compact, digest, faulty, wire
from tests.presence import present
from tests.tables import each_row

pytestmark = pytest.mark.usefixtures("no_task_is_left")

RIGHT = f"sha256={digest(BODY)}".encode()
WRONG = f"sha256={digest(BODY, SECRET + '_wrong')}".encode()
OTHER = b'{"event":"run.completed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_other1"}}'
EXTRA = {**PAYLOAD, "data": {**DATA, "unexpected_field": {"list": [1, None]}}, "unexpected_field": "text"}
NO_ID = {key: value for key, value in DATA.items() if key != "run_id"}
PADDED = compact({**PAYLOAD, "data": {**DATA, "padding": ""}})
HALF = len(BODY) // 2


def chunks(body: bytes, *sizes: int) -> bytes:
    """A body in chunks."""
    framed, at = b"", 0
    for size in (*sizes, 0):
        framed += f"{size:x}\r\n".encode() + body[at : at + size] + b"\r\n"
        at += size
    assert at == len(body)
    return framed


def lowercase(request: bytes) -> bytes:
    """A request with header names in lower case."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    lower = [name.lower() + b":" + value for name, _, value in (header.partition(b":") for header in headers)]
    return b"\r\n".join([first, *lower, b"", b""]) + body


def correct(host: str) -> bytes:
    return wire(host)


#: What each fault makes of the request, by the way it is written in a script.
EXPECTED = {
    "missing_signature": lambda host: wire(host).replace(b"X-Playgent-Signature: " + RIGHT + b"\r\n", b""),
    "empty_signature": lambda host: wire(host, BODY, b""),
    "wrong_secret": lambda host: wire(host, BODY, WRONG),
    "malformed_signature": lambda host: wire(host, BODY, b"sha256=" + b"z" * 64),
    "truncated_signature": lambda host: wire(host, BODY, RIGHT[: 7 + 32]),
    "wrong_algorithm": lambda host: wire(host, BODY, b"sha512=" + RIGHT[7:]),
    "other_body": lambda host: wire(host, BODY, f"sha256={digest(OTHER)}".encode()),
    "non_ascii_signature": lambda host: wire(host, BODY, b"sha256=\xe9" + RIGHT[8:]),
    "signature_without_prefix": lambda host: wire(host, BODY, RIGHT[7:]),
    "duplicate_signature_header": lambda host: wire(host, BODY, RIGHT, WRONG),
    "extra_fields": lambda host: wire(host, compact(EXTRA)),
    "missing_field": lambda host: wire(host, compact({**PAYLOAD, "data": NO_ID})),
    "null_field": lambda host: wire(host, compact({**PAYLOAD, "data": {**DATA, "run_id": None}})),
    "wrong_type": lambda host: wire(host, compact({**PAYLOAD, "data": {**DATA, "run_id": 12345}})),
    "sorted_keys": lambda host: wire(host, compact(PAYLOAD, sort_keys=True)),
    "duplicate_keys": lambda host: wire(host, b'{"event":null,' + BODY[1:]),
    "spaced_json": lambda host: wire(host, compact(PAYLOAD, separators=(", ", ": "))),
    "pretty_json": lambda host: wire(host, compact(PAYLOAD, indent=2, separators=(",", ": "))),
    "escaped_unicode": lambda host: wire(host, compact(PAYLOAD, ensure_ascii=True)),
    "trailing_newline": lambda host: wire(host, BODY + b"\n"),
    "large_body(5kB)": lambda host: wire(host, PADDED.replace(b'""', b'"' + b"x" * (5000 - len(PADDED)) + b'"')),
    "deep_nesting(4)": lambda host: wire(host, compact({**PAYLOAD, "data": {**DATA, "nested": [[[[]]]]}})),
    "invalid_json": lambda host: wire(host, BODY[:-1] + b"]"),
    "not_utf8": lambda host: wire(host, BODY.replace(b'{"event"', b'{"\xffvent"')),
    "empty_body": lambda host: wire(host, b""),
    "wrong_content_type": lambda host: wire(host, kind="text/plain"),
    "chunked(2)": lambda host: wire(
        host, sent=chunks(BODY, HALF, len(BODY) - HALF), framing="Transfer-Encoding: chunked"
    ),
    "expect_continue(10ms)": lambda host: wire(host, framing=f"Content-Length: {len(BODY)}\r\nExpect: 100-continue"),
    "lowercase_headers": lambda host: lowercase(wire(host)),
    "truncated_body": lambda host: wire(host, sent=BODY[:HALF]),
    "truncated_body(3)": lambda host: wire(host, sent=BODY[:3]),
    "truncated_body(after=1MB)": lambda host: wire(host, sent=BODY[:-1]),
    "slow_headers(20ms)": correct,
    "slow_body(20ms)": correct,
    "disconnect": correct,
    "disconnect(reset)": correct,
    "duplicate": correct,
    "concurrent_duplicates": correct,
    "stale": correct,
    "lost": correct,
    "swap_with_next": correct,
}


def test_every_fault_is_here() -> None:
    """The table leaves out only what changes a byte by chance, which has a test of its own."""
    assert {name.partition("(")[0] for name in EXPECTED} == set(FAULTS) - {"tampered_body"}


@pytest.mark.parametrize("fault", EXPECTED)
async def test_what_goes_over_the_wire(transport: Http1Transport, serve: Serve, fault: str) -> None:
    """A socket receives exactly the expected bytes, and the record says that these were sent."""
    came, ended = bytearray(), asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        answered = False
        while data := await peer.read():
            came.extend(data)
            if not answered and len(came) >= len(expected) and not fault.startswith(("truncated_body", "disconnect")):
                answered = True
                await peer.send(OK)
        ended.set()

    server = await serve(behaviour)
    expected = EXPECTED[fault](f"127.0.0.1:{server.port}")
    request = faulty(fault, server.url)
    exchange = await transport.exchange(request, 60)
    await transport.close()
    await asyncio.wait_for(ended.wait(), 60)
    assert bytes(came) == expected
    assert request.wire == expected
    assert request.head + request.body == expected or fault.startswith("chunked")
    assert exchange.unsent == 0
    if fault.startswith(("truncated_body", "disconnect")):
        assert exchange.response is None
        assert present(exchange.error).kind == "closed"
        assert "on purpose" in present(exchange.error).message
    else:
        assert exchange.error is None
        assert present(exchange.response).status == 200


def test_the_error_of_a_close_on_purpose_says_what_was_done() -> None:
    """The record shows that the fault ended the connection, and where."""
    words = {
        "truncated_body(3)": f"closed on purpose after 3 of {len(BODY)} bytes of body (truncated_body)",
        "disconnect": "closed on purpose before the answer was read (disconnect)",
        "disconnect(reset)": "reset on purpose before the answer was read (disconnect)",
    }
    for fault, message in words.items():
        close = faulty(fault).plan[-1]
        assert isinstance(close, Close)
        assert close.message == message


def test_one_byte_is_tampered_with() -> None:
    """The signature is that of the original; one byte differs, in a value that is text; it is the same each time."""
    for seed in range(40):
        request = faulty("tampered_body", seed=seed)
        changed = [index for index, (new, old) in enumerate(zip(request.body, BODY, strict=True)) if new != old]
        assert len(changed) == 1
        assert dict(request.headers)["X-Playgent-Signature"] == RIGHT.decode()
        assert request.head == wire("127.0.0.1:5000", sent=b"")
        payload = json.loads(request.body)
        assert list(payload) == ["event", "timestamp", "data"]
        assert (payload["data"]["score"], payload["data"]["tags"][1]) == (0.5, {"deep": True})
        assert faulty("tampered_body", seed=seed) == request


def test_tampering_reaches_different_bytes() -> None:
    """Repeats of a step do not all change the same byte."""
    assert len({faulty("tampered_body", seed=seed).body for seed in range(40)}) > 10


def test_tampering_leaves_json_alone() -> None:
    """Neither a key, nor an escape, nor what is not text is changed: the JSON can still be read."""
    payload = b'{"event":"a\\nb","data":{"id":"x","text":"\\t","n":null,"quoted":"\\"key\\":1"}}'
    for seed in range(20):
        changed = json.loads(faulty("tampered_body", payload=payload, seed=seed).body)
        assert changed == {"event": "a\nb", "data": {"id": "0", "text": "\t", "n": None, "quoted": '"key":1'}}


def test_a_body_without_text_is_tampered_with_all_the_same() -> None:
    """Where a text value has no letter or digit, another byte changes."""
    payload = b'{"event":"","data":{"n":1}}'
    request = faulty("tampered_body", payload=payload)
    assert sum(new != old for new, old in zip(request.body, payload, strict=True)) == 1


def test_without_faults_it_is_the_ordinary_request() -> None:
    """A request that is built stage by stage is the one that is built in one go, where no fault changes it."""
    assert faulty([]) == faulty("duplicate")
    assert faulty([]).wire == wire("127.0.0.1:5000")
    assert faulty([]).plan == ()


# --- fields


@each_row(
    ("fault", "expected"),
    [
        ("missing_field(timestamp)", {"event": "run.failed", "data": DATA}),
        ("missing_field(data)", {"event": "run.failed", "timestamp": TIMESTAMP}),
        ("missing_field(data.name)", {**PAYLOAD, "data": {k: v for k, v in DATA.items() if k != "name"}}),
        ("null_field(tags.1.deep)", {**PAYLOAD, "data": {**DATA, "tags": ["a", {"deep": None}]}}),
        ("wrong_type(tags.1.deep)", {**PAYLOAD, "data": {**DATA, "tags": ["a", {"deep": "true"}]}}),
        ("wrong_type(score)", {**PAYLOAD, "data": {**DATA, "score": "0.5"}}),
        ("wrong_type(data.tags.0)", {**PAYLOAD, "data": {**DATA, "tags": [12345, {"deep": True}]}}),
        ("wrong_type(data)", {**PAYLOAD, "data": compact(DATA).decode()}),
        ("null_field(event)", {**PAYLOAD, "event": None}),
    ],
)
def test_a_field_is_named_by_its_path(fault: str, expected: dict[str, Any]) -> None:
    """A path leads into the data; failing that, it names a field beside it."""
    assert faulty(fault).body == compact(expected)


@pytest.mark.parametrize(
    ("kind", "data", "left"),
    [
        ("evaluation.completed", {"score": 1, "evaluation_id": "eval_1"}, {"score": 1}),
        ("optimization.completed", {"optimization_id": "opt_1", "x": 1}, {"x": 1}),
        ("thing.happened", {"first": 1, "second": 2}, {"second": 2}),
    ],
)
def test_without_a_field_it_is_the_id_of_the_object(kind: str, data: dict[str, Any], left: dict[str, int]) -> None:
    """Each event's id is found by its type; an unknown type loses the first field of its data."""
    payload = {"event": kind, "timestamp": TIMESTAMP, "data": data}
    assert faulty("missing_field", payload=compact(payload), kind=kind).body == compact({**payload, "data": left})


def test_data_without_fields_goes_as_a_whole() -> None:
    """With nothing in the data, the data itself is the field."""
    assert faulty("missing_field", payload=compact({**PAYLOAD, "data": {}})).body == compact(
        {"event": "run.failed", "timestamp": TIMESTAMP}
    )


def test_a_field_that_is_not_there_is_an_error() -> None:
    """The message says which fields there are, and which was probably meant."""
    with pytest.raises(
        UsageError, match=r"run.failed has no field 'run_idd' .*there are run_id, .*did you mean 'run_id'\?"
    ):
        faulty("missing_field(run_idd)")


def test_keys_with_dots_are_fields_too() -> None:
    """A key that holds a dot is found before a path is."""
    payload = {**PAYLOAD, "data": {"a.b": "x"}}
    assert faulty("wrong_type(a.b)", payload=compact(payload)).body == compact({**payload, "data": {"a.b": 12345}})


# --- size and spelling


@pytest.mark.parametrize("others", [[], ["pretty_json", "trailing_newline"], ["extra_fields", "sorted_keys"]])
def test_a_large_body_has_exactly_its_size(others: list[str]) -> None:
    """Whatever is combined with it, the body has that many bytes, is JSON and signed; a larger one stays as it is."""
    without = faulty(others)
    for size in (1, len(BODY), *range(len(BODY) + 1, len(BODY) + 20), 100_000):
        request = faulty([{"large_body": size}, *others])
        assert len(request.body) == max(size, len(without.body))
        padded = json.loads(request.body)
        padded["data"].pop("padding", None)
        assert padded == json.loads(without.body)
        assert dict(request.headers)["X-Playgent-Signature"] == f"sha256={digest(request.body)}"


def test_padding_goes_into_empty_or_missing_data() -> None:
    """Data without fields gets the padding; if the data is no object, the padding is beside it."""
    empty = faulty("large_body(200)", payload=compact({**PAYLOAD, "data": {}})).body
    beside = faulty([{"null_field": "data"}, {"large_body": 200}]).body
    without = faulty([{"missing_field": "data"}, {"deep_nesting": 2}]).body
    assert list(json.loads(empty)["data"]) == ["padding"]
    assert list(json.loads(beside)) == ["event", "timestamp", "data", "padding"]
    assert json.loads(without)["nested"] == [[]]
    assert len(empty) == len(beside) == 200


def test_a_spaced_payload_keeps_its_spaces() -> None:
    """Where payloads are spaced by the settings, a changed one is spaced too."""
    spaced = compact(PAYLOAD, separators=(", ", ": "))
    expected = compact({**PAYLOAD, "data": NO_ID}, separators=(", ", ": "))
    assert faulty("missing_field", payload=spaced).body == expected
    assert faulty("duplicate_keys", payload=spaced).body == b'{"event": null, ' + spaced[1:]
    assert faulty("sorted_keys", payload=spaced).body == compact(PAYLOAD, separators=(", ", ": "), sort_keys=True)


def test_plain_ascii_is_escaped_somewhere() -> None:
    """Without a character outside ASCII there is still an escape for a consumer to stumble over."""
    payload = compact({**PAYLOAD, "data": {"run_id": "run_1"}})
    assert faulty("escaped_unicode", payload=payload).body == payload.replace(b'"event"', b'"\\u0065vent"')


# --- combined


@each_row(
    ("faults", "expected"),
    [
        (
            ["trailing_newline", "pretty_json", "sorted_keys", "escaped_unicode"],
            lambda host: wire(host, json.dumps(PAYLOAD, indent=2, sort_keys=True).encode() + b"\n"),
        ),
        (
            ["lowercase_headers", "wrong_secret", "spaced_json"],
            lambda host: lowercase(
                wire(
                    host,
                    body := json.dumps(PAYLOAD, ensure_ascii=False).encode(),
                    f"sha256={digest(body, SECRET + '_wrong')}".encode(),
                )
            ),
        ),
        (
            [
                "slow_body(5ms)",
                "slow_headers(5ms)",
                "missing_signature",
                "chunked(1)",
                "lowercase_headers",
                "disconnect",
            ],
            lambda host: lowercase(
                wire(host, sent=chunks(BODY, len(BODY)), framing="Transfer-Encoding: chunked").replace(
                    b"X-Playgent-Signature: " + RIGHT + b"\r\n", b""
                )
            ),
        ),
        (
            ["truncated_body(10)", "expect_continue(5ms)", "slow_body(5ms)"],
            lambda host: wire(host, sent=BODY[:10], framing=f"Content-Length: {len(BODY)}\r\nExpect: 100-continue"),
        ),
        (
            ["empty_body", "chunked"],
            lambda host: wire(host, b"", sent=b"0\r\n\r\n", framing="Transfer-Encoding: chunked"),
        ),
        (["not_utf8", "large_body(5kB)"], lambda host: EXPECTED["not_utf8"](host)[:0]),
    ],
)
def test_faults_compose(faults: list[str], expected: Callable[..., Any]) -> None:
    """In whatever order they are listed, they apply in the order in which a request is made."""
    request, backwards = faulty(faults), faulty(faults[::-1])
    assert request == backwards
    wanted = expected("127.0.0.1:5000")
    if wanted:
        assert request.wire == wanted
    else:
        assert len(request.body) == 5000
        assert request.body.startswith(b'{"\xffvent"')


def test_the_plan_waits_where_the_faults_say() -> None:
    """What cannot be seen from outside: how the pauses lie between the pieces, and that they add up."""
    plan = faulty(["slow_headers(1s)", "expect_continue(3s)", "slow_body(30s)", "disconnect"]).plan
    pauses = [step.seconds for step in plan if isinstance(step, Pause)]
    assert len(pauses) == 20 + 30
    assert sum(pauses[:20]) == pytest.approx(1)
    assert sum(pauses[20:]) == pytest.approx(30)
    kinds = [type(step).__name__ for step in plan]
    assert kinds == ["Pause", "bytes"] * 20 + ["AwaitContinue"] + ["Pause", "bytes"] * 30 + ["Close"]
    assert isinstance(plan[40], AwaitContinue)
    assert plan[40].seconds == 3


def test_a_request_knows_how_much_memory_it_takes() -> None:
    """A plan holds the bytes a second time."""
    assert faulty([]).size == len(faulty([]).wire)
    assert faulty("chunked").size == len(faulty("chunked").wire) + len(faulty("chunked").head) + len(BODY)
