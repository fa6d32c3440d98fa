"""What the application carries for its handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from forwarder.web.quotas import Quotas
    from forwarder.web.sockets import Sockets
    from forwarder.worker.service import Service

SERVICE: web.AppKey[Service] = web.AppKey("service")
DOCUMENT: web.AppKey[dict[str, object]] = web.AppKey("document")
QUOTAS: web.AppKey[Quotas] = web.AppKey("quotas")
SOCKETS: web.AppKey[Sockets] = web.AppKey("sockets")
