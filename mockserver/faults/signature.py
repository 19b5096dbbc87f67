"""Faults of the signature: the payload is right, and the header does not prove it."""

from __future__ import annotations

from mockserver.faults.fault import Fault
from mockserver.faults.request_builder import Draft
from mockserver.model.signing import PREFIX, SIGNATURE_HEADER, sign

#: What ``other_body`` signs: an event, but not the one that is sent.
OTHER_PAYLOAD = b'{"event":"run.completed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_other1"}}'

#: What ``wrong_secret`` appends to the webhook's secret.
WRONG = "_wrong"


def _put(draft: Draft, *signatures: str) -> None:
    draft.set_header(SIGNATURE_HEADER, *(signature.encode("latin-1") for signature in signatures))


def _digest(draft: Draft) -> str:
    return draft.header(SIGNATURE_HEADER).decode("ascii").removeprefix(PREFIX)


def _forgery(draft: Draft) -> str:
    return sign(draft.payload, draft.secret + WRONG)


def _missing_signature(draft: Draft) -> None:
    _put(draft)


def _empty_signature(draft: Draft) -> None:
    _put(draft, "")


def _wrong_secret(draft: Draft) -> None:
    _put(draft, _forgery(draft))


def _malformed_signature(draft: Draft) -> None:
    _put(draft, PREFIX + "z" * len(_digest(draft)))


def _truncated_signature(draft: Draft) -> None:
    digest = _digest(draft)
    _put(draft, PREFIX + digest[: len(digest) // 2])


def _wrong_algorithm(draft: Draft) -> None:
    _put(draft, f"sha512={_digest(draft)}")


def _other_body(draft: Draft) -> None:
    _put(draft, sign(OTHER_PAYLOAD, draft.secret))


def _non_ascii_signature(draft: Draft) -> None:
    _put(draft, f"{PREFIX}\xe9{_digest(draft)[1:]}")


def _signature_without_prefix(draft: Draft) -> None:
    _put(draft, _digest(draft))


def _duplicate_signature_header(draft: Draft) -> None:
    _put(draft, PREFIX + _digest(draft), _forgery(draft))


_EFFECTS = (
    ("missing_signature", "The signature header is left out.", _missing_signature),
    ("empty_signature", "The signature header is there, and empty.", _empty_signature),
    (
        "wrong_secret",
        f"The payload is signed with another secret: the webhook's with `{WRONG}` after it.",
        _wrong_secret,
    ),
    (
        "malformed_signature",
        "The digest has the right length and is not hexadecimal: 64 times `z`.",
        _malformed_signature,
    ),
    ("truncated_signature", "The second half of the digest is cut off.", _truncated_signature),
    (
        "wrong_algorithm",
        "The right digest follows another name: `sha512=` instead of `sha256=`.",
        _wrong_algorithm,
    ),
    ("other_body", "The signature is a valid one, but of another payload.", _other_body),
    ("non_ascii_signature", "The first digit of the digest is the Latin-1 byte 0xE9 (é).", _non_ascii_signature),
    ("signature_without_prefix", "The right digest has no `sha256=` before it.", _signature_without_prefix),
    (
        "duplicate_signature_header",
        "The signature header comes twice: the right one, then one made with another secret.",
        _duplicate_signature_header,
    ),
)

#: What carries the right digest, though not as the vendor writes it: both to accept and to refuse it is right.
_GENUINE = ("signature_without_prefix", "duplicate_signature_header")

SIGNATURE_FAULTS = tuple(
    Fault(
        name=name,
        layer="signature",
        doc=doc,
        stage="headers",
        apply=apply,
        slot="signature",
        forged=name not in _GENUINE,
    )
    for name, doc, apply in _EFFECTS
)
