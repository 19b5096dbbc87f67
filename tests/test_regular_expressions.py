"""No regular expression of ours takes longer than in proportion to its input, wherever that comes from."""

import ast
import importlib
import re
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.test_wings import modules, wing_of

pytestmark = pytest.mark.full

METHODS = {"match", "fullmatch", "search", "finditer", "findall", "sub", "split"}

#: What is never given a long text, and why.
BOUNDED = {"([0-9]+(?:\\.[0-9]+)?)(ms|s|m|h|d)": "a duration has at most 64 characters"}

#: Texts that are hard for one pattern or another, repeated.
SEEDS = [
    "a", "0", "-", "_", " ", "\t", "\n", "\\", '"', "'", "a.", "a-", "0.", "a=", "=", "{", "[", "(", ",", ":", "a: ",
    "%", "$", "<", "/", "d41d8cd9-", "2024-", "T10:", "é", "\r\n", "|", "> ", "#", "a,b", "?a=", "`", "\x1b[", "::",
]  # fmt: skip
#: What a hard text begins and ends with.
AROUND = [("", ""), ("", "!"), ("a: ", ""), ('{"', "\n")]
LENGTH = 40_000

Pattern = re.Pattern[Any]


def used_patterns() -> dict[tuple[Pattern, str], str]:
    """Every pattern in the package with the method that is called with it, and where."""
    found: dict[tuple[Pattern, str], str] = {}
    for name, file in modules().items():
        if wing_of(name) == "load":  # Locust patches the whole process when it is imported; the wing has no patterns
            assert "import re\n" not in file.read_text("utf-8")
            continue
        module = importlib.import_module(name)
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                found |= dict.fromkeys(patterns_of(call, module), f"{name}:{call.lineno}")
    return found


def patterns_of(call: ast.Call, module: ModuleType) -> Iterator[tuple[Pattern, str]]:
    """The patterns that a call uses, each with the method."""
    for argument in call.keywords:  # of the fields of scripts, settings and the control API
        if argument.arg in {"pattern", "key"} and isinstance(argument.value, ast.Constant):
            yield re.compile(str(argument.value.value)), "fullmatch"
    method, owner = getattr(call.func, "attr", ""), getattr(call.func, "value", None)
    if method in METHODS and isinstance(owner, ast.Name):
        value = module_value(call.args[0], module) if owner.id == "re" else getattr(module, owner.id, None)
        if isinstance(value, (str, bytes)) and owner.id == "re":
            value = re.compile(value)
        if isinstance(value, re.Pattern):
            yield value, method


def module_value(expression: ast.expr, module: ModuleType) -> Any:
    """What an argument says; None if that depends on more than its module."""
    try:
        return eval(compile(ast.Expression(expression), "<pattern>", "eval"), vars(module))
    except NameError:
        return None


def run(pattern: Pattern, method: str, text: str) -> None:
    given = text.encode() if isinstance(pattern.pattern, bytes) else text
    if method == "sub":
        pattern.sub(given[:0], given)
    elif method == "finditer":
        list(pattern.finditer(given))
    else:
        getattr(pattern, method)(given)


def test_every_pattern_is_linear() -> None:
    """A text of 40,000 characters that is hard for it takes milliseconds; a quadratic pattern takes seconds."""
    patterns = used_patterns()
    assert len(patterns) > 40
    slow = []
    for (pattern, method), where in patterns.items():
        if pattern.pattern in BOUNDED:
            continue
        for seed in SEEDS:
            for head, tail in AROUND:
                started = time.process_time()
                run(pattern, method, head + seed * (LENGTH // len(seed)) + tail)
                if time.process_time() - started > 1:
                    slow.append(f"{where} {pattern.pattern!r}.{method} on {head!r}, {seed!r}, {tail!r}")
    assert slow == []
