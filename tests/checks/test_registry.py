"""The registry of checks: stable ids, complete descriptions, how checks are chosen, and the page made from it."""

from __future__ import annotations

import re

import pytest

from mockserver.checks.registry import CHECKS, chosen_checks
from mockserver.errors import UsageError
from tests.checks.page import checks_page
from tests.checks.renew_page import PAGE
from tests.tables import each_row

#: Ids are a contract: CI jobs skip by them. A check may be added to this table; none may change or go.
IDS = {
    "PG001": "control",
    "PG002": "every_event_type",
    "PG003": "no_redirect",
    "PG004": "nothing_in_front",
    "PG005": "other_methods",
    "PG006": "still_well",
    "PG007": "survives_any_request",
    "PG010": "missing_signature",
    "PG011": "empty_signature",
    "PG012": "wrong_secret",
    "PG013": "tampered_body",
    "PG014": "other_body",
    "PG015": "truncated_signature",
    "PG016": "lengthened_signature",
    "PG017": "malformed_signature",
    "PG018": "non_ascii_signature",
    "PG019": "wrong_algorithm",
    "PG020": "empty_secret",
    "PG021": "signature_without_prefix",
    "PG022": "upper_case_digest",
    "PG023": "duplicate_signature_header",
    "PG024": "header_name_case",
    "PG025": "undecodable_forgery",
    "PG026": "forgery_blocks_event",
    "PG027": "large_forgery",
    "PG030": "respelled_json",
    "PG031": "non_ascii_text",
    "PG032": "content_type_parameters",
    "PG033": "split_characters",
    "PG040": "unknown_event_type",
    "PG041": "extra_fields",
    "PG042": "null_fields",
    "PG043": "permanent_errors",
    "PG044": "deep_nesting",
    "PG045": "body_size",
    "PG050": "chunked",
    "PG051": "expect_continue",
    "PG052": "slow_sender",
    "PG053": "slow_sender_blocks_others",
    "PG054": "truncated_request",
    "PG055": "burst",
    "PG060": "answer_time",
    "PG061": "leaks_secret",
    "PG062": "leaks_internals",
    "PG070": "effect",
    "PG071": "duplicate_accepted",
    "PG072": "duplicate_effect",
    "PG073": "concurrent_duplicates",
    "PG074": "object_with_two_events",
    "PG075": "moment_with_two_objects",
    "PG076": "concurrent_events",
    "PG077": "lost_answer",
    "PG078": "order",
    "PG079": "state_after_any_order",
    "PG080": "failure_is_reported",
    "PG081": "retry_after_failure",
    "PG090": "constant_time_comparison",
    "PG091": "starts_without_secret",
    "PG092": "registers_once",
}


def test_ids_and_names_are_those_that_others_rely_on() -> None:
    assert {check.id: check.name for check in CHECKS.values()} == IDS


def test_every_check_says_what_it_sends_why_it_matters_and_how_to_mend_it() -> None:
    """No description is empty; what is put after a colon begins in lower case and has no full stop of its own."""
    for check in CHECKS.values():
        assert check.sends.endswith("."), check.id
        assert check.why.endswith("."), check.id
        assert not check.fix.endswith("."), check.id
        assert not check.good.endswith("."), check.id


def test_what_cannot_be_tested_has_no_procedure_and_says_so() -> None:
    """A check without a procedure is only listed, never passed."""
    untested = [check.id for check in CHECKS.values() if check.procedure is None]
    assert untested == ["PG090", "PG091", "PG092"]


def test_the_control_comes_first_and_the_last_look_after_everything_that_sends() -> None:
    """Nothing can be judged without the control."""
    tested = [check.id for check in CHECKS.values() if check.procedure is not None]
    assert tested[0] == "PG001"
    assert tested[-1] == "PG006"


@each_row("name", ["PG012", "pg012", "wrong_secret", "wrong-secret", "Wrong Secret"])
def test_a_check_is_chosen_by_id_or_name(name: str) -> None:
    """However it is spelled; the control is always with it."""
    assert [check.id for check in chosen_checks(only=[name])] == ["PG001", "PG012"]


def test_skipped_checks_are_left_out() -> None:
    assert {check.id for check in CHECKS.values()} - {check.id for check in chosen_checks(skip=["PG053", "order"])} == {
        "PG053",
        "PG078",
    }


def test_an_unknown_check_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"no check 'wrong_secrets'.*did you mean 'wrong_secret'"):
        chosen_checks(only=["wrong_secrets"])


def test_to_skip_everything_is_an_error() -> None:
    """A run without checks would pass whatever the consumer does."""
    with pytest.raises(UsageError, match="no check is left"):
        chosen_checks(only=["PG012"], skip=["PG012"])


def test_the_page_is_up_to_date() -> None:
    """docs/checks.md is what the generator gives; if not, run: python -m tests.checks.renew_page."""
    assert PAGE.read_text("utf-8") == checks_page()


def test_the_page_has_a_row_and_a_section_for_every_check() -> None:
    """Each row links to a section that is there."""
    page = checks_page()
    anchors = re.findall(r"^\| \[(PG\d+)\]\(#([a-z0-9-]+)\)", page, re.MULTILINE)
    assert [check for check, _ in anchors] == list(CHECKS)
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert {anchor for _, anchor in anchors} == headings
