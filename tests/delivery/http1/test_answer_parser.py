"""What is made of the bytes of an answer, without a connection: limits to the byte, and what stays open."""

from mockserver.delivery.http1.answer import HEAD_LIMIT, READ_LIMIT, Answer
from mockserver.model.messages import Response, size_of
from tests.delivery.http1.raw_server import OK
from tests.presence import failure, present
from tests.tables import each_row


def fed(*pieces: bytes, record_limit: int = HEAD_LIMIT) -> Answer:
    answer = Answer(record_limit)
    for piece in pieces:
        answer.feed(piece)
    return answer


def head_of(size: int) -> bytes:
    """The head of an answer without a body, of this many bytes."""
    start, end = b"HTTP/1.1 200 OK\r\nA: ", b"\r\nContent-Length: 0\r\n\r\n"
    return start + b"a" * (size - len(start) - len(end)) + end


def test_an_answer_is_settled_with_its_last_byte() -> None:
    """Not one byte earlier; then it holds the response, and the connection serves once more."""
    answer = Answer(HEAD_LIMIT)
    assert [answer.feed(OK[at : at + 1]) for at in range(len(OK))] == [False] * (len(OK) - 1) + [True]
    headers = (("content-length", "2"),)
    assert answer.response == Response(200, "OK", headers, b"ok", 2, size_of(headers))
    assert answer.complete
    assert answer.reusable
    assert answer.error is None
    assert answer.received == len(OK)


def test_nothing_of_an_answer_is_in_the_next_one() -> None:
    """Neither its error nor its parts, also where it broke off."""
    answer = fed(b"HTTP/1.1 500 Oh\r\nA: b\r\nContent-Length: 3\r\n\r\nno")
    answer.reset()
    assert (answer.received, answer.response, answer.complete, answer.reusable) == (0, None, False, False)
    answer = fed(OK)
    answer.reset()
    answer.feed(b"HTTP/1.1 204 \r\n\r\n")
    assert answer.response == Response(204)


def test_a_100_is_noted_and_other_interim_answers_are_not() -> None:
    """A request that waits for a 100 goes on with that one alone; none leaves anything in the answer."""
    waits, goes_on = b"HTTP/1.1 102 Wait\r\nA: b\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"
    for pieces, continued in (((), False), ((waits,), False), ((goes_on,), True), ((goes_on, waits), True)):
        answer = fed(*pieces)
        assert answer.continued is continued
        answer.feed(OK)
        assert answer.continued is continued
        assert answer.response == fed(OK).response


def test_a_101_is_an_answer_without_a_body_and_the_last() -> None:
    """Another protocol begins behind it, whether it names one or not."""
    for upgrade in (b"", b"Connection: upgrade\r\nUpgrade: x\r\n"):
        answer = fed(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + b"\r\n")
        assert (answer.complete, answer.reusable) == (True, False)
        answer.feed(b"\x00\x01")
        assert answer.error is None
        assert (present(answer.response).status, present(answer.response).body) == (101, b"")


def test_a_head_may_have_64_kib_to_the_byte() -> None:
    """One byte more is too many: of all that came while it has no end, of the headers alone where it has one."""
    unfinished = head_of(2 * HEAD_LIMIT)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000
    outside = len(b"HTTP/1.1 200 OK\r\n" + b"\r\n")
    for size, whole in ((HEAD_LIMIT, unfinished), (HEAD_LIMIT, interim), (HEAD_LIMIT + outside, None)):
        assert fed((whole or head_of(size))[:size]).error is None
        assert failure(fed((whole or head_of(size + 1))[: size + 1]).error) == (
            "too_large",
            "the header of the answer has no end within 64 KiB",
        )


def test_a_body_is_read_for_one_mebibyte_to_the_byte() -> None:
    """What comes then is cut off, and the answer counts as complete; where more is recorded, more is read."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    whole = head + bytes(READ_LIMIT - len(head))
    assert not fed(whole).complete
    cut_off = fed(whole, b"1")
    assert (cut_off.complete, cut_off.reusable, cut_off.error) == (True, False, None)
    assert present(cut_off.response).body_size == READ_LIMIT - len(head) + 1
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % READ_LIMIT
    kept = fed(head + bytes(READ_LIMIT - 1), b"1", record_limit=READ_LIMIT)
    assert (kept.complete, kept.reusable, kept.error) == (True, True, None)
    assert len(present(kept.response).body) == READ_LIMIT


def test_what_has_no_end_after_a_body_that_was_recorded_whole_is_an_error() -> None:
    """It is not the body that is too long: the message says how much of it came."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    answer = fed(head, *[b"A: b\r\n" * 10_000] * 18, record_limit=2)
    message = "the answer has no end within 1024 KiB, of which 2 are body"
    assert failure(answer.error) == ("too_large", message)
    assert present(answer.response).body == b"ok"


def test_what_is_recorded_of_a_body_ends_at_the_limit_in_the_middle_of_a_piece() -> None:
    """Before, at and after it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    for pieces, kept in (((b"abc",), b"abc"), ((b"abcd",), b"abcd"), ((b"abc", b"de", b"fghi"), b"abcd")):
        answer = fed(head, *pieces, record_limit=4)
        assert present(answer.response).body == kept
        assert present(answer.response).body_size == sum(map(len, pieces))


@each_row(
    ("wire", "how", "message", "body"),
    [
        (b"", "closed", "the connection closed before an answer came", None),
        (b"HTTP/1.1 200", "was reset", "the connection was reset after 12 bytes of header", None),
        (b"HTTP/1.1 200 OK\r\n\r\nab", "was reset", "the connection was reset after 2 bytes of body", b"ab"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nA: b\r\n\r\nabc",
            "closed",
            "the connection closed after 3 of 9 bytes of body",
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nab", "closed", None, b"ab"),
        (b"HTTP/1.0 200 OK\r\n\r\nab", "closed", None, b"ab"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", "closed", None, b"ab"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n",
            "closed",
            "the connection closed after 2 bytes of body",
            b"ab",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked \r\n\r\n2\r\nab\r\n",
            "closed",
            "the connection closed after 2 bytes of body",
            b"ab",
        ),
    ],
)
def test_the_end_of_the_connection(wire: bytes, how: str, message: str | None, body: bytes | None) -> None:
    """It ends a body that has no other end, if the server closed; otherwise it is an error that says what came."""
    answer = fed(*[wire] if wire else [])
    answer.end(how)
    assert answer.reusable is False
    assert answer.complete is (message is None)
    assert (answer.error and (answer.error.kind, answer.error.message)) == (message and ("closed", message))
    assert (answer.response and answer.response.body) == body


@each_row(
    ("pieces", "begins"),
    [
        ([b"SSH-2.0-" + b"x" * 100], b"SSH-2.0-" + b"x" * 32),
        ([b"H", b"TTP/1.1 2", b"!!"], b"HTTP/1.1 2!!"),
        ([b"\x15\x03\x01\x00\x02\x02\x46"], b"\x15\x03\x01\x00\x02\x02\x46"),
    ],
)
def test_what_is_not_http_is_shown_by_how_it_begins(pieces: list[bytes], begins: bytes) -> None:
    """In at most 40 bytes, in however many pieces they come; an alert of TLS with what it means."""
    answer = Answer(HEAD_LIMIT)
    assert [answer.feed(piece) for piece in pieces][-1]
    assert present(answer.error).kind == "protocol"
    assert "None" not in present(answer.error).message
    assert present(answer.error).message.startswith("the answer is not HTTP (")
    hint = ": is it an https:// address?" if begins[:1] == b"\x15" else ""
    assert present(answer.error).message.endswith(f"); it begins {begins!r}{hint}")


def test_what_follows_a_complete_answer_costs_it_only_its_connection() -> None:
    """Garbage, or the beginning of another answer."""
    more = [b"what is this", b"HTTP/1.1 500 No\r\nA: b\r\nContent-Length: 3\r\n\r\nno!", b"H", b"x" * READ_LIMIT]
    for each in more:
        answer = fed(OK + each)
        assert answer.error is None
        assert answer.reusable is False
        assert answer.response == fed(OK).response
        assert present(answer.response).reason == "OK"
