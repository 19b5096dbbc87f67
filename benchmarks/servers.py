"""Servers in a process of their own: a bare aiohttp application, and ours without its command line.

Each prints its base URL when it accepts connections.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


async def _bare() -> str:
    """Start what most would write first: one handler that reads JSON and answers JSON, no access log."""

    async def create(request: web.Request) -> web.Response:
        fields = await request.json()
        shown = {"webhook_id": "wh_abc123", "url": fields["url"], "events": fields["events"], "active": True}
        return web.json_response(shown, status=201)

    async def start(request: web.Request) -> web.Response:
        await request.json()
        run = {"run_id": "run_def456", "status": "queued", "test_case_count": 1, "estimated_duration_s": 45,
               "webhook_url": "wss://api.playgent.com/v1/runs/run_def456/stream"}  # fmt: skip
        return web.json_response(run, status=201)

    app = web.Application()
    app.router.add_post("/v1/webhooks", create)
    app.router.add_post("/v1/runs", start)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


async def _mock() -> str:
    # Imported here: the bare application must not pay for it.
    from mockserver.control_api import ControlApi  # noqa: PLC0415 - start-up does without
    from mockserver.model.settings import read_settings  # noqa: PLC0415 - start-up does without
    from mockserver.server.mock import Mock  # noqa: PLC0415 - start-up does without

    mock = Mock(read_settings())
    await mock.start(ControlApi)
    return mock.url


async def _serve(kind: str) -> None:
    print(await (_mock() if kind == "mock" else _bare()), flush=True)
    await asyncio.Event().wait()


def main(kind: str, loop: str) -> None:
    """Serve until the process is ended.

    Args:
        kind: ``mock`` or ``bare``.
        loop: ``standard`` or ``uvloop``.
    """
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415 - the start of the bare application is measured without it

        uvloop.run(_serve(kind))
    else:
        asyncio.run(_serve(kind))


if __name__ == "__main__":
    main(*sys.argv[1:])
