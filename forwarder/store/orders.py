"""What POS pages have asked for, kept before Blink is asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, update

from forwarder.model.invoice import Order
from forwarder.model.source import Source
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.tables import orders


class OrderConflict(Exception):
    """This externalId was used for another order."""


async def begin(tx: Transaction, merchant_id: int, order: Order, now: datetime) -> int:
    """Keep an order and return the number of this attempt at making its invoice.

    An order whose invoice was never kept gets a new number each time, and so a new name at Blink:
    nobody has ever seen the earlier invoice, if there is one. Raises `OrderConflict`.
    """
    key = {"merchant_id": merchant_id, "external_id": order.external_id}
    values = {**key, "fingerprint": _fingerprint(order), "attempt": 1, "created_at": now}
    if await insert_new(tx, orders, values):
        return 1
    await check(tx, merchant_id, order)
    statement = (update(orders).filter_by(**key).values(attempt=orders.c.attempt + 1)).returning(
        orders.c.attempt
    )
    return int((await tx.execute(statement)).scalar_one())


async def check(tx: Transaction, merchant_id: int, order: Order) -> None:
    """Raise `OrderConflict` if the order of that name was another one."""
    query = select(orders.c.fingerprint).filter_by(
        merchant_id=merchant_id, external_id=order.external_id
    )
    if (await tx.execute(query)).scalar_one_or_none() not in (None, _fingerprint(order)):
        raise OrderConflict


def _fingerprint(order: Order) -> str:
    said = asdict(order)
    if order.source is Source.BLINK:
        del said["source"]  # as when there was no other
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
