"""Wrong forms of the digest, of how it is written, and of the header that carries it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from mockserver.checks.signature_variants.variant import SignatureHeaders, Signed, WrongForm
from mockserver.model.signing import PREFIX, SIGNATURE_HEADER

# ---------------------------------------------------------------- other digests

_DIGEST = "compute an HMAC with SHA-256, with the secret as the key and the raw body as the message"


def _sha256(*, key_first: bool) -> Callable[[bytes, bytes], bytes]:
    return lambda key, message: hashlib.sha256(key + message if key_first else message + key).digest()


def _hmac(algorithm: str) -> Callable[[bytes, bytes], bytes]:
    return lambda key, message: hmac.digest(key, message, algorithm)


def named_hex(name: str) -> Callable[[bytes, Signed], str]:
    """Return what writes a digest in hex after a name and its separator."""
    return lambda digest, _: name + digest.hex()


BARE_HEX = named_hex("")

DIGEST_FORMS = (
    WrongForm(name="sha512", mistake="computes HMAC-SHA512", fix=_DIGEST, digest=_hmac("sha512")),
    *(
        WrongForm(
            name=f"{algorithm}_{'named' if prefix else 'bare'}",
            mistake=f"computes HMAC-{algorithm.upper()}"
            + (f" and expects it after `{prefix}`" if prefix else " and expects it without a name before it"),
            fix=_DIGEST,
            digest=_hmac(algorithm),
            text=named_hex(prefix),
        )
        for algorithm in ("sha512", "sha1")
        for prefix in (f"{algorithm}=", "")
    ),
    WrongForm(
        name="hash_of_secret_and_body",
        mistake="hashes the secret followed by the body, which is no HMAC",
        fix=_DIGEST,
        digest=_sha256(key_first=True),
    ),
    WrongForm(
        name="hash_of_body_and_secret",
        mistake="hashes the body followed by the secret, which is no HMAC",
        fix=_DIGEST,
        digest=_sha256(key_first=False),
    ),
    WrongForm(
        name="hash_of_body",
        mistake="hashes the body without any secret, so that anybody can sign",
        fix=_DIGEST,
        digest=lambda _, message: hashlib.sha256(message).digest(),
    ),
    WrongForm(
        name="key_and_body_swapped",
        mistake="takes the body for the key and the secret for the message",
        fix=_DIGEST + "; mind the order of the arguments",
        digest=lambda key, message: hmac.digest(message, key, "sha256"),
    ),
)

# ---------------------------------------------------------------- other ways to write a digest

_WRITING = "expect `sha256=` and the digest in lower-case hex, and compare the whole header"


def named_base64(name: str) -> Callable[[bytes, Signed], str]:
    """Return what writes a digest in base64 after a name and its separator."""
    return lambda digest, _: name + base64.b64encode(digest).decode("ascii")


def _written(name: str, mistake: str, text: Callable[[bytes, Signed], str]) -> WrongForm:
    return WrongForm(name=name, mistake=mistake, fix=_WRITING, text=text)


def timed_hex(digest: bytes, signed: Signed) -> str:
    """Write a digest as Stripe does, with the time beside it."""
    return f"t={signed.seconds},v1={digest.hex()}"


WRITING_FORMS = (
    _written("without_prefix", "compares the header with the hex digest alone, without `sha256=`", BARE_HEX),
    _written("base64_with_prefix", "expects `sha256=` and the digest in base64, not in hex", named_base64("sha256=")),
    _written("base64_bare", "expects the digest in base64, without `sha256=`", named_base64("")),
    _written("v1", "expects `v1=` before the hex digest", named_hex("v1=")),
    _written("v1_base64", "expects `v1,` and the digest in base64", named_base64("v1,")),
    _written("colon", "expects `sha256:` before the hex digest", named_hex("sha256:")),
    _written("space", "expects `sha256` and a space before the hex digest", named_hex("sha256 ")),
    _written("hmac_sha256", "expects `hmac-sha256=` before the hex digest", named_hex("hmac-sha256=")),
    _written("prefix_twice", "puts `sha256=` before what has it already", named_hex("sha256=sha256=")),
    _written("upper_case", "expects the hex digest in upper case", lambda digest, _: PREFIX + digest.hex().upper()),
    _written(
        "upper_case_bare",
        "expects the hex digest in upper case, without `sha256=`",
        lambda digest, _: digest.hex().upper(),
    ),
    _written(
        "base64url_bare",
        "expects the digest in URL-safe base64, without `sha256=`",
        lambda digest, _: base64.urlsafe_b64encode(digest).decode("ascii"),
    ),
)

# ---------------------------------------------------------------- other headers

_HEADER = f"read the signature from the header `{SIGNATURE_HEADER}`"

_OTHER_NAMES = (
    "X-Webhook-Signature",
    "X-Signature",
    "X-Hub-Signature-256",
    "Webhook-Signature",
    "Playgent-Signature",
    "X-Playgent-Signature-256",
    "X-Playgent-Webhook-Signature",
    "X-Playgent-Hmac-Sha256",
    "X-Hub-Signature",
    "X-Signature-256",
    "X-Hmac-Signature",
    "Signature",
    "Stripe-Signature",
)


def in_header(name: str) -> Callable[[str, Signed], SignatureHeaders]:
    """Return what puts a signature into a header of another name."""
    return lambda text, _: ((name, text),)


HEADER_FORMS = (
    *(
        WrongForm(
            name=f"header {name}",
            mistake=f"reads the signature from the header `{name}`",
            fix=_HEADER,
            headers=in_header(name),
        )
        for name in _OTHER_NAMES
    ),
    *(
        WrongForm(
            name=f"header name in {case} case",
            mistake=f"finds the header only if its name is written in {case} case",
            fix="the names of headers have no case: read it through the framework, without regard to case",
            headers=in_header(name),
        )
        for case, name in (("lower", SIGNATURE_HEADER.lower()), ("upper", SIGNATURE_HEADER.upper()))
    ),
)
