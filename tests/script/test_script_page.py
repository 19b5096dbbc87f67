"""The reference of the script format says what the program does."""

from tests.script.script_page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    """Renew it with ``python -m tests.script.script_page``."""
    assert PAGE.read_text("utf-8") == page()
