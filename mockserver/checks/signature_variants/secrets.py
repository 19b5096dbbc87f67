"""Wrong forms of the secret: what consumers make of it before they use it as the key."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from urllib.parse import unquote_plus

from mockserver.checks.signature_variants.variant import WrongForm, key_as_given

_PREFIX = "whsec_"
_OR_HERE = "; or, if the consumer has the right one, give that here as --secret"
_EXACTLY = f"use the secret exactly as it was given, with its prefix: do not strip, decode or change it{_OR_HERE}"
_ENDS = (
    f"use the secret exactly as it was given{_OR_HERE}: see how it gets into the setting (`printf %s` writes no line"
    " feed, `echo` does; a file is read with its last line feed; quotes in an env file may become part of the value)"
)
_SETTING = "see whether the setting with the secret is there, under the right name, where the consumer runs"
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
    if not secret.startswith(_PREFIX):
        raise ValueError("there is no prefix to strip")
    return secret.removeprefix(_PREFIX)


def _from_base64(text: str) -> bytes:
    """Decode leniently: what is no digit of base64 is passed over, padding is not needed, half a byte is dropped."""
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
    _changed("secret_without_prefix", f"uses the secret without its prefix `{_PREFIX}`", _without_prefix),
    _decoded(
        "secret_decoded_after_prefix",
        f"strips the prefix `{_PREFIX}` and decodes the rest of the secret from base64, as Standard Webhooks does",
        lambda secret: _from_either_base64(_without_prefix(secret)),
    ),
    _decoded("secret_decoded", "decodes the secret from base64", _from_either_base64),
    _changed("secret_with_line_feed", "has a line feed at the end of its secret", lambda secret: secret + "\n", _ENDS),
)

OTHER_SECRET_FORMS = (
    _changed(
        "secret_lstripped",
        f"strips the letters of `{_PREFIX}` from the beginning of the secret (`lstrip` takes letters, not a prefix)",
        lambda secret: secret.lstrip(_PREFIX),
    ),
    _changed("secret_stripped", "cuts the spaces off the ends of the secret", str.strip),
    _changed("secret_double_quoted", "has double quotes around its secret", lambda secret: f'"{secret}"', _ENDS),
    _changed("secret_single_quoted", "has single quotes around its secret", lambda secret: f"'{secret}'", _ENDS),
    _changed(
        "secret_unquoted", "takes the quotes off the secret, which belong to it", lambda secret: secret.strip("'\"")
    ),
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
        f"strips the prefix `{_PREFIX}` and decodes the rest of the secret from base64, passing over `-` and `_`",
        lambda secret: _from_base64(_without_prefix(secret)),
    ),
    _decoded("secret_decoded_standard", "decodes the secret from base64, passing over `-` and `_`", _from_base64),
    _decoded(
        "secret_unhexed_after_prefix",
        f"strips the prefix `{_PREFIX}` and reads the rest of the secret as hexadecimal",
        lambda secret: bytes.fromhex(_without_prefix(secret)),
    ),
    _decoded("secret_unhexed", "reads the secret as hexadecimal", bytes.fromhex),
    _changed("secret_upper_case", "writes the secret in upper case", str.upper),
    _changed("secret_lower_case", "writes the secret in lower case", str.lower),
    _changed("secret_with_prefix", f"puts `{_PREFIX}` before the secret", lambda secret: _PREFIX + secret),
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
        "secret_expanded",
        "takes the `$` in the secret for a variable, which is empty",
        _without_variables,
        _ENV_FILE,
    ),
    _changed("secret_url_decoded", "decodes the secret as if it stood in a URL", unquote_plus),
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
