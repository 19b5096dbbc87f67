"""What the checks must find out about each mistake of :data:`tests.consumers.mistakes.MISTAKES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mockserver.reports.check_report import CheckReport
from tests.checks.checked import verdicts

#: What anyone who can send without knowing the secret gets past.
_FORGERIES = ("PG010", "PG011", "PG012", "PG013", "PG014", "PG015", "PG016", "PG017", "PG018", "PG019", "PG020")
_ODD_SIGNATURES = ("PG015", "PG016", "PG017", "PG018", "PG019")


class Expected(NamedTuple):
    """What becomes of a mistake.

    Attributes:
        caught_by: The checks that must catch it: fail, or warn where nothing more can be known.
        about: Further ``must`` checks that may fail, since it is their subject as well.
        verdict: What the checks that catch it say.
        diagnosis: Words of the doctor's explanation, where ordinary deliveries are refused.
    """

    caught_by: tuple[str, ...]
    about: tuple[str, ...] = ()
    verdict: str = "fail"
    diagnosis: str = ""


#: The mistakes by name.
EXPECTED: Mapping[str, Expected] = {
    "no_verification": Expected(_FORGERIES),
    "missing_signature_accepted": Expected(("PG010", "PG011")),
    "logs_and_goes_on": Expected(_FORGERIES),
    "refuses_after_handling": Expected(_FORGERIES),
    "drops_silently": Expected(()),  # a 2xx to what is dropped is a choice: the probe sees that nothing came of it
    "prefix_compare": Expected(("PG015",)),
    "ignores_the_rest": Expected(("PG016",)),
    "crash_on_missing_header": Expected(("PG010",)),
    "crash_on_malformed": Expected(_ODD_SIGNATURES),
    "crash_on_length": Expected(_ODD_SIGNATURES),
    "crash_on_non_ascii": Expected(("PG018",)),
    # The first of the odd signatures ends it, and nothing after that can be judged.
    "dies_on_malformed": Expected(("PG007",), about=(*_ODD_SIGNATURES, "PG006")),
    "any_algorithm": Expected(("PG019",)),
    "weak_algorithm": Expected(("PG019",)),
    "empty_secret_accepted": Expected(("PG020",)),
    "verifies_some_events": Expected(("PG012",), about=_FORGERIES),
    "header_by_case": Expected(("PG024",)),
    "marks_before_verifying": Expected(("PG026",)),
    "reserialised_compact": Expected(("PG030",)),
    "reserialised_spaced": Expected(("PG001",), diagnosis="parsed and written again as `json.dumps`"),
    "reserialised_sorted": Expected(("PG001",), diagnosis="with its keys sorted"),
    "strips_body": Expected(("PG030",)),
    "latin1_body": Expected(("PG031",)),
    # In Python it crashes at any byte that is not ASCII, before it verifies; in JavaScript it refuses the text.
    "ascii_body": Expected(("PG031",), about=("PG025",)),
    "undecodable_crash": Expected(("PG025",)),
    "decodes_each_piece": Expected(("PG033",)),
    "content_type_exact": Expected(("PG032",)),
    "secret_without_prefix": Expected(("PG001",), diagnosis="without its prefix"),
    "secret_base64_decoded": Expected(("PG001",), diagnosis="from base64"),
    "secret_with_newline": Expected(("PG001",), diagnosis="a line feed at the end of its secret"),
    "other_header": Expected(("PG001",), diagnosis="from the header `X-Hub-Signature-256`"),
    "digest_without_prefix": Expected(("PG001",), diagnosis="without `sha256=`"),
    "base64_digest": Expected(("PG001",), diagnosis="in base64, not in hex"),
    "unknown_event_400": Expected(("PG040",)),
    "unknown_event_500": Expected(("PG040",)),
    "extra_fields_refused": Expected(("PG041",)),
    "crash_on_null": Expected(("PG042",)),
    "crash_on_bad_json": Expected(("PG043",)),
    "crash_on_wrong_shape": Expected(("PG043",)),
    "crash_on_deep_nesting": Expected(("PG044",)),
    "body_limit_100kb": Expected(("PG045",)),
    "content_length_only": Expected(("PG050",)),
    "one_at_a_time": Expected(("PG053",)),
    "redirects": Expected(("PG001", "PG003"), diagnosis="answers 308"),
    "csrf": Expected(("PG001", "PG004"), diagnosis="CSRF protection"),
    "login_redirect": Expected(("PG001", "PG003", "PG004"), diagnosis="redirects to /login"),
    "get_accepted": Expected(("PG005",)),
    "slow_handler": Expected(("PG060",)),
    "leaks_expected_signature": Expected(("PG061",)),
    "leaks_secret": Expected(("PG061",)),
    "leaks_trace": Expected(("PG062",)),
    "no_dedupe": Expected(("PG072",)),  # PG073 and PG077 depend on it
    "duplicate_refused": Expected(("PG071",)),
    "check_then_act": Expected(("PG073",)),
    "dedupe_by_object": Expected(("PG074",), about=("PG079",)),
    # Which other events share a second, and so are lost, depends on when the checks run.
    "dedupe_by_timestamp": Expected(("PG075",), about=("PG026", "PG078", "PG079")),
    "lost_updates": Expected(("PG076",), about=("PG077",)),
    "marks_before_success": Expected(("PG081",)),
    "swallows_errors": Expected(("PG080",)),
    "half_done": Expected(("PG081",)),
    "last_write_wins": Expected(("PG079",)),
    "order_matters_500": Expected(("PG078",), about=("PG079",)),
}


def complaint(mistake: str, report: CheckReport) -> str:
    """What is wrong with a report; empty if the mistake was caught as expected, and by no other must-check."""
    expected = EXPECTED[mistake]
    wrong = verdicts(report, "fail", "warn")
    missed = [check for check in expected.caught_by if not wrong.get(check, "").startswith(expected.verdict)]
    breaks = {finding.check.id for finding in report.findings if finding.breaks}
    others = sorted(breaks - {*expected.caught_by, *expected.about})
    explained = report.diagnosis.explanation if report.diagnosis else ""
    told = expected.diagnosis in explained and bool(explained) == bool(expected.diagnosis)
    if missed or others or not told:
        return f"{mistake}: not caught by {missed}, but by {others}; diagnosis {explained!r}; {wrong}"
    return ""
