"""TLS for the vendor API: a certificate for this machine, and an authority that vouches for it, made on the fly."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from mockserver.errors import UsageError

_LOCAL = ("127.0.0.1", "::1", "localhost")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class LocalCertificate:
    """A certificate that is good for this machine, for as long as the mock runs.

    Args:
        host: The address that is listened on: the certificate is good for it, beside the loopback addresses.

    Attributes:
        context: What a server needs.
        ca_file: A temporary PEM file with the certificate of the authority, for clients to trust.

    Raises:
        UsageError: trustme is not installed.
    """

    def __init__(self, host: str) -> None:
        try:
            import trustme  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(
                "TLS needs trustme, which is not installed: pip install 'playgent-mockserver[tls]'"
            ) from None
        authority = trustme.CA(organization_name="playgent-mockserver")
        names = _LOCAL if host in (*_LOCAL, *_ANY) else (*_LOCAL, host)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(self.context, authority.issue_cert(*names).private_key_and_cert_chain_pem.bytes())
        handle, self.ca_file = tempfile.mkstemp(prefix="mockserver-ca-", suffix=".pem")
        with os.fdopen(handle, "wb") as file:
            file.write(authority.cert_pem.bytes())

    def remove(self) -> None:
        """Remove the temporary file."""
        Path(self.ca_file).unlink(missing_ok=True)


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a key with its certificates; where the system can, from memory, so that no file is ever left behind."""
    if not (hasattr(os, "memfd_create") and Path("/proc/self/fd").exists()):  # pragma: no cover - macOS and Windows
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "key.pem")
            file.write_bytes(pem)
            context.load_cert_chain(file)
        return
    memory = os.memfd_create("mockserver-key")
    try:
        os.write(memory, pem)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
