"""Fixtures for tests against every consumer: a test module asks for them with ``pytest_plugins``.

Nothing else may be imported from here: pytest wants to be the first to import a plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.consumers.launch import SECRET, Consumer, launch


@pytest.fixture(scope="session")
def launched() -> Iterator[Callable[[str], Consumer]]:
    """Give the consumer of a name, started when first asked for, with one process for the whole session."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(launch(name, secret=SECRET)))
