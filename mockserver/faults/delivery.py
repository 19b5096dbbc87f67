"""Faults of the delivery as a whole: how often it is made, in which order, and when it says that it happened.

They change no request. The dispatcher asks for the :func:`delivery_plan` and acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mockserver.faults.fault import ChosenFault, Fault, Parameter
from mockserver.model.fields import Duration, Whole


class DeliveryPlan(msgspec.Struct, frozen=True):
    """What the dispatcher does with a delivery.

    ``stale`` is how many seconds the timestamp of the payload is before the time at which it is sent; copies have the
    same bytes, and are released one after another or ``together``.
    """

    copies: int = 1
    together: bool = False
    stale: float = 0.0
    lost: bool = False
    swap_with_next: bool = False


_TIMES = Parameter(name="times", kind=Whole(2, 1000), doc="how many copies there are in all", default=2)
_AGE = Parameter(name="age", kind=Duration(0.001), doc="how old it is", default=3600.0)

DELIVERY_FAULTS = (
    Fault(
        name="duplicate",
        layer="delivery",
        doc="The same bytes are delivered several times, one after the other.",
        parameters=(_TIMES,),
        slot="copies",
    ),
    Fault(
        name="concurrent_duplicates",
        layer="delivery",
        doc="The same bytes are delivered several times, all released together.",
        parameters=(_TIMES,),
        slot="copies",
    ),
    Fault(
        name="stale",
        layer="delivery",
        doc="The timestamp of the payload lies in the past; the signature is right.",
        parameters=(_AGE,),
    ),
    Fault(name="lost", layer="delivery", doc="It is never sent."),
    Fault(name="swap_with_next", layer="delivery", doc="It is sent after the next delivery."),
)


def delivery_plan(faults: Iterable[ChosenFault]) -> DeliveryPlan:
    """Return what the dispatcher does with a delivery that has these faults."""
    chosen = {fault.name: fault.values for fault in faults}
    copies = chosen.get("duplicate") or chosen.get("concurrent_duplicates") or {"times": 1}
    return DeliveryPlan(
        copies=copies["times"],
        together="concurrent_duplicates" in chosen,
        stale=chosen.get("stale", {"age": 0.0})["age"],
        lost="lost" in chosen,
        swap_with_next="swap_with_next" in chosen,
    )
