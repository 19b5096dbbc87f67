"""The package as others install it: built, and with the index that this machine uses."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def run(*command: object, **options: Any) -> tuple[int, str]:
    options = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 240, **options}
    done = subprocess.run(list(map(str, command)), check=False, **options)
    return done.returncode, done.stdout + done.stderr


def uv_environment() -> dict[str, str]:
    """The index that pip is configured for: uv does not read pip's configuration."""
    _, index = run(sys.executable, "-m", "pip", "config", "get", "global.index-url")
    return {**os.environ, "UV_DEFAULT_INDEX": index.strip()} if index.startswith("http") else dict(os.environ)
