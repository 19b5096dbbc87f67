"""``python -m mockserver``: the command line."""

from __future__ import annotations

import sys

from playgent_mockserver import main

if __name__ == "__main__":  # pragma: no branch - it is run, not imported
    sys.exit(main())
