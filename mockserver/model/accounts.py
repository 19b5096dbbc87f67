"""Accounts: with ``accounts: per_key`` each API key is one, and sees nothing of the others.

An account is named by a name that is derived from its key, so that lists and reports never show the key itself.
"""

from __future__ import annotations

import re
from hashlib import sha256

_NAME = re.compile(r"account_[0-9a-f]{12}")


def account_of(key: str) -> str:
    """Return the name of the account of an API key, such as ``account_1f0c9a6b3d2e``."""
    return f"account_{sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def named_account(value: str) -> str:
    """Return the name of the account that is meant: by its name, or by its key.

    Args:
        value: A name as :func:`account_of` returns it, or a key.
    """
    return value if _NAME.fullmatch(value) else account_of(value)
