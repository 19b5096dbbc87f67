"""An answer of the vendor API, written as one block of bytes.

``web.Response`` is ready for any answer: headers that still change, cookies, compression, bodies in pieces. That takes
as long as all else that the mock does for a call. Most answers are a few headers and a short JSON document: here the
same bytes are made in one go.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE


class WholeAnswer(web.StreamResponse):
    """An answer with a body and these headers, lines of ASCII, before those that aiohttp gives every answer.

    They are all: what is put into :attr:`headers` is not sent.
    """

    def __init__(self, status: int, body: bytes, headers: str) -> None:
        super().__init__(status=status)
        self._own_headers = headers
        self._whole_body = body
        self._begun = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Write the answer; nothing the second time, for aiohttp asks again."""
        writer = request.writer
        if self._begun:
            return writer
        self._begun = True
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        block = self._head(request).encode("ascii")
        await writer.write(block if request.method == "HEAD" else block + self._whole_body)
        await writer.drain()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the end was written with the rest."""

    def _head(self, request: web.BaseRequest) -> str:
        version, connection = request.version, ""
        if self._keep_alive and version == HttpVersion10:
            connection = "Connection: keep-alive\r\n"
        elif not self._keep_alive and version == HttpVersion11:
            connection = "Connection: close\r\n"
        return (
            f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}\r\n"
            f"{self._own_headers}"
            f"Content-Length: {len(self._whole_body)}\r\n"
            f"{_usual_headers(int(time.time()))}"
            f"{connection}\r\n"
        )


@lru_cache(maxsize=1)
def _usual_headers(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n"
