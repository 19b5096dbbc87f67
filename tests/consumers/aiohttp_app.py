"""The consumer in aiohttp, served by aiohttp's own server."""

from __future__ import annotations

import asyncio
import signal

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.consumers import inbox, program


def create_app(secret: str) -> web.Application:
    """The application, with an inbox of its own."""
    box = inbox.Inbox(secret)

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        # A header that came twice is one value with a comma, as everywhere in HTTP: and so no signature.
        signature = ", ".join(request.headers.getall(box.signature_header, []))
        return _response(box.receive(body, signature))

    async def report(_request: web.Request) -> web.Response:
        return _response(box.report())

    async def clear(_request: web.Request) -> web.Response:
        return _response(box.clear())

    async def state(request: web.Request) -> web.Response:
        return _response(box.state(request.match_info["object_id"]))

    async def fail_next(_request: web.Request) -> web.Response:
        return _response(box.fail_next())

    app = web.Application(client_max_size=inbox.BODY_LIMIT, middlewares=[_errors_as_json])
    app.router.add_post(inbox.WEBHOOK_PATH, receive)
    app.router.add_get(inbox.EVENTS_PATH, report)
    app.router.add_delete(inbox.EVENTS_PATH, clear)
    app.router.add_get(inbox.OBJECTS_PATH + "{object_id}", state)
    app.router.add_post(inbox.FAIL_NEXT_PATH, fail_next)
    return app


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as problem:
        return _response(inbox.error(problem.status))
    except (web.RequestPayloadError, ConnectionResetError):  # the body is not what its headers say, or cut off
        return _response(inbox.error(400))


def _response(answer: inbox.Answer) -> web.Response:
    return web.Response(body=answer.body, status=answer.status, content_type="application/json")


async def serve(settings: program.Settings) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    # Not decompressed: it is the raw body that is signed.
    runner = web.AppRunner(create_app(settings.secret), access_log=None, auto_decompress=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, program.HOST, 0).start()
        program.started(settings, runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(program.read_settings()))
