"""What the application carries for its handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from forwarder.web.sockets import Sockets

if TYPE_CHECKING:
    from forwarder.worker.service import Service

SERVICE: web.AppKey[Service] = web.AppKey("service")
SOCKETS = web.AppKey("sockets", Sockets)
