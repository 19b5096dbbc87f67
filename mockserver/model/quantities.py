"""Durations, timestamps and sizes as scripts, command lines and the vendor's API write them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = rf"({_NUMBER})(ms|s|m|h|d)"

#: No duration may be longer than this many seconds (ten years): a typing error, and no clock can count it.
LONGEST = 10 * 366 * 86400.0

_LATEST = 32503680000  # 3000-01-01T00:00:00Z

#: What a message says is allowed.
DURATION_FORMS = "a duration such as 250ms, 2s, 1m30s or 2h, or a number of seconds"


def parse_duration(value: object) -> float:
    """Return the seconds of ``250ms``, ``2s``, ``1m30s``, ``2h``, ``1d``, or of a bare number of seconds.

    Raises a ValueError if it is none of these, negative, or longer than ten years.
    """
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is not {DURATION_FORMS}")
    if seconds > LONGEST:
        raise ValueError(f"{value!r} is longer than ten years")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdecimal() and unit in _UNITS:  # nearly always, and without regular expressions
        return float(number) * _UNITS[unit]
    if re.fullmatch(_NUMBER, text):
        return float(text)
    if not re.fullmatch(f"(?:{_PART})+", text):
        return None
    # Added up from the smallest unit's integers, 1m30s is exactly 90.0.
    return math.fsum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def format_duration(seconds: float) -> str:
    """Write a duration, to a microsecond, as a reader writes it: ``250ms``, ``2s``, ``1m30s``, ``2h``."""
    exact = round(seconds, 6)
    if exact < 1:
        return f"{_plain(exact * 1000, 3)}ms"
    whole = int(exact)
    seconds_part = _plain(exact - whole // 60 * 60, 6)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"))
    longer = "".join(f"{count}{unit}" for count, unit in parts if count)
    return longer if longer and seconds_part == "0" else f"{longer}{seconds_part}s"


def format_excess(seconds: float, limit: float) -> str:
    """Write a measured time that is longer than a limit in seconds, with as many digits as show that: ``0.512s``."""
    digits = next((digits for digits in range(3, 9) if round(seconds, digits) > limit), 9)
    return f"{seconds:.{digits}f}s"


def _plain(number: float, digits: int) -> str:
    """Write a number with at most this many digits after its point, without zeros at the end."""
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def parse_timestamp(value: object) -> float:
    """Return the seconds since 1970 of an ISO 8601 timestamp such as ``2024-12-16T10:00:00Z``.

    One without an offset is UTC. Raises a ValueError if it is not a timestamp, or the calendar has no such day.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].{1,30})?", value):
        raise ValueError(f"{value!r} is not an ISO 8601 timestamp such as 2024-12-16T10:00:00Z")
    # Python 3.10 reads neither a Z nor fractions of other than 3 or 6 digits.
    text = re.sub(r"[Zz]$", "+00:00", value)
    text = re.sub(r"\.([0-9]+)", lambda fraction: "." + fraction[1][:6].ljust(6, "0"), text)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        seconds = moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is not an ISO 8601 timestamp such as 2024-12-16T10:00:00Z: {error}") from None
    if not 0 <= seconds < _LATEST:
        raise ValueError(f"{value!r} is no timestamp between 1970 and 2999, such as 2024-12-16T10:00:00Z")
    return seconds


def format_timestamp(seconds: float) -> str:
    """Write a moment as the vendor's deliveries do: ISO 8601, UTC, ``Z``, and whole seconds, a fraction dropped."""
    # Rounded to a microsecond first: the sum of many steps must not show 09:59:59 for 10:00:00.
    return _format_second(math.floor(seconds + 5e-7))


@lru_cache(maxsize=64)
def _format_second(second: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=second)
    return moment.isoformat().removesuffix("+00:00") + "Z"


_SIZE_UNITS = {"GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "KiB": 2**10, "kB": 10**3, "B": 1}
_FACTORS = {"": 1, **{unit.lower(): factor for unit, factor in _SIZE_UNITS.items()}}
_SIZE = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)[ \t]{0,9}([A-Za-z]{0,3})"


def parse_size(value: object) -> int:
    """Return the number of bytes of ``2MB`` (two million), ``64KiB`` (65536), or of a bare number.

    Raises a ValueError if it is none of these, or not a whole number of bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(_SIZE, value.strip()) if isinstance(value, str) else None
    if not match or match[2].lower() not in _FACTORS:
        raise ValueError(f"{value!r} is not a size")
    size = float(match[1]) * _FACTORS[match[2].lower()]
    if not size.is_integer():
        raise ValueError(f"{value!r} is not a whole number of bytes")
    return int(size)


def show_size(size: int) -> str:
    """Write a number of bytes in the largest unit that needs no fraction."""
    unit = next(unit for unit, factor in _SIZE_UNITS.items() if size % factor == 0 and (size or unit == "B"))
    return str(size) if unit == "B" else f"{size // _SIZE_UNITS[unit]}{unit}"
