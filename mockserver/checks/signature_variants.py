"""Wrong forms of a signature: what a consumer with a usual mistake takes for the right one.

A signature is made in five steps: a key is made of the secret, what is signed is made of the body, both give a digest,
the digest is written down, and that goes into a header. A mistake changes one of these steps, and so a wrong form is
the documented way of signing with one step replaced, or two where mistakes like to come together.

Nothing here ever holds a secret: the forms are functions. What they give away of one is a digest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_plus

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
    """Return what is really signed: the raw body."""
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
    """One wrong way of signing: as documented, except for the steps that are given here.

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
        """Return the headers that a consumer with this mistake takes for right."""
        essence = self.essence(signed, secret)
        return None if essence is None else self.headers(self.text(essence[0], signed), signed)

    def essence(self, signed: Signed, secret: str) -> tuple[bytes, SignatureHeaders] | None:
        """Return what distinguishes this form from others: equal ones give the same headers, and not by chance.

        The digest stands for itself: written down, two ways to write may look alike, as base64 and its URL-safe form do
        for many digests.
        """
        try:
            digest = self.digest(self.key(secret), self.message(signed))
        except ValueError:
            return None
        return digest, self.headers(self.text(_ALL_DIGITS[: len(digest)], signed), signed)

    @property
    def shape(self) -> tuple[object, ...]:
        """What two forms share that differ only in the digest, and so look alike to a consumer that cannot verify."""
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
    """Return the same form with a digest that means nothing."""
    size = len(form.digest(b"", b""))
    return msgspec.structs.replace(form, name=f"forged {form.name}", digest=lambda *_: noise[:size])


# ---------------------------------------------------------------- the secret

_WHSEC = "whsec_"
_OR_HERE = "; or, if the consumer has the right one, give that here as --secret"
_EXACTLY = f"use the secret exactly as it was given, with its prefix: do not strip, decode or change it{_OR_HERE}"
_ENDS = (
    f"use the secret exactly as it was given{_OR_HERE}: check how it gets into the setting (`printf %s` writes no line"
    " feed, `echo` does; a file is read with its last line feed; quotes in an env file may become part of the value)"
)
_SETTING = "check that the setting with the secret exists, under the right name, where the consumer runs"
_ENV_FILE = "put the secret between single quotes in the env file"

_OUTSIDE_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


def _changed(name: str, mistake: str, change: Callable[[str], str], fix: str = _EXACTLY) -> WrongForm:
    """A form whose key is another text."""
    return WrongForm(name=name, mistake=mistake, fix=fix, key=lambda secret: key_as_given(change(secret)))


def _decoded(name: str, mistake: str, key: Callable[[str], bytes]) -> WrongForm:
    """A form whose key is bytes."""
    return WrongForm(name=name, mistake=mistake, fix=_EXACTLY, key=key)


def _constant(name: str, mistake: str, key: str, fix: str = _SETTING) -> WrongForm:
    """A form whose key is not made of the secret at all."""
    return WrongForm(name=name, mistake=mistake, fix=fix, key=lambda _: key_as_given(key))


def _without_prefix(secret: str) -> str:
    if not secret.startswith(_WHSEC):
        raise ValueError("there is no prefix to strip")
    return secret.removeprefix(_WHSEC)


def _from_base64(text: str) -> bytes:
    """Decode leniently: skip what is not a digit of base64, need no padding, drop half a byte."""
    digits = _OUTSIDE_BASE64.sub("", text.partition("=")[0])
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def _from_either_base64(text: str) -> bytes:
    return _from_base64(text.replace("-", "+").replace("_", "/"))


def _without_variables(secret: str) -> str:
    return re.sub(r"\$(?:\w+|\{\w*\})", "", secret)


def _part(index: int) -> Callable[[str], str]:
    """A part of the secret between underscores."""
    return lambda secret: secret.split("_")[min(index, secret.count("_"))]


COMMON_SECRET_FORMS = (
    _changed("secret_without_prefix", f"uses the secret without its prefix `{_WHSEC}`", _without_prefix),
    _decoded(
        "secret_decoded_after_prefix",
        f"strips the prefix `{_WHSEC}` and decodes the rest of the secret from base64, as Standard Webhooks does",
        lambda secret: _from_either_base64(_without_prefix(secret)),
    ),
    _decoded("secret_decoded", "decodes the secret from base64", _from_either_base64),
    _changed("secret_with_line_feed", "has a line feed at the end of its secret", lambda secret: secret + "\n", _ENDS),
)

OTHER_SECRET_FORMS = (
    _changed(
        "secret_lstripped",
        f"strips the letters of `{_WHSEC}` from the beginning of the secret (`lstrip` takes letters, not a prefix)",
        lambda secret: secret.lstrip(_WHSEC),
    ),
    _changed("secret_stripped", "cuts the spaces off the ends of the secret", str.strip),
    _changed("secret_double_quoted", "has double quotes around its secret", lambda secret: f'"{secret}"', _ENDS),
    _changed("secret_single_quoted", "has single quotes around its secret", lambda secret: f"'{secret}'", _ENDS),
    _changed("secret_unquoted", "strips quotes that belong to the secret", lambda secret: secret.strip("'\"")),
    _changed("secret_with_space", "has a space at the end of its secret", lambda secret: secret + " ", _ENDS),
    _changed("secret_after_space", "has a space at the beginning of its secret", lambda secret: " " + secret, _ENDS),
    _changed(
        "secret_with_crlf",
        "has a carriage return and a line feed at the end of its secret",
        lambda secret: secret + "\r\n",
        _ENDS,
    ),
    _changed("secret_with_cr", "has a carriage return at the end of its secret", lambda secret: secret + "\r", _ENDS),
    _constant("secret_empty", "has no secret: it verifies with an empty one", ""),
    *(
        _constant(f"secret_{word}", f"has no secret: it verifies with the word `{word}`", word)
        for word in ("undefined", "null", "None")
    ),
    *(
        _constant(
            f"placeholder {word}",
            f"verifies with the placeholder `{word}`",
            word,
            "put your own secret in the place of the placeholder",
        )
        for word in ("whsec_your_secret_key", "your_secret_key", "your_webhook_secret", "whsec_test", "secret")
    ),
    _decoded(
        "secret_decoded_standard_after_prefix",
        f"strips the prefix `{_WHSEC}` and decodes the rest of the secret from base64, passing over `-` and `_`",
        lambda secret: _from_base64(_without_prefix(secret)),
    ),
    _decoded("secret_decoded_standard", "decodes the secret from base64, passing over `-` and `_`", _from_base64),
    _decoded(
        "secret_unhexed_after_prefix",
        f"strips the prefix `{_WHSEC}` and reads the rest of the secret as hexadecimal",
        lambda secret: bytes.fromhex(_without_prefix(secret)),
    ),
    _decoded("secret_unhexed", "reads the secret as hexadecimal", bytes.fromhex),
    _changed("secret_upper_case", "writes the secret in upper case", str.upper),
    _changed("secret_lower_case", "writes the secret in lower case", str.lower),
    _changed("secret_with_prefix", f"puts `{_WHSEC}` before the secret", lambda secret: _WHSEC + secret),
    _changed("secret_second_part", "uses only what is between the first two underscores of the secret", _part(1)),
    _changed(
        "secret_last_part",
        "uses only what is after the last underscore of the secret",
        lambda secret: secret.rpartition("_")[2],
    ),
    _changed(
        "secret_cut_at_hash",
        "uses the secret only up to its `#`, where a comment begins in an env file",
        lambda secret: secret.partition("#")[0].rstrip(),
        _ENV_FILE,
    ),
    _changed(
        "secret_expanded", "takes the `$` in the secret for a variable, which is empty", _without_variables, _ENV_FILE
    ),
    _changed("secret_url_decoded", "decodes the secret as if it were part of a URL", unquote_plus),
    _changed(
        "secret_shown_as_bytes",
        "uses the secret with `b'` before it and `'` after it, which is how Python shows bytes",
        lambda secret: str(key_as_given(secret)),
        "turn text into bytes with `.encode()`, and never bytes into text with `str()`",
    ),
    _decoded("secret_latin1", "encodes the secret as Latin-1, not as UTF-8", lambda secret: secret.encode("latin-1")),
    _decoded("secret_encoded", "encodes the secret in base64", lambda secret: base64.b64encode(key_as_given(secret))),
    _decoded(
        "secret_hashed", "uses the SHA-256 of the secret", lambda secret: hashlib.sha256(key_as_given(secret)).digest()
    ),
    _decoded(
        "secret_hashed_to_hex",
        "uses the SHA-256 of the secret in hex",
        lambda secret: hashlib.sha256(key_as_given(secret)).hexdigest().encode("ascii"),
    ),
)

# ---------------------------------------------------------------- what is signed

#: How the raw body is reached.
RAW_BODY = (
    "compute the HMAC over the bytes of the request as they came, before any parser: `request.get_data()` in Flask,"
    " `await request.body()` in FastAPI, `request.body` in Django, `express.raw()` in Express"
)

#: Text in which the spellings of JSON differ.
_DISTINCTIVE = " Zoë 💸 </b> & \u2028"


def make_distinctive(data: dict[str, Any]) -> None:
    """Change the data of an event so that each spelling of its JSON is another text; its ids stay.

    Text of several words gets characters that not all spellings write alike, and numbers become whole floats.
    """
    data.update({key: _distinctive(value) for key, value in data.items()})
    if "1.0" not in repr(data):
        data["score"] = 1.0


def _distinctive(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _distinctive(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_distinctive(item) for item in value]
    if isinstance(value, str):
        return value + _DISTINCTIVE if " " in value else value
    return 1.0 if isinstance(value, float) else value


# ---------------------------------------------------------------- spellings of JSON


def python_json(value: Any, **style: Any) -> str:
    """Write JSON as ``json.dumps`` does."""
    return json.dumps(value, **style)


def compact_json(value: Any, **style: Any) -> str:
    """Write JSON without spaces, and with characters outside ASCII as they are."""
    return json.dumps(value, **{"ensure_ascii": False, "separators": (",", ":"), **style})


def javascript_json(value: Any, indent: int | None = None) -> str:
    """Write JSON as ``JSON.stringify`` does: there are no floats, so 1.0 is 1.

    Very large and very small numbers look otherwise there; the events here have none.
    """
    style: dict[str, Any] = {} if indent is None else {"indent": indent, "separators": (",", ": ")}
    return compact_json(_without_floats(value), **style)


def sorted_javascript_json(value: Any) -> str:
    """Write JSON as ``JSON.stringify`` does, with the keys in order."""
    return compact_json(_without_floats(value), sort_keys=True)


def go_json(value: Any) -> str:
    """Write JSON as Go's ``json.Marshal`` writes a map: keys in order, and nothing that HTML might read as a tag."""
    text = sorted_javascript_json(value)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def php_json(value: Any) -> str:
    """Write JSON as PHP's ``json_encode`` does: slashes escaped, and whatever is not ASCII."""
    return compact_json(value, ensure_ascii=True).replace("/", r"\/")


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_floats(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# ---------------------------------------------------------------- forms


def _message(name: str, mistake: str, message: Callable[[bytes], bytes], fix: str = RAW_BODY) -> WrongForm:
    return WrongForm(name=name, mistake=mistake, fix=fix, message=lambda signed: message(signed.body))


def _spelled(name: str, how: str, write: Callable[[Any], str]) -> WrongForm:
    """A form of a consumer that parses the body and writes it again."""
    mistake = f"verifies the body parsed and written again {how}, not the raw one"
    return _message(name, mistake, lambda body: write(json.loads(body)).encode("utf-8"))


def _data_alone(name: str, how: str, write: Callable[[Any], str]) -> WrongForm:
    mistake = f"verifies only the `data` of the event, written again {how}"
    return _message(name, mistake, lambda body: write(json.loads(body)["data"]).encode("utf-8"))


def _with_time_of_event(body: bytes) -> bytes:
    return str(json.loads(body)["timestamp"]).encode("utf-8") + b"." + body


COMMON_BODY_FORMS = (
    _spelled("python_json", "as `json.dumps` does it", python_json),
    _spelled("javascript_json", "as `JSON.stringify` does it", javascript_json),
    _spelled("sorted_compact", "without spaces and with its keys sorted", lambda v: compact_json(v, sort_keys=True)),
    _spelled("sorted_spaced", "by `json.dumps` with `sort_keys`", lambda value: python_json(value, sort_keys=True)),
    _message("empty", "verifies an empty body: something has already read the stream", lambda _: b""),
)

OTHER_BODY_FORMS = (
    _spelled(
        "python_json_unicode", "by `json.dumps` with `ensure_ascii=False`", lambda v: json.dumps(v, ensure_ascii=False)
    ),
    _spelled("compact_escaped", r"without spaces and with `\u` escapes", lambda v: compact_json(v, ensure_ascii=True)),
    _spelled("php_json", "as PHP's `json_encode` does it", php_json),
    _spelled("go_json", "as Go's `json.Marshal` writes a map", go_json),
    _spelled("sorted_javascript", "by `JSON.stringify` with its keys sorted", sorted_javascript_json),
    _spelled(
        "sorted_compact_escaped",
        r"with its keys sorted, without spaces and with `\u` escapes",
        lambda value: compact_json(value, ensure_ascii=True, sort_keys=True),
    ),
    _spelled("indented", "by `JSON.stringify` with an indent of 2", lambda value: javascript_json(value, indent=2)),
    _spelled("python_indented", "by `json.dumps` with an indent of 2", lambda value: python_json(value, indent=2)),
    _spelled("python_indented_4", "by `json.dumps` with an indent of 4", lambda value: python_json(value, indent=4)),
    _spelled("python_dict", "as Python shows a dict (`str` is not `json.dumps`)", str),
    _data_alone("data_compact", "without spaces", compact_json),
    _data_alone("data_javascript", "as `JSON.stringify` does it", javascript_json),
    _data_alone("data_python", "as `json.dumps` does it", python_json),
    _message("with_line_feed", "puts a line feed after the body", lambda body: body + b"\n"),
    _message(
        "javascript_object",
        "verifies the text `[object Object]`, which JavaScript makes of a parsed body",
        lambda _: b"[object Object]",
    ),
    _message(
        "json_text",
        "writes the body, which is JSON text already, as a JSON string",
        lambda body: compact_json(body.decode("utf-8")).encode("utf-8"),
    ),
    _message(
        "shown_as_bytes",
        "verifies the body with `b'` before it and `'` after it, which is how Python shows bytes",
        lambda body: str(body).encode("ascii"),
        "use the bytes as they are, and never turn them into text with `str()`",
    ),
    _message("body_in_base64", "verifies the body in base64", base64.b64encode),
    _message(
        "hash_of_the_body", "verifies the SHA-256 of the body in hex", lambda b: hashlib.sha256(b).hexdigest().encode()
    ),
    _message(
        "latin1",
        "reads the body as Latin-1 and writes it as UTF-8",
        lambda body: body.decode("latin-1").encode("utf-8"),
    ),
    _message("utf16", "verifies the body in UTF-16", lambda body: body.decode("utf-8").encode("utf-16-le")),
    _message("after_time_of_event", "puts the event's timestamp and a dot before the body", _with_time_of_event),
)


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
        mistake="hashes the body without any secret, so that anyone can sign",
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
            fix="header names are case-insensitive: read it through the framework, whatever its case",
            headers=in_header(name),
        )
        for case, name in (("lower", SIGNATURE_HEADER.lower()), ("upper", SIGNATURE_HEADER.upper()))
    ),
)


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
    """Return forms in groups that give the same signature; those that equal the right form are left out."""
    groups: dict[tuple[bytes, SignatureHeaders] | None, list[WrongForm]] = {}
    for form in forms:
        groups.setdefault(form.essence(signed, secret), []).append(form)
    left_out = (None, RIGHT.essence(signed, secret))
    return [tuple(group) for essence, group in groups.items() if essence not in left_out]
