"""What Prometheus reads."""

from __future__ import annotations

from aiohttp import web

from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.worker.scrape import CONTENT_TYPE


async def show(request: web.Request) -> web.Response:
    """`GET /metrics`."""
    text = await request.app[SERVICE].exposition(len(request.app[SOCKETS]))
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
