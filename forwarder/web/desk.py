"""The operator's calls: try again, settle by hand, reconcile."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Final

from aiohttp import web
from pydantic.alias_generators import to_camel

from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.units import PaymentHash
from forwarder.web import requests
from forwarder.web.errors import ApiError
from forwarder.web.keys import SERVICE
from forwarder.web.replies import Body, answer
from forwarder.web.requests import Resolution

_HASH: Final = re.compile(r"[0-9a-f]{64}")


async def replay(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/replay`."""
    moved = await request.app[SERVICE].desk.replay(_hash(request), Actor.HTTP)
    return answer({"success": True, "replayed": [_forward(forward) for forward in moved]})


async def resolve(request: web.Request) -> web.Response:
    """`POST /api/payments/{paymentHash}/resolve`."""
    settled = await requests.body(request, Resolution)
    done = await request.app[SERVICE].desk.resolve(_hash(request), settled.note, Actor.HTTP)
    return answer({"success": True, "resolved": [_forward(forward) for forward in done]})


async def reconcile(request: web.Request) -> web.Response:
    """`POST /api/reconcile`."""
    report = await request.app[SERVICE].reconciler.reconcile()
    found = {to_camel(name): value for name, value in asdict(report).items()}
    return answer({"success": True, "clean": report.is_clean, **found})


def _hash(request: web.Request) -> PaymentHash:
    payment_hash = request.match_info["payment_hash"]
    if _HASH.fullmatch(payment_hash) is None:
        raise ApiError(404, "not_found", "there is no payment of this hash")
    return PaymentHash(payment_hash)


def _forward(forward: Forward) -> Body:
    """A forward as it stood before the call."""
    return {
        "paymentHash": forward.payment_hash,
        "position": forward.position,
        "amountSat": forward.amount,
        "state": forward.state.value,
        "reason": forward.held_reason,
    }
