"""What is done to a forward that nobody works on, by who holds no lease of it.

An operator tries it again or settles it by hand, and the reconciliation finds it paid. Whatever
somebody works on is left alone, and so is what has moved on since it was looked at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import or_, update

from forwarder.failpoints import failpoint
from forwarder.model.actor import Actor
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.ledger import Entry, Paid
from forwarder.store import journal, totals
from forwarder.store.database import Transaction
from forwarder.store.inserts import Values
from forwarder.store.journal import Step
from forwarder.store.tables import forwards
from forwarder.store.totals import Total


async def replay(tx: Transaction, forward: Forward, actor: Actor, now: datetime) -> bool:
    """Make a forward due now; false if it is at its end, or somebody works on it.

    What was held may have a new payout invoice, once the old one is proven unpaid.
    """
    values: Values = {"due_at": now, "tries": 0}
    if forward.state is ForwardState.HELD:
        values = {**values, "replayed_attempt": forward.attempt}
    step = Step(now, "replayed", actor, {"state": forward.state})
    if not await _intervene(tx, forward, values, step):
        return False
    await failpoint("interventions.replayed")
    return True


async def resolve(
    tx: Transaction, forward: Forward, note: str, actor: Actor, now: datetime
) -> bool:
    """`held` -> `resolved`: final; false if it is no longer held."""
    values = {"state": ForwardState.RESOLVED, "due_at": None, "owner": None, "ended_at": now}
    step = Step(now, "resolved", actor, {"note": note, "reason": forward.held_reason})
    if not await _intervene(tx, forward, values, step):
        return False
    await totals.add(tx, Total.RESOLVED, forward.amount)
    return True


async def doubt(tx: Transaction, forward: Forward, entry: Entry, now: datetime) -> bool:
    """Keep of a queued forward that this SEND of it is under way: nobody here will see its answer.

    It stays as it is if somebody works on it; then that is false.
    """
    values = {
        "external_id": entry.external_id or forward.external_id,
        "sent_at": entry.created_at,
        "lost_at": entry.created_at,
    }
    step = Step(now, "payout under way", Actor.RECONCILIATION, {"transactionId": entry.id})
    return await _intervene(tx, forward, values, step)


async def settle(tx: Transaction, forward: Forward, entry: Entry, now: datetime) -> bool:
    """Keep a SEND that nobody here has seen settle; false while somebody works on it."""
    values = {
        "external_id": entry.external_id or forward.external_id,
        "payout_hash": entry.payment_hash,
    }
    return await _settle(tx, forward, entry.id, -entry.amount, values, now)


async def find_paid(tx: Transaction, forward: Forward, sent: Paid, now: datetime) -> bool:
    """The same of the payment of its own payout invoice, which the ledger was asked for."""
    return await _settle(tx, forward, sent.transaction_id, forward.amount, {}, now)


async def _settle(
    tx: Transaction,
    forward: Forward,
    transaction_id: str,
    amount: int,
    more: Values,
    now: datetime,
) -> bool:
    values = {
        "state": ForwardState.FORWARDED,
        "transaction_id": transaction_id,
        "held_reason": None,
        "owner": None,
        "due_at": None,
        "ended_at": now,
        **more,
    }
    detail = {"transactionId": transaction_id, "amountSat": amount}
    step = Step(now, "forwarded", Actor.RECONCILIATION, detail)
    if not await _intervene(tx, forward, values, step):
        return False
    await totals.add(tx, Total.FORWARDED, forward.amount)
    return True


async def _intervene(tx: Transaction, forward: Forward, values: Values, step: Step) -> bool:
    """Compare and set, with a row in the journal; false if somebody works on it or has moved it."""
    statement = (
        update(forwards)
        .where(
            forwards.c.id == forward.id,
            forwards.c.state == forward.state,
            # In between it may have been sent once more, and be held again.
            forwards.c.attempt == forward.attempt,
            forwards.c.sent_at.is_not_distinct_from(forward.sent_at),
            or_(forwards.c.owner.is_(None), forwards.c.due_at <= step.at),
        )
        .values(values)
    )
    if (await tx.execute(statement)).rowcount != 1:
        return False
    detail = {"position": forward.position, **step.detail}
    await journal.write(tx, forward.payment_hash, replace(step, detail=detail))
    return True
