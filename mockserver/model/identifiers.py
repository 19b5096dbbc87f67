"""Identifiers that look like the vendor's: a prefix, an underscore, three lower-case letters, three digits.

The look is taken from the examples of the documentation (``wh_abc123``, ``run_def456``); it states no rule.
"""

from __future__ import annotations

import random
from string import ascii_lowercase, digits


def new_identifier(prefix: str, source: random.Random) -> str:
    """Draw an identifier.

    Args:
        prefix: What kind of thing it names, such as ``wh`` or ``run``.
        source: Where chance comes from; seeded, it gives the same identifiers again.

    Returns:
        For example ``wh_kqz017``. One of 17,576,000: callers that need it to be unique must look.
    """
    letters = "".join(source.choices(ascii_lowercase, k=3))
    return f"{prefix}_{letters}{''.join(source.choices(digits, k=3))}"
