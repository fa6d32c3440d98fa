"""What operators are shown, in the contract's names: to HTTP and to the commands alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from forwarder import __version__
from forwarder.blink.client import CREATIONS_A_MINUTE
from forwarder.model import spreadsheet
from forwarder.model.forward import Forward
from forwarder.model.handshakes import LIMIT as HANDSHAKES_A_MINUTE
from forwarder.model.invoice import Invoice
from forwarder.model.report import Report
from forwarder.model.sale import Page, Place, Sale
from forwarder.model.spreadsheet import Cell
from forwarder.model.trade import Trade
from forwarder.model.units import iso
from forwarder.store.journal import Step
from forwarder.store.overview import OfSource
from forwarder.web.answers import Moved, Reconciled, Replayed, Resolved
from forwarder.web.views import (
    AllowanceView,
    ForwardView,
    InvoiceView,
    KeptView,
    LiveView,
    PageView,
    SaleView,
    SourceView,
    StepView,
    StoryView,
    TradeView,
)
from forwarder.worker.live import Live
from forwarder.worker.office import Overview


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
        "forwardedAt": _iso(invoice.forwarded_at) if invoice else None,
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
            "driftSats": 0 if last is None else last.drift_sats,
        },
    }


def live(now: Live) -> LiveView:
    """What the running process alone knows."""
    watch, key = now.watch, now.credentials
    return {
        "subscription": {
            "state": watch.state,
            "since": iso(watch.since),
            "opens": watch.opens,
            "lastEventAt": _iso(watch.last_event_at),
        },
        "credentials": {
            "enabled": key.enabled,
            "reason": key.reason,
            "checkedAt": _iso(key.checked_at),
        },
        "blink": {
            "handshakes": _allowance(now.handshakes_left, HANDSHAKES_A_MINUTE),
            "creations": _allowance(now.creations_left, CREATIONS_A_MINUTE),
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
        "driftSats": report.drift_sats,
    }


def written(place: Place) -> str:
    """A place as the next call can give it back."""
    at = place.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{at}_{place.payment_hash}"


COLUMNS = (
    "receivedAt",
    "merchant",
    "externalId",
    "description",
    "receivedSat",
    "position",
    "amountSat",
    "state",
    "forwardedAt",
    "heldReason",
    "paymentHash",
    "payoutHash",
    "transactionId",
    "receiptTransactionId",
    "source",
    "seenBy",
)


def csv(sales: Sequence[Sale]) -> str:
    """One line for each forward of some sales."""
    return "".join(spreadsheet.line(cells) for one in sales for cells in _lines(one))


def csv_head() -> str:
    """The line of names."""
    return spreadsheet.line(COLUMNS)


def _lines(one: Sale) -> Iterator[Sequence[Cell]]:
    summary = sale(one)
    for forward in one.forwards:
        shown = {**summary, **_forward(forward, one)}
        shown["receiptTransactionId"] = summary["transactionId"]
        shown["forwardedAt"] = shown["endedAt"]
        yield [_cell(shown[name]) for name in COLUMNS]


def _cell(value: object) -> Cell:
    return value if isinstance(value, int | None) else str(value)


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
        "payoutHash": payout.payment_hash if payout else None,
        "payoutExpiresAt": iso(payout.expires_at) if payout else None,
        "nextTryAt": _iso(forward.due_at),
        "sentAt": _iso(forward.sent_at),
        "sentFrom": forward.sent_from,
        "transactionId": forward.transaction_id,
        "endedAt": _iso(forward.ended_at),
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
        "paidAt": _iso(invoice.paid_at),
        "forwardedAt": _iso(invoice.forwarded_at),
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


def _allowance(left: int, limit: int) -> AllowanceView:
    return {"left": left, "of": limit, "seconds": 60}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
