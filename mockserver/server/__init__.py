"""The host: the parts put together, the aiohttp server, TLS, and the event loop on a thread."""
