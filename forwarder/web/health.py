"""How the service is, for whoever watches over the process."""

from __future__ import annotations

from aiohttp import web

from forwarder.web.answers import Alive, Health, Ready
from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.web.responses import answer


async def health(request: web.Request) -> web.Response:
    """`GET /health`."""
    told: Health = {
        "status": "ok",
        "service": "blink-pos-forwarder",
        "websocket": {"enabled": True, "clients": len(request.app[SOCKETS])},
    }
    return answer(told)


async def alive(_request: web.Request) -> web.Response:
    """`GET /livez`: asks nothing of anything."""
    return answer(Alive(status="ok"))


async def ready(request: web.Request) -> web.Response:
    """`GET /readyz`."""
    reason = await request.app[SERVICE].lacks()
    if reason is None:
        return answer(Ready(status="ready"))
    return answer(Ready(status="not ready", reason=reason), status=503)
