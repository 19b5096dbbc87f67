"""The pages docs/scripts.md and docs/flows.md say what the program does."""

import re

from docs.generate.script_page import PAGE, page
from mockserver.script.package_files import load_catalog
from mockserver.script.reader import read_script
from tests.tables import each_row

EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.with_name("flows.md").read_text("utf-8"), re.DOTALL)


def test_the_reference_is_up_to_date() -> None:
    """Renew it with ``python -m docs.generate.script_page``."""
    assert PAGE.read_text("utf-8") == page()


@each_row("example", EXAMPLES)
def test_each_example_of_flows_is_a_script_with_flows(example: str) -> None:
    """What is to be copied from the page is read without a problem."""
    assert read_script(example, load_catalog(), "docs/flows.md").flows
