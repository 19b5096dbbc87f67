"""What the tests of the package share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.installing import ROOT, TOOLS, run, uv_environment


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user may read, as the root of a container is."""
    path = Path(tempfile.mkdtemp(prefix="packaging"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """The package as it is published."""
    code, printed = run(TOOLS / "uv", "build", "-q", "--wheel", "-o", folder / "dist", ROOT, env=uv_environment())
    assert code == 0, printed
    return next((folder / "dist").glob("*.whl"))
