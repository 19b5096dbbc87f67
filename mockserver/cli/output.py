"""Lines on the standard streams, written on a thread: a reader that is slow or gone never stops the event loop."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TextIO

import click
import msgspec

from mockserver.model.quantities import format_timestamp
from mockserver.model.records import RESENT, Delivery
from mockserver.model.redaction import without_tokens
from mockserver.model.wording import visible

#: Seconds for which lines are gathered before they are written.
_GATHER = 0.1
#: This many gathered lines are written without waiting longer.
_MANY = 1000
#: This many characters wait for a reader; further lines are left out, and counted.
MOST_WAITING = 4 * 1024 * 1024


class Writer:
    """Writes to streams in the order of the calls, on a thread that starts with the first of them.

    Args:
        on_failure: Called once on the event loop, with the error, when a stream takes no more; later text is dropped.
    """

    def __init__(self, on_failure: Callable[[OSError], None]) -> None:
        self._on_failure = on_failure
        self._texts: deque[tuple[TextIO, str] | None] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._waiting = 0
        self._left_out = 0
        self._failed = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._empty = asyncio.Event()

    def write(self, stream: TextIO, text: str, *, whole: bool = False) -> None:
        """Write a text soon; a stream that is no file of the system, at once."""
        if self._failed:
            return
        if not _is_file(stream):
            self._write_at_once(stream, text)
            return
        with self._changed:
            if self._waiting > MOST_WAITING and not whole:
                self._left_out += text.count("\n")
                return
            self._waiting += len(text)
        self._empty.clear()
        self._hand_over((stream, text))
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            # A daemon: it may be in the middle of a write that never ends.
            self._thread = threading.Thread(
                target=self._write_all, args=(self._loop,), name="mockserver-output", daemon=True
            )
            self._thread.start()

    async def drained(self) -> None:
        """Wait until everything is written."""
        if self._thread is not None and not self._failed:
            await self._empty.wait()

    def close(self) -> None:
        """Let the thread end when everything is written."""
        if self._thread is not None:
            self._hand_over(None)
            self._thread = None

    def _hand_over(self, entry: tuple[TextIO, str] | None) -> None:
        with self._changed:
            self._texts.append(entry)
            self._changed.notify()

    def _take(self) -> tuple[TextIO, str] | None:
        with self._changed:
            while not self._texts:
                self._changed.wait()
            return self._texts.popleft()

    def _write_at_once(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            self._fail(error)

    def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while entry := self._take():
            stream, text = entry
            try:
                _write_to_file(stream, text)
                with self._changed:
                    left_out, self._left_out = self._left_out, 0
                if left_out:
                    _write_to_file(stream, f"... {left_out} lines left out: the output was not read in time\n")
            except OSError as error:
                with suppress(RuntimeError):  # the loop is closed: the command is at its end, and asks no more
                    loop.call_soon_threadsafe(self._fail, error)
                return
            with self._changed:
                self._waiting -= len(text)
                if not self._waiting:
                    with suppress(RuntimeError):  # as above
                        loop.call_soon_threadsafe(self._note_empty)

    def _note_empty(self) -> None:
        if not self._waiting:
            self._empty.set()

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._empty.set()
        self._on_failure(error)


class ClosedOutput(io.TextIOBase):
    """Standard output of a process that was started without one: what is printed to it cannot be written."""

    encoding = "utf-8"

    def writable(self) -> bool:
        """Return true: the reason why not comes with the first text."""
        return True

    def write(self, text: str) -> int:  # noqa: ARG002 - as streams are written to
        """Raise an OSError."""
        raise OSError(errno.EBADF, "standard output is closed")


class StreamStyle:
    """What a stream can show."""

    def __init__(self, stream: TextIO) -> None:
        self.colour = wants_colour(stream)
        self._marks = ("✓", "✗") if _can_show(stream, "✓✗") else ("+", "x")

    @staticmethod
    def of_stdout() -> StreamStyle:
        """Return what standard output can show."""
        return StreamStyle(sys.stdout)

    def mark(self, good: bool) -> str:
        """Return the mark of what is as expected, or is not."""
        return self._marks[0 if good else 1]


class Printer(StreamStyle):
    """Prints lines to a stream; inside an event loop it gathers them for a moment: a million cost little that way."""

    def __init__(self, stream: TextIO, writer: Writer) -> None:
        super().__init__(stream)
        self._stream = stream
        self._writer = writer
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._at_once = stream.isatty()

    def line(self, text: str) -> None:
        """Print a line."""
        self.command(harmless(text))

    def command(self, text: str) -> None:
        """Print a line that a CI system may obey."""
        self._lines.append(text)
        if self._at_once or len(self._lines) >= _MANY:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER, self.flush)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._writer.write(self._stream, "\n".join(lines) + "\n")

    def document(self, text: str) -> None:
        """Print a report: it is never left out."""
        self.flush()
        self._writer.write(self._stream, text, whole=True)


def harmless(text: str) -> str:
    """Return a text, lines of which may come from others, so that the log of GitHub Actions obeys none of them.

    A line that begins with two colons, after spaces, is a command there, and so is what follows two number signs and a
    bracket anywhere (the runner's ``ActionCommand``).
    """
    if ("::" not in text and "##[" not in text) or os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    lines = (f"| {line}" if line.lstrip().startswith("::") else line for line in text.split("\n"))
    return "\n".join(lines).replace("##[", "# #[")


def wants_colour(stream: TextIO) -> bool:
    """Return whether a stream is a terminal, and colour was not switched off."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_file(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def _write_to_file(stream: TextIO, text: str) -> None:
    # Not through the stream: a thread that is stuck in it would hold its lock when the process ends.
    rest = memoryview(text.replace("\n", os.linesep).encode(stream.encoding or "utf-8", stream.errors or "replace"))
    while rest:
        rest = rest[os.write(stream.fileno(), rest) :]


# ---------------------------------------------------------------- deliveries as lines


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a line shows of a delivery; its texts can be printed.

    Args:
        expected: Whether it is as expected: accepted, or what its step says.
        time: The time of day, by the mock's clock, at which it was sent.
        delivery_id: Its id.
        event: The event type.
        status: The status of the answer, or the kind of error.
        milliseconds: How long the last attempt took.
        where: Where it went.
        notes: Its faults, how many attempts there were, what it repeats, and what went wrong.
    """

    expected: bool
    time: str
    delivery_id: str
    event: str
    status: str
    milliseconds: float
    where: str
    notes: str


def row_of(delivery: Delivery) -> Row:
    """Return the row of a delivery that is over."""
    last = delivery.attempts[-1] if delivery.attempts else None
    request = last.request if last else None
    where = delivery.url
    if request is not None and request.target.authority not in where:
        where = f"{where} -> {request.target.url}"
    error = delivery.error
    location = without_tokens(dict(delivery.response.headers).get("location", "")) if delivery.response else ""
    return Row(
        expected=is_as_expected(delivery),
        time=time_of(delivery),
        delivery_id=delivery.delivery_id,
        event=visible(delivery.event.type),
        status=error.kind if error else str(delivery.response.status) if delivery.response else "-",
        milliseconds=last.exchange.total_ms if last else 0.0,
        where=visible(without_tokens(where)),
        notes=visible(
            _notes(delivery.faults, len(delivery.attempts), delivery.source, location, error.message if error else "")
        ),
    )


def is_as_expected(delivery: Delivery) -> bool:
    """Return whether a delivery that is over was accepted, or did what its step expects."""
    return _as_expected(delivery.outcome, delivery.unmet, delivery.faults, delivery.source)


def _as_expected(outcome: str, unmet: Sequence[str], faults: Sequence[str], source: str) -> bool:
    if unmet or outcome == "delivered":
        return not unmet
    judged = not source.startswith(RESENT)  # nothing is expected of those, but that they are accepted
    return outcome == "failed" and (judged or bool(faults))


def row_of_view(view: dict[str, Any]) -> Row:
    """Return the row of a delivery as the control API shows it."""
    last = view["attempts"][-1] if view["attempts"] else {}
    response, error = last.get("response"), last.get("error")
    headers = dict(response["headers"]) if response else {}
    return Row(
        expected=_as_expected(view["outcome"], view["unmet"], view["faults"], view["source"]),
        time=view["attempts"][0]["at"][11:19] if view["attempts"] else view["timestamp"][11:19],
        delivery_id=view["delivery_id"],
        event=visible(view["event"]),
        status=error["kind"] if error else str(response["status"]) if response else view["outcome"],
        milliseconds=last.get("total_ms", 0.0),
        where=visible(without_tokens(view["url"])),
        notes=visible(
            _notes(
                view["faults"],
                len(view["attempts"]),
                view["source"],
                headers.get("location", ""),
                error["message"] if error else "",
            )
        ),
    )


def time_of(delivery: Delivery) -> str:
    """Return the time of day, by the mock's clock, at which a delivery was first sent."""
    return (format_timestamp(delivery.attempts[0].at) if delivery.attempts else delivery.event.timestamp)[11:19]


def delivery_line(row: Row, style: StreamStyle, *, with_id: bool = False) -> str:
    """Return a delivery as a line in columns."""
    status = f"{row.status:<9}"
    if style.colour:
        status = click.style(status, fg="green" if row.expected else "red")
    identity = f"{row.delivery_id}  " if with_id else ""
    line = (
        f"{style.mark(row.expected)} {row.time}  {identity}{row.event:<22} {status}{row.milliseconds:>8.1f} ms"
        f"  {row.where}"
    )
    return f"{line}  {row.notes}" if row.notes else line


def _notes(faults: tuple[str, ...] | list[str], attempts: int, source: str, location: str, error: str) -> str:
    notes = [f"[{', '.join(faults)}]"] if faults else []
    if attempts > 1:
        notes.append(f"{attempts} attempts")
    if source.startswith(RESENT):
        notes.append(source)
    if location:
        notes.append(f"redirects to {location}")
    return "  ".join([*notes, error] if error else notes)
