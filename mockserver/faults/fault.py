"""What a fault is, and what its parameters are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from mockserver.model.fields import Kind

#: What a fault touches: the signature, the body, the delivery as a whole, or the bytes on their way.
Layer = Literal["signature", "body", "transport", "delivery"]

#: When a fault changes a request in the making; in the order in which the stages come.
Stage = Literal["payload", "headers", "body", "framing", "wire"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a fault. None has to be given.

    Without a default, its value depends on the request, as ``doc`` then says.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None

    def show(self, value: Any) -> str:
        """Return a value as scripts write it."""
        return self.kind.show(value)


def _nothing(draft: Any, **values: Any) -> None:
    """Change nothing: a fault of the delivery as a whole."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One deliberate defect.

    ``stage`` is when it changes a request in the making; None if it concerns the delivery as a whole. ``apply`` takes
    the draft, and the parameters by name; a short form gives the first. Two faults of one ``slot`` exclude each other.
    What is ``forged`` a consumer must refuse. ``position`` is its place in the order in which all faults apply.
    """

    name: str
    layer: Layer
    doc: str
    stage: Stage | None = None
    apply: Callable[..., None] = _nothing
    parameters: tuple[Parameter, ...] = ()
    slot: str = ""
    forged: bool = False
    position: int = 0


class ChosenFault(msgspec.Struct, frozen=True):
    """A fault with a value for each of its parameters; None where that depends on the request."""

    fault: Fault
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The fault's name."""
        return self.fault.name

    def apply(self, draft: Any) -> None:
        """Change a draft, if the fault is one that changes requests."""
        self.fault.apply(draft, **self.values)
