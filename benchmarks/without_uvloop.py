"""``python -m mockserver`` as it runs where the extra ``uvloop`` is not installed: on the loop of asyncio."""

from __future__ import annotations

import sys

from playgent_mockserver import main

if __name__ == "__main__":
    sys.modules["uvloop"] = None  # type: ignore[assignment] # how Python marks a module that cannot be imported
    sys.exit(main())
