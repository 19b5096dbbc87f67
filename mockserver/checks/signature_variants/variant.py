"""Wrong forms of a signature: what a consumer with a usual mistake takes for the right one.

A signature is made in five steps: a key is made of the secret, what is signed is made of the body, both give a digest,
the digest is written down, and that goes into a header. A mistake changes one of these steps, and so a wrong form is
the documented way of signing with one step replaced, or two where mistakes like to come together.

Nothing here ever holds a secret: the forms are functions. What they give away of one is a digest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import msgspec

from mockserver.model.signing import PREFIX, SIGNATURE_HEADER

#: Names and values, as they go into a request.
SignatureHeaders = tuple[tuple[str, str], ...]


class Signed(msgspec.Struct, frozen=True):
    """What is signed: the body, and what other vendors sign with it.

    Args:
        body: The raw body.
        message_id: An id of the message.
        seconds: When it was sent, in seconds since 1970.
    """

    body: bytes
    message_id: str = ""
    seconds: int = 0


def key_as_given(secret: str) -> bytes:
    """Return the right key: the secret, as it was given."""
    return secret.encode("utf-8", "surrogateescape")


def raw_body(signed: Signed) -> bytes:
    """Return what is signed in truth: the raw body."""
    return signed.body


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the right digest."""
    return hmac.digest(key, message, "sha256")


def prefixed_hex(digest: bytes, _: Signed) -> str:
    """Write a digest as the vendor does."""
    return PREFIX + digest.hex()


def right_header(text: str, _: Signed) -> SignatureHeaders:
    """Put a signature where the vendor puts it."""
    return ((SIGNATURE_HEADER, text),)


#: A digest in which all digits of hex and the special ones of base64 occur.
_ALL_DIGITS = bytes.fromhex("fbefbeffffff0123456789abcdef") * 5


class WrongForm(msgspec.Struct, frozen=True, kw_only=True):
    """One way of signing that is wrong, but for what is said of it: the rest is as documented.

    Args:
        name: What the record calls it.
        mistake: What a consumer does that expects it: ``reads the signature from the header `X-Signature` ``.
        fix: What to do about it.
        key: Makes the key of the secret.
        message: Makes what is signed.
        digest: Makes the digest of key and message.
        text: Writes the digest down.
        headers: Puts what was written where it is looked for.
    """

    name: str
    mistake: str
    fix: str
    key: Callable[[str], bytes] = key_as_given
    message: Callable[[Signed], bytes] = raw_body
    digest: Callable[[bytes, bytes], bytes] = hmac_sha256
    text: Callable[[bytes, Signed], str] = prefixed_hex
    headers: Callable[[str, Signed], SignatureHeaders] = right_header

    def sign(self, signed: Signed, secret: str) -> SignatureHeaders | None:
        """Return the headers that a consumer with this mistake takes for right.

        Args:
            signed: What is signed.
            secret: The right secret, as it was given.

        Returns:
            The headers; None if the form cannot be made of this secret, as one that is not hexadecimal cannot be read
            so.
        """
        essence = self.essence(signed, secret)
        return None if essence is None else self.headers(self.text(essence[0], signed), signed)

    def essence(self, signed: Signed, secret: str) -> tuple[bytes, SignatureHeaders] | None:
        """Return what distinguishes this form from others: equal ones come to the same headers, and not by chance.

        The digest stands for itself: written down, two ways to write may look alike, as base64 and its URL-safe form do
        for many digests.

        Args:
            signed: What is signed.
            secret: The right secret, as it was given.

        Returns:
            The digest, and how any digest is written; None if the form cannot be made of this secret.
        """
        try:
            digest = self.digest(self.key(secret), self.message(signed))
        except ValueError:
            return None
        return digest, self.headers(self.text(_ALL_DIGITS[: len(digest)], signed), signed)

    @property
    def shape(self) -> tuple[object, ...]:
        """What two forms share that only differ in what the digest is, and so look alike to who cannot verify."""
        return self.headers, self.text, len(self.digest(b"", b""))


#: The documented way, which is the measure of all others.
RIGHT = WrongForm(name="right", mistake="", fix="")

_STEPS = ("key", "message", "digest", "text", "headers")


def both(first: WrongForm, second: WrongForm) -> WrongForm:
    """Return the form of a consumer that makes two mistakes, in different steps."""
    steps = {step: getattr(second, step) for step in _STEPS if getattr(second, step) is not getattr(RIGHT, step)}
    return msgspec.structs.replace(
        first,
        name=f"{first.name}+{second.name}",
        mistake=f"{first.mistake}, and {second.mistake}",
        fix="; ".join(dict.fromkeys((first.fix, second.fix))),
        **steps,
    )


def forged(form: WrongForm, noise: bytes) -> WrongForm:
    """Return the same form with a digest that means nothing.

    Args:
        form: A form.
        noise: At least as many bytes as its digest has.
    """
    size = len(form.digest(b"", b""))
    return msgspec.structs.replace(form, name=f"forged {form.name}", digest=lambda *_: noise[:size])
