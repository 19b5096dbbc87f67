"""Print what the matrix of mistakes and checks came to: ``python -m tests.checks.print_matrix junit.xml``.

The file is the one that ``pytest --junitxml`` writes of a run in which ``tests/checks/test_matrix.py`` was.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

_CORRECT = "(correct)"

#: Mistake, consumer, the checks that caught it, and others that say something.
Row = tuple[str, str, list[str], list[str]]


def rows(junit: Path) -> list[Row]:
    """Read the rows from a report of pytest.

    Args:
        junit: The file.
    """
    properties = ET.parse(junit).getroot().iter("property")
    return sorted(tuple(json.loads(each.get("value", ""))) for each in properties if each.get("name") == "caught")


def table(found: Sequence[Row]) -> list[str]:
    """Return the rows as lines, and the totals.

    Args:
        found: The rows.
    """
    width = max(len(mistake) for mistake, *_ in found)
    lines = [f"{'mistake':<{width}}  {'consumer':<8}  caught by"]
    for mistake, consumer, caught, others in found:
        also = f"  (also {' '.join(others)})" if others else ""
        lines.append(f"{mistake:<{width}}  {consumer:<8}  {' '.join(caught) or '-'}{also}")
    mutants = [row for row in found if row[0] != _CORRECT]
    found_out = sum(bool(row[2]) for row in mutants)
    correct = [row for row in found if row[0] == _CORRECT]
    clean = sum(not row[3] for row in correct)
    mistakes = len({row[0] for row in mutants})
    lines.append(
        f"{mistakes} mistakes in {len(mutants)} consumers: {found_out} caught; "
        f"{clean} of {len(correct)} correct consumers pass everything"
    )
    return lines


if __name__ == "__main__":
    print("\n".join(table(rows(Path(sys.argv[1])))))
