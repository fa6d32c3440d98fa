"""What the operator can see, and say to all: payments, figures, the export, broadcasts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import structlog
from aiohttp import web

from forwarder.model import calendar
from forwarder.model.calendar import SPAN
from forwarder.web import requests, shapes
from forwarder.web.keys import SERVICE
from forwarder.web.questions import Broadcast, Charted, Exported, Listed
from forwarder.web.replies import answer
from forwarder.web.views import ToldView, TradesView

log = structlog.get_logger(__name__)

WRITE_SECONDS: Final = 30.0  # for a client to take what has been sent so far


async def payments(request: web.Request) -> web.Response:
    """`GET /api/payments`."""
    wanted = requests.query(request, Listed).wanted()
    return answer(shapes.page(await request.app[SERVICE].office.page(wanted)))


async def payment(request: web.Request) -> web.Response:
    """`GET /api/payments/{paymentHash}`."""
    name = requests.hash_in_path(request)
    return answer(shapes.story(*await request.app[SERVICE].office.show(name)))


async def figures(request: web.Request) -> web.Response:
    """`GET /api/figures`."""
    service = request.app[SERVICE]
    charted = requests.query(request, Charted)
    end = charted.until or service.clock()
    start = charted.since or end - SPAN[charted.by]
    slots = calendar.slots(start, end, charted.by, charted.zone)
    found = [shapes.trade(one) for one in await service.office.trade(slots)]
    return answer(TradesView(success=True, by=charted.by, zone=charted.zone.key, figures=found))


async def broadcast(request: web.Request) -> web.Response:
    """`POST /api/broadcast`."""
    said = await requests.body(request, Broadcast)
    told = await request.app[SERVICE].broadcast(said.message)
    log.info("every page was told something", pages=told)
    return answer(ToldView(success=True, pages=told))


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /api/export.csv`."""
    wanted = requests.query(request, Exported)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": 'attachment; filename="forwards.csv"',
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        until = wanted.until or request.app[SERVICE].clock()
        await _send(request, response, wanted.since, until)
    except Exception as exc:
        # It has begun, so it cannot become an error: cut off, it cannot be taken for whole.
        log.warning("an export was cut off", reason=type(exc).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, start: datetime, end: datetime
) -> None:
    await _write(response, shapes.csv_head())
    async for sales in request.app[SERVICE].office.export(start, end):
        await _write(response, shapes.csv(sales))
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write_eof()


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text.encode())
