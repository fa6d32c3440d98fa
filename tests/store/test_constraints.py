"""What the database itself refuses, whatever the code above it believes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from forwarder import store
from forwarder.store.database import Database
from tests.store.rows import a_forward, a_merchant, claimed, everything, ready

IMPOSSIBLE = [
    "UPDATE forwards SET state = 'lost'",
    "UPDATE forwards SET state = ''",
    "UPDATE forwards SET amount = 0",
    "UPDATE forwards SET amount = -1",
    "UPDATE invoices SET state = 'forwarded'",
    "UPDATE invoices SET amount = 0",
    "UPDATE invoices SET amount = -1",
    "UPDATE forwards SET state = NULL",
    "UPDATE forwards SET state = 'forwarded'",  # without Blink's proof
    "UPDATE forwards SET state = 'sending'",  # without a payout invoice
    "UPDATE forwards SET state = 'held'",  # without a reason
    "UPDATE forwards SET external_id = NULL",
    "UPDATE forwards SET merchant_id = 4711",
    "UPDATE forwards SET payment_hash = 'unknown'",
    "UPDATE invoices SET merchant_id = 4711",
    "UPDATE payments SET received = 0",
    "UPDATE payments SET received = -1",
    "UPDATE payments SET invoice_id = 4711",
    "UPDATE payments SET transaction_id = NULL",
    # Nothing that something else rests upon can be deleted.
    "DELETE FROM payments",
    "DELETE FROM invoices",
    "DELETE FROM merchants",
]

TWICE = [
    "UPDATE forwards SET external_id = 'same'",
    "UPDATE forwards SET payout_hash = 'same'",
    "UPDATE forwards SET transaction_id = 'same'",
    "UPDATE forwards SET payment_hash = (SELECT min(payment_hash) FROM payments)",
    "UPDATE payments SET transaction_id = 'same'",
    "UPDATE payments SET payment_hash = 'same'",
    "UPDATE payments SET invoice_id = (SELECT min(id) FROM invoices)",
    "UPDATE invoices SET external_id = 'same'",
    "UPDATE invoices SET payment_hash = 'same'",
    "UPDATE merchants SET token_fingerprint = 'same'",
    "UPDATE merchants SET name = 'same'",
]


async def refuses(database: Database, command: str) -> None:
    async with database.reading() as tx:
        before = await everything(tx)
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(text(command))
    async with database.reading() as tx:
        assert await everything(tx) == before


async def test_no_row_can_be_what_it_must_not_be(database: Database) -> None:
    await claimed(database)
    for command in IMPOSSIBLE:
        await refuses(database, command)


async def test_what_there_is_once_cannot_be_there_twice(database: Database) -> None:
    await ready(database, 1)
    await ready(database, 2)
    async with database.transaction() as tx:
        await a_merchant(tx, "bob")
    for command in TWICE:
        await refuses(database, command)


async def test_what_is_possible_is_not_refused(database: Database) -> None:
    async with database.transaction() as tx:
        await a_forward(tx)
        for command in (
            "UPDATE forwards SET state = 'held', held_reason = 'look'",
            "UPDATE forwards SET state = 'forwarded', transaction_id = 'tx'",
            "UPDATE forwards SET state = 'resolved'",
            "UPDATE invoices SET state = 'paid'",
        ):
            await tx.execute(text(command))


def test_nothing_that_money_rests_on_is_ever_deleted() -> None:
    """Only what past minutes saw is, leases that hold nothing, and totals for their sums."""
    deleting = set()
    for path in Path(store.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in ("delete", "drop_all", "drop"):
                    deleting.add(path.stem)
    assert deleting <= {"recent", "leases", "totals"}
