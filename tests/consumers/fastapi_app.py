"""The consumer in FastAPI, served by uvicorn."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from tests.consumers import inbox, mistakes, program
from tests.consumers.mistakes import fastapi_layer


def create_app(secret: str, mistake: str | None = None) -> FastAPI:
    """The application: an object for any ASGI server, with an inbox of its own; correct unless given a mistake."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    box = mistakes.make_inbox(secret, mistake)

    @app.post(inbox.WEBHOOK_PATH)
    async def receive(request: Request) -> Response:
        body = await _raw_body(request)
        # A header that came twice is one value with a comma, as everywhere in HTTP: and so no signature.
        signatures = request.headers.getlist(box.signature_header)
        signature = ", ".join(signatures) if signatures else None
        # In a thread: what handles an event may wait for a database, and others must not wait for that.
        return _response(await run_in_threadpool(box.receive, body, signature))

    @app.get(inbox.EVENTS_PATH)
    async def report() -> Response:
        return _response(box.report())

    @app.delete(inbox.EVENTS_PATH)
    async def clear() -> Response:
        return _response(box.clear())

    @app.get(inbox.OBJECTS_PATH + "{object_id}")
    async def state(object_id: str) -> Response:
        return _response(box.state(object_id))

    @app.post(inbox.FAIL_NEXT_PATH)
    async def fail_next() -> Response:
        return _response(box.fail_next())

    @app.exception_handler(StarletteHTTPException)
    async def refuse(_request: Request, problem: StarletteHTTPException) -> Response:
        return _response(inbox.error(problem.status_code))

    fastapi_layer.install(mistake, app)
    return app


async def _raw_body(request: Request) -> bytes:
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= inbox.BODY_LIMIT:
                body += chunk
            elif size > inbox.DRAIN_LIMIT:
                break
    except ClientDisconnect:
        raise HTTPException(400) from None
    if size > inbox.BODY_LIMIT:
        raise HTTPException(413)
    return bytes(body)


def _response(answer: inbox.Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")


class _AnnouncingServer(uvicorn.Server):
    def __init__(self, settings: program.Settings) -> None:
        self._settings = settings
        app = create_app(settings.secret, settings.mistake)
        config = uvicorn.Config(
            app,
            host=program.HOST,
            port=0,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        program.started(self._settings, self.servers[0].sockets[0].getsockname()[1])


def main() -> None:
    """Serve until told to stop."""
    settings = program.read_settings()
    program.exit_on_sigterm()  # uvicorn raises the signal again when it has shut down
    _AnnouncingServer(settings).run()


if __name__ == "__main__":
    main()
