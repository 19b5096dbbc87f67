"""All wrong forms of a signature, the most common mistakes first, and the pairs of those that like to come together."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator

from mockserver.checks.signature_variants.bodies import COMMON_BODY_FORMS, OTHER_BODY_FORMS
from mockserver.checks.signature_variants.headers import (
    DIGEST_FORMS,
    HEADER_FORMS,
    WRITING_FORMS,
    in_header,
    named_hex,
    timed_hex,
)
from mockserver.checks.signature_variants.secrets import COMMON_SECRET_FORMS, OTHER_SECRET_FORMS
from mockserver.checks.signature_variants.variant import (
    RIGHT,
    SignatureHeaders,
    Signed,
    WrongForm,
    both,
)
from mockserver.model.signing import SIGNATURE_HEADER

# ---------------------------------------------------------------- the ways of other vendors

_OTHER_VENDOR = (
    "this vendor signs the raw body alone, and sends neither an id nor a time: compute the HMAC-SHA256 of the body,"
    f" and compare `sha256=` and its hex digest with `{SIGNATURE_HEADER}`"
)


def _after_time(signed: Signed) -> bytes:
    return b"%d.%b" % (signed.seconds, signed.body)


def _after_id_and_time(signed: Signed) -> bytes:
    return b"%b.%b" % (signed.message_id.encode("ascii"), _after_time(signed))


def _as_slack_does(signed: Signed) -> bytes:
    return b"v0:%d:%b" % (signed.seconds, signed.body)


def _with_time(signature: str, time: str) -> Callable[[str, Signed], SignatureHeaders]:
    """Put a signature into one header, and the time into another."""
    return lambda text, signed: ((time, str(signed.seconds)), (signature, text))


def _with_id_and_time(prefix: str) -> Callable[[str, Signed], SignatureHeaders]:
    return lambda text, signed: (
        (f"{prefix}-id", signed.message_id),
        (f"{prefix}-timestamp", str(signed.seconds)),
        (f"{prefix}-signature", text),
    )


def _v1_base64(digest: bytes, _: Signed) -> str:
    return "v1," + base64.b64encode(digest).decode("ascii")


_AFTER_PREFIX = next(form for form in COMMON_SECRET_FORMS if form.name == "secret_decoded_after_prefix")

VENDOR_FORMS = (
    *(
        WrongForm(
            name=prefix,
            mistake=f"verifies as {vendor} does, with the headers `{prefix}-id`, `-timestamp` and `-signature`",
            fix=_OTHER_VENDOR,
            key=_AFTER_PREFIX.key,
            message=_after_id_and_time,
            text=_v1_base64,
            headers=_with_id_and_time(prefix),
        )
        for prefix, vendor in (("webhook", "Standard Webhooks"), ("svix", "Svix"))
    ),
    *(
        WrongForm(
            name=f"stripe {header}",
            mistake=f"verifies as Stripe does, with `t=` and `v1=` in the header `{header}` and the time signed too",
            fix=_OTHER_VENDOR,
            message=_after_time,
            text=timed_hex,
            headers=in_header(header),
        )
        for header in (SIGNATURE_HEADER, "Playgent-Signature", "Stripe-Signature")
    ),
    WrongForm(
        name="timestamp_header",
        mistake="verifies the time of a header `X-Playgent-Timestamp`, a dot and the body",
        fix=_OTHER_VENDOR,
        message=_after_time,
        headers=_with_time(SIGNATURE_HEADER, "X-Playgent-Timestamp"),
    ),
    *(
        WrongForm(
            name=f"slack {signature}",
            mistake=f"verifies as Slack does, `v0:` with the time of the header `{time}` and the body",
            fix=_OTHER_VENDOR,
            message=_as_slack_does,
            text=named_hex("v0="),
            headers=_with_time(signature, time),
        )
        for signature, time in (
            (SIGNATURE_HEADER, "X-Playgent-Timestamp"),
            ("X-Slack-Signature", "X-Slack-Request-Timestamp"),
        )
    ),
)

# ---------------------------------------------------------------- all, in order

_MOST_WRITTEN, _MOST_NAMED = WRITING_FORMS[:5], HEADER_FORMS[:5]

#: Forms with one mistake.
SINGLE_FORMS = (
    *COMMON_SECRET_FORMS,
    *_MOST_WRITTEN,
    *COMMON_BODY_FORMS,
    *_MOST_NAMED,
    *VENDOR_FORMS,
    *OTHER_SECRET_FORMS,
    *OTHER_BODY_FORMS,
    *DIGEST_FORMS,
    *WRITING_FORMS[5:],
    *HEADER_FORMS[5:],
)


def _pairs(firsts: Iterable[WrongForm], seconds: Iterable[WrongForm]) -> Iterator[WrongForm]:
    seconds = tuple(seconds)
    return (both(first, second) for first in firsts for second in seconds)


#: Forms with two mistakes that come together.
PAIRS = (
    *_pairs(COMMON_SECRET_FORMS[:3], _MOST_WRITTEN),
    *_pairs(_MOST_NAMED, [_MOST_WRITTEN[0], _MOST_WRITTEN[2]]),
    *_pairs(COMMON_SECRET_FORMS[:2], _MOST_NAMED[:3]),
    *_pairs([COMMON_BODY_FORMS[0], COMMON_BODY_FORMS[2]], [_MOST_WRITTEN[0], *COMMON_SECRET_FORMS[:2]]),
)

#: Every form, the most likely first.
WRONG_FORMS = (*SINGLE_FORMS, *PAIRS)


def distinct(forms: Iterable[WrongForm], signed: Signed, secret: str) -> list[tuple[WrongForm, ...]]:
    """Return forms in groups that come to the same; what equals the right form is left out.

    Args:
        forms: The forms, the most likely first.
        signed: What is signed.
        secret: The secret.

    Returns:
        The groups in the order of their first forms.
    """
    groups: dict[tuple[bytes, SignatureHeaders] | None, list[WrongForm]] = {}
    for form in forms:
        groups.setdefault(form.essence(signed, secret), []).append(form)
    left_out = (None, RIGHT.essence(signed, secret))
    return [tuple(group) for essence, group in groups.items() if essence not in left_out]
