"""Defects that only checks make: signatures that no fault has, other methods, header names in another case."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from mockserver.faults.fault import ChosenFault, Fault, Stage
from mockserver.faults.registry import FAULTS
from mockserver.faults.request_builder import Draft
from mockserver.model.signing import PREFIX, SIGNATURE_HEADER, sign

#: After every fault of the registry, so that these have the last word.
_LAST = len(FAULTS)


def defect(name: str, stage: Stage, apply: Callable[[Draft], None]) -> ChosenFault:
    """Make a fault that is in no registry.

    Args:
        name: What the record calls it.
        stage: When it changes a request in the making.
        apply: Changes the draft.
    """
    fault = Fault(name=name, layer="signature", doc="", stage=stage, apply=apply, position=_LAST)
    return ChosenFault(fault, {})


def signature(name: str, form: Callable[[bytes, str], str]) -> ChosenFault:
    """Make a fault of the signature.

    Args:
        name: What the record calls it.
        form: Returns the header's value for a payload and the secret; each character is a byte.
    """

    def apply(draft: Draft) -> None:
        draft.set_header(SIGNATURE_HEADER, form(draft.payload, draft.secret).encode("latin-1"))

    return defect(name, "headers", apply)


def digest(payload: bytes, secret: str, algorithm: str = "sha256") -> str:
    """Return the digest of a payload in hex, without a name before it."""
    if algorithm == "sha256":
        return sign(payload, secret).removeprefix(PREFIX)
    return hmac.new(secret.encode("utf-8", "surrogateescape"), payload, getattr(hashlib, algorithm)).hexdigest()


def tampered_id() -> ChosenFault:
    """Change the id of what an event is about after signing, by one character: what comes is still such an event."""

    def apply(draft: Draft) -> None:
        payload = draft.payload
        begin = payload.index(b':"', payload.index(b'"data":')) + 2  # the data of our events begin with the id
        at = payload.index(b'"', begin) - 1
        draft.body = payload[:at] + (b"1" if payload[at : at + 1] == b"0" else b"0") + payload[at + 1 :]

    return defect("tampered_body", "body", apply)


def method(name: str) -> ChosenFault:
    """Make a request with another method than POST."""

    def apply(draft: Draft) -> None:
        draft.opening = [name.encode("ascii") + step[4:] if isinstance(step, bytes) else step for step in draft.opening]

    return defect(f"method {name}", "wire", apply)


def header_case(name: str, change: Callable[[str], str]) -> ChosenFault:
    """Write the names of the headers in another case."""

    def apply(draft: Draft) -> None:
        draft.headers = [(change(header), value) for header, value in draft.headers]

    return defect(name, "framing", apply)
