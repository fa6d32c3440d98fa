"""The operator's calls: try again, settle by hand, reconcile."""

from __future__ import annotations

from aiohttp import web

from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.report import Report
from forwarder.web import requests
from forwarder.web.answers import Moved, Reconciled, Replayed, Resolved
from forwarder.web.keys import SERVICE
from forwarder.web.replies import answer
from forwarder.web.requests import Resolution


async def replay(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/replay`."""
    payment_hash = requests.hash_in_path(request)
    moved = await request.app[SERVICE].desk.replay(payment_hash, Actor.HTTP)
    return answer(Replayed(success=True, replayed=[_forward(forward) for forward in moved]))


async def resolve(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/resolve`."""
    settled = await requests.body(request, Resolution)
    desk, payment_hash = request.app[SERVICE].desk, requests.hash_in_path(request)
    done = await desk.resolve(payment_hash, settled.note, Actor.HTTP)
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


def _forward(forward: Forward) -> Moved:
    """A forward as it stood before the call."""
    return {
        "paymentHash": forward.payment_hash,
        "position": forward.position,
        "amountSat": forward.amount,
        "state": forward.state,
        "reason": forward.held_reason,
    }
