"""The node's JSON: pretty-printed, and in replies without what is null."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from forwarder.sandbox.phoenixd.books import Incoming, Outgoing

View = Mapping[str, object]


def text(view: View | Sequence[View]) -> str:
    """What is sent."""
    return json.dumps(view, indent=4)


def received(invoice: Incoming, now: datetime) -> View:
    """The webhook's body, nulls and all."""
    return {
        "type": "payment_received",
        "timestamp": milliseconds(now),
        "amountSat": invoice.received,
        "paymentHash": invoice.payment_hash,
        "externalId": invoice.external_id,
        "payerNote": None,
        "payerKey": None,
    }


def incoming(invoice: Incoming, now: datetime) -> View:
    return _without_nulls(
        {
            "type": "incoming_payment",
            "subType": "lightning",
            "paymentHash": invoice.payment_hash,
            "preimage": invoice.preimage,
            "externalId": invoice.external_id,
            "description": invoice.terms.description,
            "invoice": invoice.serialized,
            "isPaid": invoice.completed_at is not None,
            "isExpired": now >= invoice.terms.expires_at,
            "requestedSat": invoice.terms.sats,
            "receivedSat": invoice.received,
            "fees": 0,
            "expiresAt": milliseconds(invoice.terms.expires_at),
            "completedAt": _maybe(invoice.completed_at),
            "createdAt": milliseconds(invoice.terms.created_at),
        }
    )


def outgoing(payment: Outgoing) -> View:
    return _without_nulls(
        {
            "type": "outgoing_payment",
            "subType": "lightning",
            "paymentId": payment.id,
            "paymentHash": payment.payment_hash,
            "preimage": payment.preimage,
            "isPaid": payment.status == "succeeded",
            "sent": (payment.msats + payment.fee_msats) // 1000,
            "fees": payment.fee_msats,
            "invoice": payment.invoice,
            "completedAt": _maybe(payment.completed_at),
            "createdAt": milliseconds(payment.created_at),
        }
    )


def sent(payment: Outgoing) -> View:
    return {
        "recipientAmountSat": payment.msats // 1000,
        "routingFeeSat": payment.fee_msats // 1000,
        "paymentId": payment.id,
        "paymentHash": payment.payment_hash,
        "paymentPreimage": payment.preimage,
    }


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _maybe(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)


def _without_nulls(view: View) -> View:
    return {name: value for name, value in view.items() if value is not None}
