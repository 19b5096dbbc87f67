"""Deliveries to applications in this process: ASGI, WSGI and aiohttp objects, which need no port of their own.

How it fits together
    :class:`App` is what a route leads to; :class:`AppTransport` keeps the apps of one mock and carries requests to
    them. Each app is run by a *host*: an ASGI or aiohttp app has one for each event loop that it runs on, which starts
    it before its first request and shuts it down at the end; a WSGI app has one, which gives each request a thread.

Which loop
    Deliveries are made on the mock's own loop, in its own thread, and apps never run there: an app that blocks its
    loop, as broken ones do, would take the mock with it. An app runs on the loop of the async test that caused the
    delivery, for its connection pools and locks live there; without one, on the loop on which it was routed or ran
    before, if that runs; without that, on a loop in a thread of its own; see
    :mod:`mockserver.delivery.in_process.host`.
"""

from mockserver.delivery.in_process.host import noting_the_loop, on_callers_loop
from mockserver.delivery.in_process.transport import App, AppTransport, Interface, read_destination

__all__ = ["App", "AppTransport", "Interface", "noting_the_loop", "on_callers_loop", "read_destination"]
