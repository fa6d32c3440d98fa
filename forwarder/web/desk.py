"""The operator's calls: try again, settle by hand, reconcile."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash
from forwarder.web import requests
from forwarder.web.answers import Moved, Reconciled, Replayed, Resolved
from forwarder.web.errors import ApiError
from forwarder.web.keys import SERVICE
from forwarder.web.replies import answer
from forwarder.web.requests import Resolution

_HASH: Final = re.compile(r"[0-9a-f]{64}")


async def replay(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/replay`."""
    moved = await request.app[SERVICE].desk.replay(_hash(request), Actor.HTTP)
    return answer(Replayed(success=True, replayed=[_forward(forward) for forward in moved]))


async def resolve(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/resolve`."""
    settled = await requests.body(request, Resolution)
    done = await request.app[SERVICE].desk.resolve(_hash(request), settled.note, Actor.HTTP)
    return answer(Resolved(success=True, resolved=[_forward(forward) for forward in done]))


async def reconcile(request: web.Request) -> web.Response:
    """`POST /api/reconcile`."""
    return answer(_reconciled(await request.app[SERVICE].reconciler.reconcile()))


def _reconciled(report: Report) -> Reconciled:
    return {
        "success": True,
        "clean": report.is_clean,
        "dryRun": report.dry_run,
        "entries": report.entries,
        "missed": [*report.missed],
        "rebuilt": [*report.rebuilt],
        "unmatched": [*report.unmatched],
        "young": [*report.young],
        "settled": [*report.settled],
        "refunded": report.refunded,
        "strays": report.strays,
        "driftSats": report.drift_sats,
    }


def _hash(request: web.Request) -> PaymentHash:
    payment_hash = request.match_info["payment_hash"]
    if _HASH.fullmatch(payment_hash) is None:
        raise ApiError(404, "not_found", "there is no payment of this hash")
    return PaymentHash(payment_hash)


def _forward(forward: Forward) -> Moved:
    """A forward as it stood before the call."""
    return {
        "paymentHash": forward.payment_hash,
        "position": forward.position,
        "amountSat": forward.amount,
        "state": forward.state,
        "reason": forward.held_reason,
    }
