"""The moves of a forward from state to state, by whoever has its lease.

Each move is one compare-and-set on state and owner, with its row in the journal: whoever has lost
its lease, or looks at an old state, gets `LostClaim` and changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select, update

from forwarder.model.actor import Actor
from forwarder.model.forward import (
    MOVES,
    SPENT,
    Forward,
    ForwardState,
    PayoutInvoice,
    Verdict,
)
from forwarder.model.lease import Lease
from forwarder.model.ledger import Paid
from forwarder.model.units import WalletId
from forwarder.store import forwards, journal, locks, totals
from forwarder.store.columns import UtcDateTime
from forwarder.store.database import Transaction
from forwarder.store.inserts import Values
from forwarder.store.invoices import arriving_on
from forwarder.store.journal import Detail, Step
from forwarder.store.tables import forwards as table
from forwarder.store.tables import invoices, merchants, payments
from forwarder.store.totals import Total


class LostClaim(Exception):
    """Another owner or another state: this forward is not ours to move any more."""


class Insolvent(Exception):
    """More would be sent for a payment from a wallet than that has received for it."""


class Moved(Exception):
    """The merchant's money goes to another wallet now than the payout invoice was made on."""


async def keep_invoice(
    tx: Transaction, forward: Forward, payout: PayoutInvoice, payout_to: WalletId, lease: Lease
) -> Forward:
    """Keep the payout invoice, made on the wallet `payout_to`."""
    values = {
        "payout_to": payout_to,
        "payout_request": payout.payment_request,
        "payout_hash": payout.payment_hash,
        "payout_expires_at": payout.expires_at,
        "tries": 0,
    }
    detail = {"payoutHash": payout.payment_hash, "attempt": forward.attempt}
    return await _move(tx, forward, ForwardState.INVOICED, lease, values, "payout invoiced", detail)


async def begin_sending(
    tx: Transaction, forward: Forward, wallet_id: WalletId, lease: Lease
) -> Forward | None:
    """Record that a payment is about to leave; None while another forward is being sent.

    Blink sends one at a time from a wallet, and so do all our processes together, each source in a
    lane of its own: a forward in `sending` under a living lease has it. Raises `Insolvent`,
    `Moved`, `LostClaim`.
    """
    await locks.hold(tx, f"sending from {forward.source}")
    if await _lane_is_taken(tx, forward, lease.now):
        return None
    if not await _is_covered(tx, forward, wallet_id):
        raise Insolvent
    if await _has_moved(tx, forward):
        raise Moved
    values = {"sent_at": lease.now, "sent_from": wallet_id}
    return await _move(tx, forward, ForwardState.SENDING, lease, values, "payout sending", {})


async def finish(tx: Transaction, forward: Forward, sent: Paid, lease: Lease) -> Forward:
    """Record the ledger's SEND: final. Its hash is kept, for by that it is known if it comes back.

    A SEND that an older database finds by its name has paid an invoice that is not kept.
    """
    values: Values = {
        "transaction_id": sent.transaction_id,
        "due_at": None,
        "held_reason": None,
        "ended_at": lease.now,
        "owner": None,
    }
    if sent.payout_hash is not None:
        values = {**values, "payout_hash": sent.payout_hash}
    detail = {"transactionId": sent.transaction_id, "amountSat": forward.amount}
    await totals.add(tx, Total.FORWARDED, forward.amount)
    return await _move(tx, forward, ForwardState.FORWARDED, lease, values, "forwarded", detail)


async def mark_unpaid(tx: Transaction, forward: Forward, due_at: datetime, lease: Lease) -> None:
    """Record that no payment of a payout was found, and that the same invoice is paid again."""
    values = {"tries": forward.tries + 1, "due_at": due_at, "owner": None}
    await _move(
        tx, forward, ForwardState.INVOICED, lease, values, "payout proven unpaid", {"refusal": None}
    )


async def doubt(
    tx: Transaction,
    forward: Forward,
    verdict: Verdict,
    refusal: str,
    due_at: datetime,
    lease: Lease,
) -> None:
    """Keep what was said of the payout invoice for good: it is not sent again before that is clear.

    It stays in its state: a payment may have left, whatever was said.
    """
    values = {
        "verdict": verdict,
        "refusal": refusal,
        "replayed_attempt": None,  # whoever has replayed it before did not know of this
        "tries": forward.tries + 1,
        "due_at": due_at,
        "owner": None,
    }
    detail = {"verdict": verdict, "refusal": refusal}
    await _write(tx, forward, lease, "payout in doubt", detail)
    await _set(tx, forward, lease, values)


async def note_absence(tx: Transaction, forward: Forward, due_at: datetime, lease: Lease) -> None:
    """Record the first reading, late enough to count, that has shown no payment of a payout."""
    await _write(tx, forward, lease, "payout not in the ledger", {"refusal": forward.refusal})
    await _set(tx, forward, lease, {"absent_at": lease.now, "due_at": due_at, "owner": None})


async def mark_lost(tx: Transaction, forward: Forward, lease: Lease) -> Forward:
    """Record that nobody has seen, or will see, the answer of the last call that could pay."""
    return await _set(tx, forward, lease, {"lost_at": forward.sent_at})


async def find_unpaid(tx: Transaction, forward: Forward, lease: Lease) -> Forward:
    """Record that the ledger is sure to show no payment of a payout, under the same lease."""
    detail = {"refusal": forward.refusal}
    step = "payout proven unpaid"
    return await _move(tx, forward, ForwardState.INVOICED, lease, {}, step, detail)


async def renew(tx: Transaction, forward: Forward, external_id: str, lease: Lease) -> Forward:
    """Give up a dead payout invoice; the next one has a new name at Blink."""
    detail = {"attempt": forward.attempt, "refusal": forward.refusal}
    values = {
        "attempt": forward.attempt + 1,
        "external_id": external_id,
        "payout_request": None,
        "payout_hash": None,
        "payout_expires_at": None,
        "payout_to": None,
        "asked_at": lease.now,
        "sent_at": None,
        "sent_from": None,
        "lost_at": None,
        "verdict": None,
        "refusal": None,
        "absent_at": None,
        "tries": 0,
    }
    return await _move(
        tx, forward, ForwardState.QUEUED, lease, values, "payout invoice given up", detail
    )


async def hold(
    tx: Transaction,
    forward: Forward,
    reason: str,
    resume_at: datetime | None,
    lease: Lease,
) -> Forward:
    """Stop until a person helps, or until `resume_at`."""
    values = {
        "held_reason": reason,
        "due_at": resume_at,
        "tries": forward.tries + 1,
        "owner": None,
    }
    detail = {"reason": reason}
    return await _move(tx, forward, ForwardState.HELD, lease, values, "held", detail)


async def resume(tx: Transaction, forward: Forward, lease: Lease) -> Forward:
    """Bring a held forward back to where its facts say it stands."""
    to = ForwardState.QUEUED if forward.payout is None else ForwardState.INVOICED
    values = {"held_reason": None, "asked_at": asked_at(lease.now)}
    return await _move(tx, forward, to, lease, values, "resumed", {})


async def set_aside(tx: Transaction, forward: Forward, due_at: datetime, lease: Lease) -> None:
    """Give a lease back because it is not this one's turn: no try has failed."""
    await _set(tx, forward, lease, {"owner": None, "due_at": due_at})


async def postpone(
    tx: Transaction, forward: Forward, reason: str, due_at: datetime, lease: Lease
) -> None:
    """Stay in this state and try again later; the journal says why."""
    detail = {"state": forward.state, "reason": reason, "tries": forward.tries + 1}
    await _write(tx, forward, lease, "try failed", detail)
    await _set(tx, forward, lease, {"tries": forward.tries + 1, "due_at": due_at, "owner": None})


async def _move(
    tx: Transaction,
    forward: Forward,
    to: ForwardState,
    lease: Lease,
    values: Values,
    step: str,
    detail: Detail,
) -> Forward:
    if to not in MOVES[forward.state]:
        raise AssertionError(f"a forward never goes from {forward.state} to {to}")
    moved = await _set(tx, forward, lease, {"state": to, "due_at": lease.until, **values})
    await _write(tx, forward, lease, step, detail)
    return moved


async def _set(tx: Transaction, forward: Forward, lease: Lease, values: Values) -> Forward:
    """Compare and set. Raises `LostClaim`."""
    statement = (
        update(table)
        .where(
            table.c.id == forward.id,
            table.c.state == forward.state,
            table.c.attempt == forward.attempt,
            table.c.owner == lease.owner,
        )
        .values(values)
        .returning(table)
    )
    row = (await tx.execute(statement)).first()
    if row is None:
        raise LostClaim
    return forwards.read(row)


async def _write(
    tx: Transaction, forward: Forward, lease: Lease, step: str, detail: Detail
) -> None:
    row = Step(lease.now, step, Actor.PAYOUT, {"position": forward.position, **detail})
    await journal.write(tx, forward.payment_hash, row)


def asked_at(now: datetime) -> ColumnElement[datetime | None]:
    """`asked_at` for who is about to ask: the first time counts, while there is no invoice."""
    asking = table.c.state.in_((ForwardState.QUEUED, ForwardState.HELD))
    first = func.coalesce(table.c.asked_at, literal(now, UtcDateTime))
    return case((and_(asking, table.c.payout_hash.is_(None)), first), else_=table.c.asked_at)


async def _lane_is_taken(tx: Transaction, forward: Forward, now: datetime) -> bool:
    other = exists().where(
        table.c.state == ForwardState.SENDING,
        table.c.source == forward.source,
        # One whose call is over, without an answer or with one in doubt, is only asked about.
        or_(table.c.lost_at.is_(None), table.c.lost_at < table.c.sent_at),
        table.c.verdict.is_(None),
        table.c.owner.is_not(None),
        table.c.due_at > now,
        table.c.id != forward.id,
    )
    return (await tx.execute(select(other))).scalar_one()


async def _has_moved(tx: Transaction, forward: Forward) -> bool:
    """Whether the merchant has another wallet now, or one that is not known yet.

    Of payout invoices from before their wallet was kept nobody knows.
    """
    kept = select(merchants.c.wallet_id).where(merchants.c.id == forward.merchant_id)
    wallet_id = (await tx.execute(kept)).scalar_one()
    return forward.payout_to is not None and wallet_id != forward.payout_to


async def _is_covered(tx: Transaction, forward: Forward, wallet_id: WalletId) -> bool:
    """Whether what this wallet has received covers this forward beside all that was sent (rule 5).

    What arrived on the wallet that a source had before cannot be paid on from the one it has now.
    """
    spent = select(func.coalesce(func.sum(table.c.amount), 0)).where(
        table.c.payment_hash == forward.payment_hash,
        table.c.state.in_(SPENT),
        table.c.id != forward.id,
    )
    here = arriving_on(wallet_id)
    received = (
        select(func.coalesce(func.sum(payments.c.received), 0))
        .join(invoices, invoices.c.id == payments.c.invoice_id)
        .where(
            payments.c.payment_hash == forward.payment_hash,
            payments.c.source == forward.source,
            here,
        )
    )
    spent_sats = int((await tx.execute(spent)).scalar_one())
    return spent_sats + forward.amount <= int((await tx.execute(received)).scalar_one())
