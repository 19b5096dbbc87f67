"""Every fault that there is, and which of them exclude each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType

import msgspec

from mockserver.faults.body import BODY_FAULTS
from mockserver.faults.delivery import DELIVERY_FAULTS
from mockserver.faults.fault import ChosenFault, Fault
from mockserver.faults.signature import SIGNATURE_FAULTS
from mockserver.faults.spelling import PAYLOAD_FAULTS
from mockserver.faults.transport import TRANSPORT_FAULTS

_ALL = (*SIGNATURE_FAULTS, *PAYLOAD_FAULTS, *BODY_FAULTS, *TRANSPORT_FAULTS, *DELIVERY_FAULTS)

#: The faults by name. Within a stage they apply in this order.
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.name: msgspec.structs.replace(fault, position=position) for position, fault in enumerate(_ALL)}
)

#: Why two faults of one slot exclude each other.
SLOTS: Mapping[str, str] = MappingProxyType(
    {
        "signature": "both decide what is in the signature header",
        "field": "both change a field",
        "spacing": "both decide where the JSON has spaces",
        "bulk": "both add a large field",
        "broken": "both decide why the body is not JSON",
        "ending": "both end the connection",
        "copies": "both decide how many copies there are",
    }
)

_NO_BODY = "without a body there is nothing for it to change"
_NO_LENGTH = "a body in chunks has no Content-Length that it could fall short of"
_NOT_SENT = "what is never sent has no other faults"


def why_excluded(first: Fault, second: Fault) -> str:
    """Say why two faults cannot be combined; empty if they can."""
    if first.name == second.name:
        return "a delivery can have it only once"
    if first.slot and first.slot == second.slot:
        return SLOTS[first.slot]
    names = {first.name, second.name}
    if "lost" in names:
        return _NOT_SENT
    if names == {"chunked", "truncated_body"}:
        return _NO_LENGTH
    if "empty_body" in names and any(map(_needs_a_body, (first, second))):
        return _NO_BODY
    return ""


def check_combination(faults: Sequence[ChosenFault]) -> None:
    """Refuse faults that exclude each other.

    Raises:
        ValueError: Two of them do; the message says which, and why.
    """
    for first, second in combinations(faults, 2):
        why = why_excluded(first.fault, second.fault)
        if why:
            raise ValueError(f"faults {first.name!r} and {second.name!r} exclude each other: {why}")


def is_signature_fault(faults: Iterable[ChosenFault]) -> bool:
    """Return whether a consumer must refuse (4xx) a delivery with these faults: it is not what the vendor signed.

    Where a fault also ends the connection before an answer is read, nothing can be said of the answer, so: False.
    """
    chosen = [fault.fault for fault in faults]
    return any(fault.forged for fault in chosen) and not any(fault.slot == "ending" for fault in chosen)


def _needs_a_body(fault: Fault) -> bool:
    if fault.name in {"empty_body", "wrong_content_type", "chunked", "lowercase_headers"}:
        return False
    return fault.layer == "body" or fault.name in {"slow_body", "truncated_body", "expect_continue"}
