"""The sender: HTTP/1.1 at the level of bytes, so that the record holds the very bytes that went over the wire."""

from __future__ import annotations

from mockserver.delivery.http1.transport import Http1Transport

__all__ = ["Http1Transport"]
