"""The forwards, and their moves from state to state.

Each move is one compare-and-set on state and owner, with its row in the journal: whoever has lost
its lease, or looks at an old state, gets `LostClaim` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from forwarder.failpoints import failpoint
from forwarder.model.forward import MOVES, SPENT, Forward, ForwardState, PayoutInvoice
from forwarder.model.lease import Lease
from forwarder.model.ledger import Entry
from forwarder.model.payment import Payment, Share
from forwarder.model.payout import MAX_ATTEMPTS
from forwarder.model.refusal import Refusal
from forwarder.model.units import PaymentHash, WalletId
from forwarder.store import journal, locks
from forwarder.store.database import Transaction
from forwarder.store.inserts import Values, insert_new
from forwarder.store.journal import Detail, Step
from forwarder.store.tables import UtcDateTime, forwards, payments


class LostClaim(Exception):
    """Another owner or another state: this forward is not ours to move any more."""


class Insolvent(Exception):
    """More would be sent for a payment than was received for it."""


async def add(
    tx: Transaction, payment: Payment, share: Share, external_id: str, now: datetime
) -> None:
    """Queue a forward, due at once."""
    values = {
        "payment_hash": payment.payment_hash,
        "position": share.position,
        "merchant_id": share.merchant_id,
        "amount": share.amount,
        "state": ForwardState.QUEUED,
        "attempt": 1,
        "external_id": external_id,
        "tries": 0,
        "due_at": now,
        "created_at": now,
    }
    if await insert_new(tx, forwards, values):
        detail = {"position": share.position, "amountSat": share.amount}
        await journal.write(tx, payment.payment_hash, Step(now, "forward queued", "intake", detail))


async def all_held(tx: Transaction) -> list[Forward]:
    """Everything that is held, oldest first."""
    query = select(forwards).where(forwards.c.state == ForwardState.HELD)
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.id))]


async def paying(tx: Transaction, hashes: Collection[PaymentHash]) -> dict[PaymentHash, Forward]:
    """The forwards whose payout invoices have these payment hashes."""
    query = select(forwards).where(forwards.c.payout_hash.in_(hashes))
    return {row.payout_hash: read(row) for row in await tx.execute(query)}


async def named(tx: Transaction, names: Collection[str]) -> dict[str, Forward]:
    """The forwards whose payout invoices have these names at Blink."""
    query = select(forwards).where(forwards.c.external_id.in_(names))
    return {row.external_id: read(row) for row in await tx.execute(query)}


async def of_stem(tx: Transaction, stem: str) -> Forward | None:
    """The forward whose payout invoices' names begin so, whichever attempt it is at."""
    names = [f"{stem}{attempt}" for attempt in range(1, MAX_ATTEMPTS + 1)]
    query = select(forwards).where(forwards.c.external_id.in_(names)).limit(1)
    row = (await tx.execute(query)).first()
    return None if row is None else read(row)


async def is_payout(tx: Transaction, payment_hash: PaymentHash) -> bool:
    """Whether this is the hash of a payout invoice of ours: its receipt is a refund, no income."""
    found = exists().where(forwards.c.payout_hash == payment_hash)
    return (await tx.execute(select(found))).scalar_one()


async def of_payment(tx: Transaction, payment_hash: PaymentHash) -> list[Forward]:
    """The forwards of a payment, by position."""
    query = select(forwards).where(forwards.c.payment_hash == payment_hash)
    return [read(row) for row in await tx.execute(query.order_by(forwards.c.position))]


async def all_settled(tx: Transaction, payment: Payment) -> bool:
    """Whether every forward of a payment is at its end."""
    final = (ForwardState.FORWARDED, ForwardState.RESOLVED)
    open_one = exists().where(
        forwards.c.payment_hash == payment.payment_hash, forwards.c.state.not_in(final)
    )
    return not (await tx.execute(select(open_one))).scalar_one()


# Moves


async def keep_invoice(
    tx: Transaction, forward: Forward, payout: PayoutInvoice, lease: Lease
) -> Forward:
    """Keep the payout invoice."""
    values = {
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

    Blink sends one at a time from a wallet, and so do all our processes together: a forward in
    `sending` under a living lease has the lane. Raises `Insolvent`, `LostClaim`.
    """
    await locks.hold(tx, "sending")
    if await _lane_is_taken(tx, forward, lease.now):
        return None
    if not await _is_covered(tx, forward):
        raise Insolvent
    values = {"sent_at": lease.now, "sent_from": wallet_id}
    return await _move(tx, forward, ForwardState.SENDING, lease, values, "payout sending", {})


async def finish(tx: Transaction, forward: Forward, transaction_id: str, lease: Lease) -> Forward:
    """Record Blink's SEND: final."""
    values = {"transaction_id": transaction_id, "due_at": None, "held_reason": None}
    detail = {"transactionId": transaction_id, "amountSat": forward.amount}
    return await _release(tx, forward, ForwardState.FORWARDED, lease, values, "forwarded", detail)


async def mark_unpaid(
    tx: Transaction, forward: Forward, refusal: Refusal | None, due_at: datetime, lease: Lease
) -> None:
    """Record that Blink has proved a payout unpaid, and that the same invoice is paid again.

    With a refusal the payout invoice is dead instead, and given up when it is due.
    """
    values = {
        "tries": forward.tries + 1,
        "due_at": due_at,
        "refusal": None if refusal is None else str(refusal),
    }
    detail = {"refusal": values["refusal"]}
    step = "payout proven unpaid"
    await _release(tx, forward, ForwardState.INVOICED, lease, values, step, detail)


async def mark_lost(tx: Transaction, forward: Forward, lease: Lease) -> Forward:
    """Record that nobody has seen, or will see, the answer of the last call that could pay."""
    return await _set(tx, forward, lease, {"lost_at": forward.sent_at})


async def renew(tx: Transaction, forward: Forward, external_id: str, lease: Lease) -> Forward:
    """Give up a dead payout invoice; the next one has a new name at Blink."""
    detail = {"attempt": forward.attempt, "refusal": forward.refusal}
    values = {
        "attempt": forward.attempt + 1,
        "external_id": external_id,
        "payout_request": None,
        "payout_hash": None,
        "payout_expires_at": None,
        "asked_at": lease.now,
        "sent_at": None,
        "sent_from": None,
        "lost_at": None,
        "refusal": None,
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
    values = {"held_reason": reason, "due_at": resume_at, "tries": forward.tries + 1}
    detail = {"reason": reason}
    return await _release(tx, forward, ForwardState.HELD, lease, values, "held", detail)


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


async def replay(tx: Transaction, forward: Forward, actor: str, now: datetime) -> bool:
    """Make a forward due now; false if it is at its end, or somebody works on it."""
    if not await _unattended(tx, forward, now, {"due_at": now, "tries": 0}):
        return False
    detail = {"position": forward.position, "state": forward.state}
    await journal.write(tx, forward.payment_hash, Step(now, "replayed", actor, detail))
    await failpoint("forwards.replayed")
    return True


async def resolve(tx: Transaction, forward: Forward, note: str, actor: str, now: datetime) -> bool:
    """`held` -> `resolved`: final; false if it is no longer held."""
    values = {"state": ForwardState.RESOLVED, "due_at": None, "owner": None}
    if not await _unattended(tx, forward, now, values):
        return False
    detail = {"position": forward.position, "note": note, "reason": forward.held_reason}
    await journal.write(tx, forward.payment_hash, Step(now, "resolved", actor, detail))
    return True


async def settle_found(tx: Transaction, forward: Forward, entry: Entry, now: datetime) -> bool:
    """Keep a SEND that Blink has and nobody here has seen settle; false while it is worked on."""
    values = {
        "state": ForwardState.FORWARDED,
        "transaction_id": entry.id,
        "external_id": entry.external_id or forward.external_id,
        "payout_hash": entry.payment_hash,
        "held_reason": None,
        "owner": None,
        "due_at": None,
    }
    if not await _unattended(tx, forward, now, values):
        return False
    detail = {"position": forward.position, "transactionId": entry.id, "amountSat": -entry.amount}
    step = Step(now, "forwarded", "reconciliation", detail)
    await journal.write(tx, forward.payment_hash, step)
    return True


async def _release(
    tx: Transaction,
    forward: Forward,
    to: ForwardState,
    lease: Lease,
    values: Values,
    step: str,
    detail: Detail,
) -> Forward:
    return await _move(tx, forward, to, lease, {**values, "owner": None}, step, detail)


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
        update(forwards)
        .where(
            forwards.c.id == forward.id,
            forwards.c.state == forward.state,
            forwards.c.attempt == forward.attempt,
            forwards.c.owner == lease.owner,
        )
        .values(values)
        .returning(forwards)
    )
    row = (await tx.execute(statement)).first()
    if row is None:
        raise LostClaim
    return read(row)


async def _unattended(tx: Transaction, forward: Forward, now: datetime, values: Values) -> bool:
    """Compare and set for who holds no lease: only what nobody works on, and in the same state."""
    statement = (
        update(forwards)
        .where(
            forwards.c.id == forward.id,
            forwards.c.state == forward.state,
            or_(forwards.c.owner.is_(None), forwards.c.due_at <= now),
        )
        .values(values)
    )
    return (await tx.execute(statement)).rowcount == 1


async def _write(
    tx: Transaction, forward: Forward, lease: Lease, step: str, detail: Detail
) -> None:
    row = Step(lease.now, step, "payout", {"position": forward.position, **detail})
    await journal.write(tx, forward.payment_hash, row)


def asked_at(now: datetime) -> ColumnElement[datetime | None]:
    """`asked_at` for who is about to ask: the first time counts, while there is no invoice."""
    asking = forwards.c.state.in_((ForwardState.QUEUED, ForwardState.HELD))
    first = func.coalesce(forwards.c.asked_at, literal(now, UtcDateTime))
    return case((and_(asking, forwards.c.payout_hash.is_(None)), first), else_=forwards.c.asked_at)


async def _lane_is_taken(tx: Transaction, forward: Forward, now: datetime) -> bool:
    other = exists().where(
        forwards.c.state == ForwardState.SENDING,
        # One whose call is over without an answer is only being asked about.
        or_(forwards.c.lost_at.is_(None), forwards.c.lost_at < forwards.c.sent_at),
        forwards.c.owner.is_not(None),
        forwards.c.due_at > now,
        forwards.c.id != forward.id,
    )
    return (await tx.execute(select(other))).scalar_one()


async def _is_covered(tx: Transaction, forward: Forward) -> bool:
    """Whether what was received still covers this forward beside all that was sent (rule 5)."""
    spent = select(func.coalesce(func.sum(forwards.c.amount), 0)).where(
        forwards.c.payment_hash == forward.payment_hash,
        forwards.c.state.in_(SPENT),
        forwards.c.id != forward.id,
    )
    received = select(payments.c.received).where(payments.c.payment_hash == forward.payment_hash)
    spent_sats = int((await tx.execute(spent)).scalar_one())
    return spent_sats + forward.amount <= int((await tx.execute(received)).scalar_one())


def read(row: Row[tuple[object, ...]]) -> Forward:
    """A forward from its row."""
    kept = row._mapping
    return Forward(
        id=kept["id"],
        payment_hash=kept["payment_hash"],
        position=kept["position"],
        merchant_id=kept["merchant_id"],
        amount=kept["amount"],
        state=ForwardState(kept["state"]),
        attempt=kept["attempt"],
        external_id=kept["external_id"],
        asked_at=kept["asked_at"],
        payout=_payout(row),
        sent_at=kept["sent_at"],
        sent_from=kept["sent_from"],
        lost_at=kept["lost_at"],
        refusal=kept["refusal"],
        transaction_id=kept["transaction_id"],
        tries=kept["tries"],
        due_at=kept["due_at"],
        held_reason=kept["held_reason"],
    )


def _payout(row: Row[tuple[object, ...]]) -> PayoutInvoice | None:
    kept = row._mapping
    if kept["payout_hash"] is None:
        return None
    return PayoutInvoice(kept["payout_request"], kept["payout_hash"], kept["payout_expires_at"])
