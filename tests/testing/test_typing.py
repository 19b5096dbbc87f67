"""What type checkers make of a test that uses the package."""

import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = """
from mockserver import Delivery, MockServer, Report, SendResult


def test_it() -> None:
    with MockServer(timeout=3, headers={"X-Api-Key": "abc"}, extra_events=["order.shipped"]) as mock:
        sent: SendResult = mock.send("run.failed", after="8h")
        assert sent.status == 200
        mock.send("order.shipped", data={})
        report: Report = mock.replay("refund_flow", speed="max")
        report.raise_for_failures()
        deliveries: tuple[Delivery, ...] = mock.wait_for("run.failed")
        assert mock.check("http://127.0.0.1:5000/hooks", only="PG012").ok, deliveries


async def test_async() -> None:
    async with MockServer() as mock:
        assert (await mock.asend("run.failed")).delivered
"""
WRONG = ["MockServer(timout=3)", 'MockServer(speed="fast")', 'MockServer().check("http://x", onyl="PG012")']


@pytest.mark.full
@pytest.mark.parametrize(
    "checker", [["mypy", "--strict", "--cache-dir=/dev/null"], ["pyright"]], ids=["mypy", "pyright"]
)
def test_what_type_checkers_see(checker: list[str], tmp_path: Path) -> None:
    """A right test has no error, and each typing error is one."""
    for name, text in (("right", RIGHT), *((f"wrong{at}", line) for at, line in enumerate(WRONG))):
        file = tmp_path / f"{name}.py"
        file.write_text(text if name == "right" else f"from mockserver import MockServer\n\n{text}\n")
        command = [sys.executable, "-m", *checker, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert (done.returncode == 0) is (name == "right"), f"{name}: {done.stdout}{done.stderr}"
