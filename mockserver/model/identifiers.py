"""Identifiers that look like the vendor's, and the names of accounts.

The vendor's look (a prefix, an underscore, three lower-case letters, three digits) is taken from the examples of the
documentation (``wh_abc123``, ``run_def456``); it states no rule. With ``accounts: per_key`` each API key is an account,
whose name is derived from the key, so that lists and reports never show the key itself.
"""

from __future__ import annotations

import random
import re
from hashlib import sha256
from string import ascii_lowercase, digits


def new_identifier(prefix: str, source: random.Random) -> str:
    """Draw an identifier such as ``wh_kqz017``: one of 17,576,000, so callers that need it to be unique must look."""
    draw, letters, figures = source.random, ascii_lowercase, digits
    return (  # drawn as random.choices does, which takes three times as long
        f"{prefix}_{letters[int(draw() * 26)]}{letters[int(draw() * 26)]}{letters[int(draw() * 26)]}"
        f"{figures[int(draw() * 10)]}{figures[int(draw() * 10)]}{figures[int(draw() * 10)]}"
    )


_NAME = r"account_[0-9a-f]{12}"


def account_of(key: str) -> str:
    """Return the name of the account of an API key, such as ``account_1f0c9a6b3d2e``."""
    return f"account_{sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def named_account(value: str) -> str:
    """Return the name of an account that is given by its name or by its key."""
    return value if re.fullmatch(_NAME, value) else account_of(value)
