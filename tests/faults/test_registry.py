"""Which faults there are, which exclude each other, and what the engine knows of them."""

from __future__ import annotations

import itertools

import pytest

from mockserver.faults.delivery import DeliveryPlan, delivery_plan
from mockserver.faults.registry import FAULTS, SLOTS, is_signature_fault, read_faults
from tests.faults.requests import faulty
from tests.tables import each_row

SIGNATURE = (
    "missing_signature empty_signature wrong_secret malformed_signature truncated_signature wrong_algorithm other_body"
    " non_ascii_signature signature_without_prefix duplicate_signature_header"
).split()
BODY = (
    "tampered_body invalid_json not_utf8 empty_body wrong_content_type extra_fields missing_field null_field wrong_type"
    " large_body deep_nesting duplicate_keys trailing_newline spaced_json pretty_json sorted_keys escaped_unicode"
).split()
DELIVERY = "duplicate concurrent_duplicates stale lost swap_with_next".split()
TRANSPORT = "slow_body slow_headers truncated_body disconnect chunked expect_continue lowercase_headers".split()


def test_every_fault_is_in_its_layer() -> None:
    """The registry holds these and no others, each named as it is keyed."""
    expected = {"signature": SIGNATURE, "body": BODY, "delivery": DELIVERY, "transport": TRANSPORT}
    assert {name: fault.layer for name, fault in FAULTS.items()} == {
        name: layer for layer, names in expected.items() for name in names
    }
    assert all(fault.name == name for name, fault in FAULTS.items())


def test_slots_and_reasons_agree() -> None:
    """Every slot that a fault names has its reason, and each is shared by at least two."""
    slots = [fault.slot for fault in FAULTS.values() if fault.slot]
    assert set(slots) == set(SLOTS)
    assert min(map(slots.count, SLOTS)) >= 2


GROUPS = [
    SIGNATURE,
    ["missing_field", "null_field", "wrong_type"],
    ["spaced_json", "pretty_json"],
    ["large_body", "deep_nesting"],
    ["invalid_json", "not_utf8", "empty_body"],
    ["truncated_body", "disconnect"],
    ["duplicate", "concurrent_duplicates"],
    ["chunked", "truncated_body"],
]
NEEDS_A_BODY = sorted(
    set(BODY) - {"empty_body", "wrong_content_type"} | {"slow_body", "truncated_body", "expect_continue"}
)
EXCLUDED = {
    *(frozenset(pair) for group in GROUPS for pair in itertools.combinations(group, 2)),
    *(frozenset({"empty_body", name}) for name in NEEDS_A_BODY),
    *(frozenset({"lost", name}) for name in FAULTS if name != "lost"),
}


def test_two_faults_exclude_each_other_or_make_a_request() -> None:
    """Every pair is either refused, naming both, or gives a request."""
    for first, second in itertools.permutations(FAULTS, 2):
        if {first, second} in EXCLUDED:
            with pytest.raises(ValueError, match=f"'{first}' and '{second}' exclude each other: .{{10,}}"):
                read_faults([first, second])
        else:
            small = [{"deep_nesting": 5} if name == "deep_nesting" else name for name in (first, second)]
            assert faulty(small).wire


def test_a_fault_cannot_be_chosen_twice() -> None:
    """Not even with other values."""
    with pytest.raises(ValueError, match="'slow_body' and 'slow_body' exclude each other: a delivery can have it only"):
        read_faults(["slow_body", "slow_body(1s)"])


@each_row(
    ("faults", "plan"),
    [
        ([], DeliveryPlan()),
        (["wrong_secret", "slow_body"], DeliveryPlan()),
        ("duplicate", DeliveryPlan(copies=2)),
        ("duplicate(3)", DeliveryPlan(copies=3)),
        ("concurrent_duplicates(8)", DeliveryPlan(copies=8, together=True)),
        (["stale(10m)", "swap_with_next"], DeliveryPlan(stale=600.0, swap_with_next=True)),
        ("lost", DeliveryPlan(lost=True)),
        (["duplicate", "wrong_secret", "stale"], DeliveryPlan(copies=2, stale=3600.0)),
    ],
)
def test_the_engine_is_told_what_to_do(faults: list[str] | str, plan: DeliveryPlan) -> None:
    """Faults of the delivery layer become a plan for the engine; the others do not concern it."""
    assert delivery_plan(read_faults(faults)) == plan


def test_what_must_be_refused() -> None:
    """What is not the vendor's signature of the body; the right digest, twice or without its prefix, is no forgery."""
    genuine = {"signature_without_prefix", "duplicate_signature_header"}
    forged = {name for name in FAULTS if is_signature_fault(read_faults(name))}
    assert forged == {*SIGNATURE, "tampered_body"} - genuine


def test_what_must_be_refused_in_company() -> None:
    """Another fault does not make a forged delivery a good one; but without an answer nothing can be expected of it."""
    assert not is_signature_fault([])
    assert is_signature_fault(read_faults(["chunked", "wrong_secret", "pretty_json"]))
    assert not is_signature_fault(read_faults(["wrong_secret", "disconnect"]))
