"""What tests of the command line leave running between them."""

from collections.abc import Iterator

import pytest

from tests.cli import forked


@pytest.fixture(scope="session", autouse=True)
def _forking_ends() -> Iterator[None]:
    yield
    forked.end()
