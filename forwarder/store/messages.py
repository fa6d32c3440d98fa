"""The messages for pages, kept in the transaction of what they tell."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import func, select

from forwarder.model.message import Message
from forwarder.store import rows
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import messages


async def add(tx: Transaction, message: Message) -> None:
    """Keep a message; one that is already there stays as it was first told."""
    await insert_new(tx, messages, asdict(message))


async def of_invoice(tx: Transaction, invoice_id: int) -> list[Message]:
    """Everything that was told about an invoice, oldest first."""
    query = select(messages).where(messages.c.invoice_id == invoice_id).order_by(messages.c.seq)
    return rows.read_all(Message, await tx.execute(query))


async def last_seq(tx: Transaction) -> int:
    """The number of the newest message."""
    return int((await tx.execute(select(func.coalesce(func.max(messages.c.seq), 0)))).scalar_one())


async def since(tx: Transaction, seq: int) -> list[tuple[int, Message]]:
    """The messages after a number, oldest first, each with its own."""
    query = select(messages).where(messages.c.seq > seq).order_by(messages.c.seq)
    return [(row.seq, rows.read(Message, row)) for row in await tx.execute(query)]
