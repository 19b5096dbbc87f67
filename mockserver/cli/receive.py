"""``mockserver receive``: a consumer that verifies every signature, and prints what came."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import click

from mockserver.cli.interruption import Interruptible
from mockserver.cli.options import ENVIRONMENT, host_option, needed, option, port_option, secret_option
from mockserver.cli.output import Printer
from mockserver.model.redaction import without_tokens
from mockserver.model.wording import one_line, shortened

if TYPE_CHECKING:
    from mockserver.server.embedded_consumer import Received

#: The most characters of a body that are printed.
_SHOWN_BODY = 2000

_HELP = """Receive deliveries on any path, verify the signature of each, and print what came.

A verified delivery is answered with --status, any other with 401 and the reason.

\b
Examples:
  mockserver receive --secret whsec_x
  mockserver receive --secret whsec_x --port 3000 --status 503
"""


@click.command("receive", help=_HELP, epilog=ENVIRONMENT)
@host_option
@port_option(8485)
@secret_option("The secret that deliveries must be signed with.")
@option(
    "--status",
    type=click.IntRange(200, 599),
    default=200,
    show_default=True,
    help="The status of the answer to a verified delivery.",
)
def receive(host: str, port: int, secret: str | None, status: int) -> int:
    """Receive until stopped."""
    secret = needed(secret, "--secret", "signatures are verified with it")

    # Imported here: wrong usage is reported without waiting for the network's modules.
    from mockserver.server.embedded_consumer import EmbeddedConsumer  # noqa: PLC0415 - start-up does without

    work = Interruptible(needs_output=False)
    printer = work.out
    receiver = EmbeddedConsumer(secret, status, lambda received: _print(printer, received))

    async def perform() -> None:
        await receiver.start(host, port)
        printer.line(
            f"mockserver receives deliveries: {receiver.url} (any path; verified ones get {status}, others 401)"
        )
        printer.flush()
        try:
            await asyncio.Event().wait()
        finally:
            await receiver.stop()
            printer.line(receiver.summary)
            printer.flush()

    return work.run(perform())


def _print(printer: Printer, received: Received) -> None:
    word = "verified" if received.verified else "REFUSED "
    if printer.colour:
        word = click.style(word, fg="green" if received.verified else "red")
    when = time.strftime("%H:%M:%S")
    event = one_line(received.event) or "(not an event)"
    reason = f"  {received.refusal}" if received.refusal else ""
    printer.line(f"{when}  {event:<22} {word}  {received.status}  {one_line(without_tokens(received.path))}{reason}")
    if received.body:
        printer.line(f"          {one_line(shortened(received.body.decode('utf-8', 'replace'), _SHOWN_BODY))}")
