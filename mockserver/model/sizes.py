"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

_UNITS = {"GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6, "KiB": 2**10, "kB": 10**3, "B": 1}
_FACTORS = {"": 1, **{unit.lower(): factor for unit, factor in _UNITS.items()}}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)[ \t]{0,9}([A-Za-z]{0,3})")


def parse_size(value: object) -> int:
    """Read a number of bytes: ``2MB`` (two million), ``64KiB`` (65536), or a bare number.

    Raises:
        ValueError: It is none of these, or not a whole number of bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or match[2].lower() not in _FACTORS:
        raise ValueError(f"{value!r} is not a size")
    size = float(match[1]) * _FACTORS[match[2].lower()]
    if not size.is_integer():
        raise ValueError(f"{value!r} is not a whole number of bytes")
    return int(size)


def show_size(size: int) -> str:
    """Write a number of bytes in the largest unit that needs no fraction."""
    unit = next(unit for unit, factor in _UNITS.items() if size % factor == 0 and (size or unit == "B"))
    return str(size) if unit == "B" else f"{size // _UNITS[unit]}{unit}"
