"""The five consumers on the wire: bodies that come in pieces, slowly or only in part, and what is no HTTP at all."""

from __future__ import annotations

import re

import pytest

from mockserver import sign
from tests.consumers.launch import SECRET, Consumer
from tests.consumers.post import connect, exchange_raw, post, read_answer
from tests.deliveries import assert_still_works, compact, deliver, event, handled


@pytest.mark.parametrize("size", [1, 7, 65536], ids=lambda size: f"{size} bytes")
def test_a_chunked_body_is_accepted(consumer, size):
    """A body without a length, in chunks of any size, is the same body."""
    body = compact(event(note="Zürich"))
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert post(consumer.webhook_url, chunks, sign(body, SECRET)).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


def test_a_sender_may_ask_before_it_sends_the_body(consumer):
    """``Expect: 100-continue`` gets its go-ahead before the body, and then the answer."""
    body = compact(event())
    with connect(consumer.url) as connection:
        connection.putrequest("POST", "/webhooks/playgent")
        connection.putheader("X-Playgent-Signature", sign(body, SECRET))
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(12) == b"HTTP/1.1 100"
        connection.send(body)
        _rest_of_the_interim_answer(connection.sock)
        assert read_answer(connection.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", "run_def456")]


def _rest_of_the_interim_answer(sock) -> None:
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        seen += sock.recv(1)


def test_a_slow_sender_does_not_hold_up_others(consumer):
    """While one body has come only by half, another event is answered."""
    body = compact(event())
    with connect(consumer.url) as slow:
        slow.putrequest("POST", "/webhooks/playgent")
        slow.putheader("X-Playgent-Signature", sign(body, SECRET))
        slow.putheader("Content-Length", str(len(body)))
        slow.endheaders(body[:20])
        assert deliver(consumer, compact(event(object_id="run_fast"))).status == 200
        slow.send(body[20:])
        assert read_answer(slow.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", "run_fast"), ("run.failed", "run_def456")]


HEAD = b"POST /webhooks/playgent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CUT_OFF = {
    "nothing": b"",
    "half a request line": b"POST /webh",
    "half a head": HEAD,
    "half a body": HEAD + b"Content-Length: 100\r\n\r\n{}",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{}",
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
NONSENSE = {
    "no length": HEAD + b"\r\n{}",
    "bad length": HEAD + b"Content-Length: two\r\n\r\n{}",
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "not compressed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "control characters": HEAD + b"X-Playgent-Signature: \x01\x7f\r\nContent-Length: 2\r\n\r\n{}",
    "zero byte": HEAD + b"X-Playgent-Signature: sha256=\x00\r\nContent-Length: 2\r\n\r\n{}",
    "binary path": HEAD.replace(b"playgent", b"\xff%ff") + b"Content-Length: 0\r\n\r\n",
    "strange path": HEAD.replace(b"/webhooks/playgent", b"//") + b"Content-Length: 0\r\n\r\n",
    "strange host": HEAD.replace(b"x", b"a b:c") + b"Content-Length: 2\r\n\r\n{}",
    "no host": HEAD.replace(b"Host: x\r\n", b"") + b"Content-Length: 2\r\n\r\n{}",
    "no request line": b"\x00\x01\x02 {}\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", CUT_OFF.values(), ids=CUT_OFF)
def test_a_request_that_is_cut_off_is_dropped(consumer, request_bytes):
    """A sender that goes away in the middle causes no 5xx and no effect, and the next event is taken."""
    assert_harmless(consumer, exchange_raw(consumer.webhook_url, request_bytes, hang_up=True))


@pytest.mark.parametrize("request_bytes", NONSENSE.values(), ids=NONSENSE)
def test_a_broken_request_is_refused(consumer, request_bytes):
    """A request that is not HTTP, or not what its headers say, causes no 5xx and no effect."""
    assert_harmless(consumer, exchange_raw(consumer.webhook_url, request_bytes))


def assert_harmless(consumer: Consumer, answer: bytes) -> None:
    """Show that a request was refused or dropped, and that the consumer did not stumble over it."""
    assert not re.match(rb"HTTP/1\.[01] [25]", answer), answer
    assert handled(consumer) == []
    assert_still_works(consumer)


def test_several_events_on_one_connection(consumer):
    """A sender that keeps its connection, where the server lets it, has each event handled."""
    with connect(consumer.url) as connection:
        for number in range(3):
            body = compact(event(object_id=f"run_{number}"))
            connection.request("POST", "/webhooks/playgent", body, {"X-Playgent-Signature": sign(body, SECRET)})
            assert read_answer(connection.getresponse()).status == 200
    assert handled(consumer) == [("run.failed", f"run_{number}") for number in range(3)]
