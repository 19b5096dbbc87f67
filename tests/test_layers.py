"""The house: imports run downward only, and the core does no I/O."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mockserver"
LAYERS = ["errors", "core", "engine", "edges", "entrances"]
FILES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_IN_CORE = {
    "aiohttp", "asyncio", "concurrent", "http", "io", "multiprocessing", "os", "pathlib", "select", "shutil", "signal",
    "socket", "ssl", "subprocess", "tempfile", "threading", "time", "httptools", "click", "rich",
}  # fmt: skip


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import: the layers are read off the full names"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_run_downward(file):
    """No module imports one of a layer above its own."""
    layer = layer_of("mockserver." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts))
    if layer not in LAYERS:  # the package's own __init__ and __main__ stand above all layers
        return
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    upward = {name for name in imports_of(file) if name.startswith("mockserver.") and layer_of(name) in above}
    assert not upward


@pytest.mark.parametrize(
    "file", [file for file in FILES if "core" in file.parts], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_the_core_does_no_io(file):
    """No module of the core imports what reads, writes, waits or tells the time, or calls open."""
    roots = {name.split(".")[0] for name in imports_of(file)}
    assert not roots & FORBIDDEN_IN_CORE
    calls = [node.func for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id in {"open", "print", "input"}]


def test_the_core_runs_without_an_event_loop_or_a_web_framework():
    """Importing every module of the core, and signing, brings in neither asyncio nor aiohttp."""
    modules = [
        "mockserver." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for file in FILES
        if "core" in file.parts and file.name != "__init__.py"
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "import mockserver; mockserver.sign(b'', 's')\n"
        "print(sorted({'asyncio', 'aiohttp', 'httptools', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_stay_readable(file):
    """No file grows over about four hundred lines."""
    assert len(file.read_text("utf-8").splitlines()) <= 420
