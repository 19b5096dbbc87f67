"""``mockserver sign`` and ``mockserver verify``: the signature of a body."""

from __future__ import annotations

import click

from mockserver.cli import exit_codes
from mockserver.cli.files import read_body
from mockserver.cli.options import ENVIRONMENT, needed, option, secret_option
from mockserver.model import signing

_PURPOSE = "it is the key of the signature"

_SIGN_HELP = """Print the signature of a body: the value of the header X-Playgent-Signature.

FILE holds the raw body, to the last byte; - or no FILE is standard input.

\b
Examples:
  mockserver sign body.json --secret whsec_x
  printf '{"event":"run.failed"}' | mockserver sign --secret whsec_x
"""

_VERIFY_HELP = """Check whether a signature is that of a body: print valid or invalid, and exit with 0 or 1.

FILE holds the raw body, to the last byte; - or no FILE is standard input.

\b
Example:
  mockserver verify body.json --signature sha256=... --secret whsec_x
"""


@click.command("sign", help=_SIGN_HELP, epilog=ENVIRONMENT)
@click.argument("file", default="-")
@secret_option("The webhook's secret.")
def sign(file: str, secret: str | None) -> int:
    """Print the signature."""
    click.echo(signing.sign(read_body(file), needed(secret, "--secret", _PURPOSE)))
    return exit_codes.OK


@click.command("verify", help=_VERIFY_HELP, epilog=ENVIRONMENT)
@click.argument("file", default="-")
@option("--signature", metavar="TEXT", help="The value of the header X-Playgent-Signature.")
@secret_option("The webhook's secret.")
def verify(file: str, signature: str | None, secret: str | None) -> int:
    """Print whether the signature is valid."""
    secret = needed(secret, "--secret", _PURPOSE)
    if signature is None:
        needed(signature, "--signature", "it is what is to be verified")
    body = read_body(file)
    if signing.verify(body, signature, secret):
        click.echo("valid")
        return exit_codes.OK
    click.echo("invalid")
    if why := _why_invalid(body, signature, secret):
        click.echo(f"mockserver: {why}", err=True)
    return exit_codes.FAILED


def _why_invalid(body: bytes, signature: str | None, secret: str) -> str:
    """Return which usual slip explains that a signature is not valid; empty if none does."""
    if not (signature or "").startswith(signing.PREFIX):
        return f"the signature does not begin with {signing.PREFIX}"
    ends = {"without the line break at its end": body.rstrip(b"\r\n"), "with a line break at its end": body + b"\n"}
    found = (what for what, other in ends.items() if other != body and signing.verify(other, signature, secret))
    return next((f"it is the signature of this body {what}" for what in found), "")
