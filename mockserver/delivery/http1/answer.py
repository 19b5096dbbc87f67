"""An answer as it comes in: bytes are fed to httptools, which calls back what it reads. No I/O happens here.

A server may be hostile or broken, so everything is bounded: the header block by :data:`HEAD_LIMIT`, what is read of a
body by :data:`READ_LIMIT`, what is kept of it by the transport's ``record_limit``. An answer is *settled* once it is
complete or can no longer become so; ``error`` says which.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from mockserver.model.messages import ExchangeError, Headers, Response, size_of

#: The most bytes that a header block may have, interim (1xx) answers before it included.
HEAD_LIMIT = 65536
#: The most bytes that are read of one answer; what is longer is cut off there and its connection closed.
READ_LIMIT = 1 << 20
#: How many of its first bytes a message shows of something that is not HTTP.
_SHOWN = 40


class Answer:
    """Reads the answers of one connection, one after the other; of each body, ``record_limit`` bytes are kept."""

    __slots__ = (
        "_chunks",
        "_head_done",
        "_headers",
        "_kept",
        "_opening",
        "_pairs",
        "_parser",
        "_read_limit",
        "_reason",
        "_record_limit",
        "_size",
        "_status",
        "complete",
        "continued",
        "error",
        "received",
        "reusable",
    )

    def __init__(self, record_limit: int) -> None:
        self._record_limit = record_limit
        self._read_limit = max(READ_LIMIT, record_limit + HEAD_LIMIT)
        self.continued = False  # whether a 100 Continue came; only the first request of a connection waits for one
        self.reset()
        self._parser = HttpResponseParser(self)

    def reset(self) -> None:
        """Make ready for the next answer on the same connection."""
        self.complete = False
        self.error: ExchangeError | None = None
        self.received = 0
        self.reusable = False
        self._opening = b""
        self._head_done = False
        self._status = 0
        self._reason = b""
        self._headers: Headers = ()
        self._pairs: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []
        self._kept = 0
        self._size = 0

    def release(self) -> None:
        """No more answers will come. The parser and this object hold each other, so without this they would linger."""
        self.reset()
        self._parser = HttpResponseParser(None)

    # --- what the connection says

    def feed(self, data: bytes) -> bool:
        """Read what came, and return whether the answer is settled."""
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # the answer was a 101, which is complete: what follows it would be another protocol
        except HttpParserError as error:
            self._misread(error, data)
        if not (self.complete or self.error):
            self._check_limits(data)
        return self.complete or bool(self.error)

    def end(self, how: str) -> None:
        """End the answer with the connection; only a connection that was "closed" is a proper end."""
        self.reusable = False
        if self._head_done and how == "closed" and self._ends_with_connection():
            self.complete = True
        else:
            self.error = ExchangeError("closed", f"the connection {how} {self._until()}")

    # --- what is known of it

    @property
    def response(self) -> Response | None:
        """The answer, or the part of it that came; None before the end of its header."""
        if not self._head_done:
            return None
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        reason, headers = self._reason.decode("latin-1"), self._headers
        return Response(self._status, reason, headers, body, self._size, size_of(headers))

    @property
    def extent(self) -> str:
        """How much of it came, in words."""
        if not self._head_done:
            return f"{self.received} bytes of header"
        length = self._header("content-length")
        return f"{self._size} of {length} bytes of body" if length else f"{self._size} bytes of body"

    def _until(self) -> str:
        return f"after {self.extent}" if self.received else "before an answer came"

    def _header(self, name: str) -> str:
        return next((value for key, value in reversed(self._headers) if key == name), "")

    def _ends_with_connection(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, section 6.3)."""
        coding = self._header("transfer-encoding").rpartition(",")[2].strip().lower()
        return coding != "chunked" if coding else not self._header("content-length")

    # --- limits and errors

    def _misread(self, error: HttpParserError, data: bytes) -> None:
        self.reusable = False
        if not self.complete:  # after a complete answer, what follows does not matter
            opening = (self._opening + data)[:_SHOWN]
            hint = ": is it an https:// address?" if opening.startswith(b"\x15\x03") else ""
            self.error = ExchangeError("protocol", f"the answer is not HTTP ({error}); it begins {opening!r}{hint}")

    def _check_limits(self, data: bytes) -> None:
        self._opening += data[: _SHOWN - len(self._opening)]
        if not self._head_done:
            if self.received > HEAD_LIMIT:
                self._head_is_too_large()
        elif self.received > self._read_limit:
            self._cut_off()

    def _head_is_too_large(self) -> None:
        self.error = ExchangeError("too_large", f"the header of the answer has no end within {HEAD_LIMIT >> 10} KiB")

    def _cut_off(self) -> None:
        if self._size > self._record_limit:
            self.complete = True
        else:  # it is not the body that is endless, but what is wrapped around it
            message = f"the answer has no end within {self._read_limit >> 10} KiB, of which {self._size} are body"
            self.error = ExchangeError("too_large", message)

    # --- what httptools calls

    def on_message_begin(self) -> None:
        """An answer begins: the one we wait for, or one that was not asked for."""
        self.reusable = False

    def on_status(self, part: bytes) -> None:
        """The reason phrase, or a part of it."""
        if not self.complete:
            self._reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; after the body, one trailer, which is left out."""
        self._pairs.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The header ends; that of an interim answer is forgotten."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        pairs, self._pairs = self._pairs, []
        if status < 200 and status != 101:
            self._reason = b""
            self.continued = self.continued or status == 100
            return
        self._head_done = True
        self._status = status
        self._headers = tuple(pairs)
        if self.received > HEAD_LIMIT and sum(len(name) + len(value) + 4 for name, value in pairs) > HEAD_LIMIT:
            self._head_is_too_large()

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self.complete:
            return
        self._size += len(part)
        kept = part[: self._record_limit - self._kept]
        self._kept += len(kept)
        self._chunks.append(kept)

    def on_message_complete(self) -> None:
        """The answer ends."""
        if self._head_done and not self.complete:
            self.complete = True
            self.reusable = self._status != 101 and self._parser.should_keep_alive()
