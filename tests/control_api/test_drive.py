"""A consumer suite in another language drives everything over HTTP: Node.js with its own test runner."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mockserver import MockServer

pytestmark = pytest.mark.full

SUITE = Path(__file__).with_name("drive.test.mjs")


def test_a_suite_in_node_drives_the_mock() -> None:
    """Every test of the suite passes, and none was left out."""
    node = shutil.which("node")
    assert node, "Node.js must be installed for this test"
    with MockServer(speed="stepped") as mock:
        run = subprocess.run(
            [node, "--test", "--test-reporter=tap", str(SUITE)],
            env={**os.environ, "PLAYGENT_URL": mock.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.findall(r"^# pass (\d+)", run.stdout, re.MULTILINE)[0]) == SUITE.read_text().count("\ntest(")
