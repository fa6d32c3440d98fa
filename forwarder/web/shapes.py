"""What operators are shown, in the contract's names: to HTTP and to the commands alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from forwarder import __version__
from forwarder.model import creations, handshakes
from forwarder.model.finding import Finding
from forwarder.model.forward import Forward
from forwarder.model.invoice import Invoice
from forwarder.model.report import Report
from forwarder.model.sale import Page, Place, Sale
from forwarder.model.trade import Trade
from forwarder.model.units import iso, iso_or_none
from forwarder.store.journal import Step
from forwarder.store.overview import OfSource
from forwarder.web.views import (
    AllowanceView,
    ClosedView,
    FindingsView,
    FindingView,
    ForwardView,
    InvoiceView,
    KeptView,
    LiveView,
    Moved,
    PageView,
    Reconciled,
    Replayed,
    Resolved,
    SaleView,
    SourceView,
    StepView,
    StoryView,
    TradeView,
)
from forwarder.worker.books import Overview
from forwarder.worker.live import Live


def page(found: Page) -> PageView:
    """A page of a list of sales."""
    after = None if found.next is None else written(found.next)
    return {"success": True, "payments": [sale(one) for one in found.sales], "next": after}


def story(one: Sale, steps: Iterable[Step]) -> StoryView:
    """One sale with all that is known of it."""
    return {
        "success": True,
        "payment": sale(one),
        "invoice": None if one.invoice is None else _invoice(one.invoice, one.merchant),
        "timeline": [_step(step) for step in steps],
    }


def sale(one: Sale) -> SaleView:
    """A sale as it stands in a list."""
    invoice, payment = one.invoice, one.payment
    return {
        "paymentHash": one.payment_hash,
        "externalId": invoice.external_id if invoice else None,
        "merchant": one.merchant,
        "description": invoice.description if invoice else None,
        "state": one.standing,
        "amountSat": invoice.amount if invoice else None,
        "receivedSat": one.received,
        "source": one.source,
        "seenBy": payment.witness if payment else None,
        "transactionId": payment.transaction_id if payment else None,
        "createdAt": iso(invoice.created_at) if invoice else None,
        "receivedAt": iso(payment.seen_at) if payment else None,
        "forwardedAt": iso_or_none(invoice.forwarded_at) if invoice else None,
        "forwards": [_forward(forward, one) for forward in one.forwards],
    }


def overview(all_of_it: Overview) -> KeptView:
    """What the database says of everything at a glance."""
    figures, day, last = all_of_it.figures, all_of_it.day, all_of_it.last_run
    oldest = figures.oldest_outstanding
    age = 0 if oldest is None else max(0, int((all_of_it.now - oldest).total_seconds()))
    return {
        "version": __version__,
        "invoices": figures.invoices,
        "forwards": figures.forwards,
        "sats": {
            "received": figures.received,
            "forwarded": figures.forwarded,
            "held": figures.held,
            "outstanding": figures.outstanding,
            "refunded": all_of_it.refunded,
        },
        "today": {
            "zone": all_of_it.zone.key,
            "from": iso(all_of_it.day_begun),
            "payments": day.received.count,
            "received": day.received.sats,
            "forwarded": day.forwarded.sats,
            "held": day.held.sats,
        },
        "sources": {source: _source(sums) for source, sums in all_of_it.sources.items()},
        "unmatched": {"count": all_of_it.unmatched.count, "sats": all_of_it.unmatched.sats},
        "oldestOutstandingSeconds": age,
        "reconciliation": {
            "lastRunAt": None if last is None else iso(last.at),
            "driftSats": all_of_it.drift_sats,
        },
        "findings": all_of_it.findings,
    }


def live(now: Live) -> LiveView:
    """What the running process alone knows."""
    watch, key = now.watch, now.credentials
    return {
        "subscription": {
            "state": watch.state,
            "since": iso(watch.since),
            "opens": watch.opens,
            "lastEventAt": iso_or_none(watch.last_event_at),
        },
        "credentials": {
            "enabled": key.enabled,
            "reason": key.reason,
            "checkedAt": iso_or_none(key.checked_at),
        },
        "blink": {
            "handshakes": _allowance(now.handshakes_left, handshakes.LIMIT, handshakes.WINDOW),
            "creations": _allowance(now.creations_left, creations.LIMIT, creations.WINDOW),
        },
    }


def trade(one: Trade) -> TradeView:
    """What came and what arrived in an hour or a day."""
    return {
        "from": iso(one.slot.start),
        "to": iso(one.slot.end),
        "payments": one.payments,
        "receivedSat": one.received,
        "forwards": one.forwards,
        "forwardedSat": one.forwarded,
        "medianSeconds": one.median_seconds,
        "slowSeconds": one.slow_seconds,
    }


def replayed(moved: Iterable[Forward]) -> Replayed:
    """The forwards that are tried again now."""
    return {"success": True, "replayed": [_moved(forward) for forward in moved]}


def resolved(done: Iterable[Forward]) -> Resolved:
    """The forwards that were settled by hand."""
    return {"success": True, "resolved": [_moved(forward) for forward in done]}


def reconciled(report: Report) -> Reconciled:
    """What a reconciliation has found."""
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
        "findings": report.opened,
        "driftSats": report.drift_sats,
    }


def findings(found: Sequence[Finding], limit: int) -> FindingsView:
    """Some findings; if there are as many as were asked for, there may be more."""
    after = found[-1].id if len(found) == limit else None
    return {"success": True, "findings": [_finding(one) for one in found], "next": after}


def closed(one: Finding) -> ClosedView:
    """A finding that is closed now."""
    return {"success": True, "finding": _finding(one)}


def written(place: Place) -> str:
    """A place as the next call can give it back."""
    at = place.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{at}_{place.payment_hash}"


def _moved(forward: Forward) -> Moved:
    """A forward as it stood before the call."""
    return {
        "paymentHash": forward.payment_hash,
        "position": forward.position,
        "amountSat": forward.amount,
        "state": forward.state,
        "reason": forward.held_reason,
    }


def _forward(forward: Forward, one: Sale) -> ForwardView:
    payout = forward.payout
    return {
        "position": forward.position,
        "merchant": one.merchants[forward.merchant_id],
        "amountSat": forward.amount,
        "state": forward.state,
        "attempt": forward.attempt,
        "tries": forward.tries,
        "heldReason": forward.held_reason,
        "refusal": forward.refusal,
        "payoutHash": forward.payout_hash,
        "payoutExpiresAt": iso(payout.expires_at) if payout else None,
        "nextTryAt": iso_or_none(forward.due_at),
        "sentAt": iso_or_none(forward.sent_at),
        "sentFrom": forward.sent_from,
        "transactionId": forward.transaction_id,
        "endedAt": iso_or_none(forward.ended_at),
    }


def _invoice(invoice: Invoice, merchant: str | None) -> InvoiceView:
    return {
        "externalId": invoice.external_id,
        "merchant": merchant,
        "amountSat": invoice.amount,
        "description": invoice.description,
        "state": invoice.state,
        "source": invoice.source,
        "invoice": invoice.payment_request,
        "createdAt": iso(invoice.created_at),
        "expiresAt": iso(invoice.expires_at),
        "paidAt": iso_or_none(invoice.paid_at),
        "forwardedAt": iso_or_none(invoice.forwarded_at),
    }


def _finding(one: Finding) -> FindingView:
    return {
        "id": one.id,
        "kind": one.kind,
        "source": one.source,
        "paymentHash": one.payment_hash,
        "transactionId": one.transaction_id,
        "amountSat": one.amount,
        "seenAt": iso(one.seen_at),
        "text": one.text,
        "state": one.state,
        "closedAt": iso_or_none(one.closed_at),
        "note": one.note,
    }


def _step(step: Step) -> StepView:
    return {"at": iso(step.at), "step": step.step, "actor": step.actor, "detail": {**step.detail}}


def _source(sums: OfSource) -> SourceView:
    return {
        "received": sums.received.sats,
        "forwarded": sums.forwarded.sats,
        "held": sums.held.sats,
        "outstanding": sums.outstanding.sats,
    }


def _allowance(left: int, limit: int, window: timedelta) -> AllowanceView:
    return {"left": left, "of": limit, "seconds": int(window.total_seconds())}
