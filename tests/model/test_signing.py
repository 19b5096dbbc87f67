"""Signing: the documented header value, and a verifier that answers no to anything hostile."""

import hashlib
import hmac
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockserver
from tests.tables import each_row

BODY = b'{"event":"run.failed","timestamp":"2024-12-16T10:00:00Z","data":{}}'
SECRET = "whsec_your_secret_key"


def test_signature_is_what_the_vendors_page_computes() -> None:
    """The page's own verification code accepts what sign returns."""
    expected = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert mockserver.sign(BODY, SECRET) == f"sha256={expected}"


@pytest.mark.full
def test_signature_is_what_openssl_computes(tmp_path: Path) -> None:
    """A tool that we did not write agrees."""
    body = tmp_path / "body"
    body.write_bytes(BODY)
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", SECRET, "-r", str(body)], capture_output=True, text=True, check=True
    )
    assert mockserver.sign(BODY, SECRET) == "sha256=" + made.stdout.split()[0]


@pytest.mark.parametrize(
    "case",
    [
        (
            "key",
            b"The quick brown fox jumps over the lazy dog",
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
        ),
        ("Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ],
    ids=["widely published", "RFC 4231, case 2"],
)
def test_published_vectors(case: tuple[str, bytes, str]) -> None:
    """Published HMAC-SHA256 vectors give their published digests."""
    secret, payload, digest = case
    assert mockserver.sign(payload, secret) == "sha256=" + digest


def test_the_secret_is_used_as_given() -> None:
    """Nothing is stripped or decoded: not the prefix, not blanks."""
    made = {mockserver.sign(BODY, secret) for secret in ("whsec_abc", "abc", " whsec_abc", "whsec_abc\n")}
    assert len(made) == 4


def test_text_is_refused() -> None:
    """Text has no signature until it is encoded, and the error says so."""
    with pytest.raises(TypeError, match="must be bytes, not str: sign the raw body"):
        mockserver.sign("text", SECRET)  # type: ignore[arg-type]


def test_a_secret_of_any_length_is_the_key_of_an_hmac() -> None:
    """Also one that is as long as a block of SHA-256, or longer, and one that was never seen before."""
    for length in (0, 1, 63, 64, 65, 1024, 1025, 5000):
        for start in (uuid.uuid4().hex, "é\udcff" + uuid.uuid4().hex):
            secret = (start * 200)[:length]
            key = secret.encode("utf-8", "surrogateescape")
            assert mockserver.sign(BODY, secret) == "sha256=" + hmac.new(key, BODY, hashlib.sha256).hexdigest()


def test_an_error_is_shown_at_the_line_of_the_test() -> None:
    """Pytest leaves out the frames of the package."""
    with pytest.raises(TypeError) as caught:
        mockserver.verify("text", "sha256=", SECRET)  # type: ignore[arg-type]
    hidden = [frame.frame.f_locals.get("__tracebackhide__") for frame in caught.traceback]
    assert [each for each in hidden if each is not None] == [True, True]


@each_row(
    "signature",
    [
        None,
        "",
        "sha256=",
        "=",
        mockserver.sign(BODY, SECRET).upper(),
        mockserver.sign(BODY, SECRET).removeprefix("sha256="),
        mockserver.sign(BODY, SECRET)[:-1],
        mockserver.sign(BODY, SECRET) + "0",
        " " + mockserver.sign(BODY, SECRET),
        mockserver.sign(BODY, SECRET).replace("sha256", "sha1"),
        mockserver.sign(BODY + b"\n", SECRET),
        mockserver.sign(BODY, SECRET + "x"),
        "sha256=" + "é" * 64,
        "sha256=" + "\udcff" * 64,
        "\x00" * 71,
        b"sha256=bytes",
        42,
    ],
)
def test_verify_says_no(signature: Any) -> None:
    """Whatever is not exactly the signature is refused, without an exception."""
    assert mockserver.verify(BODY, signature, SECRET) is False


@given(body=st.binary(), secret=st.text(st.characters(codec="utf-8")), other=st.text())
def test_verify_accepts_exactly_what_sign_made(body: bytes, secret: str, other: str) -> None:
    """For any body and secret, the signature is accepted and no other text is."""
    signature = mockserver.sign(body, secret)
    assert mockserver.verify(body, signature, secret)
    assert mockserver.verify(body, other, secret) is (other == signature)


def test_a_secret_that_is_not_utf8_signs_with_its_own_bytes() -> None:
    """A secret from the environment with undecodable bytes signs with those bytes."""
    expected = hmac.new(b"\xff\xfe", BODY, hashlib.sha256).hexdigest()
    assert mockserver.sign(BODY, "\udcff\udcfe") == f"sha256={expected}"
