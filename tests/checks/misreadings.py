"""What consumers take for the right signature, for each mistake that the diagnosis knows: written a second time here.

Each is what one would write in such a consumer, and shares no code with the forms that the doctor tries.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.checks.examined import SECRET
from tests.receiving import Received

H = "X-Playgent-Signature"


class Misreading(NamedTuple):
    """A consumer with one mistake: whether it takes a request for genuine, and the secret with which that shows."""

    accepts: Callable[[Received, str], bool]
    secret: str = SECRET


def mac(key: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, message, algorithm).digest()


# ---------------------------------------------------------------- secrets


def secret(key: Callable[[str], bytes | str], text: str = SECRET) -> Misreading:
    def accepts(received: Received, given: str) -> bool:
        made = key(given)
        made = made.encode() if isinstance(made, str) else made
        return received.header(H) == "sha256=" + mac(made, received.body).hex()

    return Misreading(accepts, text)


def javascript_base64(text: str) -> bytes:
    """``Buffer.from(text, "base64")`` for text without padding inside."""
    text = re.sub("[^A-Za-z0-9+/_-]", "", text)
    text = text[: len(text) - (len(text) % 4 == 1)]
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "==")


def python_base64(text: str) -> bytes:
    """``base64.b64decode(text + padding)``, which passes over what it does not know."""
    known = len(re.findall("[A-Za-z0-9+/]", text))
    return base64.b64decode(text + "=" * (-known % 4))


# With a hyphen that counts, and one more letter than the other alphabet can do with.
ODD = "whsec_ab-cd_efgh"

SECRETS = {
    "secret_without_prefix": secret(lambda s: s[6:]),
    "secret_decoded_after_prefix": secret(lambda s: javascript_base64(s[6:])),
    "secret_decoded": secret(javascript_base64),
    "secret_with_line_feed": secret(lambda s: f"{s}\n"),
    "secret_lstripped": secret(lambda s: s.lstrip("whsec_"), "whsec_secret_of_mine"),
    "secret_stripped": secret(lambda s: s.strip(), " whsec_with_blanks "),
    "secret_double_quoted": secret(lambda s: f'"{s}"'),
    "secret_single_quoted": secret(lambda s: f"'{s}'"),
    "secret_unquoted": secret(lambda s: s[1:-1], '"whsec_quoted"'),
    "secret_with_space": secret(lambda s: f"{s} "),
    "secret_after_space": secret(lambda s: f" {s}"),
    "secret_with_crlf": secret(lambda s: f"{s}\r\n"),
    "secret_with_cr": secret(lambda s: f"{s}\r"),
    "secret_empty": secret(lambda _: ""),
    "secret_undefined": secret(lambda _: "undefined"),
    "secret_null": secret(lambda _: "null"),
    "secret_None": secret(lambda _: str(None)),
    "placeholder whsec_your_secret_key": secret(lambda _: "whsec_your_secret_key"),
    "placeholder your_secret_key": secret(lambda _: "your_secret_key"),
    "placeholder your_webhook_secret": secret(lambda _: "your_webhook_secret"),
    "placeholder whsec_test": secret(lambda _: "whsec_test"),
    "placeholder secret": secret(lambda _: "secret"),
    "secret_decoded_standard_after_prefix": secret(lambda s: python_base64(s[6:]), ODD),
    "secret_decoded_standard": secret(python_base64, ODD + "i"),
    "secret_unhexed_after_prefix": secret(lambda s: bytes.fromhex(s[6:]), "whsec_00ff00aa17"),
    "secret_unhexed": secret(bytes.fromhex, "00ff00aa1742"),
    "secret_upper_case": secret(lambda s: s.upper()),
    "secret_lower_case": secret(lambda s: s.lower()),
    "secret_with_prefix": secret(lambda s: "whsec_" + s, "plain"),
    "secret_second_part": secret(lambda s: s.split("_")[1]),
    "secret_last_part": secret(lambda s: s.split("_")[-1]),
    "secret_cut_at_hash": secret(lambda s: s[: s.index("#")], "whsec_one#two"),
    "secret_expanded": secret(lambda s: s.replace("$two", ""), "whsec_one$two"),
    "secret_url_decoded": secret(lambda s: s.replace("+", " ").replace("%41", "A"), "whsec_a+b%41"),
    "secret_shown_as_bytes": secret(lambda s: f"b'{s}'"),
    "secret_latin1": secret(lambda s: s.encode("latin-1"), "whsec_schlüssel"),
    "secret_encoded": secret(lambda s: base64.b64encode(s.encode())),
    "secret_hashed": secret(lambda s: hashlib.sha256(s.encode()).digest()),
    "secret_hashed_to_hex": secret(lambda s: hashlib.sha256(s.encode()).hexdigest()),
}

# ---------------------------------------------------------------- bodies


def body(change: Callable[[bytes], bytes | str]) -> Misreading:
    def accepts(received: Received, given: str) -> bool:
        made = change(received.body)
        made = made.encode() if isinstance(made, str) else made
        return received.header(H) == "sha256=" + mac(given.encode(), made).hex()

    return Misreading(accepts)


def parsed(write: Callable[[Any], str]) -> Misreading:
    return body(lambda raw: write(json.loads(raw)))


def dumped(**style: Any) -> Misreading:
    return parsed(lambda value: json.dumps(value, **style))


COMPACT: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}


def parse_javascript(raw: bytes) -> Any:
    return json.loads(
        raw, parse_float=lambda text: int(float(text)) if float(text) == int(float(text)) else float(text)
    )


def javascript(sort: bool = False, **style: Any) -> Misreading:
    style = style or COMPACT
    return body(lambda raw: json.dumps(parse_javascript(raw), **style, sort_keys=sort))


def go(raw: bytes) -> str:
    text = json.dumps(parse_javascript(raw), **COMPACT, sort_keys=True)
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


BODIES = {
    "python_json": dumped(),
    "javascript_json": javascript(),
    "sorted_compact": dumped(**COMPACT, sort_keys=True),
    "sorted_spaced": dumped(sort_keys=True),
    "empty": body(lambda _: b""),
    "python_json_unicode": dumped(ensure_ascii=False),
    "compact_escaped": dumped(separators=(",", ":")),
    "php_json": parsed(lambda value: json.dumps(value, separators=(",", ":")).replace("/", "\\/")),
    "go_json": body(go),
    "sorted_javascript": javascript(sort=True),
    "sorted_compact_escaped": dumped(separators=(",", ":"), sort_keys=True),
    "indented": javascript(indent=2, ensure_ascii=False),
    "python_indented": dumped(indent=2),
    "python_indented_4": dumped(indent=4),
    "python_dict": parsed(repr),
    "data_compact": parsed(lambda value: json.dumps(value["data"], **COMPACT)),
    "data_javascript": body(lambda raw: json.dumps(parse_javascript(raw)["data"], **COMPACT)),
    "data_python": parsed(lambda value: json.dumps(value["data"])),
    "with_line_feed": body(lambda raw: raw + b"\n"),
    "javascript_object": body(lambda _: "[object Object]"),
    "json_text": body(lambda raw: json.dumps(raw.decode(), ensure_ascii=False)),
    "shown_as_bytes": body(repr),
    "body_in_base64": body(base64.b64encode),
    "hash_of_the_body": body(lambda raw: hashlib.sha256(raw).hexdigest()),
    "latin1": body(lambda raw: raw.decode("latin-1")),
    "utf16": body(lambda raw: raw.decode().encode("utf-16-le")),
    "after_time_of_event": body(lambda raw: json.loads(raw)["timestamp"].encode() + b"." + raw),
}

# ---------------------------------------------------------------- digests and how they are written


def header(make: Callable[[bytes, bytes], str], name: str = H) -> Misreading:
    """Compare a header with what is made of the key and the body."""
    return Misreading(lambda received, given: received.header(name) == make(given.encode(), received.body))


DIGESTS = {
    "sha512": header(lambda key, raw: "sha256=" + mac(key, raw, "sha512").hex()),
    "sha512_named": header(lambda key, raw: "sha512=" + mac(key, raw, "sha512").hex()),
    "sha512_bare": header(lambda key, raw: mac(key, raw, "sha512").hex()),
    "sha1_named": header(lambda key, raw: "sha1=" + mac(key, raw, "sha1").hex()),
    "sha1_bare": header(lambda key, raw: mac(key, raw, "sha1").hex()),
    "hash_of_secret_and_body": header(lambda key, raw: "sha256=" + hashlib.sha256(key + raw).hexdigest()),
    "hash_of_body_and_secret": header(lambda key, raw: "sha256=" + hashlib.sha256(raw + key).hexdigest()),
    "hash_of_body": header(lambda _, raw: "sha256=" + hashlib.sha256(raw).hexdigest()),
    "key_and_body_swapped": header(lambda key, raw: "sha256=" + mac(raw, key).hex()),
}
WRITINGS = {
    "without_prefix": header(lambda key, raw: mac(key, raw).hex()),
    "base64_with_prefix": header(lambda key, raw: "sha256=" + base64.b64encode(mac(key, raw)).decode()),
    "base64_bare": header(lambda key, raw: base64.b64encode(mac(key, raw)).decode()),
    "v1": header(lambda key, raw: "v1=" + mac(key, raw).hex()),
    "v1_base64": header(lambda key, raw: "v1," + base64.b64encode(mac(key, raw)).decode()),
    "colon": header(lambda key, raw: "sha256:" + mac(key, raw).hex()),
    "space": header(lambda key, raw: "sha256 " + mac(key, raw).hex()),
    "hmac_sha256": header(lambda key, raw: "hmac-sha256=" + mac(key, raw).hex()),
    "prefix_twice": header(lambda key, raw: "sha256=sha256=" + mac(key, raw).hex()),
    "upper_case": header(lambda key, raw: "sha256=" + mac(key, raw).hex().upper()),
    "upper_case_bare": header(lambda key, raw: mac(key, raw).hex().upper()),
    "base64url_bare": header(lambda key, raw: base64.urlsafe_b64encode(mac(key, raw)).decode()),
}

# ---------------------------------------------------------------- headers, and the ways of other vendors


def right(key: bytes, raw: bytes) -> str:
    return "sha256=" + mac(key, raw).hex()


def spelled(name: str) -> Misreading:
    """Find the header only under this very spelling of its name."""
    return Misreading(lambda received, given: dict(received.headers).get(name) == right(given.encode(), received.body))


HEADERS = {
    **{
        f"header {name}": header(right, name)
        for name in (
            "X-Webhook-Signature X-Signature X-Hub-Signature-256 Webhook-Signature Playgent-Signature"
            " X-Playgent-Signature-256 X-Playgent-Webhook-Signature X-Playgent-Hmac-Sha256 X-Hub-Signature"
            " X-Signature-256 X-Hmac-Signature Signature Stripe-Signature"
        ).split()
    },
    "header name in lower case": spelled("x-playgent-signature"),
    "header name in upper case": spelled("X-PLAYGENT-SIGNATURE"),
}


def standard(prefix: str) -> Misreading:
    """What the libraries of Standard Webhooks and Svix do, but for the age of the message."""

    def accepts(received: Received, given: str) -> bool:
        message_id, seconds = received.header(f"{prefix}-id"), received.header(f"{prefix}-timestamp")
        if not message_id or not seconds or not seconds.isdigit():
            return False
        digest = mac(javascript_base64(given[6:]), f"{message_id}.{seconds}.".encode() + received.body)
        return received.header(f"{prefix}-signature") == "v1," + base64.b64encode(digest).decode()

    return Misreading(accepts)


def stripe(name: str) -> Misreading:
    def accepts(received: Received, given: str) -> bool:
        found = re.fullmatch("t=([0-9]+),v1=([0-9a-f]{64})", received.header(name) or "")
        return found is not None and found[2] == mac(given.encode(), found[1].encode() + b"." + received.body).hex()

    return Misreading(accepts)


def timed(signature: str, time: str, value: str, message: str) -> Misreading:
    def accepts(received: Received, given: str) -> bool:
        start = message.format(time=received.header(time)).encode()
        return received.header(signature) == value + mac(given.encode(), start + received.body).hex()

    return Misreading(accepts)


VENDORS = {
    "webhook": standard("webhook"),
    "svix": standard("svix"),
    "stripe X-Playgent-Signature": stripe("X-Playgent-Signature"),
    "stripe Playgent-Signature": stripe("Playgent-Signature"),
    "stripe Stripe-Signature": stripe("Stripe-Signature"),
    "timestamp_header": timed(H, "X-Playgent-Timestamp", "sha256=", "{time}."),
    "slack X-Playgent-Signature": timed(H, "X-Playgent-Timestamp", "v0=", "v0:{time}:"),
    "slack X-Slack-Signature": timed("X-Slack-Signature", "X-Slack-Request-Timestamp", "v0=", "v0:{time}:"),
}

#: A consumer for each single form, by the form's name.
MISREADINGS = {**SECRETS, **BODIES, **DIGESTS, **WRITINGS, **HEADERS, **VENDORS}
