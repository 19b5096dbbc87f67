"""The calls that the vendor API received, and the bad answers that were planned.

An application's side of registering is tested with both: the record shows what it called, the plan makes the API
answer badly, so that its retries can be seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mockserver.errors import UsageError
from mockserver.model.json_values import decode_json
from mockserver.model.memory_budget import MemoryBudget
from mockserver.model.messages import Headers, size_of


class VendorCall(msgspec.Struct, frozen=True, gc=False):
    """One request that the vendor API received.

    Its text shows neither headers nor body: they hold the API key and the webhook's secret.

    Args:
        number: Counted from 1, in the order in which calls were answered; clearing the record does not start again.
        received_at: When it came, in Unix seconds.
        method: The HTTP method, such as ``POST``.
        path: The path as it was sent, percent-encoded, without the query.
        query: The query as it was sent, without the question mark.
        headers: Names and values, in the order in which they came.
        body: The body, at most as many bytes as the API accepts.
        status: The status that it was answered with.
        problem: Why it was refused: the code of the error and its message; empty if it was not, or a test planned the
            whole answer.
        account: Whose call it was; empty unless each API key is an account.
    """

    number: int
    received_at: float
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    status: int
    problem: str = ""
    account: str = ""

    def __repr__(self) -> str:
        return f"VendorCall(#{self.number} {self.method} {self.path} -> {self.status}, {len(self.body)} bytes)"

    def json(self) -> Any:
        """Return the decoded body.

        Raises:
            ValueError: The body is not JSON.
        """
        return decode_json(self.body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None; the case of the name does not matter."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class CallLog:
    """The calls received, the newest of them: at a limit the oldest go, and a counter says how many went."""

    def __init__(self, limit: int, budget: MemoryBudget | None = None) -> None:
        self._limit = limit
        self._share = (budget or MemoryBudget()).share(self._drop_oldest)
        self._calls: deque[VendorCall] = deque()
        self._sizes: deque[int] = deque()
        self._count = 0
        self._last_headers: Headers = ()
        self._size_of_headers = 0
        self._listeners: list[Callable[[VendorCall], None]] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def calls(self) -> tuple[VendorCall, ...]:
        """The calls that are kept, the oldest first."""
        return tuple(self._calls)

    def record(  # noqa: PLR0913, PLR0917 - the fields of a call
        self,
        received_at: float,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: bytes,
        status: int,
        problem: str = "",
        account: str = "",
    ) -> VendorCall:
        """Keep a call and notify the listeners; the arguments are the fields of :class:`VendorCall`."""
        self._count += 1
        if headers == self._last_headers:  # an application sends the same ones again and again: they are kept once
            headers = self._last_headers
        else:
            self._last_headers, self._size_of_headers = headers, size_of(headers)
        call = VendorCall(self._count, received_at, method, path, query, headers, body, status, problem, account)
        self._calls.append(call)
        size = len(body) + len(path) + len(query) + self._size_of_headers
        self._sizes.append(size)
        self._share.add(size)
        while len(self._calls) > self._limit:
            self._drop_oldest()
        for listener in tuple(self._listeners):
            listener(call)
        return call

    def _drop_oldest(self) -> None:
        self._calls.popleft()
        self._share.remove(self._sizes.popleft())
        self.dropped += 1

    def subscribe(self, callback: Callable[[VendorCall], None]) -> Callable[[], None]:
        """Have a function, which must not raise, called with each call from now on.

        What is returned ends the subscription; calling it twice does no harm.
        """
        self._listeners.append(callback)

        def unsubscribe() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return unsubscribe

    def forget(self, account: str) -> None:
        """Forget the calls of one account."""
        every = tuple(zip(self._calls, self._sizes, strict=True))
        kept = [each for each in every if each[0].account != account]
        for call, size in every:
            if call.account == account:
                self._share.remove(size)
        self._calls = deque(call for call, _ in kept)
        self._sizes = deque(size for _, size in kept)
        self._last_headers, self._size_of_headers = (), 0

    def clear(self) -> None:
        """Forget the calls and the counter of dropped ones. Listeners stay, and the numbering goes on."""
        while self._calls:
            self._drop_oldest()
        self.dropped = 0
        self._last_headers, self._size_of_headers = (), 0


class PlannedAnswer(msgspec.Struct, frozen=True):
    """A bad answer that the vendor API is to give.

    Args:
        status: The HTTP status.
        times: How many calls are answered this way.
        headers: Headers to add, or to replace the API's own with.
        delay: Seconds to wait before answering.
        body: The body, as it is; None for the vendor's error envelope.
        refuse: Whether the connection is cut off instead, without an answer.
        account: Whose calls are answered this way; empty for all.
    """

    status: int
    times: int = 1
    headers: Headers = ()
    delay: float = 0.0
    body: bytes | None = None
    refuse: bool = False
    account: str = ""


class AnswerPlan:
    """The bad answers still to be given, first come, first served."""

    def __init__(self, limit: int = 1_000, budget: MemoryBudget | None = None) -> None:
        self._limit = limit
        self._share = (budget or MemoryBudget()).share()
        self._queue: deque[PlannedAnswer] = deque()

    @property
    def pending(self) -> int:
        """How many calls will still be answered by plan."""
        return sum(answer.times for answer in self._queue)

    def fail_next(
        self,
        status: int = 503,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        delay: float | str = 0.0,
        body: Any = None,
        *,
        refuse: bool = False,
        account: str = "",
    ) -> PlannedAnswer:
        """Plan bad answers to the next calls; the arguments are the fields of :class:`PlannedAnswer`.

        ``delay`` is seconds or a duration such as ``"250ms"``. ``body`` is bytes or text sent as they are, or any other
        value sent as JSON; None is the vendor's envelope. Raises a UsageError if a value is of the wrong type or out of
        range, or too many plans are waiting already.
        """
        if len(self._queue) >= self._limit:
            raise UsageError(f"{self._limit} planned answers are waiting, which is the limit: clear some first")
        given = {
            "status": status,
            "times": times,
            "headers": {} if headers is None else headers,
            "delay": delay,
            "refuse": refuse,
        }
        # Imported here: most mocks answer as the vendor does.
        from mockserver.vendor_api.planned_answers import read_planned_answer  # noqa: PLC0415 - start-up does without

        planned = PlannedAnswer(**read_planned_answer(given, body), account=account)
        if not self._share.fits(_planned_size(planned)):
            raise UsageError("planned answers take as many bytes as may be kept: clear some first")
        self._share.add(_planned_size(planned))
        self._queue.append(planned)
        return planned

    def take(self, account: str = "") -> PlannedAnswer | None:
        """Return the answer planned for this call, which uses it up; None if there is none."""
        for index, planned in enumerate(self._queue):
            if planned.account in ("", account):
                if planned.times > 1:
                    self._queue[index] = msgspec.structs.replace(planned, times=planned.times - 1)
                else:
                    del self._queue[index]
                    self._share.remove(_planned_size(planned))
                return planned
        return None

    def forget(self, account: str) -> None:
        """Forget the planned answers of one account."""
        self._keep([each for each in self._queue if each.account != account])

    def clear(self) -> None:
        """Forget every planned answer."""
        self._keep([])

    def _keep(self, kept: list[PlannedAnswer]) -> None:
        for planned in self._queue:
            self._share.remove(_planned_size(planned))
        self._queue = deque(kept)
        for planned in kept:
            self._share.add(_planned_size(planned))


def _planned_size(planned: PlannedAnswer) -> int:
    return len(planned.body or b"") + size_of(planned.headers)
