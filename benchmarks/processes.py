"""Child processes: programs of this package, which print one line when they are ready."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The environment of every child. Installed packages come with their byte code; ours needs leave to write it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

#: Seconds that a child gets to end by itself.
_GRACE = 5.0
#: Seconds that a child may take at all.
_LONGEST = 600.0


class ChildError(Exception):
    """A child process failed; the message has what it wrote."""


def run(arguments: Sequence[str], folder: Path = ROOT) -> str:
    """Run ``python`` with these arguments to its end.

    Args:
        arguments: For example ``["-m", "benchmarks.load", "http://127.0.0.1:8484", "1.0"]``.
        folder: Where to run it.

    Returns:
        What it printed.

    Raises:
        ChildError: It failed.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    if done.returncode:
        raise ChildError(f"{' '.join(arguments)} failed: {(done.stdout + done.stderr).strip()}")
    return done.stdout


@contextmanager
def child(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``python`` with these arguments until the block is left.

    Args:
        arguments: For example ``["-m", "benchmarks.receiver"]``.

    Yields:
        The process, and the first line that it printed.

    Raises:
        ChildError: It printed none.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise ChildError(_last_words(process))
        yield process, line
    finally:
        _end(process)


def _last_words(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=_GRACE)
    lines = errors.strip().splitlines()
    return lines[-1] if lines else f"it ended with status {process.returncode} and said nothing"


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
