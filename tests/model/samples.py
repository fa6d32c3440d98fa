"""Ordinary things of the model, to be changed where a test wants them to be out of the ordinary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from forwarder.model import bolt11
from forwarder.model.forward import Forward, ForwardState, PayoutInvoice
from forwarder.model.invoice import Invoice, InvoiceState, Issued
from forwarder.model.ledger import Direction, Entry, EntryStatus
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats
from forwarder.sandbox import Sandbox

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
HASH = PaymentHash("ab" * 32)
PAYOUT_HASH = PaymentHash("cd" * 32)
SATS = Sats(2_100)

INVOICE = Invoice(
    id=7,
    merchant_id=3,
    external_id="order-7",
    payment_hash=HASH,
    payment_request="lnbcrt1",
    amount=SATS,
    description="two coffees",
    source=Source.BLINK,
    state=InvoiceState.PENDING,
    outlived=False,
    issued_at=NOW,
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
    paid_at=None,
    forwarded_at=None,
)
PAYOUT = PayoutInvoice("lnbcrt1payout", PAYOUT_HASH, NOW + timedelta(days=1))
FORWARD = Forward(
    id=1,
    payment_hash=HASH,
    position=0,
    merchant_id=3,
    amount=SATS,
    source=Source.BLINK,
    state=ForwardState.SENDING,
    attempt=1,
    external_id="fwd-1",
    asked_at=NOW,
    payout_hash=PAYOUT_HASH,
    payout=PAYOUT,
    payout_to=None,
    sent_at=NOW,
    sent_from=None,
    lost_at=None,
    verdict=None,
    refusal=None,
    absent_at=None,
    replayed_attempt=None,
    transaction_id=None,
    tries=0,
    due_at=NOW,
    held_reason=None,
    created_at=NOW,
    ended_at=None,
)
ENTRY = Entry(
    id="655cd1926445716f60b89418",
    direction=Direction.RECEIVE,
    status=EntryStatus.SUCCESS,
    amount=2_100,
    payment_hash=HASH,
    external_id=None,
    created_at=NOW,
)


def forward(**changes: Any) -> Forward:  # noqa: ANN401 - whatever its fields take
    """A forward that is being sent."""
    return replace(FORWARD, **changes)


def entry(**changes: Any) -> Entry:  # noqa: ANN401 - whatever its fields take
    """A settled receipt."""
    return replace(ENTRY, **changes)


def issue(
    sats: int | None,
    network: Any = "regtest",  # noqa: ANN401 - the sandbox's own names
    expires_in: timedelta = timedelta(hours=1),
    at: datetime = NOW,
) -> Issued:
    """A Lightning invoice, signed, as Blink would answer it."""
    request = Sandbox(network, clock=lambda: at, seed=5).outside_invoice(sats, "payout", expires_in)
    return Issued(bolt11.decode(request).payment_hash, request, at)
