"""A property-based test of the API against its own OpenAPI document, by schemathesis."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.vendor_api.serving import Mock, serve_in_thread

pytestmark = pytest.mark.full

KEY = "only-this-key"
OPTIONS = (
    f"--header=Authorization: Bearer {KEY}",
    "--checks=all",
    "--phases=examples,coverage,fuzzing,stateful",
    "--max-examples=30",
    "--generation-deterministic",
    "--no-color",
)


@pytest.mark.parametrize("strict", [False, True])
def test_schemathesis_finds_nothing(strict: bool, tmp_path: Path) -> None:
    """Every check and every phase, against a real server: no answer contradicts the document."""
    # A key is configured: one of the checks is that a wrong key is refused, and by default any token is good.
    with serve_in_thread(Mock.of(strict=strict, api_keys=[KEY])) as mock:
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{mock.url}/openapi.json", *OPTIONS]
        run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No issues found" in run.stdout
