"""What of this folder is collected."""

from __future__ import annotations

import sys

# The package that brings the schema of SARIF does not run on Python 3.10: what is written is the same on all.
collect_ignore = ["test_sarif.py"] if sys.version_info < (3, 11) else []
