"""What lies in the books of Blink and of the node: what was received, and what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder.sandbox import TransactionView, transactions
from forwarder.sandbox.phoenixd import Incoming, Outgoing
from tests.faults.world import World


@dataclass(frozen=True, slots=True)
class Entry:
    """A settled line of a ledger; `name` is the externalId of the payout invoice that it paid."""

    id: str
    at: datetime
    payment_hash: str
    amount: int
    is_send: bool
    name: str = ""

    @property
    def stem(self) -> str:
        """The name without the number of the attempt."""
        return self.name.rpartition("-")[0] + "-"


def ledgers(world: World) -> list[list[Entry]]:
    """BlinkPOS's and the node's, oldest first."""
    return [_of_blink(world), _of_node(world)]


def income(world: World) -> list[Entry]:
    """Receipts of invoices of ours: what has to be forwarded."""
    return _receipts(world, is_back=False)


def refunds(world: World) -> list[Entry]:
    """Receipts that carry the hash of what was sent."""
    return _receipts(world, is_back=True)


def sends(world: World) -> list[Entry]:
    """Everything that has left."""
    return [entry for entry in _entries(world) if entry.is_send]


def _receipts(world: World, *, is_back: bool) -> list[Entry]:
    entries = _entries(world)
    sent = {entry.payment_hash for entry in entries if entry.is_send}
    received = [e for e in entries if not e.is_send and e.id not in world.strange]
    return [entry for entry in received if (entry.payment_hash in sent) is is_back]


def _entries(world: World) -> list[Entry]:
    return [entry for ledger in ledgers(world) for entry in ledger]


def _of_blink(world: World) -> list[Entry]:
    booked = reversed(world.sandbox.transactions(world.pos.btc_wallet_id))
    return [_booked(tx) for tx in booked if transactions.is_send(tx) or transactions.is_receipt(tx)]


def _booked(tx: TransactionView) -> Entry:
    is_send = transactions.is_send(tx)
    return Entry(
        id=tx.id,
        at=tx.created_at,
        payment_hash=tx.payment_hash or "",
        amount=abs(tx.amount),
        is_send=is_send,
        name=(tx.external_id or "") if is_send else "",
    )


def _of_node(world: World) -> list[Entry]:
    received = [_received(one) for one in world.node.books.incoming.values() if one.completed_at]
    sent = [_paid(world, one) for one in world.node.sends]
    return sorted([*received, *sent], key=lambda entry: entry.at)


def _received(paid: Incoming) -> Entry:
    assert paid.completed_at is not None
    return Entry(
        id=paid.payment_hash,  # a node has no other name for what it has received
        at=paid.completed_at,
        payment_hash=paid.payment_hash,
        amount=paid.received,
        is_send=False,
    )


def _paid(world: World, sent: Outgoing) -> Entry:
    assert sent.completed_at is not None
    invoice = world.sandbox.bank.invoices.find(sent.payment_hash)
    return Entry(
        id=sent.id,
        at=sent.completed_at,
        payment_hash=sent.payment_hash,
        amount=sent.msats // 1000,
        is_send=True,
        name="" if invoice is None else invoice.external_id,
    )
