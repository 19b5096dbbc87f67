"""Write docs/faults.md anew from the registry: ``python -m tests.faults.renew_page``."""

from __future__ import annotations

from pathlib import Path

from mockserver.faults.page import faults_page

PAGE = Path(__file__).parent.parent.parent / "docs" / "faults.md"

if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(faults_page(), "utf-8")
