"""Write docs/checks.md anew from the registry: ``python -m tests.checks.renew_page``."""

from __future__ import annotations

from pathlib import Path

from tests.checks.page import checks_page

PAGE = Path(__file__).parent.parent.parent / "docs" / "checks.md"

if __name__ == "__main__":
    PAGE.write_text(checks_page(), "utf-8")
