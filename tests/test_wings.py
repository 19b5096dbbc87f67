"""The house: a wing imports from the wings below it only, and model, faults and script do no I/O."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "mockserver"

#: From the ground up, as ARCHITECTURE.md draws them.
WINGS = [
    "errors", "model", "faults", "script", "delivery", "replay", "vendor_api", "checks", "reports", "server",
    "control_api", "dashboard", "recording", "testing", "load", "cli",
]  # fmt: skip
PURE = ("model", "faults", "script")
FORBIDDEN_IN_PURE = {
    "aiohttp", "asyncio", "concurrent", "http", "io", "multiprocessing", "os", "select", "shutil", "signal",
    "socket", "ssl", "subprocess", "tempfile", "threading", "time", "httptools", "click", "rich",
}  # fmt: skip
#: Left to be untangled; both sets shrink to nothing.
STILL_UPWARD: set[str] = set()
STILL_IN_CIRCLES: set[str] = set()
#: Reads the data files of the package: the one module of a pure wing that opens anything.
READS_PACKAGE_FILES = "script/package_files.py"


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the package by its full name, except the package itself and ``__main__``."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        if parts not in {("__init__",), ("__main__",)}:
            found["mockserver." + ".".join(part for part in parts if part != "__init__")] = file
    return found


def wing_of(module: str) -> str:
    return module.split(".")[1]


@functools.cache
def imports_of(file: Path) -> set[str]:
    """The modules that a file imports, also those inside of functions and for types only."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import: wings are read off the full names"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(modules())
            found |= submodules
            if len(submodules) < len(node.names):  # else it takes nothing from the package itself
                found.add(node.module or "")
    return found


def test_imports_run_downward() -> None:
    """No module imports one of a wing above its own."""
    upward = [
        f"{module} imports {name}"
        for module, file in modules().items()
        for name in sorted(imports_of(file) & set(modules()))
        if wing_of(module) in WINGS and WINGS.index(wing_of(name)) > WINGS.index(wing_of(module))
    ]
    assert sorted(set(upward) - STILL_UPWARD) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within a wing, too, imports have one direction."""
    graph = {module: imports_of(file) & set(modules()) - {module} for module, file in modules().items()}
    while ends := [
        module
        for module, imported in graph.items()
        if not imported & set(graph) or not any(module in imported for imported in graph.values())
    ]:
        for module in ends:
            del graph[module]
    assert sorted(set(graph) - STILL_IN_CIRCLES) == []


def test_the_pure_wings_do_no_io() -> None:
    """No module of the pure wings imports what reads, writes, waits, reads a clock, or calls open."""
    for module, file in modules().items():
        if wing_of(module) not in PURE or file == PACKAGE / READS_PACKAGE_FILES:
            continue
        roots = {name.split(".")[0] for name in imports_of(file)}
        assert not roots & (FORBIDDEN_IN_PURE | {"pathlib"}), module
        calls = [node.func for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id in {"open", "print", "input"}]


def test_the_pure_wings_run_without_an_event_loop_or_a_web_framework() -> None:
    """Importing every module of the pure wings, and signing, brings in neither asyncio nor aiohttp."""
    pure = [module for module in modules() if wing_of(module) in PURE]
    code = (
        f"import importlib, sys\nfor name in {pure!r}: importlib.import_module(name)\n"
        "import mockserver; mockserver.sign(b'', 's')\n"
        "print(sorted({'asyncio', 'aiohttp', 'httptools', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_gevent_stays_in_the_load_wing() -> None:
    """Locust and gevent patch the standard library: no other wing imports them."""
    strays = [
        module
        for module, file in modules().items()
        if wing_of(module) != "load" and {name.split(".")[0] for name in imports_of(file)} & {"locust", "gevent"}
    ]
    assert strays == []
