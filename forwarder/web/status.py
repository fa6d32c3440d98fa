"""The whole state of the service, for its operator."""

from __future__ import annotations

from aiohttp import web

from forwarder.web.answers import Overview
from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.web.replies import answer


async def show(request: web.Request) -> web.Response:
    """`GET /api/status`."""
    state = await request.app[SERVICE].status()
    return answer(Overview(**state, websocket={"clients": len(request.app[SOCKETS])}))
