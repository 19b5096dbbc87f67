"""What is made of odd bodies, and of unusual ways in which a right one comes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import override

import mockserver
from tests.checks.checked import SECRET, checked
from tests.checks.consumer import Consumer
from tests.checks.judged import Hooks, Judged, by_hand, counting, instead, signed

# ---------------------------------------------------------------- bodies


def canonical(body: bytes) -> bytes:
    """Written again, with the keys in the vendor's order."""
    payload = json.loads(body)
    return compact({key: payload[key] for key in ("event", "timestamp", "data") if key in payload})


def compact(payload: object) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def whole_numbers(body: bytes) -> bytes:
    """As JavaScript writes it again."""
    return compact(json.loads(body, parse_float=lambda text: int(text[:-2]) if text.endswith(".0") else float(text)))


@pytest.mark.parametrize(
    ("verified", "cause"),
    [
        (bytes.strip, "whitespace at the ends is stripped before the signature is computed"),
        (whole_numbers, "a body that was parsed and written again is verified, not the raw one"),
        (canonical, "a body that was parsed and written again, with its keys in an order of its own, is verified"),
        (lambda body: body.replace(b"\\u", b""), "something other than the raw body is verified"),
        (lambda body: body.replace(b":1.0", b":1"), "something other than the raw body is verified"),
    ],
    ids=["stripped", "written again", "in another order", "escapes", "numbers"],
)
async def test_the_spellings_that_are_refused_show_what_is_verified_instead(
    verified: Callable[[bytes], bytes], cause: str, judged: Judged
) -> None:
    consumer = Consumer()

    def is_genuine(body: bytes, signature: str) -> bool:
        try:
            return Consumer.is_genuine(consumer, verified(body), signature)
        except (ValueError, RecursionError):
            return False

    consumer.change(is_genuine=is_genuine)
    finding = await judged.finding(consumer, "PG030")
    assert finding.verdict == "fail"
    assert finding.summary.endswith(f"; {cause}")


async def test_a_number_is_spelled_in_another_way_where_an_event_has_one(judged: Judged) -> None:
    """Truth values are no numbers; and an event without a number has none to spell."""
    consumer = Hooks()
    finding = await judged.finding(consumer, "PG030", events=("run.completed",))
    assert finding.summary.endswith(", 1.0 for 1")
    assert all(payload["data"]["success"] is True for payload in consumer.payloads)
    assert consumer.payloads[-1]["data"]["summary"]["turns_passed"] == 1
    finding = await judged.finding(Consumer(), "PG030", events=("run.failed",))
    assert "1.0 for 1" not in finding.summary


async def test_every_field_but_the_id_is_null_once(judged: Judged) -> None:
    """And one at a time."""
    consumer = Hooks()
    await judged.finding(consumer, "PG042", events=("run.completed",))
    nulls = [[key for key, value in payload["data"].items() if value is None] for payload in consumer.payloads]
    assert sorted(filter(None, nulls)) == [["success"], ["summary"], ["test_case_id"], ["test_case_name"]]


async def test_a_field_that_may_not_be_null_is_named(judged: Judged) -> None:
    """With the event type in which it was."""
    consumer = Hooks()

    def answer(_: object) -> web.Response | None:
        return None if consumer.payloads[-1]["data"].get("summary", 1) else web.Response(status=500)

    finding = await judged.finding(instead(consumer, answer), "PG042")
    assert finding.summary == (
        "answered 500: run.completed with summary null: senders retry a 5xx, and it never gets better"
    )


async def test_bodies_have_the_sizes_that_are_reported(judged: Judged) -> None:
    """To the byte."""
    consumer = Hooks()
    finding = await judged.finding(consumer, "PG045", events=("run.failed",))
    assert finding.verdict == "pass"
    sizes = sorted(len(compact(payload)) for payload in consumer.payloads)
    assert sizes[-3:] == [99_000, 101_000, 1_000_000]


def reading_pieces(decode: Callable[[list[bytes]], bytes]) -> Consumer:
    """It verifies what this function makes of the pieces in which a body came."""

    class ReadsPieces(Consumer):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            pieces = [piece async for piece, _ in request.content.iter_chunks()]
            genuine = self.is_genuine(decode(pieces), request.headers["X-Playgent-Signature"])
            return web.Response(status=200 if genuine else 401)

    return ReadsPieces()


@pytest.mark.parametrize(
    ("decode", "verdict"),
    [
        (b"".join, "pass"),
        (lambda pieces: "".join(piece.decode("utf-8", "replace") for piece in pieces).encode(), "fail"),
        (lambda pieces: b"".join(pieces).decode("ascii", "replace").encode(), "not tested"),
        (lambda pieces: pieces[0] if pieces else b"", "not tested"),
    ],
    ids=["bytes", "each piece on its own", "no text but ASCII", "the first piece"],
)
async def test_a_body_that_is_cut_within_characters_is_read_as_a_whole(
    decode: Callable[[list[bytes]], bytes], verdict: str, judged: Judged
) -> None:
    """A consumer that takes neither text outside ASCII nor chunks has another mistake: the report names that one."""
    finding = await judged.finding(reading_pieces(decode), "PG033", events=("run.failed",))
    assert finding.verdict == verdict
    assert verdict != "fail" or "cut within characters" in finding.summary


@pytest.mark.parametrize("check", ["PG031", "PG045"])
async def test_an_event_without_a_text_is_no_proof_of_anything(check: str, judged: Judged) -> None:
    """Nothing was sent, so nothing passed."""
    finding = await judged.finding(Consumer(), check, events=("order.shipped",), extra_events=("order.shipped",))
    assert (finding.verdict, finding.summary) == ("not tested", "none of the consumer's events has text to change")


# ---------------------------------------------------------------- ways of sending


class OneAtATime(Consumer):
    """While a body comes in, all others wait; a number of times, then no more."""

    def __init__(self, times: int, then: web.Response | None = None) -> None:
        super().__init__()
        self.times = times
        self.then = then
        self.idle = asyncio.Event()
        self.idle.set()

    @override
    async def webhook(self, request: web.Request) -> web.Response:
        if not self.idle.is_set() and self.times:
            self.times -= 1
            await self.idle.wait()
            return self.then or await super().webhook(request)
        self.idle.clear()
        try:
            return await super().webhook(request)
        finally:
            self.idle.set()


@pytest.mark.parametrize(("times", "verdict"), [(0, "pass"), (1, "pass"), (2, "fail")])
async def test_who_waits_for_a_slow_sender_once_is_asked_again(times: int, verdict: str, judged: Judged) -> None:
    """Once may be a coincidence, twice is none."""
    finding = await judged.finding(OneAtATime(times), "PG053")
    assert finding.verdict == verdict
    assert verdict == "pass" or finding.summary.startswith("beside a body that dripped for 3 s a valid event answered")


async def test_who_turns_others_away_beside_a_slow_sender_blocks_them_too(judged: Judged) -> None:
    """A refusal at once is no better than to wait."""

    class TurnsAway(Consumer):
        busy = False

        @override
        async def webhook(self, request: web.Request) -> web.Response:
            if self.busy:
                return web.Response(status=503)
            self.busy = True
            try:
                return await super().webhook(request)
            finally:
                self.busy = False

    finding = await judged.finding(TurnsAway(), "PG053")
    assert finding.verdict == "fail"
    assert "a valid event answered 503" in finding.summary


async def test_where_every_answer_is_slow_nothing_is_said_of_waiting(judged: Judged) -> None:
    """It cannot be known whether it waited."""
    consumer = Consumer()
    taken = consumer.take

    async def take(key: tuple[str, str]) -> web.Response:
        await asyncio.sleep(0.6)
        return await taken(key)

    consumer.change(take=take)
    finding = await judged.finding(consumer, "PG053", events=("run.failed",))
    assert finding.verdict == "inconclusive"
    assert re.fullmatch(r"an ordinary answer takes [\d.]+ s: too long to judge", finding.summary)


async def test_an_application_object_that_reads_no_chunks_is_warned_of() -> None:
    """Some of its servers would read them for it."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        genuine = mockserver.verify(body, environ.get("HTTP_X_PLAYGENT_SIGNATURE"), SECRET)
        start_response("200 OK" if genuine else "401 Unauthorized", [])
        return [b""]

    report = await mockserver.acheck(app, SECRET, only=["PG050", "PG052", "PG053"])
    assert report.finding("PG050").verdict == "warn"
    assert "some servers (waitress) give it a Content-Length" in report.finding("PG050").summary
    assert {report.finding(check).verdict for check in ("PG052", "PG053")} == {"not tested"}


async def test_chunks_that_a_server_does_not_read_are_a_failure(judged: Judged) -> None:
    """Behind a port there is no other server to do it."""

    class ReadsNoChunks(Consumer):
        @override
        async def webhook(self, request: web.Request) -> web.Response:
            return await super().webhook(request) if request.content_length else web.Response(status=401)

    assert (await judged.finding(ReadsNoChunks(), "PG050")).verdict == "fail"


@pytest.mark.parametrize(
    ("way", "probed", "verdict", "summary"),
    [
        ("verifies", True, "pass", "half of a body had no effect, and the next event was accepted"),
        ("believes", True, "fail", "half of a body had an effect of 1"),
        ("believes", False, "pass", "after half of a body the next event was accepted"),
        (
            "breaks",
            False,
            "fail",
            "after half a body, a valid event answered 500; after that a valid event answered 500",
        ),
    ],
)
@pytest.mark.usefixtures("quick_time")
async def test_half_of_a_body_must_have_no_effect(way: str, probed: bool, verdict: str, summary: str) -> None:
    """Who verifies it finds that it is not what was signed, and goes on; without a probe no effect is spoken of."""
    handled: list[bytes] = []
    broken: list[bytes] = []

    async def answer(head: bytes, body: bytes, whole: bool) -> int:
        if way != "verifies" or signed(body).encode() in head:
            handled.append(body)
        if way == "breaks" and not whole:
            broken.append(body)
        return 500 if broken else 200

    async with by_hand(answer) as url:
        more = {"probe": counting(handled)} if probed else {}
        report = await checked(url, only=("PG054",), events=("run.failed",), **more)
    assert (report.finding("PG054").verdict, report.finding("PG054").summary) == (verdict, summary)
