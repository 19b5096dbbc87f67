"""The page of the documentation says what the registry says."""

from __future__ import annotations

from docs.generate.faults_page import PAGE, faults_page
from mockserver.faults.registry import FAULTS


def test_the_page_is_up_to_date() -> None:
    """docs/faults.md is what the generator gives; if not, run: python -m docs.generate.faults_page."""
    assert PAGE.read_text("utf-8") == faults_page()


def test_the_page_names_every_fault_once_in_a_table() -> None:
    """Each fault has exactly one row, and each row has three cells."""
    rows = [line for line in faults_page().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(FAULTS)
    assert {row.count(" | ") for row in rows} == {2}


def test_every_fault_is_described_in_a_sentence() -> None:
    """A sentence begins with a capital letter, or with what it is about, and ends with a full stop."""
    for fault in FAULTS.values():
        assert fault.doc[0].isupper()
        assert fault.doc.endswith(".")
        assert ". " not in fault.doc
