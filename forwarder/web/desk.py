"""What the operator can do: try again, settle by hand, reconcile, tell every page something."""

from __future__ import annotations

import structlog
from aiohttp import web

from forwarder.model.actor import Actor
from forwarder.web import requests, shapes
from forwarder.web.errors import invalid
from forwarder.web.keys import SERVICE
from forwarder.web.questions import Broadcast, Closing, Resolution
from forwarder.web.responses import answer
from forwarder.web.views import ToldView

log = structlog.get_logger(__name__)


async def replay(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/replay`."""
    payment_hash = requests.hash_in_path(request)
    moved = await request.app[SERVICE].desk.replay(payment_hash, Actor.HTTP)
    return answer(shapes.replayed(moved))


async def resolve(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/resolve`."""
    settled = await requests.body(request, Resolution)
    desk, payment_hash = request.app[SERVICE].desk, requests.hash_in_path(request)
    done = await desk.resolve(payment_hash, settled.note, Actor.HTTP)
    return answer(shapes.resolved(done))


async def close_finding(request: web.Request) -> web.Response:
    """`POST /api/findings/{id}/close`."""
    closing = await requests.body(request, Closing)
    desk, finding_id = request.app[SERVICE].desk, requests.finding_in_path(request)
    closed = await desk.close_finding(finding_id, closing.note, Actor.HTTP)
    return answer(shapes.closed(closed))


async def reconcile(request: web.Request) -> web.Response:
    """`POST /api/reconcile`: a real run, whatever else is asked for."""
    if request.query or (await requests.raw(request)).strip() not in (b"", b"{}"):
        raise invalid("this call takes nothing; `forwarder reconcile` has --dry-run and --since")
    return answer(shapes.reconciled(await request.app[SERVICE].reconciler.reconcile()))


async def broadcast(request: web.Request) -> web.Response:
    """`POST /api/broadcast`."""
    said = await requests.body(request, Broadcast)
    told = await request.app[SERVICE].broadcast(said.message)
    log.info("every page was told something", pages=told)
    return answer(ToldView(success=True, pages=told))
