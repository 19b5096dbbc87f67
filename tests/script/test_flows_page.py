"""The page docs/flows.md: its examples are scripts that work."""

import re
from pathlib import Path

from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from tests.tables import each_row

PAGE = (Path(__file__).parents[2] / "docs" / "flows.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@each_row("example", EXAMPLES)
def test_each_example_is_a_script_with_flows(example: str) -> None:
    """What is to be copied from the page is read without a problem."""
    assert read_script(example, load_catalog(), "docs/flows.md").flows
