"""The Retry-After header of an answer: how long a consumer asks a sender to wait (RFC 9110, section 10.2.3).

The header is the consumer's, so nothing in it can raise: what is not a number of seconds or an HTTP date asks for
nothing, and no answer can ask for more than a day.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from mockserver.model.messages import Headers

#: The longest wait that a header can ask for, in seconds: one day.
LONGEST_WAIT = 86400.0

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

#: The three spellings of RFC 9110, section 5.6.7, all of which a recipient must read.
_SPELLINGS = (
    rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


def requested_wait(headers: Headers, at: float) -> float:
    """Return how long an answer asks to wait.

    Args:
        headers: The headers of the answer.
        at: When the attempt was made, in seconds since 1970. An HTTP date counts from the answer's own Date header,
            so that a consumer whose clock differs from the mock's gets the wait it means; from ``at`` without one.

    Returns:
        Seconds from 0 to :data:`LONGEST_WAIT`; 0 when nothing is asked, or nothing that can be read.
    """
    value = _first(headers, "retry-after")
    if re.fullmatch("[0-9]+", value):
        # As a float, for Python refuses to make an int of some thousand digits.
        return min(float(value), LONGEST_WAIT)
    until = _http_date(value)
    if until is None:
        return 0.0
    answered = _http_date(_first(headers, "date"))
    return min(max(until - (at if answered is None else answered), 0.0), LONGEST_WAIT)


def _first(headers: Headers, name: str) -> str:
    return next((value.strip() for key, value in headers if key.lower() == name), "")


def _http_date(value: str) -> float | None:
    """Read an HTTP date as seconds since 1970. By hand: strptime depends on the locale, and email.utils can raise."""
    match = next(filter(None, (re.fullmatch(spelling, value) for spelling in _SPELLINGS)), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"]),
            tzinfo=timezone.utc,
        )
    except ValueError:  # the calendar has no such day, or the day no such time
        return None
    return moment.timestamp()
