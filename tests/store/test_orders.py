"""Orders: kept before Blink is asked, so that asking again gives the same sale."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from forwarder.model.invoice import Order
from forwarder.model.units import Sats
from forwarder.store import orders
from forwarder.store.database import Database
from forwarder.store.orders import OrderConflict
from tests.store.rows import NOW, a_merchant, an_order

OTHERS = [
    replace(an_order(), amount=Sats(1_001)),
    replace(an_order(), description="tea"),
    replace(an_order(), expires_in_seconds=901),
]


async def test_an_order_that_comes_again_gets_another_attempt(database: Database) -> None:
    async with database.transaction() as tx:
        merchant = await a_merchant(tx)
        attempts = [await orders.begin(tx, merchant.id, an_order(), NOW) for _ in range(3)]
        assert attempts == [1, 2, 3]
        assert await orders.begin(tx, merchant.id, an_order(2), NOW) == 1
        await orders.check(tx, merchant.id, an_order())


@pytest.mark.parametrize("other", OTHERS)
async def test_a_name_stands_for_one_order(database: Database, other: Order) -> None:
    async with database.transaction() as tx:
        alice, bob = await a_merchant(tx, "alice"), await a_merchant(tx, "bob")
        await orders.begin(tx, alice.id, an_order(), NOW)
        with pytest.raises(OrderConflict):
            await orders.begin(tx, alice.id, other, NOW)
        with pytest.raises(OrderConflict):
            await orders.check(tx, alice.id, other)
        assert await orders.begin(tx, bob.id, other, NOW) == 1


async def test_an_order_that_was_never_given_conflicts_with_nothing(database: Database) -> None:
    async with database.transaction() as tx:
        merchant = await a_merchant(tx)
        await orders.check(tx, merchant.id, an_order())


async def test_orders_given_at_once_have_attempts_of_their_own(
    database: Database, other: Database
) -> None:
    async with database.transaction() as tx:
        merchant = await a_merchant(tx)

    async def begin(one: Database) -> int:
        async with one.transaction() as tx:
            return await orders.begin(tx, merchant.id, an_order(), NOW)

    attempts = await asyncio.gather(*(begin((database, other)[n % 2]) for n in range(10)))
    assert sorted(attempts) == list(range(1, 11))
