"""What the operator can see: payments, figures, the export."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import structlog
from aiohttp import web

from forwarder.model import calendar
from forwarder.model.calendar import SPAN
from forwarder.web import requests, shapes, sheet
from forwarder.web.keys import SERVICE
from forwarder.web.questions import Charted, Exported, Found, Listed
from forwarder.web.responses import answer
from forwarder.web.views import TradesView

log = structlog.get_logger(__name__)

WRITE_SECONDS: Final = 30.0  # for a client to take what has been sent so far


async def payments(request: web.Request) -> web.Response:
    """`GET /api/payments`."""
    wanted = requests.query(request, Listed).wanted()
    return answer(shapes.page(await request.app[SERVICE].books.page(wanted)))


async def payment(request: web.Request) -> web.Response:
    """`GET /api/payments/{paymentHash}`."""
    name = requests.hash_in_path(request)
    return answer(shapes.story(*await request.app[SERVICE].books.show(name)))


async def findings(request: web.Request) -> web.Response:
    """`GET /api/findings`."""
    asked = requests.query(request, Found)
    found = await request.app[SERVICE].books.findings(asked.state, asked.after, asked.limit)
    return answer(shapes.findings(found, asked.limit))


async def figures(request: web.Request) -> web.Response:
    """`GET /api/figures`."""
    service = request.app[SERVICE]
    charted = requests.query(request, Charted)
    end = charted.until or service.clock()
    start = charted.since or end - SPAN[charted.by]
    slots = calendar.slots(start, end, charted.by, charted.zone)
    found = [shapes.trade(one) for one in await service.books.trade(slots)]
    return answer(TradesView(success=True, by=charted.by, zone=charted.zone.key, figures=found))


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
    await _write(response, sheet.head())
    async for sales in request.app[SERVICE].books.export(start, end):
        await _write(response, sheet.lines(sales))
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write_eof()


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text.encode())
