"""The whole state of the service, for its operator."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiohttp import web

from forwarder.web import requests, shapes
from forwarder.web.keys import SERVICE, SOCKETS
from forwarder.web.questions import Where
from forwarder.web.responses import answer
from forwarder.web.views import StatusView

if TYPE_CHECKING:
    from forwarder.worker.service import Service


async def show(request: web.Request) -> web.Response:
    """`GET /api/status`."""
    zone = requests.query(request, Where).zone
    return answer(await whole(request.app[SERVICE], zone, pages=len(request.app[SOCKETS])))


async def whole(service: Service, zone: ZoneInfo, pages: int) -> StatusView:
    """Everything at a glance: what is kept, and what this process alone knows."""
    kept = shapes.overview(await service.books.overview(zone))
    live = shapes.live(await service.live())
    return {**kept, **live, "websocket": {"clients": pages}}
