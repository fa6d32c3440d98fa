"""How the service is, for whoever watches over the process."""

from __future__ import annotations

from aiohttp import web

from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.web.replies import answer


async def health(request: web.Request) -> web.Response:
    """`GET /health`."""
    sockets = {"enabled": True, "clients": len(request.app[SOCKETS])}
    return answer({"status": "ok", "service": "blink-pos-forwarder", "websocket": sockets})


async def alive(_request: web.Request) -> web.Response:
    """`GET /livez`: asks nothing of anything."""
    return answer({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """`GET /readyz`."""
    if await request.app[SERVICE].ready():
        return answer({"status": "ready"})
    return answer({"status": "not ready"}, status=503)
